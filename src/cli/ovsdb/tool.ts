/**
 * ovsdb-tool's commands (ovsdb-tool(1)): make, look at, compact and convert database files.
 *
 * Invariant. A file is changed as a whole or not at all.
 * Not supported: clustered databases, whose commands say so; locks on files: a file that a server has open must not be changed.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { OvsdbError } from '../../ovsdb/error.ts';
import { execute } from '../../ovsdb/execution.ts';
import { isArray, type Json, stringify } from '../../ovsdb/json.ts';
import { type DatabaseSchema, schemaText } from '../../ovsdb/schema.ts';
import { convert, type Environment, Storage } from '../../ovsdb/storage.ts';
import { vswitchSchema } from '../../spec/vswitch-schema.ts';
import { describeOptions, loggingOptions, type OptionRow, readOptions } from '../common/getopt.ts';
import { type CliIo, Exit, Fatal, runProgram } from '../common/io.ts';
import { jsonArgument } from '../common/json-file.ts';
import { parseSchema, readSchema } from './schema.ts';
import { showLog } from './show-log.ts';

const NAME = 'ovsdb-tool';
const VERSION = '3.1.0';
/** "No" of the commands that answer by their status. */
const NO_STATUS = 2;

interface ToolOptions {
  verbosity: number;
  wants: 'help' | 'version' | null;
}

interface ToolRun {
  readonly io: CliIo;
  readonly args: readonly string[];
  readonly options: ToolOptions;
}

export interface ToolCommand {
  readonly name: string;
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  readonly help: string;
  run(run: ToolRun): void;
}

const databaseOf = ({ io, args }: ToolRun): string =>
  args[0] ?? `${io.env.OVS_DBDIR ?? io.env.OVS_SYSCONFDIR ?? '/etc/openvswitch'}/conf.db`;

/** A schema's file, or the switch's own schema: the installed one where there is one. */
function schemaFrom(io: CliIo, file: string | undefined): DatabaseSchema {
  if (file !== undefined) return readSchema(file);
  const installed = `${io.env.OVS_PKGDATADIR ?? '/usr/share/openvswitch'}/vswitch.ovsschema`;
  return existsSync(installed) ? readSchema(installed) : parseSchema(vswitchSchema as Json);
}

const environmentOf = (io: CliIo): Environment => ({ now: io.date, uuid: io.uuid });

/** Does something with a file's errors as the program's own. @throws Fatal */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof OvsdbError) throw new Fatal(error.toString());
    throw error;
  }
}

function open(run: ToolRun, file: string): ReturnType<typeof Storage.open> {
  const opened = guarded(() => Storage.open(file, environmentOf(run.io)));
  if (opened.warning !== null) run.io.err(`${NAME}: ${file}: ${opened.warning}\n`);
  return opened;
}

function schemaOf(run: ToolRun): DatabaseSchema {
  const { storage, database } = open(run, databaseOf(run));
  storage.close();
  return database.schema;
}

function create(run: ToolRun): void {
  const schema = schemaFrom(run.io, run.args[1]);
  guarded(() => Storage.create(databaseOf(run), schema));
}

/** Writes what another file is to be, and puts it in its place. */
function rewrite(run: ToolRun, target: string, schema: DatabaseSchema | null, comment: string): void {
  const source = databaseOf(run);
  const { storage, database } = open(run, source);
  const result = guarded(() => (schema ? convert(database, schema, environmentOf(run.io)) : database));
  const temporary = `${target}.tmp`;
  if (existsSync(temporary)) rmSync(temporary);
  guarded(() => {
    Storage.create(temporary, result.schema);
    const copy = Storage.open(temporary, environmentOf(run.io)).storage;
    copy.compact(result, comment);
    copy.close();
    storage.close();
    renameSync(temporary, target);
  });
}

function compact(run: ToolRun): void {
  rewrite(run, run.args[1] ?? databaseOf(run), null, `compacted by ovsdb-tool ${VERSION}`);
}

function convertFile(run: ToolRun): void {
  const schema = schemaFrom(run.io, run.args[1]);
  rewrite(run, run.args[2] ?? databaseOf(run), schema, `converted by ovsdb-tool ${VERSION}`);
}

function needsConversion(run: ToolRun): void {
  const schema = schemaFrom(run.io, run.args[1]);
  run.io.out(schemaText(schemaOf(run)) === schemaText(schema) ? 'no\n' : 'yes\n');
}

/** Without the file only the transaction is given. */
function transactionOf(run: ToolRun): { readonly file: string; readonly params: Json } {
  const file = run.args.length > 1 ? run.args[0]! : databaseOf({ ...run, args: [] });
  return { file, params: jsonArgument(run.args.at(-1)!) };
}

function transact(run: ToolRun, isReadOnly: boolean): void {
  const { file, params } = transactionOf(run);
  const { storage, database } = open(run, file);
  const context = { uuid: run.io.uuid, ownsLock: () => false, isReadOnly: false, elapsed: 0 };
  const execution = execute(database, params, context);
  if (execution.kind === 'waiting') throw new Fatal('transaction would wait for ever');
  const results = [...execution.results];
  if (execution.kind === 'composed') {
    try {
      execution.transaction.precommit();
      if (!isReadOnly && storage.write(execution.transaction)) storage.sync();
      execution.transaction.complete();
    } catch (error) {
      if (!(error instanceof OvsdbError)) throw error;
      results.push(error.toJson());
    }
  }
  storage.close();
  const isWhole = isArray(params) && params.length > 1;
  run.io.out(`${stringify(isWhole || execution.kind === 'composed' ? results : results[0]!, true)}\n`);
}

const operators: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '==': (order) => order === 0,
  '>=': (order) => order >= 0,
  '>': (order) => order > 0,
  '!=': (order) => order !== 0,
};

function parseVersion(text: string): number[] {
  if (!/^\d+\.\d+\.\d+$/.test(text)) throw new Fatal(`${text}: not an OVSDB version number in format x.y.z`);
  return text.split('.').map(Number);
}

function compareVersions({ args }: ToolRun): void {
  const [a, b] = [parseVersion(args[0]!), parseVersion(args[2]!)];
  const at = a.findIndex((part, i) => part !== b[i]);
  const holds = Object.hasOwn(operators, args[1]!) ? operators[args[1]!] : undefined;
  if (!holds) throw new Fatal(`${args[1]}: not a relational operator`);
  if (!holds(at < 0 ? 0 : a[at]! - b[at]!)) throw new Exit(NO_STATUS);
}

const notClustered = (run: ToolRun): void => {
  schemaOf(run);
  throw new Fatal(`${databaseOf(run)}: not a clustered database`);
};

const refuseCluster = (): void => {
  throw new Fatal('clustered databases are not supported');
};

const fileSchema = (run: ToolRun): DatabaseSchema => schemaFrom(run.io, run.args[0]);

type Row = readonly [name: string, usage: string, least: number, most: number, help: string, run: ToolCommand['run']];

const rows: readonly Row[] = [
  ['create', '[DB [SCHEMA]]', 0, 2, 'make a database file with a schema and no rows', create],
  ['create-cluster', 'DB CONTENTS LOCAL', 3, 3, 'refused: there are no clustered databases', refuseCluster],
  ['join-cluster', 'DB NAME LOCAL REMOTE...', 4, Number.MAX_SAFE_INTEGER, 'refused, too', refuseCluster],
  ['compact', '[DB [DST]]', 0, 2, 'make a file as small as it can be', compact],
  ['convert', '[DB [SCHEMA [DST]]]', 0, 3, 'put the rows under another schema', convertFile],
  ['needs-conversion', '[DB [SCHEMA]]', 0, 2, 'tell whether the schema is another one', needsConversion],
  ['db-name', '[DB]', 0, 1, 'show the name of the database', (run) => run.io.out(`${schemaOf(run).name}\n`)],
  ['db-version', '[DB]', 0, 1, 'show the version of its schema', (run) => run.io.out(`${schemaOf(run).version}\n`)],
  ['db-cksum', '[DB]', 0, 1, 'show the checksum of its schema', (run) => run.io.out(`${schemaOf(run).checksum}\n`)],
  ['db-cid', 'DB', 1, 1, 'show the cluster of a clustered database', notClustered],
  ['db-sid', 'DB', 1, 1, 'show the server of a clustered database', notClustered],
  ['db-local-address', 'DB', 1, 1, 'show the address of a clustered database', notClustered],
  [
    'db-is-clustered',
    'DB',
    1,
    1,
    'end with status 2: no file here is of a cluster',
    (run) => {
      schemaOf(run);
      throw new Exit(NO_STATUS);
    },
  ],
  ['db-is-standalone', 'DB', 1, 1, 'end with status 0 for a database file', (run) => void schemaOf(run)],
  ['schema-name', '[SCHEMA]', 0, 1, 'show a schema’s name', (run) => run.io.out(`${fileSchema(run).name}\n`)],
  ['schema-version', '[SCHEMA]', 0, 1, 'show a schema’s version', (run) => run.io.out(`${fileSchema(run).version}\n`)],
  ['schema-cksum', '[SCHEMA]', 0, 1, 'show a schema’s checksum', (run) => run.io.out(`${fileSchema(run).checksum}\n`)],
  ['compare-versions', 'A OP B', 3, 3, 'compare two versions; status 2 when it does not hold', compareVersions],
  ['query', '[DB] TRANSACTION', 1, 2, 'run a transaction and keep nothing of it', (run) => transact(run, true)],
  ['transact', '[DB] TRANSACTION', 1, 2, 'run a transaction', (run) => transact(run, false)],
  [
    'show-log',
    '[DB]',
    0,
    1,
    'show the records of a file; -m shows more',
    (run) => guarded(() => showLog(databaseOf(run), run.options.verbosity, run.io.out)),
  ],
  ['check-cluster', 'DB...', 0, Number.MAX_SAFE_INTEGER, 'refused: there are no clustered databases', refuseCluster],
  ['cluster-to-standalone', 'DB DB', 2, 2, 'refused, too', refuseCluster],
];

export const toolCommands: readonly ToolCommand[] = rows.map(([name, usage, least, most, help, run]) => ({
  name,
  usage,
  least,
  most,
  help,
  run,
}));

export const toolOptions: readonly OptionRow<ToolOptions>[] = [
  {
    long: 'more',
    short: 'm',
    argument: 'none',
    help: 'show more of each record',
    apply: (draft) => {
      draft.verbosity++;
    },
  },
  { long: 'rbac-role', argument: 'required', metavar: 'ROLE', apply: () => undefined },
  { long: 'cid', argument: 'required', metavar: 'UUID', apply: () => undefined },
  { long: 'election-timer', argument: 'required', metavar: 'MS', apply: () => undefined },
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
  ...loggingOptions,
];

function helpText(): string {
  const lines = toolCommands.map(({ name, usage, help }) => `  ${`${name} ${usage}`.padEnd(36)} ${help}\n`);
  const head = `${NAME}: make, look at and change database files\nusage: ${NAME} [OPTIONS] COMMAND [ARG...]\n`;
  return `${head}${lines.join('')}\nOptions:\n${describeOptions(toolOptions)}`;
}

/** Runs one command line. @returns the exit status: 0; 1 for an error; 2 for "no" */
export function runOvsdbTool(args: readonly string[], given: CliIo): Promise<number> {
  return runProgram(NAME, args, given, async (io) => {
    const options: ToolOptions = { verbosity: 0, wants: null };
    const [name, ...rest] = readOptions(toolOptions, args, options, 'anywhere');
    if (options.wants !== null) {
      io.out(options.wants === 'help' ? helpText() : `${NAME} (Open vSwitch) ${VERSION}\n`);
      return;
    }
    if (name === undefined) throw new Fatal('missing command name; use --help for help');
    const command = toolCommands.find((one) => one.name === name);
    if (!command) throw new Fatal(`unknown command '${name}'; use --help for help`);
    if (rest.length < command.least) throw new Fatal(`'${name}' command requires at least ${command.least} arguments`);
    if (rest.length > command.most) throw new Fatal(`'${name}' command takes at most ${command.most} arguments`);
    command.run({ io, args: rest, options });
  });
}
