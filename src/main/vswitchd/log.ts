/** The switch daemon's log file. */
import { resolve } from 'node:path';
import { Vlog } from '../daemon/vlog.ts';
import type { Options } from './options.ts';

export const logFileOf = ({ logFile, logFolder }: Options): string =>
  resolve(logFile || `${logFolder}/ovs-vswitchd.log`);

/** The watching process's line about a child that died. */
export function logFault(options: Options, signal: string): void {
  if (options.logFile === null) return;
  const log = new Vlog();
  log.configure('console:off');
  log.open(logFileOf(options));
  log.log('daemon', 'ERR', `child process died (killed (${signal})), restarting`);
  log.close();
}
