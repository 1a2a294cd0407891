/**
 * How many rules refer to what: groups and meters for their statistics, cookies of learned flows for the flows that go with
 * them (ovs-actions(7), learn, delete_learned).
 */
import type { ActionOf, OfAction } from '../openflow/action/types.ts';
import { flattened, isLeaf, meterOf } from './actions.ts';
import type { OfActions } from './connections/types.ts';
import type { FlowChange } from './flow-mod.ts';
import type { Rule } from './rule.ts';

/** Flows that a learn action has made: of that cookie in that table. */
export interface LearnedCookie {
  readonly tableId: number;
  readonly cookie: bigint;
}

function add<K>(counts: Map<K, number>, key: K, step: number): number {
  const count = (counts.get(key) ?? 0) + step;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}

const ownsFlows = (action: OfAction): action is ActionOf<'learn'> => action.type === 'learn' && action.deleteLearned;
const keyOf = ({ table, cookie }: ActionOf<'learn'>): string => `${table}/${cookie}`;

export class RuleUsage {
  readonly #groups = new Map<number, number>();
  readonly #meters = new Map<number, number>();
  readonly #cookies = new Map<string, number>();

  ofGroup(id: number): number {
    return this.#groups.get(id) ?? 0;
  }

  ofMeter(id: number): number {
    return this.#meters.get(id) ?? 0;
  }

  /** Takes changes in. @returns cookies that no learn action has any more: their flows go too */
  note(changes: readonly FlowChange<OfActions>[]): LearnedCookie[] {
    const orphans = new Map<string, LearnedCookie>();
    for (const change of changes) {
      if (change.kind === 'removed') this.#count(change.rule, -1, orphans);
      else {
        this.#count(change.rule, 1, orphans);
        if (change.replaced) this.#count(change.replaced, -1, orphans);
      }
    }
    return [...orphans].filter(([key]) => !this.#cookies.has(key)).map(([, cookie]) => cookie);
  }

  #count({ actions }: Rule<OfActions>, step: 1 | -1, orphans: Map<string, LearnedCookie>): void {
    if (actions.length === 0 || isLeaf(actions)) return;
    const meter = meterOf(actions);
    if (meter !== null) add(this.#meters, meter, step);
    const groups = new Set<number>();
    for (const action of flattened(actions)) {
      if (action.type === 'group') groups.add(action.group);
      if (!ownsFlows(action)) continue;
      const key = keyOf(action);
      if (add(this.#cookies, key, step) === 0) orphans.set(key, { tableId: action.table, cookie: action.cookie });
    }
    for (const group of groups) add(this.#groups, group, step);
  }
}
