/** The twin's push and pop actions, tunnels aside. */
import type { DpAction } from '../../src/flow/odp/action.ts';
import { concatBytes, putU16, putU32, u16At } from '../../src/lib/bytes.ts';
import { dropped, forgetOffsets, insertBytes, isVlanType, removeBytes, type TwinPacket, typeAt12 } from './packet.ts';

const ETHERTYPE_NAMESPACE = 0x10000;
const PT_NSH = 0x1894f;

const words = (...values: readonly number[]): Uint8Array => {
  const out = new Uint8Array(2 * values.length);
  values.forEach((value, i) => {
    putU16(out, 2 * i, value);
  });
  return out;
};

export function pushVlan(packet: TwinPacket, tpid: number, tci: number): void {
  if (packet.packetType !== 0 || packet.frame.length < 14) throw dropped('action_invalid');
  insertBytes(packet, 12, words(tpid, tci & ~0x1000));
}

export function popVlan(packet: TwinPacket): void {
  if (packet.packetType !== 0 || packet.frame.length < 18 || !isVlanType(typeAt12(packet))) return;
  removeBytes(packet, 12, 4);
}

/** The Ethertype behind all tags stands right before the label stack. */
function setInnerEthType(packet: TwinPacket, ethType: number): void {
  if (packet.packetType === 0) putU16(packet.frame, isVlanType(typeAt12(packet)) ? packet.l25! - 2 : 12, ethType);
}

export function pushMpls(packet: TwinPacket, lse: number, ethType: number): void {
  packet.l25 ??= packet.l3;
  const at = packet.l25;
  if (at === null || at > packet.frame.length || (packet.packetType === 0 && at < 14)) throw dropped('action_invalid');
  if (packet.headroom < 4) throw dropped('headroom');
  setInnerEthType(packet, ethType);
  const label = new Uint8Array(4);
  putU32(label, 0, lse);
  insertBytes(packet, at, label);
  packet.l25 = at;
}

export function popMpls(packet: TwinPacket, ethType: number): void {
  const at = packet.l25;
  if (at === null || at + 4 > packet.frame.length) return;
  setInnerEthType(packet, ethType);
  const isBottom = (packet.frame[at + 2]! & 1) !== 0;
  removeBytes(packet, at, 4);
  packet.l25 = isBottom ? null : at;
}

export function pushEth(packet: TwinPacket, dst: Uint8Array, src: Uint8Array): void {
  if (packet.packetType < ETHERTYPE_NAMESPACE) throw dropped('action_invalid');
  insertBytes(packet, 0, concatBytes(dst, src, words(packet.packetType & 0xffff)));
  packet.packetType = 0;
}

export function popEth(packet: TwinPacket): void {
  const at = packet.l25 ?? packet.l3;
  if (packet.packetType !== 0 || at === null || at < 14 || at > packet.frame.length) throw dropped('action_invalid');
  packet.packetType = ETHERTYPE_NAMESPACE + u16At(packet.frame, at - 2);
  removeBytes(packet, 0, at);
}

/** Next protocol numbers of RFC 8300 and the packet types they stand for. */
const nextProtocols: readonly (readonly [packetType: number, protocol: number])[] = [
  [0x10800, 1],
  [0x186dd, 2],
  [0, 3],
  [PT_NSH, 4],
];

export function pushNsh(packet: TwinPacket, action: Extract<DpAction, { type: 'push_nsh' }>): void {
  const next = nextProtocols.find(([type]) => type === packet.packetType)?.[1];
  if (next === undefined) throw dropped('action_invalid');
  const header = new Uint8Array(8 + action.metadata.length);
  putU16(header, 0, (action.flags << 12) | (action.ttl << 6) | (header.length / 4));
  header[2] = action.mdtype;
  header[3] = next;
  putU32(header, 4, action.path);
  header.set(action.metadata, 8);
  insertBytes(packet, 0, header);
  forgetOffsets(packet);
  packet.l3 = 0;
  packet.packetType = PT_NSH;
}

export function popNsh(packet: TwinPacket): void {
  const { frame } = packet;
  if (packet.packetType !== PT_NSH || frame.length < 8) throw dropped('action_invalid');
  const size = (frame[1]! & 0x3f) * 4;
  const inner = nextProtocols.find(([, protocol]) => protocol === frame[3])?.[0];
  if (inner === undefined || size < 8 || size > frame.length) throw dropped('action_invalid');
  removeBytes(packet, 0, size);
  forgetOffsets(packet);
  packet.packetType = inner;
}
