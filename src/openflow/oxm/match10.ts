/** OpenFlow 1.0's struct ofp_match, forty bytes (OpenFlow 1.0 §5.2.3). */
import { KEY, type KeyField, PipelineKey } from '../../flow/key.ts';
import { u16At, u32At, Writer } from '../wire.ts';
import { isPrefixMask, layersOfMatch } from './layers.ts';
import type { OfMatch } from './types.ts';

export const MATCH10_SIZE = 40;

/** Wildcard bits. */
const ANY = {
  IN_PORT: 1,
  VLAN: 2,
  SRC: 4,
  DST: 8,
  TYPE: 16,
  PROTO: 32,
  TP_SRC: 64,
  TP_DST: 128,
  PCP: 1 << 20,
  TOS: 1 << 21,
};
const NW_SRC_SHIFT = 8;
const NW_DST_SHIFT = 14;
const NO_VLAN = 0xffff;
const PRESENT = 0x1000;

const prefixMask = (wildBits: number): number => (wildBits >= 32 ? 0 : (0xffffffff << wildBits) >>> 0);

function putVlan(key: PipelineKey, mask: PipelineKey, wildcards: number, vid: number, pcp: number): void {
  const anyVid = (wildcards & ANY.VLAN) !== 0;
  const anyPcp = (wildcards & ANY.PCP) !== 0;
  if (anyVid && anyPcp) return;
  if (!anyVid && vid === NO_VLAN) {
    mask.set(KEY.vlan_tci, 0xffff);
    return;
  }
  const bits = PRESENT | (anyVid ? 0 : 0xfff) | (anyPcp ? 0 : 0xe000);
  mask.set(KEY.vlan_tci, bits);
  key.set(KEY.vlan_tci, (PRESENT | (vid & 0xfff) | ((pcp & 7) << 13)) & bits);
}

/** @param bytes at least forty */
export function decodeMatch10(bytes: Uint8Array): OfMatch {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  const wildcards = u32At(bytes, 0);
  const put = (bit: number, field: KeyField, value: number, bits: number): void => {
    if ((wildcards & bit) !== 0) return;
    mask.set(field, bits);
    key.set(field, value & bits);
  };
  if ((wildcards & ANY.IN_PORT) === 0) {
    key.set(KEY.in_port, u16At(bytes, 4));
    mask.setAllOnes(KEY.in_port);
  }
  const putMac = (bit: number, field: KeyField, at: number): void => {
    if ((wildcards & bit) !== 0) return;
    mask.setAllOnes(field);
    key.setBytes(field, bytes.subarray(at, at + 6));
  };
  putMac(ANY.SRC, KEY.eth_src, 6);
  putMac(ANY.DST, KEY.eth_dst, 12);
  putVlan(key, mask, wildcards, u16At(bytes, 18), bytes[20]!);
  put(ANY.TYPE, KEY.eth_type, u16At(bytes, 22), 0xffff);
  put(ANY.TOS, KEY.nw_tos, bytes[24]!, 0xfc);
  put(ANY.PROTO, KEY.nw_proto, bytes[25]!, 0xff);
  const addresses = [
    [KEY.ipv4_src, 28, prefixMask((wildcards >>> NW_SRC_SHIFT) & 63)],
    [KEY.ipv4_dst, 32, prefixMask((wildcards >>> NW_DST_SHIFT) & 63)],
  ] as const;
  for (const [field, at, bits] of addresses) {
    mask.set(field, bits);
    key.set(field, (u32At(bytes, at) & bits) >>> 0);
  }
  put(ANY.TP_SRC, KEY.tp_src, u16At(bytes, 36), 0xffff);
  put(ANY.TP_DST, KEY.tp_dst, u16At(bytes, 38), 0xffff);
  mask.setAllOnes(KEY.packet_type);
  return { key, mask, tunMetadata: [] };
}

/** What OpenFlow 1.0 cannot say is left out. */
export function encodeMatch10(match: OfMatch): Uint8Array {
  const { key, mask } = match;
  const layers = layersOfMatch(match);
  let wildcards = 0;
  const value = (bit: number, field: KeyField, isThere: boolean, bits: number): number => {
    const matched = isThere && (mask.get(field) & bits) !== 0;
    if (!matched) wildcards |= bit;
    return matched ? key.get(field) & bits : 0;
  };
  const inPort = mask.isZero(KEY.in_port) ? 0 : key.get(KEY.in_port);
  if (mask.isZero(KEY.in_port)) wildcards |= ANY.IN_PORT;
  const macOf = (bit: number, field: KeyField): Uint8Array => {
    // Some bits cannot be said: the reference then says all
    if (mask.isZero(field)) wildcards |= bit;
    return mask.isZero(field) ? new Uint8Array(6) : key.at(field);
  };
  const [src, dst] = [macOf(ANY.SRC, KEY.eth_src), macOf(ANY.DST, KEY.eth_dst)];
  const { vid, pcp, wild } = vlanOf(key.get(KEY.vlan_tci), mask.get(KEY.vlan_tci));
  wildcards |= wild;
  const type = value(ANY.TYPE, KEY.eth_type, true, 0xffff);
  const tos = value(ANY.TOS, KEY.nw_tos, layers.isIp, 0xfc);
  const proto = value(ANY.PROTO, KEY.nw_proto, layers.isIp || layers.isArp, 0xff);
  const addressOf = (field: KeyField, shift: number): number => {
    const bits = layers.isIpv4 || layers.isArp ? mask.get(field) : 0;
    const length = isPrefixMask(bits);
    wildcards |= (length === null ? 32 : 32 - length) << shift;
    return length === null ? 0 : (key.get(field) & bits) >>> 0;
  };
  const [nwSrc, nwDst] = [addressOf(KEY.ipv4_src, NW_SRC_SHIFT), addressOf(KEY.ipv4_dst, NW_DST_SHIFT)];
  const tpSrc = value(ANY.TP_SRC, KEY.tp_src, layers.hasPorts, 0xffff);
  const tpDst = value(ANY.TP_DST, KEY.tp_dst, layers.hasPorts, 0xffff);
  const out = new Writer()
    .u32(wildcards >>> 0)
    .u16(inPort)
    .bytes(src)
    .bytes(dst)
    .u16(vid)
    .u8(pcp)
    .zeros(1);
  out.u16(type).u8(tos).u8(proto).zeros(2).u32(nwSrc).u32(nwDst).u16(tpSrc).u16(tpDst);
  return out.done();
}

function vlanOf(tci: number, mask: number): { vid: number; pcp: number; wild: number } {
  if ((mask & PRESENT) === 0) return { vid: 0, pcp: 0, wild: ANY.VLAN | ANY.PCP };
  if ((tci & PRESENT) === 0) return { vid: NO_VLAN, pcp: 0, wild: (mask & 0xe000) === 0 ? ANY.PCP : 0 };
  const hasVid = (mask & 0xfff) === 0xfff;
  const hasPcp = (mask & 0xe000) === 0xe000;
  return {
    vid: hasVid ? tci & 0xfff : 0,
    pcp: hasPcp ? tci >> 13 : 0,
    wild: (hasVid ? 0 : ANY.VLAN) | (hasPcp ? 0 : ANY.PCP),
  };
}
