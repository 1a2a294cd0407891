/** The command line of ovsdb-server, as the reference takes it. */
import { parseArgs } from 'node:util';
import { UsageError } from '../failure.ts';

export const versionText = 'ovsdb-server (Weft, for Open vSwitch) 3.1.0\n';

export interface Options {
  readonly databases: readonly string[];
  readonly remotes: readonly string[];
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
  /** Files of TLS, or places in a database that name them (`db:DB,TABLE,COLUMN`); null for what was not given. */
  readonly ssl: SslOptions;
  /** What -v said, in its order. */
  readonly levels: readonly string[];
  readonly wants: 'run' | 'help' | 'version';
}

export interface SslOptions {
  readonly privateKey: string | null;
  readonly certificate: string | null;
  readonly caCert: string | null;
  /** In the place of caCert: the peer's is taken when the file is missing. */
  readonly bootstrapCaCert: string | null;
}

const string = { type: 'string', multiple: true } as const;
const boolean = { type: 'boolean' } as const;

/** Options whose value may only stand behind an equals sign, and may be missing. */
const optionalValue = /^--(pidfile|log-file|verbose)$|^-v$/;

/** What is taken for the sake of scripts, and has no effect. */
const accepted = {
  'ssl-protocols': string,
  'ssl-ciphers': string,
  'syslog-method': string,
  'syslog-target': string,
  'no-self-confinement': boolean,
} as const;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const normal = args.map((arg) => {
    if (optionalValue.test(arg)) return arg === '-v' || arg === '--verbose' ? '--verbose=any' : `${arg}=`;
    return /^-v./.test(arg) ? `--verbose=${arg.slice(2)}` : arg;
  });
  try {
    const { values, positionals } = parseArgs({
      args: normal,
      allowPositionals: true,
      options: {
        ...accepted,
        'private-key': { ...string, short: 'p' },
        certificate: { ...string, short: 'c' },
        'ca-cert': { ...string, short: 'C' },
        'bootstrap-ca-cert': string,
        remote: string,
        unixctl: string,
        pidfile: string,
        'log-file': string,
        verbose: string,
        'overwrite-pidfile': boolean,
        detach: boolean,
        'no-chdir': boolean,
        monitor: boolean,
        help: { ...boolean, short: 'h' },
        version: { ...boolean, short: 'V' },
      },
    });
    return {
      databases: positionals,
      remotes: values.remote ?? [],
      unixctl: values.unixctl?.at(-1) ?? null,
      pidfile: values.pidfile?.at(-1) ?? null,
      mayOverwritePidfile: values['overwrite-pidfile'] ?? false,
      mustDetach: values.detach ?? false,
      mustChangeFolder: !values['no-chdir'],
      mustMonitor: values.monitor ?? false,
      logFile: values['log-file']?.at(-1) ?? null,
      ssl: {
        privateKey: values['private-key']?.at(-1) ?? null,
        certificate: values.certificate?.at(-1) ?? null,
        caCert: values['ca-cert']?.at(-1) ?? null,
        bootstrapCaCert: values['bootstrap-ca-cert']?.at(-1) ?? null,
      },
      levels: values.verbose ?? [],
      wants: values.help ? 'help' : values.version ? 'version' : 'run',
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export const help = `ovsdb-server: database server of Open vSwitch, by Weft
usage: ovsdb-server [OPTIONS] [DATABASE...]
where each DATABASE is a database file. Without one: $OVS_DBDIR/conf.db, or /etc/openvswitch/conf.db.

  --remote=REMOTE         punix:FILE, ptcp:PORT[:IP], pssl:PORT[:IP], unix:FILE, tcp:IP:PORT, ssl:IP:PORT or
                          db:DB,TABLE,COLUMN (any number of times)
  -p, --private-key=FILE, -c, --certificate=FILE, -C, --ca-cert=FILE, --bootstrap-ca-cert=FILE
                          files of TLS in PEM form, or db:DB,TABLE,COLUMN where a database names them
  --unixctl=SOCKET        control socket, or "none"
  --pidfile[=FILE]        write the process number to a file, and hold a record lock on it
  --overwrite-pidfile     start even if the pidfile's owner runs
  --detach                run in the background; the command ends when the server is ready
  --monitor               with --detach: a process that starts the server again when it dies of a fault
  --no-chdir              do not change to / when detached
  --log-file[=FILE]       log to a file
  -v[SPEC], --verbose     logging levels: [MODULE:][console:|file:|syslog:]off|emer|err|warn|info|dbg
  -h, --help              this text
  -V, --version           version

Taken without effect: --ssl-protocols, --ssl-ciphers, --syslog-method, --syslog-target.
`;
