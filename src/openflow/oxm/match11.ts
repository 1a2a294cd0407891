/** OpenFlow 1.1's standard match, 88 bytes (OpenFlow 1.1 §A.2.3). Ones in its masks are bits that do not count. */
import { KEY, type KeyField, PIPELINE, PipelineKey } from '../../flow/key.ts';
import { ok, type Result } from '../../lib/result.ts';
import { fromPort32, toPort32 } from '../action/codec.ts';
import { type OfError, ofFail } from '../error.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import { layersOfMatch } from './layers.ts';
import type { OfMatch } from './types.ts';

export const MATCH11_SIZE = 88;

const ANY = { IN_PORT: 1, VLAN: 2, PCP: 4, TYPE: 8, TOS: 16, PROTO: 32, TP_SRC: 64, TP_DST: 128, LABEL: 256, TC: 512 };
const PRESENT = 0x1000;
const NO_VLAN = 0xffff;
const ANY_VLAN = 0xfffe;
const ALL_64 = (1n << 64n) - 1n;

const invert = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => ~byte & 0xff);

/** False for a VID or a PCP that cannot be. */
function putVlan(key: PipelineKey, mask: PipelineKey, wildcards: number, vid: number, pcp: number): boolean {
  if ((wildcards & ANY.VLAN) !== 0) return true;
  if (vid === NO_VLAN) {
    mask.set(KEY.vlan_tci, 0xffff);
    return true;
  }
  if (vid !== ANY_VLAN && vid > 0xfff) return false;
  const vidBits = vid === ANY_VLAN ? 0 : 0xfff;
  const anyPcp = (wildcards & ANY.PCP) !== 0;
  if (!anyPcp && pcp > 7) return false;
  const bits = PRESENT | vidBits | (anyPcp ? 0 : 0xe000);
  mask.set(KEY.vlan_tci, bits);
  key.set(KEY.vlan_tci, (PRESENT | (vid & vidBits) | (pcp << 13)) & bits);
  return true;
}

const portProtocols = [6, 17, 132];

/** @param bytes 88, its type and its length looked at already */
export function decodeMatch11(bytes: Uint8Array): Result<OfMatch, OfError> {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  const wildcards = u32At(bytes, 8);
  if ((wildcards & ANY.IN_PORT) === 0) {
    const port = fromPort32(u32At(bytes, 4));
    if (port === null) return ofFail('OFPBMC_BAD_VALUE');
    key.set(KEY.in_port, port);
    mask.setAllOnes(KEY.in_port);
  }
  const putMasked = (field: KeyField, at: number, size: number): void => {
    const bits = invert(bytes.subarray(at + size, at + 2 * size));
    mask.setBytes(field, bits);
    key.setBytes(
      field,
      bytes.subarray(at, at + size).map((byte, i) => byte & bits[i]!),
    );
  };
  putMasked(KEY.eth_src, 12, 6);
  putMasked(KEY.eth_dst, 24, 6);
  if (!putVlan(key, mask, wildcards, u16At(bytes, 36), bytes[38]!)) return ofFail('OFPBMC_BAD_VALUE');
  const put = (field: KeyField, value: number, bits: number): void => {
    mask.set(field, mask.get(field) | bits);
    key.set(field, ((key.get(field) & ~bits) | (value & bits)) >>> 0);
  };
  if ((wildcards & ANY.TYPE) === 0) put(KEY.eth_type, u16At(bytes, 40), 0xffff);
  mask.setAllOnes(KEY.packet_type);
  const match = { key, mask, tunMetadata: [] };
  const layers = layersOfMatch(match);
  if (layers.isIp && (wildcards & ANY.TOS) === 0) {
    if ((bytes[42]! & 3) !== 0) return ofFail('OFPBMC_BAD_VALUE');
    put(KEY.nw_tos, bytes[42]!, 0xfc);
  }
  if ((layers.isIp || layers.isArp) && (wildcards & ANY.PROTO) === 0) put(KEY.nw_proto, bytes[43]!, 0xff);
  if (layers.isIpv4 || layers.isArp) {
    putMasked(KEY.ipv4_src, 44, 4);
    putMasked(KEY.ipv4_dst, 52, 4);
  }
  const failed = putTransport(bytes, wildcards, match);
  if (failed) return ofFail(failed);
  if (layers.isMpls) {
    if ((wildcards & ANY.LABEL) === 0) put(KEY.mpls_lse0, (u32At(bytes, 64) & 0xfffff) << 12, 0xfffff000);
    if ((wildcards & ANY.TC) === 0) put(KEY.mpls_lse0, (bytes[68]! & 7) << 9, 0xe00);
  }
  const metadataMask = u64At(bytes, 80) ^ ALL_64;
  mask.setU64(PIPELINE.metadata, metadataMask);
  key.setU64(PIPELINE.metadata, u64At(bytes, 72) & metadataMask);
  return ok(match);
}

/** Ports, or ICMP's type and code in their places. */
function putTransport(bytes: Uint8Array, wildcards: number, match: OfMatch): 'OFPBMC_BAD_FIELD' | null {
  const { key, mask } = match;
  if (!layersOfMatch(match).isIp || !mask.isAllOnes(KEY.nw_proto)) return null;
  const protocol = key.get(KEY.nw_proto);
  const isIcmp = protocol === 1 || protocol === 58;
  const ends = [
    [KEY.tp_src, ANY.TP_SRC, 60],
    [KEY.tp_dst, ANY.TP_DST, 62],
  ] as const;
  for (const [field, bit, at] of ends) {
    if ((wildcards & bit) !== 0) continue;
    const value = u16At(bytes, at);
    if (isIcmp ? value > 0xff : !portProtocols.includes(protocol)) return 'OFPBMC_BAD_FIELD';
    mask.set(field, isIcmp ? 0xff : 0xffff);
    key.set(field, value);
  }
  return null;
}

function vlanOf(tci: number, mask: number): { vid: number; pcp: number; wild: number } {
  if ((mask & PRESENT) === 0) return { vid: 0, pcp: 0, wild: ANY.VLAN | ANY.PCP };
  if ((tci & PRESENT) === 0) return { vid: NO_VLAN, pcp: 0, wild: ANY.PCP };
  const vid = (mask & 0xfff) === 0xfff ? tci & 0xfff : ANY_VLAN;
  return (mask & 0xe000) === 0xe000 ? { vid, pcp: tci >> 13, wild: 0 } : { vid, pcp: 0, wild: ANY.PCP };
}

/** What OpenFlow 1.1 cannot say is left out. */
export function encodeMatch11(match: OfMatch): Uint8Array {
  const { key, mask } = match;
  const layers = layersOfMatch(match);
  let wildcards = 0;
  const value = (bit: number, field: KeyField, isThere: boolean, bits: number): number => {
    const matched = isThere && (mask.get(field) & bits) !== 0;
    if (!matched) wildcards |= bit;
    return matched ? (key.get(field) & bits) >>> 0 : 0;
  };
  const hasPort = !mask.isZero(KEY.in_port);
  if (!hasPort) wildcards |= ANY.IN_PORT;
  const { vid, pcp, wild } = vlanOf(key.get(KEY.vlan_tci), mask.get(KEY.vlan_tci));
  wildcards |= wild;
  const type = value(ANY.TYPE, KEY.eth_type, true, 0xffff);
  const tos = value(ANY.TOS, KEY.nw_tos, layers.isIp, 0xfc);
  const proto = value(ANY.PROTO, KEY.nw_proto, layers.isIp || layers.isArp, 0xff);
  const tpSrc = value(ANY.TP_SRC, KEY.tp_src, layers.hasPorts, 0xffff);
  const tpDst = value(ANY.TP_DST, KEY.tp_dst, layers.hasPorts, 0xffff);
  const label = value(ANY.LABEL, KEY.mpls_lse0, layers.isMpls, 0xfffff000) >>> 12;
  const tc = value(ANY.TC, KEY.mpls_lse0, layers.isMpls, 0xe00) >> 9;
  const out = new Writer().u16(0).u16(MATCH11_SIZE);
  out.u32(hasPort ? toPort32(key.get(KEY.in_port)) : 0).u32(wildcards);
  out.bytes(key.at(KEY.eth_src)).bytes(invert(mask.at(KEY.eth_src)));
  out.bytes(key.at(KEY.eth_dst)).bytes(invert(mask.at(KEY.eth_dst)));
  out.u16(vid).u8(pcp).zeros(1).u16(type).u8(tos).u8(proto);
  for (const field of [KEY.ipv4_src, KEY.ipv4_dst]) {
    const bits = layers.isIpv4 || layers.isArp ? mask.get(field) : 0;
    out.u32((key.get(field) & bits) >>> 0).u32(~bits >>> 0);
  }
  out.u16(tpSrc).u16(tpDst).u32(label).u8(tc).zeros(3);
  out.u64(key.getU64(PIPELINE.metadata)).u64(mask.getU64(PIPELINE.metadata) ^ ALL_64);
  return out.done();
}
