/** Where the database server has its files. */
import { resolve } from 'node:path';
import { Vlog } from '../daemon/vlog.ts';
import type { Options } from './options.ts';

export interface Places {
  readonly run: string;
  readonly log: string;
  readonly database: string;
}

export function placesOf(env: NodeJS.ProcessEnv): Places {
  return {
    run: env.OVS_RUNDIR || '/var/run/openvswitch',
    log: env.OVS_LOGDIR || '/var/log/openvswitch',
    database: env.OVS_DBDIR || (env.OVS_SYSCONFDIR ? `${env.OVS_SYSCONFDIR}/openvswitch` : '/etc/openvswitch'),
  };
}

export const logFileOf = (name: string, places: Places): string => resolve(name || `${places.log}/ovsdb-server.log`);

/** The watching process's line about a child that died. */
export function logFault(options: Options, signal: string): void {
  if (options.logFile === null) return;
  const log = new Vlog();
  log.configure('console:off');
  log.open(logFileOf(options.logFile, placesOf(process.env)));
  log.log('daemon', 'ERR', `child process died (killed (${signal})), restarting`);
  log.close();
}
