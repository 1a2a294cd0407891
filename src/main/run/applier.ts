/**
 * Brings a running database, and the flows of its switch, to what a file says. The same for our own switch and for any other
 * that has an Open_vSwitch database.
 *
 * Invariants. Rows go in as one transaction, or not at all; the flows of each bridge as one bundle, behind them. Flows that name
 * ports which are not there yet wait: retry() puts them in when the ports have come.
 */
import type { Json, JsonObject } from '../../ovsdb/index.ts';
import { type Plan, planChanges } from '../../vswitchd/desired/changes.ts';
import { type Snapshot, takeSnapshot, undoOperations } from '../../vswitchd/desired/rollback.ts';
import { FLOWS, OWNER, type Picture, wantedRows } from '../../vswitchd/desired/rows.ts';
import type { LiveDatabase } from './database.ts';
import { BridgeFlows } from './flows.ts';

const ROOT = 'Open_vSwitch';
/** Milliseconds that a switch may take to carry out a configuration. */
const CONFIGURE_MS_MAX = 30_000;
/** The flow of a bridge that nobody controls. */
const DEFAULT_FLOWS = ['priority=0,actions=NORMAL'];

export interface ApplierOptions {
  readonly database: LiveDatabase;
  /** Folder of the bridges' management sockets; null when it is not known. */
  readonly runFolder: string | null;
  /** What rows are marked with. */
  readonly owner: string;
  /** Whether rollBack() may be called. */
  readonly keepsWayBack?: boolean;
  readonly log: (line: string) => void;
}

/** What a rollback goes by. */
interface WayBack {
  readonly before: Snapshot;
  readonly operations: readonly JsonObject[];
  readonly results: readonly Json[];
  /** By bridge. */
  readonly flows: ReadonlyMap<string, readonly string[]>;
}

/** Results of a transaction whose last operation selects next_cfg. */
function nextCfgOf(results: readonly Json[]): number {
  const last = results.at(-1) as { readonly rows?: readonly { readonly next_cfg?: Json }[] } | undefined;
  return Number(last?.rows?.[0]?.next_cfg ?? 0);
}

export class Applier {
  readonly #options: ApplierOptions;
  /** Flows that a bridge should have, and why they are not in. */
  readonly #waiting = new Map<string, { readonly lines: readonly string[]; readonly reason: string }>();
  /** Flows that bridges have by the file, for bridges that are made anew. */
  #flows: ReadonlyMap<string, readonly string[]> = new Map();
  #wayBack: WayBack | null = null;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  plan(state: Picture): Plan {
    const { database, owner } = this.#options;
    return planChanges(database.replica, wantedRows(state, owner), owner);
  }

  /** Bridges whose flows are to be what, the ones that lose theirs among them. */
  #wantedFlows(state: Picture): Map<string, readonly string[]> {
    const { database, owner } = this.#options;
    const flows = new Map(state.flows);
    for (const row of database.replica.table('Bridge').values()) {
      const ids = row.map('external_ids');
      const name = row.string('name');
      const isFreed = ids.get(OWNER) === owner && ids.has(FLOWS) && state.bridges.has(name) && !flows.has(name);
      if (!isFreed) continue;
      const isSecure = state.bridges.get(name)!.failMode === 'secure';
      flows.set(name, isSecure || row.refs('controller').length > 0 ? [] : DEFAULT_FLOWS);
    }
    return flows;
  }

  /**
   * Lines that a comparison of flows gives, with their bridge before them; bridges that are not there yet have all of them to come.
   * @throws Error when they cannot be asked for
   */
  async planFlows(state: Picture): Promise<string[]> {
    const { database, runFolder } = this.#options;
    const known = new Set([...database.replica.table('Bridge').values()].map((row) => row.string('name')));
    const lines: string[] = [];
    for (const [bridge, flows] of this.#wantedFlows(state)) {
      const differing =
        runFolder !== null && known.has(bridge)
          ? await new BridgeFlows(runFolder, bridge).compare(flows).catch(() => null)
          : null;
      lines.push(...(differing ?? flows.map((line) => `+${line}`)).map((line) => `~ flow of ${bridge}: ${line}`));
    }
    return lines;
  }

  /**
   * @param more operations that go into the same transaction
   * @returns the lines of what was done @throws Error with words for the user; then nothing was
   */
  async apply(state: Picture, more: readonly JsonObject[] = []): Promise<readonly string[]> {
    const { changes, problems } = this.plan(state);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    const flows = this.#wantedFlows(state);
    this.#waiting.clear();
    const texts = changes.map(({ text }) => text);
    for (const text of texts) this.#options.log(text);
    const operations = changes.flatMap((change) => change.operations);
    const before = takeSnapshot(this.#options.database.replica);
    const old = this.#options.keepsWayBack ? await this.#presentFlows(flows.keys()) : new Map();
    const all = [...operations, ...more];
    const results = all.length > 0 ? await this.#transact(all) : [];
    this.#wayBack = { before, operations, results, flows: old };
    this.#flows = flows;
    for (const [bridge, lines] of flows) if (await this.#putFlows(bridge, lines)) texts.push(`~ flows of ${bridge}`);
    return texts;
  }

  /** Flows that bridges have now: those which are to get others, and those of the file, which may go. */
  async #presentFlows(bridges: Iterable<string>): Promise<Map<string, readonly string[]>> {
    const { database, owner, runFolder, log } = this.#options;
    const rows = [...database.replica.table('Bridge').values()];
    const ours = rows.filter((row) => row.map('external_ids').get(OWNER) === owner).map((row) => row.string('name'));
    const flows = new Map<string, readonly string[]>();
    for (const bridge of new Set([...bridges, ...ours])) {
      if (runFolder === null || !rows.some((row) => row.string('name') === bridge)) continue;
      try {
        flows.set(bridge, await new BridgeFlows(runFolder, bridge).read());
      } catch (error) {
        log(`! flows of ${bridge} could not be read: ${(error as Error).message}`);
      }
    }
    return flows;
  }

  /** Undoes the last apply(). @param more operations that go into the same transaction @throws Error with words for the user */
  async rollBack(more: readonly JsonObject[]): Promise<void> {
    if (!this.#wayBack) return;
    const { before, operations, results, flows } = this.#wayBack;
    const undone = undoOperations(operations, results, before, this.#options.database.replica);
    await this.#transact([...undone, ...more]);
    for (const [bridge, lines] of flows) await this.#putFlows(bridge, lines);
    this.#wayBack = null;
  }

  /** Carries out operations, and waits until the switch has taken them up. @throws Error with words for the user */
  async #transact(operations: readonly JsonObject[]): Promise<readonly Json[]> {
    const { database, owner, log } = this.#options;
    const results = await database.transact([
      ...operations,
      { op: 'comment', comment: `weft: ${owner}` },
      { op: 'mutate', table: ROOT, where: [], mutations: [['next_cfg', '+=', 1]] },
      { op: 'select', table: ROOT, where: [], columns: ['next_cfg'] },
    ]);
    const wanted = nextCfgOf(results);
    const isDone = (): boolean => {
      const row = database.replica.table(ROOT).values().next().value;
      return (row?.integer('cur_cfg') ?? 0) >= wanted;
    };
    if (!(await database.until(isDone, CONFIGURE_MS_MAX))) log('! no switch has taken the configuration up yet');
    return results;
  }

  /** @returns whether something changed */
  async #putFlows(bridge: string, lines: readonly string[]): Promise<boolean> {
    const { runFolder, log } = this.#options;
    if (runFolder === null) {
      log(`! flows of ${bridge} are not in: where its management socket is, is not known`);
      return false;
    }
    try {
      const count = await new BridgeFlows(runFolder, bridge).replace(lines);
      if (count > 0) log(`~ flows of ${bridge}: ${lines.length}`);
      this.#waiting.delete(bridge);
      return count > 0;
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#waiting.get(bridge)?.reason !== reason) log(`! flows of ${bridge} are not in: ${reason}`);
      this.#waiting.set(bridge, { lines, reason });
      return false;
    }
  }

  /** Tries flows again that wait. */
  async retry(): Promise<void> {
    for (const [bridge, { lines }] of [...this.#waiting]) await this.#putFlows(bridge, lines);
  }

  /** A bridge was made anew: its flows are put in again. */
  async restore(bridge: string): Promise<void> {
    const lines = this.#flows.get(bridge);
    if (lines) await this.#putFlows(bridge, lines);
  }
}
