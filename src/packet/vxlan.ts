/** VXLAN (RFC 7348 §5). */
import { putU32, u32At } from '../lib/bytes.ts';
import type { Parsed } from './parsed.ts';

export const VXLAN_PORT = 4789;

const FLAGS = 0;
const VNI = 4;
const HEADER_SIZE = 8;
const VNI_PRESENT = 0x08000000;

export interface Vxlan {
  /** Twenty-four bits. */
  readonly vni: number;
}

/** Null when the I flag is not set. */
export function parseVxlan(bytes: Uint8Array): Parsed<Vxlan> | null {
  if (bytes.length < HEADER_SIZE || (u32At(bytes, FLAGS) & VNI_PRESENT) === 0) return null;
  return { header: { vni: u32At(bytes, VNI) >>> 8 }, payload: bytes.subarray(HEADER_SIZE) };
}

export function emitVxlan(header: Vxlan, bytes: Uint8Array): void {
  putU32(bytes, FLAGS, VNI_PRESENT);
  putU32(bytes, VNI, (header.vni << 8) >>> 0);
}

export function buildVxlan(header: Vxlan, inner: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + inner.length);
  emitVxlan(header, bytes);
  bytes.set(inner, HEADER_SIZE);
  return bytes;
}
