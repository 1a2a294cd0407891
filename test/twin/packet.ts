/** The twin's packet: a frame, what is known about it, and plain ways to change it. Shared by the twin's files. */
import { type FlowKey, KEY, type KeyField } from '../../src/flow/key.ts';
import type { DpAction, SetField } from '../../src/flow/odp/action.ts';
import type { DropReasonName, KeyFieldName } from '../../src/gen/tables.ts';
import { concatBytes, u16At } from '../../src/lib/bytes.ts';

/** A packet on its way. Offsets are from the first byte of the frame; null when there is no such header. */
export interface TwinPacket {
  frame: Uint8Array;
  inPort: number;
  recircId: number;
  packetType: number;
  l25: number | null;
  l3: number | null;
  l4: number | null;
  l2Pad: number;
  /** What a trunc takes off the end of the next output. */
  cut: number;
  /** Bytes free in front of the frame. */
  headroom: number;
  /** Metadata blocks count. */
  meta: FlowKey;
  /** Headers that tnl_push wrote, innermost first: the datapath chooses UDP source ports, and checksums are over them. */
  tunnels: { ip: number; l4: number }[];
  /** tun_tp_src is a port that the datapath chose. */
  isSourcePortChosen: boolean;
}

/** Why a packet ended. */
export class Dropped extends Error {
  readonly reason: DropReasonName;

  constructor(reason: DropReasonName) {
    super(reason);
    this.reason = reason;
  }
}

/** Ends the packet: to be thrown. */
export const dropped = (reason: DropReasonName): Dropped => new Dropped(reason);

export const copyOf = (packet: TwinPacket): TwinPacket => ({
  ...packet,
  frame: packet.frame.slice(),
  meta: packet.meta.clone(),
  tunnels: packet.tunnels.map((tunnel) => ({ ...tunnel })),
});

const moved = (offset: number | null, by: number): number | null => (offset === null ? null : offset + by);

/** Puts bytes in at `at`; headers behind it move. */
export function insertBytes(packet: TwinPacket, at: number, bytes: Uint8Array): void {
  if (packet.headroom < bytes.length) throw dropped('headroom');
  packet.headroom -= bytes.length;
  packet.frame = concatBytes(packet.frame.subarray(0, at), bytes, packet.frame.subarray(at));
  moveOffsets(packet, bytes.length);
}

export function removeBytes(packet: TwinPacket, at: number, size: number): void {
  packet.headroom += size;
  packet.frame = concatBytes(packet.frame.subarray(0, at), packet.frame.subarray(at + size));
  moveOffsets(packet, -size);
}

function moveOffsets(packet: TwinPacket, by: number): void {
  packet.l25 = moved(packet.l25, by);
  packet.l3 = moved(packet.l3, by);
  packet.l4 = moved(packet.l4, by);
  for (const tunnel of packet.tunnels) {
    tunnel.ip += by;
    tunnel.l4 += by;
  }
}

export function forgetOffsets(packet: TwinPacket): void {
  packet.l25 = null;
  packet.l3 = null;
  packet.l4 = null;
  packet.l2Pad = 0;
}

/** A view of so many bytes of the network header; ends the packet when they are not there. */
export function l3Bytes(packet: TwinPacket, size: number): Uint8Array {
  if (packet.l3 === null || packet.l3 + size > packet.frame.length) throw dropped('action_invalid');
  return packet.frame.subarray(packet.l3);
}

/** A view of the transport header and all behind it, padding excluded; empty without one. */
export function l4Bytes(packet: TwinPacket): Uint8Array {
  const end = packet.frame.length - packet.l2Pad;
  return packet.l4 === null || packet.l4 >= end ? new Uint8Array(0) : packet.frame.subarray(packet.l4, end);
}

/** Sum of 16-bit words, not folded. */
export function wordSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

/** The Internet checksum of a sum. */
export const complement = (sum: number): number => 0xffff - (sum === 0 ? 0 : sum % 0xffff || 0xffff);

/**
 * A checksum after what it covers changed from one sum to another: as wrong as it was before, and right when it was
 * right. Both sums are over everything, the checksum itself left out.
 */
export function followed(checksum: number, before: number, after: number): number {
  return (((checksum + before - after) % 0xffff) + 0xffff) % 0xffff;
}

export const putWord = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
};

export const protocolOf = (ip: Uint8Array): number => ip[9]!;
export const isVlanType = (type: number): boolean => type === 0x8100 || type === 0x88a8;
export const typeAt12 = (packet: TwinPacket): number => u16At(packet.frame, 12);

/** The value of a set action's field laid over what is there now. */
export function laidOver(action: Extract<DpAction, { type: 'set' }>, field: KeyFieldName, old: Uint8Array): Uint8Array {
  const found = action.fields.find((f: SetField) => f.field === field);
  if (!found) return old.slice();
  const { value, mask } = found;
  return old.map((byte, i) => {
    const bits = mask ? mask[i]! : 0xff;
    return (byte & ~bits) | (value[i]! & bits);
  });
}

/** The same for numbers of at most four bytes. */
export function laidOverNumber(action: Extract<DpAction, { type: 'set' }>, field: KeyFieldName, old: number): number {
  const { size } = KEY[field] as KeyField;
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = old / 256 ** (size - 1 - i);
  return laidOver(action, field, bytes).reduce((value, byte) => value * 256 + byte, 0);
}
