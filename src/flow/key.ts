/**
 * The flow key on the control side: the same bytes that the datapath uses (src/spec/key.ts), with names for them.
 *
 * A mask is a key too: a 1 bit says that the bit of the key counts. Numbers go in and out in the host's way whatever
 * the field's order in memory is.
 */
import { KEY_SIZE } from '../gen/layout.ts';
import { KEY, type KeyField, keyFieldList, PIPELINE_KEY_SIZE } from '../gen/tables.ts';
import { equalBytes } from '../lib/bytes.ts';
import type { KeyFieldSpec } from '../spec/key.ts';

export { KEY, type KeyField, type KeyFieldName, keyFieldList, PIPELINE } from '../gen/tables.ts';

export class FlowKey {
  /** KEY_SIZE bytes, or PIPELINE_KEY_SIZE of a PipelineKey. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** @param bytes memory to look at; a zeroed key of its own when left out */
  constructor(bytes: Uint8Array = new Uint8Array(KEY_SIZE), size = KEY_SIZE) {
    if (bytes.length !== size) throw new Error(`a flow key has ${size} bytes, not ${bytes.length}`);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  clone(): FlowKey {
    return new FlowKey(this.bytes.slice());
  }

  equals(other: FlowKey): boolean {
    return equalBytes(this.bytes, other.bytes);
  }

  /** The value of a field of at most four bytes. */
  get(field: KeyFieldSpec): number {
    const le = field.order === 'le';
    switch (field.size) {
      case 1:
        return this.#view.getUint8(field.offset);
      case 2:
        return this.#view.getUint16(field.offset, le);
      case 4:
        return this.#view.getUint32(field.offset, le);
      default:
        throw new Error(`${field.name} does not fit in a number`);
    }
  }

  set(field: KeyFieldSpec, value: number): this {
    const le = field.order === 'le';
    switch (field.size) {
      case 1:
        this.#view.setUint8(field.offset, value);
        break;
      case 2:
        this.#view.setUint16(field.offset, value, le);
        break;
      case 4:
        this.#view.setUint32(field.offset, value, le);
        break;
      default:
        throw new Error(`${field.name} does not fit in a number`);
    }
    return this;
  }

  getU64(field: KeyFieldSpec): bigint {
    return this.#view.getBigUint64(field.offset, field.order === 'le');
  }

  setU64(field: KeyFieldSpec, value: bigint): this {
    this.#view.setBigUint64(field.offset, value, field.order === 'le');
    return this;
  }

  /** A view of the field's bytes: what is written to it is written to the key. */
  at(field: KeyFieldSpec): Uint8Array {
    return this.bytes.subarray(field.offset, field.offset + field.size);
  }

  setBytes(field: KeyFieldSpec, value: Uint8Array): this {
    if (value.length > field.size) throw new Error(`${value.length} bytes do not fit in ${field.name}`);
    this.at(field).fill(0).set(value);
    return this;
  }

  isZero(field: KeyFieldSpec): boolean {
    return this.at(field).every((byte) => byte === 0);
  }

  /** For masks: every bit of the field counts. */
  setAllOnes(field: KeyFieldSpec): this {
    this.at(field).fill(0xff);
    return this;
  }

  /** For masks: true when every bit of the field counts. */
  isAllOnes(field: KeyFieldSpec): boolean {
    return this.at(field).every((byte) => byte === 0xff);
  }
}

/** A flow as OpenFlow tables see it: the datapath's key and, behind it, the fields of PIPELINE. */
export class PipelineKey extends FlowKey {
  constructor(bytes: Uint8Array = new Uint8Array(PIPELINE_KEY_SIZE)) {
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
    return new FlowKey(this.bytes.subarray(0, KEY_SIZE));
  }

  override clone(): PipelineKey {
    return new PipelineKey(this.bytes.slice());
  }
}

/** A mask of flow key bits that count. */
export type FlowMask = FlowKey;

/** What a megaflow matches: key & mask. Bits of the key outside the mask are zero. */
export interface Match {
  readonly key: FlowKey;
  readonly mask: FlowMask;
}

/** Bit i is set when block i of the key is not all zero. */
export function keyMapOf(key: FlowKey): bigint {
  let map = 0n;
  for (let i = 0; i < KEY_SIZE; i++) if (key.bytes[i] !== 0) map |= 1n << BigInt(i >> 4);
  return map;
}

/** Whether a whole key falls under a match. The obvious way: byte by byte. */
export function matches(match: Match, key: FlowKey): boolean {
  for (let i = 0; i < KEY_SIZE; i++) if ((key.bytes[i]! & match.mask.bytes[i]!) !== match.key.bytes[i]!) return false;
  return true;
}

/** The fields in which two keys differ. */
export const differingFields = (a: FlowKey, b: FlowKey): KeyField[] =>
  keyFieldList.filter((f) => !equalBytes(a.at(f), b.at(f)));

/** A new match of key & mask. */
export function maskedMatch(key: FlowKey, mask: FlowMask): Match {
  const masked = key.clone();
  for (let i = 0; i < KEY_SIZE; i++) masked.bytes[i]! &= mask.bytes[i]!;
  return { key: masked, mask };
}

/** The datapath port number a key came in by. */
export const inPortOf = (key: FlowKey): number => key.get(KEY.in_port);
