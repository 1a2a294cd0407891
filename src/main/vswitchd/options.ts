/** The command line of ovs-vswitchd, as the reference takes it (ovs-vswitchd(8)). */
import { parseArgs } from 'node:util';
import type { DummyMode } from '../../vswitchd/database/devices.ts';
import { UsageError } from '../failure.ts';

export const versionText = 'ovs-vswitchd (Weft, for Open vSwitch) 3.1.0';

export interface Options {
  /** Where the database is. */
  readonly remote: string;
  readonly runFolder: string;
  readonly logFolder: string;
  /** Null: the default place; "none": no control socket. */
  readonly unixctl: string | null;
  /** Null: no pidfile; empty: the default place. */
  readonly pidfile: string | null;
  readonly mayOverwritePidfile: boolean;
  readonly mustDetach: boolean;
  readonly mustChangeFolder: boolean;
  readonly mustMonitor: boolean;
  /** Null: no log file; empty: the default place. */
  readonly logFile: string | null;
  /** What -v said, in its order. */
  readonly levels: readonly string[];
  readonly dummies: DummyMode;
  readonly ssl: {
    readonly privateKey: string | null;
    readonly certificate: string | null;
    readonly caCert: string | null;
  };
  readonly wants: 'run' | 'help' | 'version';
}

const string = { type: 'string', multiple: true } as const;
const boolean = { type: 'boolean' } as const;

/** Options whose value may only stand behind an equals sign, and may be missing. */
const optionalValue = /^--(pidfile|log-file|enable-dummy)$/;

/** Taken for the sake of scripts: memory is not locked, and routes and datapaths of the kernel are not used. */
const accepted = {
  mlockall: boolean,
  'no-mlockall': boolean,
  'no-self-confinement': boolean,
  'hw-rawio-access': boolean,
  'disable-system': boolean,
  'disable-system-route': boolean,
  'bootstrap-ca-cert': string,
  'peer-ca-cert': string,
  'ssl-protocols': string,
  'ssl-ciphers': string,
  'syslog-method': string,
  'syslog-target': string,
  user: string,
  dpdk: boolean,
} as const;

const dummyModes: Readonly<Record<string, DummyMode>> = { override: 'override', system: 'system' };

/** @throws UsageError */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const normal = args.map((arg) => {
    if (arg === '-v' || arg === '--verbose') return '--verbose=any:any:dbg';
    if (optionalValue.test(arg)) return `${arg}=`;
    return /^-v./.test(arg) ? `--verbose=${arg.slice(2)}` : arg;
  });
  try {
    const { values, positionals } = parseArgs({
      args: normal,
      allowPositionals: true,
      options: {
        ...accepted,
        unixctl: string,
        pidfile: string,
        'log-file': string,
        verbose: string,
        'enable-dummy': string,
        'overwrite-pidfile': boolean,
        detach: boolean,
        'no-chdir': boolean,
        monitor: boolean,
        'private-key': { ...string, short: 'p' },
        certificate: { ...string, short: 'c' },
        'ca-cert': { ...string, short: 'C' },
        help: { ...boolean, short: 'h' },
        version: { ...boolean, short: 'V' },
      },
    });
    if (positionals.length > 1) throw new UsageError('at most one non-option argument accepted; use --help for usage');
    const runFolder = env.OVS_RUNDIR || '/var/run/openvswitch';
    const dummy = values['enable-dummy']?.at(-1);
    return {
      remote: positionals[0] ?? `unix:${runFolder}/db.sock`,
      runFolder,
      logFolder: env.OVS_LOGDIR || '/var/log/openvswitch',
      unixctl: values.unixctl?.at(-1) ?? null,
      pidfile: values.pidfile?.at(-1) ?? null,
      mayOverwritePidfile: values['overwrite-pidfile'] ?? false,
      mustDetach: values.detach ?? false,
      mustChangeFolder: !values['no-chdir'],
      mustMonitor: values.monitor ?? false,
      logFile: values['log-file']?.at(-1) ?? null,
      levels: values.verbose ?? [],
      dummies: dummy === undefined ? 'none' : (dummyModes[dummy] ?? 'dummy'),
      ssl: {
        privateKey: values['private-key']?.at(-1) ?? null,
        certificate: values.certificate?.at(-1) ?? null,
        caCert: values['ca-cert']?.at(-1) ?? null,
      },
      wants: values.help ? 'help' : values.version ? 'version' : 'run',
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${(error as Error).message.replace(/\. To specify.*$/s, '')}; use --help for usage`);
  }
}

export const helpText = ({
  runFolder,
  logFolder,
}: Options): string => `ovs-vswitchd: switch daemon of Open vSwitch, by Weft
usage: ovs-vswitchd [OPTIONS] [DATABASE]
where DATABASE is the database server's socket: unix:FILE, tcp:IP:PORT or ssl:IP:PORT.
Without it: "unix:${runFolder}/db.sock".

  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE   for ssl:
  --unixctl=SOCKET        control socket, or "none"
  --pidfile[=FILE]        write the process number to a file, and hold a record lock on it
                          (default: ${runFolder}/ovs-vswitchd.pid)
  --overwrite-pidfile     start even if the pidfile's owner runs
  --detach                run in the background; the command ends when the first configuration is in
  --monitor               with --detach: a process that starts the daemon again when it dies of a fault
  --no-chdir              do not change to / when detached
  --log-file[=FILE]       log to a file (default: ${logFolder}/ovs-vswitchd.log)
  -v[SPEC], --verbose     logging levels: [MODULE:][console:|file:|syslog:]off|emer|err|warn|info|dbg
  --enable-dummy[=WHICH]  dummy interfaces; "system" or "override" make dummies of other types too
  -h, --help              this text
  -V, --version           version

Taken without effect: --mlockall, --no-mlockall, --disable-system, --disable-system-route, --user, --hw-rawio-access,
--bootstrap-ca-cert, --peer-ca-cert, --ssl-protocols, --ssl-ciphers, --syslog-method, --syslog-target, --dpdk,
--no-self-confinement.
`;
