/** The switch daemon as a process: log, pidfile, control socket, signals. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { ControlSocket } from '../../ovsdb/index.ts';
import { SwitchDaemon } from '../../vswitchd/database/daemon.ts';
import { registerCommands } from '../../vswitchd/unixctl/index.ts';
import { handOver, heldDevices } from '../daemon/handover.ts';
import { isDetachedChild, type LockedFile, sayReady, writePidfile } from '../daemon/process.ts';
import { Vlog } from '../daemon/vlog.ts';
import { registerLogCommands } from '../daemon/vlog-commands.ts';
import { switchModules } from '../daemon/vlog-modules.ts';
import { UsageError } from '../failure.ts';
import { logFileOf } from './log.ts';
import { type Options, versionText } from './options.ts';

function openLog(options: Options, log: Vlog): void {
  for (const spec of options.levels) {
    const problem = log.configure(spec);
    if (problem !== null) throw new UsageError(`processing "${spec}": ${problem}`);
  }
  if (options.logFile === null) return;
  const path = logFileOf(options);
  try {
    log.open(path);
    log.log('vlog', 'INFO', `opened log file ${path}`);
  } catch (error) {
    throw new UsageError(`failed to open ${path} for logging (${(error as Error).message})`);
  }
}

function lockPidfile(options: Options): LockedFile | null {
  if (options.pidfile === null) return null;
  const path = resolve(options.runFolder, options.pidfile || 'ovs-vswitchd.pid');
  try {
    return writePidfile(path);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Runs until a signal or `exit`. @throws UsageError when it cannot start */
export async function runDaemon(options: Options): Promise<void> {
  const log = new Vlog(switchModules);
  openLog(options, log);
  const pidfile = lockPidfile(options);
  const path = options.unixctl ?? `${options.runFolder}/ovs-vswitchd.${process.pid}.ctl`;
  const control = path === 'none' ? null : new ControlSocket(resolve(options.runFolder, path));
  const held = heldDevices(options.runFolder);
  const daemon = new SwitchDaemon({
    remote: options.remote,
    folder: options.runFolder,
    dummies: options.dummies,
    random: (size) => Uint8Array.from(randomBytes(size)),
    log: (module, level, text) => log.log(module, level, text),
    version: versionText,
    held: held.devices,
    ready: () => {
      held.release();
      if (!isDetachedChild()) return;
      if (options.mustChangeFolder) process.chdir('/');
      log.configure('console:off');
      sayReady();
    },
    failed: (error) => {
      log.log('vswitchd', 'EMER', (error as Error).stack ?? String(error));
      process.abort();
    },
  });
  const stop = async (): Promise<void> => {
    daemon.close();
    await control?.close();
    pidfile?.remove();
  };
  if (control) {
    registerCommands(control, daemon, versionText);
    registerLogCommands(control, log);
    control.register('exit', '[--cleanup]', 0, 1, ([word]) => {
      if (word !== '--cleanup') {
        handOver(options.runFolder, daemon.holdable());
        daemon.keepsDevices = true;
      }
      setImmediate(() => void stop().then(() => process.exit(0)));
      return '';
    });
    try {
      await control.open();
    } catch (error) {
      throw new UsageError(`could not initialize control socket (${(error as Error).message})`);
    }
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      log.log('fatal_signal', 'WARN', `terminating with signal (${signal})`);
      void stop().then(() => process.kill(process.pid, signal));
    });
  }
  process.on('SIGPIPE', () => undefined);
  process.stderr.on('error', () => undefined);
  try {
    daemon.start();
  } catch (error) {
    throw new UsageError(`${options.remote}: ${(error as Error).message}`);
  }
}
