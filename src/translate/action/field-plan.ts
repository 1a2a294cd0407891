/**
 * Fields of actions made ready: which bits of a key they are, as bytes and masks. Made once for each field, subfield or
 * set_field and kept; using one allocates nothing and knows no big numbers.
 *
 * Terms. *position*: eight times the byte of a key plus the bit in it (0 the lowest); -1 for a bit of the value that no key
 * holds. *copy*: bits of one byte that go to another, all by the same distance.
 */
import { KEY, PipelineKey } from '../../flow/key.ts';
import type { ActionOf, Subfield } from '../../openflow/action/types.ts';
import { fieldOf, type OfFieldSpec, valueBits, writeValue } from '../../openflow/field/index.ts';

/** Bits in [from] that go to [to]; shift > 0 moves them up. */
interface ByteCopy {
  readonly from: number;
  readonly to: number;
  /** Of the byte they go to. */
  readonly mask: number;
  readonly shift: number;
}
export type CopyPlan = readonly ByteCopy[];

/** Bits that are set, one entry a byte. */
interface BytePatch {
  readonly at: number;
  readonly mask: number;
  readonly value: number;
}
export type PatchPlan = readonly BytePatch[];

/** Bits of a value that the field's text has, and the key does not keep: the ECN bits of nw_tos, high halves of arp_op and ports. */
const isKept = ({ name }: OfFieldSpec, bit: number): boolean => {
  if (name === 'nw_tos') return bit >= 2;
  if (name === 'arp_op') return bit < 8;
  return name === 'in_port_oxm' ? bit < 16 : true;
};

function probe(field: OfFieldSpec, bit: number): number {
  if (!isKept(field, bit)) return -1;
  const key = new PipelineKey();
  writeValue(key, field, 1n << BigInt(bit));
  const at = key.bytes.findIndex((byte) => byte !== 0);
  return at < 0 ? -1 : 8 * at + (31 - Math.clz32(key.bytes[at]!));
}

const positionsByField = new Map<string, readonly number[]>();

/** Positions of a field's bits, the lowest first. */
function positionsOf(name: string): readonly number[] {
  let positions = positionsByField.get(name);
  if (!positions) {
    const field = fieldOf(name);
    const count = Math.max(field.bits, valueBits(field).toString(2).length);
    positions = field.place ? Array.from({ length: count }, (_, bit) => probe(field, bit)) : [];
    positionsByField.set(name, positions);
  }
  return positions;
}

const positionsIn = ({ field, offset, width }: Subfield): readonly number[] =>
  positionsOf(field).slice(offset, offset + width);

/** Positions in a buffer of so many bytes in network order. */
const bufferPositions = (size: number, width: number): readonly number[] =>
  Array.from({ length: width }, (_, bit) => 8 * (size - 1 - (bit >> 3)) + (bit & 7));

function copyPlan(from: readonly number[], to: readonly number[]): CopyPlan {
  const copies = new Map<string, ByteCopy>();
  for (let bit = 0; bit < to.length; bit++) {
    const [source, target] = [from[bit] ?? -1, to[bit]!];
    if (target < 0) continue;
    const shift = source < 0 ? 0 : (target & 7) - (source & 7);
    const fromByte = source < 0 ? -1 : source >> 3;
    const id = `${fromByte}/${target >> 3}/${shift}`;
    const mask = (copies.get(id)?.mask ?? 0) | (1 << (target & 7));
    copies.set(id, { from: fromByte, to: target >> 3, mask, shift });
  }
  return [...copies.values()];
}

function patchPlan(positions: readonly number[], value: bigint, mask: bigint): PatchPlan {
  const patches = new Map<number, BytePatch>();
  positions.forEach((position, bit) => {
    if (position < 0 || ((mask >> BigInt(bit)) & 1n) === 0n) return;
    const at = position >> 3;
    const bits = 1 << (position & 7);
    const isSet = ((value >> BigInt(bit)) & 1n) === 1n;
    const old = patches.get(at) ?? { at, mask: 0, value: 0 };
    patches.set(at, { at, mask: old.mask | bits, value: old.value | (isSet ? bits : 0) });
  });
  return [...patches.values()];
}

const ALL = -1n;
const cfiPatch = patchPlan([8 * KEY.vlan_tci.offset + 4], 1n, 1n);
/** To write one of these is to say that there is a tag. */
const impliesTag: ReadonlySet<string> = new Set(['dl_vlan', 'dl_vlan_pcp', 'vlan_pcp']);
const tagFields: ReadonlySet<string> = new Set([...impliesTag, 'vlan_vid', 'vlan_tci']);
const withTag = (name: string, patches: PatchPlan): PatchPlan =>
  impliesTag.has(name) ? [...patches, ...cfiPatch] : patches;

/** A field, or some of its bits, to be looked at or written as a whole. */
export interface SubfieldPlan {
  readonly spec: OfFieldSpec;
  /** Ones in the bits of the subfield. */
  readonly mask: PatchPlan;
  /** What else writing it sets. */
  readonly implied: PatchPlan;
  readonly isTag: boolean;
  /** Bytes of its value. */
  readonly size: number;
  /** To a buffer of `size` bytes in network order, and back. */
  readonly read: CopyPlan;
  readonly write: CopyPlan;
}

const subfieldPlans = new WeakMap<Subfield, SubfieldPlan>();

export function planOf(subfield: Subfield): SubfieldPlan {
  let plan = subfieldPlans.get(subfield);
  if (!plan) {
    const { field: name, width } = subfield;
    const size = (width + 7) >> 3;
    const [own, buffer] = [positionsIn(subfield), bufferPositions(size, width)];
    plan = {
      spec: fieldOf(name),
      mask: withTag(name, patchPlan(own, ALL, ALL)),
      implied: impliesTag.has(name) ? cfiPatch : [],
      isTag: tagFields.has(name),
      size,
      read: copyPlan(own, buffer),
      write: copyPlan(buffer, own),
    };
    subfieldPlans.set(subfield, plan);
  }
  return plan;
}

interface SetPlan {
  readonly spec: OfFieldSpec;
  readonly patches: PatchPlan;
  readonly isTag: boolean;
}

const setPlans = new WeakMap<object, SetPlan>();

export function setPlanOf(action: ActionOf<'set_field'>): SetPlan {
  let plan = setPlans.get(action);
  if (!plan) {
    const { field, value, mask } = action;
    const patches = withTag(field, patchPlan(positionsOf(field), value, mask));
    plan = { spec: fieldOf(field), patches, isTag: tagFields.has(field) };
    setPlans.set(action, plan);
  }
  return plan;
}

const movePlans = new WeakMap<object, CopyPlan>();

export function movePlanOf(action: ActionOf<'move'>): CopyPlan {
  let plan = movePlans.get(action);
  if (!plan) {
    plan = copyPlan(positionsIn(action.source), positionsIn(action.target));
    movePlans.set(action, plan);
  }
  return plan;
}

/** Sets the bits of the patches. */
export function patch({ bytes }: PipelineKey, patches: PatchPlan): void {
  for (const { at, mask, value } of patches) bytes[at] = (bytes[at]! & ~mask) | value;
}

/** Bytes of the largest value: all of tun_opts. */
const taken = new Uint8Array(256);

/** Copies bits; source and target may be the same memory. */
export function copyBits(to: Uint8Array, from: Uint8Array, copies: CopyPlan): void {
  for (let i = 0; i < copies.length; i++) {
    const { from: at } = copies[i]!;
    taken[i] = at < 0 ? 0 : from[at]!;
  }
  for (let i = 0; i < copies.length; i++) {
    const { to: at, mask, shift } = copies[i]!;
    const bits = shift >= 0 ? taken[i]! << shift : taken[i]! >> -shift;
    to[at] = (to[at]! & ~mask) | (bits & mask);
  }
}

/** A tag that was written into being has a TPID. */
export function completeTag(key: PipelineKey): void {
  if (key.get(KEY.vlan_tci) !== 0 && key.get(KEY.vlan_tpid) === 0) key.set(KEY.vlan_tpid, 0x8100);
}
