/** `weft run`: a switch between real interfaces with its database, as a file or as ovs-vsctl says. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { loadNative } from '../../backends/native/index.ts';
import { planChanges } from '../vswitchd/desired/changes.ts';
import { wantedRows } from '../vswitchd/desired/rows.ts';
import type { DesiredState } from '../vswitchd/desired/types.ts';
import { UsageError } from './failure.ts';
import { runFolder, stateFolder } from './run/client.ts';
import { emptyReplica } from './run/empty.ts';
import { Engine } from './run/engine.ts';
import { ownerOf, readStateFile } from './run/state-file.ts';
import type { Console } from './terminal.ts';

interface RunOptions {
  readonly dryRun?: boolean;
  readonly state?: string;
  readonly ctl?: string;
  readonly workers?: string;
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

The state folder has the database, conf.db, and in run/ the sockets: with OVS_RUNDIR=DIR/run, ovs-vsctl, ovs-ofctl and ovs-appctl
find the switch. Without --state it is made for the process when there is a file, and is /var/lib/weft when there is none.

Exit status: 0 after a signal, 1 when the switch broke, 2 when the file is wrong or cannot be carried out here.`;

const WORKERS_MAX = 16;

export function runCommand(console: Console): Command {
  return new Command('run')
    .description('a switch between real interfaces, as a file or a database says')
    .argument('[file]', 'bridges, ports and tunnels, as YAML or JSON')
    .option('--state <folder>', 'where database and sockets lie')
    .option('--workers <number>', 'threads that forward')
    .option('--dry-run', 'show what would be made, and end')
    .option('--ctl <path>', 'where the control socket lies')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, options: RunOptions) =>
      console.setStatus(await run(file ?? null, options, console)),
    );
}

const indented = (error: unknown): string => (error as Error).message.replaceAll('\n', '\nweft: ');

function load(file: string): DesiredState {
  try {
    return readStateFile(file);
  } catch (error) {
    throw new UsageError(indented(error));
  }
}

const needsAddon = ({ bridges, ports }: DesiredState): boolean =>
  [...bridges.values()].some(({ local }) => local === 'internal') ||
  [...ports.values()].some(({ target }) => target.kind === 'device');

function workersOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const workers = Number(text);
  if (!Number.isInteger(workers) || workers < 1 || workers > WORKERS_MAX)
    throw new UsageError(`--workers: should be a number from 1 to ${WORKERS_MAX}, not "${text}"`);
  return workers;
}

/** A state folder for this process; those of processes that are no more go. */
function temporaryFolder(): string {
  const folder = runFolder(process.env);
  let names: string[] = [];
  try {
    names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    // the first of all
  }
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  };
  for (const name of names) if (!isAlive(Number(name))) rmSync(join(folder, name), { recursive: true, force: true });
  return join(folder, `${process.pid}`);
}

async function run(file: string | null, options: RunOptions, console: Console): Promise<number> {
  const state = file === null ? null : load(file);
  if (options.dryRun) {
    if (file === null || !state) throw new UsageError('--dry-run is for a file');
    const owner = ownerOf(file);
    for (const { text } of planChanges(emptyReplica(), wantedRows(state, owner), owner).changes)
      console.out(`${text}\n`);
    return 0;
  }
  const addon = loadNative();
  if ((!state || needsAddon(state)) && !addon.ok) throw new UsageError(addon.error);
  const log = (line: string): void => console.err(`weft: ${line.replaceAll('\n', '\nweft: ')}\n`);
  const stopped = Promise.withResolvers<number>();
  const onError = (error: unknown): void => {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    stopped.resolve(1);
  };
  const isTemporary = options.state === undefined && file !== null;
  const folder = options.state ?? (isTemporary ? temporaryFolder() : stateFolder(process.env));
  const engine = new Engine({
    ...{ file, state, folder, isTemporary, log, onError },
    control: options.ctl ?? null,
    workers: workersOf(options.workers),
  });
  void engine.ended.then(() => stopped.resolve(0));
  const signals = listen(engine, log, () => stopped.resolve(0));
  try {
    await Promise.race([engine.start(), stopped.promise]);
    log(`running: ${engine.counts}; OVS_RUNDIR=${engine.runFolder}`);
    return await stopped.promise;
  } catch (error) {
    throw new UsageError(indented(error));
  } finally {
    await engine.stop();
    signals.remove();
  }
}

/** Signals that arrive while the switch is taken apart change nothing any more. */
function listen(engine: Engine, log: (line: string) => void, stop: () => void): { remove(): void } {
  const reload = (): void => {
    log('SIGHUP: reading the file again');
    engine.reload().catch((error: unknown) => {
      log((error as Error).message);
      log('nothing was changed');
    });
  };
  const handlers = { SIGHUP: reload, SIGTERM: stop, SIGINT: stop } as const;
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return {
    remove: () => {
      for (const [signal, handler] of Object.entries(handlers)) process.removeListener(signal, handler);
    },
  };
}
