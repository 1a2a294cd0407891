/** A datapath of a few lines: it holds what it is told, and keeps the books that the law of upcalls is about. */

import { decodeActions } from '../../../src/datapath/actions.ts';
import type { Actions, ExecuteOptions } from '../../../src/datapath/datapath.ts';
import type { DpFlowStats, InjectedFrame, PutError, Upcall } from '../../../src/datapath/types.ts';
import type { FlowKey, Match } from '../../../src/flow/key.ts';
import { equalMatches } from '../../../src/flow/match.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { fail, ok, type Result } from '../../../src/lib/result.ts';
import type { UpcallDatapath } from '../../../src/upcall/index.ts';

interface FakeFlow {
  readonly match: Match;
  readonly generation: number;
  actions: Uint8Array;
  stats: DpFlowStats;
}

export class FakeDatapath implements UpcallDatapath {
  readonly flows = new Map<number, FakeFlow>();
  /** Actions that each frame went on with, and the flow it was credited to. */
  readonly executed: { readonly actions: string; readonly flowId: number | undefined }[] = [];
  readonly released: string[] = [];
  /** What putFlow answers instead of taking the flow. */
  refusal: PutError | null = null;
  #waiting: Upcall[] = [];
  #nextId = 0;
  #nextGeneration = 1;

  miss(key: FlowKey, size = 100, reason: Upcall['reason'] = 'miss', userdata = new Uint8Array(0)): void {
    const frame = new Uint8Array(size);
    this.#waiting.push({ reason, inPort: 0, frame, key, userdata, tcpFlags: 0, hash: 0, slot: 0 });
  }

  get flowCount(): number {
    return this.flows.size;
  }

  takeUpcalls(visit: (upcall: Upcall) => void, max = 1000): number {
    const batch = this.#waiting.splice(0, max);
    const answered = this.executed.length + this.released.length;
    for (const upcall of batch) visit(upcall);
    if (this.executed.length + this.released.length !== answered + batch.length)
      throw new Error('an upcall is unanswered');
    return batch.length;
  }

  putFlow(
    match: Match,
    actions: readonly DpAction[] | Uint8Array,
    options: { readonly replace?: boolean } = {},
  ): Result<number, PutError> {
    if (this.refusal) return fail(this.refusal);
    if (!(actions instanceof Uint8Array)) return fail('invalid');
    for (const [id, flow] of this.flows) {
      if (!equalMatches(flow.match, match)) continue;
      if (!options.replace) return fail('exists');
      flow.actions = actions;
      return ok(id);
    }
    const id = this.#nextId++;
    const stats = { packets: 0, bytes: 0, used: 0, tcpFlags: 0 };
    // the caller's keys are good during the call only
    const kept = { key: match.key.clone(), mask: match.mask.clone() };
    this.flows.set(id, { match: kept, generation: this.#nextGeneration++, actions, stats });
    return ok(id);
  }

  deleteFlow(id: number, generation: number): Result<DpFlowStats, 'not_found'> {
    const flow = this.flows.get(id);
    if (flow?.generation !== generation) return fail('not_found');
    this.flows.delete(id);
    return ok(flow.stats);
  }

  flowStats(id: number): DpFlowStats | null {
    return this.flows.get(id)?.stats ?? null;
  }

  flowGeneration(id: number): number | null {
    return this.flows.get(id)?.generation ?? null;
  }

  execute(_what: Upcall | InjectedFrame, actions: Actions, options: ExecuteOptions = {}): Result<void, never> {
    const list = actions as Uint8Array;
    this.executed.push({ actions: formatActions(decodeActions(list)), flowId: options.flowId });
    if (options.flowId !== undefined) this.traffic(options.flowId, 1, 100, 0);
    return ok(undefined);
  }

  release(_upcall: Upcall, reason: string): void {
    this.released.push(reason);
  }

  /** The datapath handles packets of a flow by itself. */
  traffic(id: number, packets: number, bytes: number, used: number): void {
    const flow = this.flows.get(id)!;
    const { stats } = flow;
    flow.stats = {
      ...stats,
      packets: stats.packets + packets,
      bytes: stats.bytes + bytes,
      used: Math.max(stats.used, used),
    };
  }

  actionsOf(id: number): string {
    return formatActions(decodeActions(this.flows.get(id)!.actions));
  }
}
