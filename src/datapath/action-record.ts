/** One encoded datapath action, seen by the names of its fields (src/spec/actions.ts). */
import { actionSpecs } from '../gen/tables.ts';
import type { ActionSpec } from '../spec/actions.ts';

const HEADER_SIZE = 4;
const RECORD_SIZE_MAX = 0xfffc;

interface Layout {
  readonly spec: ActionSpec;
  readonly offsets: ReadonlyMap<string, { readonly offset: number; readonly size: number; readonly le: boolean }>;
  /** Bytes of the header and the fixed fields. */
  readonly size: number;
}

const layoutOf = (spec: ActionSpec): Layout => {
  let offset = HEADER_SIZE;
  const offsets = new Map<string, { offset: number; size: number; le: boolean }>();
  for (const { name, size, order } of spec.fields) {
    offsets.set(name, { offset, size, le: order === 'le' });
    offset += size;
  }
  return { spec, offsets, size: offset };
};

const layouts = actionSpecs.map(layoutOf);
const byName = new Map(layouts.map((layout) => [layout.spec.name, layout]));
const byCode = new Map(layouts.map((layout) => [layout.spec.code, layout]));

/** One encoded action, seen through its layout. */
export class ActionRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly #layout: Layout;
  constructor(layout: Layout, bytes: Uint8Array) {
    this.name = layout.spec.name;
    this.bytes = bytes;
    this.#layout = layout;
  }

  /** A new record with room for `tailSize` bytes behind its fixed fields, padded to a multiple of four. */
  static make(name: string, tailSize = 0): ActionRecord {
    const layout = byName.get(name);
    if (!layout) throw new Error(`no datapath action ${name}`);
    const size = (layout.size + tailSize + 3) & ~3;
    if (size > RECORD_SIZE_MAX) throw new Error(`${name}: ${size} bytes do not fit in one action`);
    const record = new ActionRecord(layout, new Uint8Array(size));
    const { bytes } = record;
    bytes[0] = layout.spec.code;
    bytes[1] = layout.spec.code >>> 8;
    bytes[2] = size;
    bytes[3] = size >>> 8;
    return record;
  }

  #field(name: string): { readonly offset: number; readonly size: number; readonly le: boolean } {
    const field = this.#layout.offsets.get(name);
    if (!field) throw new Error(`${this.name} has no field ${name}`);
    return field;
  }

  /** The field's bytes, as they lie. */
  at(name: string): Uint8Array {
    const { offset, size } = this.#field(name);
    return this.bytes.subarray(offset, offset + size);
  }

  set(name: string, value: number): this {
    const { offset, size, le } = this.#field(name);
    const width = Math.min(size, 4);
    for (let i = 0; i < width; i++) this.bytes[offset + i] = value >>> (8 * (le ? i : width - 1 - i));
    return this;
  }

  get(name: string): number {
    const { offset, size, le } = this.#field(name);
    const width = Math.min(size, 4);
    let value = 0;
    for (let i = 0; i < width; i++) value |= this.bytes[offset + i]! << (8 * (le ? i : width - 1 - i));
    return value >>> 0;
  }

  /** What follows the fixed fields, padding included. */
  get tail(): Uint8Array {
    return this.bytes.subarray(this.#layout.size);
  }

  withTail(...parts: readonly Uint8Array[]): this {
    let at = 0;
    for (const part of parts) {
      this.tail.set(part, at);
      at += part.length;
    }
    return this;
  }

  bytesOfTail(size: number): Uint8Array {
    if (size > this.tail.length) throw new Error(`${this.name}: ${size} bytes are not there`);
    return this.tail.slice(0, size);
  }
}

/**
 * The records of an encoded list.
 * @throws when the bytes are not a list of actions
 */
export function recordsOf(bytes: Uint8Array): ActionRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: ActionRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + HEADER_SIZE > bytes.length) throw new Error(`action list cut short at ${at}`);
    const layout = byCode.get(view.getUint16(at, true));
    const size = view.getUint16(at + 2, true);
    if (!layout || size < layout.size || size % 4 !== 0 || at + size > bytes.length) {
      throw new Error(`no action at byte ${at} of an action list`);
    }
    records.push(new ActionRecord(layout, bytes.subarray(at, at + size)));
    at += size;
  }
  return records;
}
