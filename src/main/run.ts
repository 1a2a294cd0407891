/** `weft run`: a switch between real interfaces, as a file says. */
import { Command } from 'commander';
import { loadNative } from '../../backends/native/index.ts';
import { nothing, planSteps, stepText } from '../vswitchd/desired/plan.ts';
import type { DesiredState } from '../vswitchd/desired/types.ts';
import { UsageError } from './failure.ts';
import { runFolder, socketOf } from './run/client.ts';
import { Engine, readStateFile } from './run/engine.ts';
import type { Console } from './terminal.ts';

interface RunOptions {
  readonly dryRun?: boolean;
  readonly ctl?: string;
}

const HELP = `
The file is YAML or JSON (docs/run.md has every setting):
  bridges:
    - name: br-int
      ports:
        - { name: vm1, backend: tap, tag: 10 }
        - { name: eth1, backend: afxdp }
        - { name: vxlan0, tunnel: { type: vxlan, remote: 172.16.0.2, key: 100 } }
    - name: br-phy
      addresses: [172.16.0.1/24]
      ports:
        - { name: eth0, backend: packet }

SIGHUP reads the file again and makes what changed; SIGTERM and SIGINT (Ctrl-C) end it, and leave the machine as it was.
The control socket is weft.PID.ctl in $WEFT_RUNDIR, $OVS_RUNDIR or /var/run/weft: ovs-appctl -t SOCKET list-commands.

Exit status: 0 after a signal, 1 when the switch broke, 2 when the file is wrong or cannot be carried out here.`;

export function runCommand(console: Console): Command {
  return new Command('run')
    .description('a switch between real interfaces, as a file says')
    .argument('<file>', 'bridges, ports and tunnels, as YAML or JSON')
    .option('--dry-run', 'show what would be made, and end')
    .option('--ctl <path>', 'where the control socket lies')
    .addHelpText('after', HELP)
    .action(async (file: string, options: RunOptions) => console.setStatus(await run(file, options, console)));
}

function load(file: string): DesiredState {
  try {
    return readStateFile(file);
  } catch (error) {
    throw new UsageError((error as Error).message.replaceAll('\n', '\nweft: '));
  }
}

const needsAddon = ({ bridges, ports }: DesiredState): boolean =>
  [...bridges.values()].some(({ local }) => local === 'internal') ||
  [...ports.values()].some(({ target }) => target.kind === 'device');

async function run(file: string, options: RunOptions, console: Console): Promise<number> {
  const state = load(file);
  if (options.dryRun) {
    for (const step of planSteps(nothing, state)) console.out(`${stepText(step)}\n`);
    return 0;
  }
  const addon = loadNative();
  if (needsAddon(state) && !addon.ok) throw new UsageError(addon.error);
  const log = (line: string): void => console.err(`weft: ${line}\n`);
  const control = options.ctl ?? socketOf(runFolder(process.env), process.pid);
  const stopped = Promise.withResolvers<number>();
  const onError = (error: unknown): void => {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    stopped.resolve(1);
  };
  const engine = new Engine(state, { file, control, log, onError });
  void engine.ended.then(() => stopped.resolve(0));
  const signals = listen(engine, log, () => stopped.resolve(0));
  try {
    await engine.start();
    log(`running: ${state.bridges.size} bridges, ${engine.portCount} ports; control socket ${control}`);
    return await stopped.promise;
  } catch (error) {
    throw new UsageError(`${control}: ${(error as Error).message}`);
  } finally {
    await engine.stop();
    signals.remove();
  }
}

/** Signals that arrive while the switch is taken apart change nothing any more. */
function listen(engine: Engine, log: (line: string) => void, stop: () => void): { remove(): void } {
  const reload = (): void => {
    log('SIGHUP: reading the file again');
    try {
      engine.reload();
    } catch (error) {
      log(`${(error as Error).message.replaceAll('\n', '\nweft: ')}\nweft: nothing was changed`);
    }
  };
  const handlers = { SIGHUP: reload, SIGTERM: stop, SIGINT: stop } as const;
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return {
    remove: () => {
      for (const [signal, handler] of Object.entries(handlers)) process.removeListener(signal, handler);
    },
  };
}
