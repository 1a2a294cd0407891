/**
 * The flow key on the control side: the same bytes that the datapath uses (src/spec/key.ts), with names for them.
 *
 * A mask is a key too: a 1 bit says that the bit of the key counts. Numbers go in and out in the host's way whatever
 * the field's order in memory is.
 */
import { BLOCK_SIZE, KEY_SIZE } from '../gen/layout.ts';
import { KEY, type KeyField, keyFieldList, PIPELINE_KEY_SIZE } from '../gen/tables.ts';
import { u16At, u32At } from '../lib/bytes.ts';
import type { KeyFieldSpec } from '../spec/key.ts';

export { KEY, type KeyField, type KeyFieldName, keyFieldList, PIPELINE } from '../gen/tables.ts';

export class FlowKey {
  /** KEY_SIZE bytes, or PIPELINE_KEY_SIZE of a PipelineKey. */
  readonly bytes: Uint8Array;
  /** The same memory in the host's words: for what is done to whole keys. */
  readonly words: Uint32Array;

  /** @param bytes memory to look at, aligned to four bytes; a zeroed key of its own when left out */
  constructor(bytes?: Uint8Array, size = KEY_SIZE) {
    if (bytes === undefined) {
      this.words = new Uint32Array(size >>> 2);
      this.bytes = new Uint8Array(this.words.buffer);
      return;
    }
    if (bytes.length !== size) throw new Error(`a flow key has ${size} bytes, not ${bytes.length}`);
    this.bytes = bytes;
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, size >>> 2);
  }

  clone(): FlowKey {
    return new FlowKey().copyFrom(this);
  }

  /** Becomes the same as another key of the same kind. */
  copyFrom(other: FlowKey): this {
    this.words.set(other.words);
    return this;
  }

  /** Every field becomes zero. */
  clear(): this {
    this.words.fill(0);
    return this;
  }

  equals(other: FlowKey): boolean {
    const [a, b] = [this.words, other.words];
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** The value of a field of at most four bytes. */
  get(field: KeyFieldSpec): number {
    const { bytes } = this;
    const { offset: at, size } = field;
    if (size === 1) return bytes[at]!;
    const isLittle = field.order === 'le';
    if (size === 2) return isLittle ? bytes[at]! | (bytes[at + 1]! << 8) : u16At(bytes, at);
    if (size !== 4) throw new Error(`${field.name} does not fit in a number`);
    if (!isLittle) return u32At(bytes, at);
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  set(field: KeyFieldSpec, value: number): this {
    const { bytes } = this;
    const { offset: at, size } = field;
    if (size !== 1 && size !== 2 && size !== 4) throw new Error(`${field.name} does not fit in a number`);
    if (field.order === 'le') for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * i);
    else for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * (size - 1 - i));
    return this;
  }

  getU64(field: KeyFieldSpec): bigint {
    return this.#view(field).getBigUint64(0, field.order === 'le');
  }

  setU64(field: KeyFieldSpec, value: bigint): this {
    this.#view(field).setBigUint64(0, value, field.order === 'le');
    return this;
  }

  #view({ offset, size }: KeyFieldSpec): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + offset, size);
  }

  /** A view of the field's bytes: what is written to it is written to the key. */
  at(field: KeyFieldSpec): Uint8Array {
    return this.bytes.subarray(field.offset, field.offset + field.size);
  }

  /** Writes the field; what `value` has too few of at the end is zero. */
  setBytes(field: KeyFieldSpec, value: Uint8Array): this {
    const { offset, size } = field;
    if (value.length > size) throw new Error(`${value.length} bytes do not fit in ${field.name}`);
    for (let i = 0; i < size; i++) this.bytes[offset + i] = i < value.length ? value[i]! : 0;
    return this;
  }

  isZero({ offset, size }: KeyFieldSpec): boolean {
    for (let i = offset; i < offset + size; i++) if (this.bytes[i] !== 0) return false;
    return true;
  }

  setZero({ offset, size }: KeyFieldSpec): this {
    for (let i = offset; i < offset + size; i++) this.bytes[i] = 0;
    return this;
  }

  /** For masks: every bit of the field counts. */
  setAllOnes({ offset, size }: KeyFieldSpec): this {
    for (let i = offset; i < offset + size; i++) this.bytes[i] = 0xff;
    return this;
  }

  /** For masks: true when every bit of the field counts. */
  isAllOnes({ offset, size }: KeyFieldSpec): boolean {
    for (let i = offset; i < offset + size; i++) if (this.bytes[i] !== 0xff) return false;
    return true;
  }

  /** Whether a field is the same in another key. */
  sameField(other: FlowKey, { offset, size }: KeyFieldSpec): boolean {
    for (let i = offset; i < offset + size; i++) if (this.bytes[i] !== other.bytes[i]) return false;
    return true;
  }

  /** Takes a field from another key. */
  copyField(other: FlowKey, { offset, size }: KeyFieldSpec): this {
    for (let i = offset; i < offset + size; i++) this.bytes[i] = other.bytes[i]!;
    return this;
  }
}

/** A flow as OpenFlow tables see it: the datapath's key and, behind it, the fields of PIPELINE. */
export class PipelineKey extends FlowKey {
  #packet: FlowKey | null = null;

  constructor(bytes?: Uint8Array) {
    super(bytes, PIPELINE_KEY_SIZE);
  }

  /** A packet's key with nothing in the pipeline fields. */
  static of(key: FlowKey): PipelineKey {
    const flow = new PipelineKey();
    flow.bytes.set(key.bytes.subarray(0, KEY_SIZE));
    return flow;
  }

  /** The datapath's part: a view of the same bytes. */
  get packet(): FlowKey {
    this.#packet ??= new FlowKey(this.bytes.subarray(0, KEY_SIZE));
    return this.#packet;
  }

  override clone(): PipelineKey {
    return new PipelineKey().copyFrom(this);
  }
}

/** A mask of flow key bits that count. */
export type FlowMask = FlowKey;

/** What a megaflow matches: key & mask. Bits of the key outside the mask are zero. */
export interface Match {
  readonly key: FlowKey;
  readonly mask: FlowMask;
}

const WORDS = KEY_SIZE / 4;
const BLOCK_WORDS = BLOCK_SIZE / 4;

/** Bit i is set when block i of the key is not all zero. */
export function keyMapOf({ words }: FlowKey): bigint {
  let map = 0n;
  for (let i = 0; i < WORDS; i++) if (words[i] !== 0) map |= 1n << BigInt(Math.floor(i / BLOCK_WORDS));
  return map;
}

/** Whether a whole key falls under a match. */
export function matches(match: Match, { words }: FlowKey): boolean {
  const [key, mask] = [match.key.words, match.mask.words];
  for (let i = 0; i < WORDS; i++) if ((words[i]! & mask[i]!) >>> 0 !== key[i]!) return false;
  return true;
}

/** The fields in which two keys differ. */
export const differingFields = (a: FlowKey, b: FlowKey): KeyField[] => keyFieldList.filter((f) => !a.sameField(b, f));

/** A match of key & mask. @param masked becomes the match's key; a copy of the key when left out */
export function maskedMatch(key: FlowKey, mask: FlowMask, masked = key.clone()): Match {
  const [to, from, bits] = [masked.words, key.words, mask.words];
  for (let i = 0; i < WORDS; i++) to[i] = from[i]! & bits[i]!;
  return { key: masked, mask };
}

/** The datapath port number a key came in by. */
export const inPortOf = (key: FlowKey): number => key.get(KEY.in_port);
