/**
 * ovsdb-client's commands (ovsdb-client(1)): look at, change, watch and back up the databases of a server.
 *
 * What. client-commands.ts lists the commands, monitor.ts watches, backup.ts writes and reads database files; this file reads the
 * command line, connects, and finds out which database is meant.
 * Not supported: --detach and what goes with it, --record and --replay.
 */
import { isArray } from '../../ovsdb/json.ts';
import { describeOptions, loggingOptions, type OptionRow, readOptions } from '../common/getopt.ts';
import { type CliIo, Fatal, parseTimeout, rundirOf, runProgram, withTimeout } from '../common/io.ts';
import { ConnectionError, noTls, Rpc, tlsOptions } from '../common/rpc.ts';
import { listStyle, tableOptions } from '../common/table.ts';
import { type ClientCommand, clientCommands } from './client-commands.ts';
import { ClientContext, type ClientOptions, PROGRAM } from './client-context.ts';

const DEFAULT_DATABASE = 'Open_vSwitch';
const nothing = (): void => undefined;

export const clientOptions: readonly OptionRow<ClientOptions>[] = [
  {
    long: 'help',
    short: 'h',
    argument: 'none',
    help: 'show this',
    apply: (draft) => {
      draft.wants ??= 'help';
    },
  },
  {
    long: 'version',
    short: 'V',
    argument: 'none',
    help: 'show the version',
    apply: (draft) => {
      draft.wants ??= 'version';
    },
  },
  {
    long: 'timestamp',
    argument: 'none',
    help: 'say when changes came',
    apply: (draft) => {
      draft.hasTimestamps = true;
    },
  },
  {
    long: 'force',
    argument: 'none',
    help: 'restore a backup of another schema as well',
    apply: (draft) => {
      draft.mustForce = true;
    },
  },
  {
    long: 'timeout',
    short: 't',
    argument: 'required',
    metavar: 'SECS',
    help: 'give up after so many seconds',
    apply: (draft, text) => {
      draft.timeout = parseTimeout(text);
    },
  },
  { long: 'leader-only', argument: 'none', apply: nothing },
  { long: 'no-leader-only', argument: 'none', apply: nothing },
  ...loggingOptions,
  ...tableOptions,
  ...tlsOptions,
];

/** A command's arguments, with those that all have. */
export const clientUsage = ({ usage, hasDatabase }: ClientCommand): string =>
  ['[SERVER]', hasDatabase ? '[DATABASE]' : '', usage].filter((part) => part !== '').join(' ');

function helpText(io: CliIo): string {
  const lines = clientCommands.map((command) => `  ${command.name} ${clientUsage(command)}\n      ${command.help}\n`);
  const head = `${PROGRAM}: talk to a database server\nusage: ${PROGRAM} [OPTIONS] COMMAND [ARG...]\n`;
  const defaults = `The server is unix:${rundirOf(io)}/db.sock, the database ${DEFAULT_DATABASE}, unless others are named.\n`;
  return `${head}${lines.join('')}${defaults}\nOptions:\n${describeOptions(clientOptions)}`;
}

/** A server's name has a scheme. */
const isRemote = (text: string): boolean => /^[A-Za-z][^:]*:/.test(text);

async function connect(options: ClientOptions, remote: string): Promise<Rpc> {
  try {
    return await Rpc.connect(remote, options.tls);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    const isKnown = /^(unix|tcp|ssl):/.test(remote);
    const what = isKnown ? 'failed to connect to' : 'failed to connect or listen to';
    throw new Fatal(`${what} "${remote}" (${error.message})`);
  }
}

async function chooseDatabase(rpc: Rpc, words: string[], least: number): Promise<string> {
  const { result } = await rpc.request('list_dbs', []);
  const names = isArray(result) ? result.map(String) : [];
  if (words.length > least && names.includes(words[0]!)) return words.shift()!;
  const own = names.filter((name) => !name.startsWith('_'));
  if (own.length === 1) return own[0]!;
  if (names.includes(DEFAULT_DATABASE)) return DEFAULT_DATABASE;
  throw new Fatal('could not find a default database, please specify a database name');
}

async function execute(io: CliIo, options: ClientOptions, command: ClientCommand, args: string[]): Promise<void> {
  const words = [...args];
  const isNamed = words.length > command.least && isRemote(words[0]!);
  const server = isNamed ? words.shift()! : `unix:${rundirOf(io)}/db.sock`;
  const wrong = new Fatal(`invalid syntax for '${command.name}' (use --help for help)`);
  const rpc = await connect(options, server);
  try {
    const database = command.hasDatabase ? await chooseDatabase(rpc, words, command.least) : '';
    if (words.length < command.least || words.length > command.most) throw wrong;
    await command.run(new ClientContext(io, options, rpc, server, database, words));
  } catch (error) {
    if (error instanceof ConnectionError) throw new Fatal(`${server}: receive failed (${error.message})`);
    throw error;
  } finally {
    rpc.close();
  }
}

/** Runs one command line. @returns the exit status: 0, or 1 for an error */
export function runOvsdbClient(args: readonly string[], given: CliIo): Promise<number> {
  return runProgram(PROGRAM, args, given, async (io) => {
    const options: ClientOptions = {
      timeout: null,
      style: { ...listStyle(), format: 'table' },
      hasTimestamps: false,
      mustForce: false,
      tls: noTls(),
      wants: null,
    };
    const [name, ...rest] = readOptions(clientOptions, args, options, 'anywhere');
    if (options.wants !== null) {
      io.out(options.wants === 'help' ? helpText(io) : `${PROGRAM} (Open vSwitch) 3.1.0\n`);
      return;
    }
    if (name === undefined) throw new Fatal('missing command name; use --help for help');
    const command = clientCommands.find((one) => one.name === name);
    if (!command) throw new Fatal(`unknown command '${name}'; use --help for help`);
    await withTimeout(options.timeout, io, execute(io, options, command, rest));
  });
}
