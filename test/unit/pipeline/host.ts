/**
 * A worker without ports, for tests of the tables: control records go in by the real module, and single kernels
 * (build/kernels.wasm, a second instance over the same memory) look at what came of them.
 */
import { readFileSync } from 'node:fs';
import { type MemorySizes, planMemory } from '../../../src/datapath/memory.ts';
import { Views } from '../../../src/datapath/views.ts';
import { WorkerHost, writeSwitch } from '../../../src/datapath/worker.ts';
import { type FlowKey, keyMapOf, type Match } from '../../../src/flow/key.ts';
import { KEY_BLOCK_COUNT } from '../../../src/gen/key.ts';
import * as L from '../../../src/gen/layout.ts';
import { must } from '../../../src/lib/result.ts';

const build = new URL('../../../build/', import.meta.url);
export const datapathPath = (name: string): string => new URL(name, build).pathname;
const load = (name: string): WebAssembly.Module => new WebAssembly.Module(readFileSync(datapathPath(name)));
const datapathModule = load('weft.wasm');
const kernelsModule = load('kernels.wasm');

interface Kernels {
  hashKey(key: number, map: bigint): number;
  hashKeyScalar(key: number, map: bigint): number;
  hashPacked(address: number, blocks: number): number;
  hashPackedScalar(address: number, blocks: number): number;
  hashMasked(subtable: number, key: number): number;
  hashMaskedScalar(subtable: number, key: number, scratch: number): number;
  equalMasked(subtable: number, flow: number, key: number): number;
  equalMaskedScalar(subtable: number, flow: number, key: number): number;
  flowHash5(key: number): number;
  symHashL4(key: number): number;
  classify(w: number, list: number, count: number): number;
  findInSubtable(subtable: number, key: number): number;
}

export interface PutAnswer {
  readonly status: number;
  readonly id: number;
}

export interface RawPut {
  readonly keyMap: bigint;
  readonly blocks: Uint8Array;
  readonly actions: Uint8Array;
  readonly flags?: number;
}

export class TableHost {
  readonly views: Views;
  readonly worker: WorkerHost;
  readonly kernels: Kernels;
  readonly w: number;
  /** Free memory of 4096 bytes. */
  readonly scratch: number;

  constructor(sizes: Partial<MemorySizes> = {}) {
    const plan = must(planMemory({ framesCount: 64, ...sizes }));
    const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages });
    this.views = new Views(memory);
    writeSwitch(this.views, plan);
    this.worker = new WorkerHost(datapathModule, this.views, plan, plan.workers[0]!, { seed: 1, isCacheOff: false });
    this.w = this.worker.w;
    this.kernels = new WebAssembly.Instance(kernelsModule, { env: { memory } }).exports as unknown as Kernels;
    this.scratch = plan.frames.start;
  }

  get(field: number): number {
    return this.views.getU32(this.w + field);
  }

  get arenaUsed(): number {
    return this.views.getF64(this.w + L.WORKER_ARENA_USED);
  }

  counter(offset: number): number {
    return this.worker.counter(L.WORKER_COUNTERS, offset);
  }

  putRaw({ keyMap, blocks, actions, flags = 0 }: RawPut): PutAnswer {
    const { views } = this;
    const record = this.worker.begin(L.CONTROL_FLOW_PUT, L.FLOW_PUT_SIZEOF + blocks.length + actions.length);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.FLOW_PUT_KEY_MAP, Number(keyMap & 0xffffffffn));
    views.setU32(body + L.FLOW_PUT_KEY_MAP + 4, Number(keyMap >> 32n));
    views.setU32(body + L.FLOW_PUT_ACTIONS_SIZE, actions.length);
    views.setU32(body + L.FLOW_PUT_FLAGS, flags);
    views.u8.set(blocks, body + L.FLOW_PUT_SIZEOF);
    views.u8.set(actions, body + L.FLOW_PUT_SIZEOF + blocks.length);
    const status = this.worker.run(record);
    return { status, id: views.getU32(record + L.CONTROL_RESULT) };
  }

  put(match: Match, actions = outputTo(1), flags = 0): PutAnswer {
    const keyMap = keyMapOf(match.mask);
    return this.putRaw({ keyMap, blocks: packMatch(match, keyMap), actions, flags });
  }

  delete(id: number, generation = this.generation(id)): number {
    const record = this.worker.begin(L.CONTROL_FLOW_DELETE, L.FLOW_DELETE_SIZEOF);
    this.views.setU32(record + L.CONTROL_SIZEOF + L.FLOW_DELETE_ID, id);
    this.views.setU32(record + L.CONTROL_SIZEOF + L.FLOW_DELETE_GENERATION, generation);
    return this.worker.run(record);
  }

  flush(): void {
    this.worker.run(this.worker.begin(L.CONTROL_FLOW_FLUSH, 0));
  }

  /** Address of the flow with this id. */
  flow(id: number): number {
    return this.views.getU32(this.worker.plan.flowIndex.start + 4 * id);
  }

  generation(id: number): number {
    return this.views.getU32(this.flow(id) + L.FLOW_GENERATION);
  }

  subtables(): number[] {
    return Array.from({ length: this.get(L.WORKER_SUBTABLE_COUNT) }, (_, i) =>
      this.views.getU32(this.worker.plan.subtables.start + 4 * i),
    );
  }

  /** Puts a key into the key slot of the i-th Packet and returns the slot's address. */
  setKey(i: number, key: FlowKey): number {
    const packet = this.worker.plan.packets.start + i * L.PACKET_SIZEOF;
    const slot = this.views.getU32(packet + L.PACKET_KEY);
    this.views.u8.set(key.bytes, slot);
    return slot;
  }

  /** Looks keys up as one burst: the ids of their flows, -1 for a miss. At most as many keys as there are packet slots. */
  lookup(keys: readonly FlowKey[]): number[] {
    const list = this.worker.plan.lists.start;
    const packets = this.worker.plan.packets.start;
    keys.forEach((key, i) => {
      this.setKey(i, key);
      this.views.setU32(packets + i * L.PACKET_SIZEOF + L.PACKET_FLOW, 0);
      this.views.setU32(list + 4 * i, packets + i * L.PACKET_SIZEOF);
    });
    this.kernels.classify(this.w, list, keys.length);
    return keys.map((_, i) => {
      const flow = this.views.getU32(packets + i * L.PACKET_SIZEOF + L.PACKET_FLOW);
      return flow === 0 ? -1 : this.views.getU32(flow + L.FLOW_ID);
    });
  }
}

/** The mask's blocks that keyMap names, then the key's. */
export function packMatch(match: Match, keyMap: bigint): Uint8Array {
  const blocks = Array.from({ length: KEY_BLOCK_COUNT }, (_, i) => i).filter((i) => (keyMap >> BigInt(i)) & 1n);
  const out = new Uint8Array(blocks.length * 2 * L.BLOCK_SIZE);
  blocks.forEach((block, i) => {
    const [from, to] = [block * L.BLOCK_SIZE, (block + 1) * L.BLOCK_SIZE];
    out.set(match.mask.bytes.subarray(from, to), i * L.BLOCK_SIZE);
    out.set(match.key.bytes.subarray(from, to), (blocks.length + i) * L.BLOCK_SIZE);
  });
  return out;
}

/** An encoded action list that sends by these ports. */
export function outputTo(...ports: readonly number[]): Uint8Array {
  const out = new Uint8Array(8 * ports.length);
  const view = new DataView(out.buffer);
  ports.forEach((port, i) => {
    view.setUint16(8 * i, 1, true);
    view.setUint16(8 * i + 2, 8, true);
    view.setUint32(8 * i + 4, port, true);
  });
  return out;
}
