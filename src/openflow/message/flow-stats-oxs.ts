/** Statistics of flows as OpenFlow 1.5 writes them (§7.2.4, OXS): type, length, fields, padding. */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { roundUp8, u16At, u32At, u64At, type Writer } from '../wire.ts';
import type { Decoded } from './codec.ts';
import { UNKNOWN_COUNT } from './port-stats.ts';

export interface FlowCounts {
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Null when not told. */
  readonly idleSeconds: number | null;
  readonly packets: bigint;
  readonly bytes: bigint;
  /** Of aggregates. */
  readonly flows: number;
}

const CLASS = 0x8002;
const FIELD = { duration: 0, idle: 1, flows: 3, packets: 4, bytes: 5 };
const sizes: Readonly<Record<number, number>> = { 0: 8, 1: 8, 3: 4, 4: 8, 5: 8 };

/** With the bytes it took. */
export interface SizedCounts extends FlowCounts {
  readonly size: number;
}

export function readFlowStats(bytes: Uint8Array): Decoded<SizedCounts> {
  const unknown = { seconds: 0xffffffff, nanoseconds: 0xffffffff, idleSeconds: null, flows: 0xffffffff };
  let counts: FlowCounts = { ...unknown, packets: UNKNOWN_COUNT, bytes: UNKNOWN_COUNT };
  if (bytes.length < 4) return ofFail('OFPBMC_BAD_LEN');
  const size = u16At(bytes, 2);
  if (size < 4 || roundUp8(size) > bytes.length) return ofFail('OFPBMC_BAD_LEN');
  for (let at = 4; at < size; ) {
    if (size - at < 4) return ofFail('OFPBMC_BAD_LEN');
    const field = bytes[at + 2]! >> 1;
    const length = bytes[at + 3]!;
    if (at + 4 + length > size) return ofFail('OFPBMC_BAD_LEN');
    const isKnown = u16At(bytes, at) === CLASS && sizes[field] === length;
    at += 4;
    if (isKnown && field === FIELD.duration) {
      counts = { ...counts, seconds: u32At(bytes, at), nanoseconds: u32At(bytes, at + 4) };
    } else if (isKnown && field === FIELD.idle) counts = { ...counts, idleSeconds: u32At(bytes, at) };
    else if (isKnown && field === FIELD.flows) counts = { ...counts, flows: u32At(bytes, at) };
    else if (isKnown && field === FIELD.packets) counts = { ...counts, packets: u64At(bytes, at) };
    else if (isKnown && field === FIELD.bytes) counts = { ...counts, bytes: u64At(bytes, at) };
    at += length;
  }
  return ok({ ...counts, size: roundUp8(size) });
}

type Written = Pick<FlowCounts, 'seconds' | 'nanoseconds' | 'packets' | 'bytes'> &
  Partial<Pick<FlowCounts, 'idleSeconds'>>;

const header = (out: Writer, field: number): Writer =>
  out
    .u16(CLASS)
    .u8(field << 1)
    .u8(sizes[field]!);

export function writeFlowStats(out: Writer, counts: Written): void {
  const start = out.size;
  out.u16(0).u16(0);
  header(out, FIELD.duration).u32(counts.seconds).u32(counts.nanoseconds);
  if (counts.idleSeconds != null) header(out, FIELD.idle).u32(counts.idleSeconds).u32(0);
  header(out, FIELD.packets).u64(counts.packets);
  header(out, FIELD.bytes).u64(counts.bytes);
  out.putU16(start + 2, out.size - start).pad8(start);
}

export function writeAggregate(out: Writer, packets: bigint, bytes: bigint, flows: number): void {
  const start = out.size;
  out.u16(0).u16(0);
  header(out, FIELD.packets).u64(packets);
  header(out, FIELD.bytes).u64(bytes);
  header(out, FIELD.flows).u32(flows);
  out.putU16(start + 2, out.size - start).pad8(start);
}
