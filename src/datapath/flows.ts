/** Megaflows from the host's end: installing, deleting, reading. */

import { FlowKey, type Match } from '../flow/key.ts';
import { KEY_BLOCK_COUNT } from '../gen/key.ts';
import * as L from '../gen/layout.ts';
import { ACTIONS_SIZE_MAX } from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import { decodeActions } from './actions.ts';
import { FLOW_ID_BITS } from './memory.ts';
import type { DpFlow, DpFlowStats, PutError } from './types.ts';
import type { Views } from './views.ts';
import { STATUS_LOST, type WorkerHost } from './worker.ts';

const putErrors = new Map<number, PutError>([
  [L.STATUS_EXISTS, 'exists'],
  [L.STATUS_NO_MEMORY, 'no_memory'],
  [L.STATUS_NO_SUBTABLE, 'no_subtable'],
  [STATUS_LOST, 'worker_lost'],
]);

export interface PutOptions {
  /** What the caller calls this flow: a u32. */
  readonly cookie?: number;
  /** Gives new actions to the flow of the same key and mask, if there is one; else that is the error `exists`. */
  readonly replace?: boolean;
  /** Index of the worker whose frames it is for; 0 when left out. See workerOfUpcall and workerOfFlow. */
  readonly worker?: number;
}

/** Bits of the two halves of a key map: block i is bit i. */
interface KeyMap {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

const BLOCK_WORDS = L.BLOCK_SIZE / 4;

/** Blocks that the mask touches; null when the key has a bit outside the mask. */
function mapOf(match: Match): KeyMap | null {
  const [key, mask] = [match.key.words, match.mask.words];
  let [low, high, count] = [0, 0, 0];
  for (let block = 0; block < KEY_BLOCK_COUNT; block++) {
    let union = 0;
    for (let i = block * BLOCK_WORDS; i < (block + 1) * BLOCK_WORDS; i++) {
      union |= mask[i]!;
      if ((key[i]! & ~mask[i]!) !== 0) return null;
    }
    if (union === 0) continue;
    count++;
    if (block < 32) low |= 1 << block;
    else high |= 1 << (block - 32);
  }
  return { low: low >>> 0, high: high >>> 0, count };
}

const hasBlock = (map: KeyMap, block: number): boolean =>
  (block < 32 ? (map.low >>> block) & 1 : (map.high >>> (block - 32)) & 1) === 1;

/** One worker's megaflows. Ids are the datapath's: the worker's index is in them. */
export class FlowTable {
  readonly #views: Views;
  readonly #worker: WorkerHost;
  /** What the ids of this worker's flows begin with. */
  readonly #base: number;

  constructor(views: Views, worker: WorkerHost) {
    this.#views = views;
    this.#worker = worker;
    this.#base = worker.plan.index << FLOW_ID_BITS;
  }

  get count(): number {
    return this.#views.getU32(this.#worker.w + L.WORKER_FLOW_COUNT);
  }

  put(match: Match, actions: Uint8Array, options: PutOptions): Result<number, PutError> {
    const map = mapOf(match);
    if (!map || actions.length > ACTIONS_SIZE_MAX) return fail('invalid');
    const views = this.#views;
    const blocksSize = map.count * L.BLOCK_SIZE;
    const record = this.#worker.begin(L.CONTROL_FLOW_PUT, L.FLOW_PUT_SIZEOF + 2 * blocksSize + actions.length);
    const put = record + L.CONTROL_SIZEOF;
    views.setU32(put + L.FLOW_PUT_KEY_MAP, map.low);
    views.setU32(put + L.FLOW_PUT_KEY_MAP + 4, map.high);
    views.setU32(put + L.FLOW_PUT_ACTIONS_SIZE, actions.length);
    views.setU32(put + L.FLOW_PUT_COOKIE, options.cookie ?? 0);
    views.setU32(put + L.FLOW_PUT_FLAGS, options.replace ? L.FLOW_PUT_REPLACE : 0);
    let at = put + L.FLOW_PUT_SIZEOF;
    const [key, mask] = [match.key.words, match.mask.words];
    for (let block = 0; block < KEY_BLOCK_COUNT; block++) {
      if (!hasBlock(map, block)) continue;
      for (let i = 0; i < BLOCK_WORDS; i++) {
        views.setU32(at + 4 * i, mask[block * BLOCK_WORDS + i]!);
        views.setU32(at + blocksSize + 4 * i, key[block * BLOCK_WORDS + i]!);
      }
      at += L.BLOCK_SIZE;
    }
    views.u8.set(actions, at + blocksSize);
    const status = this.#worker.run(record);
    if (status === L.STATUS_OK) return ok(this.#base + views.getU32(record + L.CONTROL_RESULT));
    return fail(putErrors.get(status) ?? 'invalid');
  }

  delete(id: number, generation: number): Result<DpFlowStats, 'not_found'> {
    const views = this.#views;
    const record = this.#worker.begin(L.CONTROL_FLOW_DELETE, L.FLOW_DELETE_SIZEOF);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.FLOW_DELETE_ID, id - this.#base);
    views.setU32(body + L.FLOW_DELETE_GENERATION, generation);
    if (this.#worker.run(record) !== L.STATUS_OK) return fail('not_found');
    return ok({
      packets: views.getU64(body + L.FLOW_DELETE_PACKETS),
      bytes: views.getU64(body + L.FLOW_DELETE_BYTES),
      used: views.getF64(body + L.FLOW_DELETE_USED),
      tcpFlags: views.getU32(body + L.FLOW_DELETE_TCP_FLAGS),
    });
  }

  flush(): void {
    this.#worker.run(this.#worker.begin(L.CONTROL_FLOW_FLUSH, 0));
  }

  /** Address of the flow with this id; 0 for none. */
  #address(id: number): number {
    const number = id - this.#base;
    if (!(number >= 0 && number < this.#worker.plan.flowMax)) return 0;
    return this.#views.getU32(this.#worker.plan.flowIndex.start + 4 * number);
  }

  /** Ids of the installed flows, lowest first. Flows may come and go between two steps. */
  *ids(): Generator<number> {
    let left = this.count;
    const end = this.#base + this.#worker.plan.flowMax;
    for (let id = this.#base; id < end && left > 0; id++) {
      if (this.#address(id) === 0) continue;
      left = Math.min(left - 1, this.count);
      yield id;
    }
  }

  generation(id: number): number | null {
    const flow = this.#address(id);
    return flow === 0 ? null : this.#views.getU32(flow + L.FLOW_GENERATION);
  }

  stats(id: number): DpFlowStats | null {
    const flow = this.#address(id);
    return flow === 0 ? null : this.#statsAt(flow);
  }

  #statsAt(flow: number): DpFlowStats {
    const views = this.#views;
    return {
      packets: views.getU64(flow + L.FLOW_PACKETS),
      bytes: views.getU64(flow + L.FLOW_BYTES),
      used: views.getF64(flow + L.FLOW_USED),
      tcpFlags: views.getU16(flow + L.FLOW_TCP_FLAGS),
    };
  }

  read(id: number): DpFlow | null {
    const flow = this.#address(id);
    if (flow === 0) return null;
    const views = this.#views;
    const list = views.getU32(flow + L.FLOW_ACTIONS);
    // a copy: what is decoded may look into it
    const encoded = views.bytes(list + L.ACTION_LIST_SIZEOF, views.getU32(list + L.ACTION_LIST_SIZE)).slice();
    return {
      id,
      generation: views.getU32(flow + L.FLOW_GENERATION),
      cookie: views.getU32(flow + L.FLOW_COOKIE),
      match: this.#matchAt(flow),
      actions: decodeActions(encoded),
      stats: this.#statsAt(flow),
    };
  }

  #matchAt(flow: number): Match {
    const views = this.#views;
    const subtable = views.getU32(flow + L.FLOW_SUBTABLE);
    const count = views.getU32(subtable + L.SUBTABLE_BLOCK_COUNT);
    const [key, mask] = [new FlowKey(), new FlowKey()];
    for (let i = 0; i < count; i++) {
      const offset = views.getU16(subtable + L.SUBTABLE_OFFSETS + 2 * i);
      mask.bytes.set(views.bytes(subtable + L.SUBTABLE_MASKS + i * L.BLOCK_SIZE, L.BLOCK_SIZE), offset);
      key.bytes.set(views.bytes(flow + L.FLOW_SIZEOF + i * L.BLOCK_SIZE, L.BLOCK_SIZE), offset);
    }
    return { key, mask };
  }
}
