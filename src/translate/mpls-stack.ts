/** The label stack of a key (RFC 3032): up to three entries, the outermost first. */
import { type FlowKey, KEY, type KeyField } from '../flow/key.ts';
import type { XlateContext } from './context.ts';
import { ETH_TYPE_IPV6, isIp, isMpls } from './protocols.ts';

export const MPLS_BOS = 0x100;
export const MPLS_LABELS_MAX = 3;
export const LSE: readonly [KeyField, KeyField, KeyField] = [KEY.mpls_lse0, KEY.mpls_lse1, KEY.mpls_lse2];

/** Entries that a key has. @param ctx whose wildcards are told what was looked at */
export function labelCount(key: FlowKey, ctx: XlateContext | null = null): number {
  if (!isMpls(key)) return 0;
  let count = 0;
  for (let i = 0; i < MPLS_LABELS_MAX; i++) {
    ctx?.unwildcardBits(LSE[i]!, MPLS_BOS);
    const lse = key.get(LSE[i]!);
    if ((lse & MPLS_BOS) !== 0) return i + 1;
    if (lse !== 0) count++;
  }
  return count;
}

/** Entries from the bottom up that two stacks share. */
export function commonLabels(a: FlowKey, aCount: number, b: FlowKey, bCount: number): number {
  let common = 0;
  while (common < Math.min(aCount, bCount)) {
    if (a.get(LSE[aCount - 1 - common]!) !== b.get(LSE[bCount - 1 - common]!)) break;
    common++;
  }
  return common;
}

/** Blocks of the headers behind a label stack, which nobody can see through it. */
const HIDDEN: readonly KeyField[] = [
  ...[KEY.nw_proto, KEY.nw_frag, KEY.nw_tos, KEY.nw_ttl, KEY.ipv4_src, KEY.ipv4_dst, KEY.tp_src, KEY.tp_dst],
  ...[KEY.tcp_flags, KEY.ipv6_src, KEY.ipv6_dst, KEY.ipv6_label, KEY.nd_target, KEY.arp_sha, KEY.arp_tha],
  ...[KEY.igmp_group, KEY.nd_reserved, KEY.nd_options_type, KEY.nsh_flags, KEY.nsh_ttl, KEY.nsh_mdtype, KEY.nsh_np],
  ...[KEY.nsh_path, KEY.nsh_c1, KEY.nsh_c2, KEY.nsh_c3, KEY.nsh_c4, KEY.dp_hash],
  ...[KEY.ct_nw_src, KEY.ct_nw_dst, KEY.ct_tp_src, KEY.ct_tp_dst, KEY.ct_ipv6_src, KEY.ct_ipv6_dst],
];

/** The entry of a packet that has none yet: explicit null, with the packet's own traffic class and TTL (RFC 3270, RFC 3443). */
function firstEntry(key: FlowKey, ctx: XlateContext | null): number {
  const label = key.get(KEY.eth_type) === ETH_TYPE_IPV6 ? 2 : 0;
  let [tc, ttl] = [0, 64];
  if (isIp(key)) {
    ctx?.unwildcardBits(KEY.nw_tos, 0xfc);
    ctx?.unwildcard(KEY.nw_ttl);
    tc = (key.get(KEY.nw_tos) >> 2) & 7;
    ttl = key.get(KEY.nw_ttl) || 64;
  }
  return ((label << 12) | (tc << 9) | MPLS_BOS | ttl) >>> 0;
}

/**
 * Puts an entry on: a copy of the outermost, or one made of the packet's headers.
 * @param count entries there are, below MPLS_LABELS_MAX
 * @param ctx whose wildcards are told what was looked at, and whose packet's inner headers are then out of sight; null for base
 */
export function pushLabel(key: FlowKey, count: number, ethType: number, ctx: XlateContext | null): void {
  if (count > 0) {
    for (let i = 0; i < count; i++) ctx?.unwildcard(LSE[i]!);
    for (let i = count; i >= 1; i--) key.set(LSE[i]!, key.get(LSE[i - 1]!));
    key.set(LSE[0], (key.get(LSE[1]) & ~MPLS_BOS) >>> 0);
  } else {
    key.set(LSE[0], firstEntry(key, ctx));
    if (ctx) for (const field of HIDDEN) key.setZero(field);
  }
  key.set(KEY.eth_type, ethType);
}

/** Takes the outermost entry off. False when there is none, or when what would become the last one is not known. */
export function popLabel(key: FlowKey, count: number, ethType: number, ctx: XlateContext | null): boolean {
  if (count === 0) return false;
  if (count === MPLS_LABELS_MAX) {
    ctx?.unwildcardBits(LSE[count - 1]!, MPLS_BOS);
    if ((key.get(LSE[count - 1]!) & MPLS_BOS) === 0) return false;
  }
  for (let i = 1; i < count; i++) {
    ctx?.unwildcard(LSE[i]!);
    key.set(LSE[i - 1]!, key.get(LSE[i]!));
  }
  key.set(LSE[count - 1]!, 0);
  key.set(KEY.eth_type, ethType);
  return true;
}
