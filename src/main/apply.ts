/** `weft apply` and `weft confirm`: a file of `weft run` as transactions on any running Open_vSwitch database. */
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { Command } from 'commander';
import type { JsonObject } from '../ovsdb/index.ts';
import type { DesiredState } from '../vswitchd/desired/types.ts';
import { UsageError } from './failure.ts';
import { Applier } from './run/applier.ts';
import { LiveDatabase } from './run/database.ts';
import { ownerOf, readStateFile } from './run/state-file.ts';
import type { Console } from './terminal.ts';

interface ApplyOptions {
  readonly db?: string;
  readonly runDir?: string;
  readonly dryRun?: boolean;
  readonly confirmWithin?: string;
}

const ROOT = 'Open_vSwitch';
/** In external_ids of the table Open_vSwitch while a change waits to be confirmed. */
const PENDING = 'weft-pending';

const HELP = `
Rows that the file asks for are marked with its name (external_ids:weft-owner); rows without the mark, and columns of which a file
says nothing, are left alone. Rows go in as one transaction, flows as one bundle for each bridge, by BRIDGE.mgmt in the folder of
the database's socket, or in --run-dir. Settings of the switch itself (ring_size, workers, ...) are not a database's business.

With --confirm-within the change is undone after so many seconds, unless ENTER is pressed or "weft confirm" is called; undone at
once by Ctrl-C. It waits on when the terminal is lost.

Exit status: 0 when it was applied, 1 when it was undone, 2 when it cannot be carried out.`;

const databaseOf = (option: string | undefined): string =>
  option ?? `unix:${process.env.OVS_RUNDIR || '/var/run/openvswitch'}/db.sock`;

export function applyCommand(console: Console): Command {
  return new Command('apply')
    .description('bring a running switch, by its database, to what a file says')
    .argument('<file>', 'bridges, ports and tunnels, as YAML or JSON')
    .option('--db <database>', 'the database: unix:FILE, tcp:IP:PORT (default: unix:$OVS_RUNDIR/db.sock)')
    .option('--run-dir <folder>', "where the bridges' management sockets lie")
    .option('--dry-run', 'show what would change, and end')
    .option('--confirm-within <seconds>', 'undo it after so long, unless it is confirmed')
    .addHelpText('after', HELP)
    .action(async (file: string, options: ApplyOptions) => console.setStatus(await apply(file, options, console)));
}

export function confirmCommand(console: Console): Command {
  return new Command('confirm')
    .description('keep what "weft apply --confirm-within" has changed')
    .option('--db <database>', 'the database (default: unix:$OVS_RUNDIR/db.sock)')
    .action(async (options: Pick<ApplyOptions, 'db'>) => console.setStatus(await confirm(options.db, console)));
}

async function orUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new UsageError((error as Error).message.replaceAll('\n', '\nweft: '));
  }
}

function secondsOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 86_400))
    throw new UsageError(`--confirm-within: should be a number of seconds from 1 to 86400, not "${text}"`);
  return seconds;
}

/** Takes the mark of a change that waits off, or puts one on. */
const mark = (id: string | null): JsonObject => ({
  op: 'mutate',
  table: ROOT,
  where: [],
  mutations: [
    ['external_ids', 'delete', ['set', [PENDING]]],
    ...(id === null ? [] : [['external_ids', 'insert', ['map', [[PENDING, id]]]]]),
  ],
});

const pendingIn = (database: LiveDatabase): string | null =>
  database.replica.table(ROOT).values().next().value?.map('external_ids').get(PENDING) ?? null;

async function apply(file: string, options: ApplyOptions, console: Console): Promise<number> {
  const seconds = secondsOf(options.confirmWithin);
  const state = await orUsage(() => readStateFile(file));
  const remote = databaseOf(options.db);
  const database = await orUsage(() => LiveDatabase.open(remote));
  try {
    const runFolder = options.runDir ?? (remote.startsWith('unix:') ? dirname(remote.slice('unix:'.length)) : null);
    // What is going to change is shown before: only what goes wrong is news
    const log = (line: string): void => {
      if (line.startsWith('!')) console.err(`weft: ${line}\n`);
    };
    const applier = new Applier({ database, runFolder, owner: ownerOf(file), log, keepsWayBack: seconds !== null });
    if (pendingIn(database) !== null && !options.dryRun)
      throw new UsageError('another change waits to be confirmed: "weft confirm" keeps it');
    if (!(await showPlan(applier, state, console)) || options.dryRun) return 0;
    const id = randomUUID();
    await orUsage(() => applier.apply(state, seconds === null ? [] : [mark(id)]));
    if (applier.isWaiting) return seconds === null ? 1 : undo(applier, console, 'flows could not be put in');
    return seconds === null ? 0 : await awaitConfirmation({ applier, database, id, seconds, remote }, console);
  } finally {
    database.close();
  }
}

/** @returns whether there is something to change */
async function showPlan(applier: Applier, state: DesiredState, console: Console): Promise<boolean> {
  const { changes, problems } = applier.plan(state);
  if (problems.length > 0) throw new UsageError(problems.join('\nweft: '));
  const lines = [...changes.map(({ text }) => text), ...(await applier.planFlows(state))];
  for (const line of lines) console.out(`${line}\n`);
  if (lines.length === 0) console.out('nothing to change\n');
  return lines.length > 0;
}

interface Waiting {
  readonly applier: Applier;
  readonly database: LiveDatabase;
  readonly id: string;
  readonly seconds: number;
  readonly remote: string;
}

async function undo(applier: Applier, console: Console, why: string): Promise<number> {
  await orUsage(() => applier.rollBack([mark(null)]));
  console.err(`weft: ${why}: undone\n`);
  return 1;
}

async function awaitConfirmation(waiting: Waiting, console: Console): Promise<number> {
  const { applier, database, id, seconds, remote } = waiting;
  console.out(`to be confirmed within ${seconds} s: press ENTER, or call: weft confirm --db ${remote}\n`);
  const answered = Promise.withResolvers<'confirmed' | 'interrupted'>();
  const enter = (): void => answered.resolve('confirmed');
  const interrupt = (): void => answered.resolve('interrupted');
  const ignore = (): void => undefined;
  const { stdin } = process;
  // From a pipe or a file nobody answers
  if (stdin.isTTY) stdin.once('data', enter);
  process.on('SIGHUP', ignore).on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const told = database.until(() => pendingIn(database) !== id, seconds * 1000);
    const by = await Promise.race([
      answered.promise,
      told.then((isTold) => (isTold ? ('confirmed' as const) : ('late' as const))),
    ]);
    if (by !== 'confirmed') return await undo(applier, console, by === 'late' ? 'not confirmed' : 'interrupted');
    if (pendingIn(database) === id) await orUsage(() => database.transact([mark(null)]));
    console.out('confirmed\n');
    return 0;
  } finally {
    if (stdin.isTTY) stdin.removeListener('data', enter).pause();
    process.removeListener('SIGHUP', ignore);
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
  }
}

async function confirm(db: string | undefined, console: Console): Promise<number> {
  const database = await orUsage(() => LiveDatabase.open(databaseOf(db)));
  try {
    if (pendingIn(database) === null) {
      console.err('weft: no change waits to be confirmed\n');
      return 1;
    }
    await orUsage(() => database.transact([mark(null)]));
    return 0;
  } finally {
    database.close();
  }
}
