/**
 * ovs-vsctl's commands (ovs-vsctl(8)): bridges, ports and rows of the Open_vSwitch database, with the reference's output, errors
 * and exit status.
 *
 * What. options.ts reads the command line; a run fetches the database into a replica, lets its commands change a workspace
 * (workspace.ts), and sends what came out as one transaction; commands.ts lists the commands, model.ts knows bridges and ports.
 * Terms. *local options*: those of one command, before its name. *verified*: what a transaction depends on, sent as "wait"
 * operations. *reload*: the switch has done what was configured, cur_cfg has reached next_cfg.
 * Invariants. Nothing is printed before the transaction is through. All commands of a run are in one transaction; when somebody
 * else changed what it depends on, all of them run again on the new content.
 * Not supported: --log-file, syslog; the order of rows is that of the server's answer, the reference's that of a hash table.
 */

import { Replica } from '../../ovsdb/client/index.ts';
import { isArray, isObject, type Json, stringify } from '../../ovsdb/json.ts';
import { schemaFromJson } from '../../ovsdb/schema.ts';
import { describeOptions } from '../common/getopt.ts';
import { type CliIo, Fatal, logLine, rundirOf, runProgram, withTimeout } from '../common/io.ts';
import { ConnectionError, Rpc } from '../common/rpc.ts';
import { TablePrinter } from '../common/table.ts';
import { commandGroups, commands } from './commands.ts';
import { Context, Names, NotYet, type Run } from './context.ts';
import { type CommandCall, parseCommandLine, programOptions, type VsctlOptions } from './options.ts';
import { Workspace } from './workspace.ts';

const NAME = 'ovs-vsctl';
const DATABASE = 'Open_vSwitch';
const SCHEMA_VERSION = '8.3.1';
const RETRY_MS = 1000;
const DEFAULT_LOGDIR = '/var/log/openvswitch';

/** What is shown of the program without a database. */
function helpText(): string {
  const groups = commandGroups.map(({ title, commands: list }) => {
    const lines = list.map(({ name, usage, help }) => `  ${`${name} ${usage}`.trimEnd().padEnd(46)} ${help}\n`);
    return `\n${title}:\n${lines.join('')}`;
  });
  const head = `${NAME}: configure a switch through its database\nusage: ${NAME} [OPTIONS] COMMAND [ARG...] [-- [OPTIONS] COMMAND [ARG...]]...\n`;
  return `${head}${groups.join('')}\nOptions:\n${describeOptions(programOptions)}`;
}

function commandsText(): string {
  const line = (options: readonly string[], name: string, syntax: string): string =>
    `${options.map((option) => `[${option}] `).join('')},${name},${syntax}\n`;
  return commands.map(({ options, name, syntax }) => line(options, name, syntax)).join('');
}

const optionsText = (): string =>
  programOptions
    .flatMap(({ long, short, argument }) => {
      const value = argument === 'none' ? '' : 'ARG';
      const first = `--${long}${value === '' ? '' : `=${value}`}\n`;
      return short === undefined ? [first] : [first, `-${short}${value === '' ? '' : ` ${value}`}\n`];
    })
    .join('');

function wanted(wants: VsctlOptions['wants']): string {
  if (wants === 'help') return helpText();
  if (wants === 'commands') return commandsText();
  if (wants === 'options') return optionsText();
  return `${NAME} (Open vSwitch) 3.1.0\nDB Schema ${SCHEMA_VERSION}\n`;
}

/** The database's content, and the connection over which it is kept up to date. */
class Connection {
  readonly rpc: Rpc;
  readonly replica: Replica;

  private constructor(rpc: Rpc, replica: Replica) {
    this.rpc = rpc;
    this.replica = replica;
  }

  static async open(remote: string, options: VsctlOptions): Promise<Connection> {
    const rpc = await Rpc.connect(remote, options.tls);
    const { result, error } = await rpc.request('get_schema', [DATABASE]);
    if (error !== null) throw new ConnectionError(stringify(error));
    const schema = schemaFromJson(result);
    const requests = Object.fromEntries(
      [...schema.tables.values()].map(({ name, columns }) => [
        name,
        [{ columns: columns.map((column) => column.name).filter((column) => !column.startsWith('_')) }],
      ]),
    );
    const initial = await rpc.request('monitor_cond', [DATABASE, NAME, requests]);
    const replica = new Replica(schema);
    replica.apply(initial.result);
    return new Connection(rpc, replica);
  }

  /** Takes in what has come. */
  catchUp(): void {
    for (let next = this.rpc.poll(); next; next = this.rpc.poll()) this.#apply(next.method, next.params);
  }

  #apply(method: string, params: readonly Json[]): void {
    if (method === 'update2') this.replica.apply(params[1] ?? null);
  }

  /** Waits for a change. @throws ConnectionError */
  async change(): Promise<void> {
    const next = await this.rpc.next();
    if (!next) throw new ConnectionError(this.rpc.failure);
    this.#apply(next.method, next.params);
    this.catchUp();
  }
}

async function connect(remote: string, options: VsctlOptions, io: CliIo): Promise<Connection> {
  for (;;) {
    try {
      return await Connection.open(remote, options);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      logLine(io, 'reconnect', 'WARN', `${remote}: connection attempt failed (${error.message})`);
      if (!options.retries) throw new Fatal(`${remote}: database connection failed (${error.message})`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

interface Attempt {
  readonly contexts: readonly Context[];
  readonly run: Run;
}

/** Runs the commands on what the database has now. @throws NotYet when the database has to change first */
function attempt(connection: Connection, calls: readonly CommandCall[], io: CliIo): Attempt {
  const work = new Workspace(connection.replica, () => io.uuid());
  const root = work.rows(DATABASE)[0] ?? work.insert(DATABASE);
  const run: Run = { io, work, root, names: new Names(() => io.uuid()), expected: new Set(), model: null };
  const contexts = calls.map(({ command, args, options }) => new Context(run, command.name, args, options));
  for (const [i, { command }] of calls.entries()) command.check?.(contexts[i]!);
  for (const [i, { command }] of calls.entries()) command.run(contexts[i]!);
  run.names.check((text) => logLine(io, 'vsctl', 'WARN', text));
  return { contexts, run };
}

type Outcome =
  | { readonly kind: 'done'; readonly results: readonly Json[]; readonly nextConfig: number | null }
  | { readonly kind: 'again' };

/** Sends a transaction. @param waits whether the switch is to be told that there is something new */
async function commit(
  connection: Connection,
  run: Run,
  waits: boolean,
  comment: string,
): Promise<Outcome & { readonly operations: readonly Json[] }> {
  const changes = run.work.operations();
  if (changes.length === 0) return { kind: 'done', results: [], nextConfig: null, operations: [] };
  const { root } = run;
  const uuid = run.work.toJson({ keys: [root.uuid], values: null }, referenceType);
  const where = [['_uuid', '==', uuid]];
  const increment: Json[] = [
    { op: 'mutate', table: DATABASE, where, mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: DATABASE, where, columns: ['next_cfg'] },
  ];
  const operations = [...changes, ...(waits ? increment : []), { op: 'comment', comment }];
  const { result, error } = await connection.rpc.request('transact', [DATABASE, ...operations]);
  if (error !== null) throw transactionError(run.io, error);
  const results = isArray(result) ? result : [];
  const failed = results.filter((one) => isObject(one) && one.error !== undefined);
  const hard = failed.find((one) => isObject(one) && one.error !== 'timed out');
  if (hard !== undefined) throw transactionError(run.io, hard);
  if (failed.length > 0) return { kind: 'again', operations };
  return { kind: 'done', results, nextConfig: waits ? nextConfigOf(results[operations.length - 2]) : null, operations };
}

const referenceType = {
  key: {
    type: 'uuid',
    enum: null,
    min: null,
    max: null,
    minLength: 0,
    maxLength: 0,
    refTable: DATABASE,
    refType: 'strong',
  },
  value: null,
  min: 1,
  max: 1,
} as const;

function transactionError(io: CliIo, error: Json): Fatal {
  const text = `transaction error: ${stringify(error, true)}`;
  logLine(io, 'ovsdb_idl', 'WARN', text);
  return new Fatal(text);
}

function nextConfigOf(result: Json | undefined): number | null {
  const rows = isObject(result) && isArray(result.rows) ? result.rows : [];
  const [row] = rows;
  return isObject(row) ? Number(row.next_cfg) : null;
}

/** What the server calls the new rows. */
function newNames(operations: readonly Json[], results: readonly Json[]): Map<string, string> {
  const names = new Map<string, string>();
  operations.forEach((operation, i) => {
    const result = results[i];
    if (!isObject(operation) || operation.op !== 'insert' || !isObject(result) || !isArray(result.uuid)) return;
    names.set(String(operation['uuid-name']), String(result.uuid[1]));
  });
  return names;
}

function finish({ contexts }: Attempt, operations: readonly Json[], results: readonly Json[]): void {
  const names = newNames(operations, results);
  const realUuid = (uuid: string): string => names.get(`row${uuid.replaceAll('-', '_')}`) ?? uuid;
  for (const context of contexts) context.afterCommit?.(realUuid);
}

function print({ contexts }: Attempt, options: VsctlOptions, io: CliIo): void {
  const printer = new TablePrinter(options.style, io.out);
  for (const context of contexts) {
    if (context.table) printer.print(context.table);
    else if (!options.isOneLine) io.out(context.output);
    else io.out(`${context.output.replace(/\n$/, '').replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`);
  }
}

/** Waits until the switch has done it, and says which interfaces it could not set up. */
async function waitForSwitch(connection: Connection, nextConfig: number, run: Run): Promise<void> {
  const current = (): number => {
    const [row] = connection.replica.table(DATABASE).values();
    return row?.integer('cur_cfg') ?? nextConfig;
  };
  while (current() < nextConfig) await connection.change();
  let hasFailed = false;
  for (const row of connection.replica.table('Interface').values()) {
    const name = row.string('name');
    if (!run.expected.has(name) || row.integer('ofport') !== -1) continue;
    const why = row.string('error');
    const what = `Error detected while setting up '${name}'${why === '' ? '' : `: ${why}`}`;
    run.io.err(`${NAME}: ${what}.  See ovs-vswitchd log for details.\n`);
    hasFailed = true;
  }
  if (hasFailed) {
    run.io.err(`${NAME}: The default log directory is "${run.io.env.OVS_LOGDIR ?? DEFAULT_LOGDIR}".\n`);
  }
}

async function execute(
  connection: Connection,
  options: VsctlOptions,
  calls: readonly CommandCall[],
  io: CliIo,
  comment: string,
): Promise<void> {
  for (;;) {
    connection.catchUp();
    let made: Attempt;
    try {
      made = attempt(connection, calls, io);
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
      await connection.change();
      continue;
    }
    if (options.isDry) {
      print(made, options, io);
      return;
    }
    const outcome = await commit(connection, made.run, options.waits, comment);
    if (outcome.kind === 'again') {
      await connection.change();
      continue;
    }
    finish(made, outcome.operations, outcome.results);
    print(made, options, io);
    if (outcome.nextConfig !== null) await waitForSwitch(connection, outcome.nextConfig, made.run);
    return;
  }
}

/** Runs one command line. @returns the exit status: 0; 1 for an error; 2 when br-exists finds nothing */
export function runVsctl(args: readonly string[], given: CliIo): Promise<number> {
  return runProgram(NAME, args, given, async (io) => {
    const { options, calls } = parseCommandLine(args);
    if (options.wants !== null) {
      io.out(wanted(options.wants));
      return;
    }
    const remote = options.database ?? `unix:${rundirOf(io)}/db.sock`;
    let connection: Connection | null = null;
    const run = async (): Promise<void> => {
      try {
        connection = await connect(remote, options, io);
        await execute(connection, options, calls, io, `${NAME}: ${[NAME, ...args].join(' ')}`);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        throw new Fatal(`${remote}: database connection failed (${error.message})`);
      }
    };
    try {
      await withTimeout(options.timeout, io, run());
    } finally {
      (connection as Connection | null)?.rpc.close();
    }
  });
}
