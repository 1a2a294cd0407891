/**
 * A workload: the frames of a trace, the ports they come in by, and the megaflows that take them.
 *
 * All switches under test read the same workload. It is written to one binary file, little-endian:
 *
 *   0 u32 magic, version, frames, ports, masks, megaflows, action lists, caches off
 *   32 u64 offsets of: frame index, frame bytes, masks, megaflows, action index, action bytes; then the file's size
 *   frame index   { u32 offset, u16 size, u16 in_port } each
 *   masks         { u64 key map, u32 block count, u32 0 } and the blocks, one mask behind the other
 *   megaflows     { u32 mask, u32 action list, u64 0 } and the key's blocks, not yet masked
 *   action index  { u32 offset, u32 size } each
 *
 * Key blocks and actions are those of src/spec/key.ts and src/spec/actions.ts.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { BLOCK_SIZE, KEY_SIZE } from '../src/gen/layout.ts';
import { fail, ok, type Result } from '../src/lib/result.ts';

const MAGIC = 0x42544657;
const VERSION = 1;
const HEADER_SIZE = 128;

export interface WorkloadMask {
  readonly map: bigint;
  /** Numbers of the blocks that the mask touches. */
  readonly blocks: readonly number[];
  /** KEY_SIZE bytes. */
  readonly bytes: Uint8Array;
}

export interface WorkloadActions {
  /** As in linear memory. */
  readonly encoded: Uint8Array;
  /** The datapath's text form. */
  readonly text: string;
}

/** A buffer that doubles when it is full. */
class Growing {
  bytes = new Uint8Array(1 << 16);
  size = 0;

  /** Room for so many bytes at the end; returns where it starts. */
  reserve(size: number): number {
    const start = this.size;
    this.size += size;
    if (this.size > this.bytes.length) {
      const wider = new Uint8Array(Math.max(this.bytes.length * 2, this.size));
      wider.set(this.bytes.subarray(0, start));
      this.bytes = wider;
    }
    return start;
  }

  append(bytes: Uint8Array): number {
    const start = this.reserve(bytes.length);
    this.bytes.set(bytes, start);
    return start;
  }

  u32(...values: number[]): void {
    const start = this.reserve(values.length * 4);
    const view = new DataView(this.bytes.buffer);
    values.forEach((value, i) => {
      view.setUint32(start + i * 4, value, true);
    });
  }

  get used(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }
}

export class Workload {
  readonly name: string;
  portCount: number;
  /** The exact-match cache is to be off. */
  cacheOff = false;
  readonly masks: WorkloadMask[] = [];
  readonly actionLists: WorkloadActions[] = [];
  flowCount = 0;
  frameCount = 0;
  readonly #frameIndex = new Growing();
  readonly #frames = new Growing();
  readonly #flows = new Growing();
  readonly #maskNumbers = new Map<string, number>();
  readonly #actionNumbers = new Map<string, number>();

  constructor(name: string, portCount: number) {
    this.name = name;
    this.portCount = portCount;
  }

  addFrame(frame: Uint8Array, inPort: number): void {
    this.repeatFrame(this.#frames.append(frame), frame.length, inPort);
  }

  /** Bytes of a frame kept aside, to be put into the trace often. Returns their offset. */
  keepFrame(frame: Uint8Array): number {
    return this.#frames.append(frame);
  }

  repeatFrame(offset: number, size: number, inPort: number): void {
    this.#frameIndex.u32(offset, size | (inPort << 16));
    this.frameCount++;
  }

  /** The number of this mask, given KEY_SIZE bytes. */
  addMask(bytes: Uint8Array): number {
    const name = Buffer.from(bytes).toString('latin1');
    const known = this.#maskNumbers.get(name);
    if (known !== undefined) return known;
    const blocks: number[] = [];
    let map = 0n;
    for (let block = 0; block < KEY_SIZE / BLOCK_SIZE; block++) {
      if (bytes.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE).every((byte) => byte === 0)) continue;
      blocks.push(block);
      map |= 1n << BigInt(block);
    }
    this.masks.push({ map, blocks, bytes: bytes.slice() });
    this.#maskNumbers.set(name, this.masks.length - 1);
    return this.masks.length - 1;
  }

  addActions(actions: WorkloadActions): number {
    const known = this.#actionNumbers.get(actions.text);
    if (known !== undefined) return known;
    this.actionLists.push(actions);
    this.#actionNumbers.set(actions.text, this.actionLists.length - 1);
    return this.actionLists.length - 1;
  }

  /** @param key KEY_SIZE bytes: that of a packet that this megaflow takes; whoever installs it masks it */
  addFlow(mask: number, key: Uint8Array, actions: number): void {
    const { blocks } = this.masks[mask]!;
    this.#flows.u32(mask, actions, 0, 0);
    let at = this.#flows.reserve(blocks.length * BLOCK_SIZE);
    for (const block of blocks) {
      this.#flows.bytes.set(key.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE), at);
      at += BLOCK_SIZE;
    }
    this.flowCount++;
  }

  frame(index: number): { readonly bytes: Uint8Array; readonly inPort: number } {
    const view = new DataView(this.#frameIndex.bytes.buffer);
    const offset = view.getUint32(index * 8, true);
    const size = view.getUint16(index * 8 + 4, true);
    return { bytes: this.#frames.bytes.subarray(offset, offset + size), inPort: view.getUint16(index * 8 + 6, true) };
  }

  /** { u32 offset, u16 size, u16 in_port } a frame of the trace. */
  get frameIndex(): Uint8Array {
    return this.#frameIndex.used;
  }

  get frameBytes(): Uint8Array {
    return this.#frames.used;
  }

  /** Shows every megaflow: its mask, its key's blocks that the mask touches (valid during the call), its actions. */
  eachFlow(visit: (mask: WorkloadMask, key: Uint8Array, actions: WorkloadActions) => void): void {
    const view = new DataView(this.#flows.bytes.buffer);
    const key = new Uint8Array(KEY_SIZE);
    let at = 0;
    for (let i = 0; i < this.flowCount; i++) {
      const mask = this.masks[view.getUint32(at, true)]!;
      const actions = this.actionLists[view.getUint32(at + 4, true)]!;
      at += 16;
      key.fill(0);
      for (const block of mask.blocks) {
        key.set(this.#flows.bytes.subarray(at, at + BLOCK_SIZE), block * BLOCK_SIZE);
        at += BLOCK_SIZE;
      }
      visit(mask, key, actions);
    }
  }

  write(path: string): void {
    const masks = new Growing();
    for (const { map, blocks, bytes } of this.masks) {
      masks.u32(Number(map & 0xffffffffn), Number(map >> 32n), blocks.length, 0);
      for (const block of blocks) masks.append(bytes.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE));
    }
    const actionIndex = new Growing();
    const actionBytes = new Growing();
    for (const { encoded } of this.actionLists) actionIndex.u32(actionBytes.append(encoded), encoded.length);
    const sections = [
      this.frameIndex,
      this.frameBytes,
      masks.used,
      this.#flows.used,
      actionIndex.used,
      actionBytes.used,
    ];
    const header = new Uint8Array(HEADER_SIZE);
    const view = new DataView(header.buffer);
    const counts = [this.frameCount, this.portCount, this.masks.length, this.flowCount, this.actionLists.length];
    [MAGIC, VERSION, ...counts, this.cacheOff ? 1 : 0].forEach((word, i) => {
      view.setUint32(i * 4, word, true);
    });
    let offset = HEADER_SIZE;
    sections.forEach((section, i) => {
      view.setBigUint64(32 + i * 8, BigInt(offset), true);
      offset += section.length;
    });
    view.setBigUint64(80, BigInt(offset), true);
    const file = openSync(path, 'w');
    for (const part of [header, ...sections]) for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
    closeSync(file);
  }
}

/** What the head of a workload file says. */
export interface WorkloadHead {
  readonly frameCount: number;
  readonly portCount: number;
  readonly maskCount: number;
  readonly flowCount: number;
  readonly actionListCount: number;
  readonly cacheOff: boolean;
}

interface Sections {
  readonly frameIndex: Uint8Array;
  readonly frameBytes: Uint8Array;
  readonly masks: Uint8Array;
  readonly flows: Uint8Array;
  readonly actionIndex: Uint8Array;
  readonly actionBytes: Uint8Array;
}

/** One megaflow of a file: the mask's key map and blocks, the key's blocks (not masked), the actions. */
export interface FlowRecord {
  readonly map: bigint;
  readonly maskBlocks: Uint8Array;
  readonly keyBlocks: Uint8Array;
  readonly actions: Uint8Array;
}

export interface WorkloadFile extends WorkloadHead {
  readonly frameIndex: Uint8Array;
  readonly frameBytes: Uint8Array;
  eachFlow(visit: (flow: FlowRecord) => void): void;
}

export function parseWorkload(bytes: Uint8Array): Result<WorkloadFile> {
  if (bytes.length < HEADER_SIZE) return fail('shorter than a header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (index: number): number => view.getUint32(index * 4, true);
  if (word(0) !== MAGIC) return fail('not a workload');
  if (word(1) !== VERSION) return fail(`a workload of version ${word(1)}, not ${VERSION}`);
  const offsets = Array.from({ length: 7 }, (_, i) => Number(view.getBigUint64(32 + i * 8, true)));
  if (offsets[6] !== bytes.length) return fail(`${bytes.length} bytes of ${offsets[6]}`);
  const section = (i: number): Uint8Array => bytes.subarray(offsets[i], offsets[i + 1]);
  const sections: Sections = {
    frameIndex: section(0),
    frameBytes: section(1),
    masks: section(2),
    flows: section(3),
    actionIndex: section(4),
    actionBytes: section(5),
  };
  const head = {
    frameCount: word(2),
    portCount: word(3),
    maskCount: word(4),
    flowCount: word(5),
    actionListCount: word(6),
    cacheOff: word(7) !== 0,
  };
  return ok({
    ...head,
    frameIndex: sections.frameIndex,
    frameBytes: sections.frameBytes,
    eachFlow: (visit) => visitFlows(head, sections, visit),
  });
}

function visitFlows(head: WorkloadHead, sections: Sections, visit: (flow: FlowRecord) => void): void {
  const viewOf = (part: Uint8Array): DataView => new DataView(part.buffer, part.byteOffset, part.byteLength);
  const maskView = viewOf(sections.masks);
  const masks: { map: bigint; blocks: Uint8Array }[] = [];
  for (let i = 0, at = 0; i < head.maskCount; i++) {
    const size = maskView.getUint32(at + 8, true) * BLOCK_SIZE;
    masks.push({ map: maskView.getBigUint64(at, true), blocks: sections.masks.subarray(at + 16, at + 16 + size) });
    at += 16 + size;
  }
  const flowView = viewOf(sections.flows);
  const actionView = viewOf(sections.actionIndex);
  for (let i = 0, at = 0; i < head.flowCount; i++) {
    const mask = masks[flowView.getUint32(at, true)]!;
    const list = flowView.getUint32(at + 4, true) * 8;
    const start = actionView.getUint32(list, true);
    const end = at + 16 + mask.blocks.length;
    visit({
      map: mask.map,
      maskBlocks: mask.blocks,
      keyBlocks: sections.flows.subarray(at + 16, end),
      actions: sections.actionBytes.subarray(start, start + actionView.getUint32(list + 4, true)),
    });
    at = end;
  }
}

export const readWorkload = (path: string): Result<WorkloadFile> => parseWorkload(readFileSync(path));
