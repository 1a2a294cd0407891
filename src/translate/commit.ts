/**
 * Commit: the datapath actions that make the packet look as the pipeline says, before it is output.
 *
 * `base` is the packet as the datapath has it, `flow` as it should be. A field that is the same in both needs no action. A
 * field that differs is set under the mask of the bits that were looked at, so that one action serves a whole megaflow.
 * VLAN tags are compared from the innermost outwards: what the two have in common stays, the rest is popped and pushed.
 */
import { type FlowKey, KEY, type KeyField, type KeyFieldName } from '../flow/key.ts';
import type { DpAction, SetField, SetTarget } from '../flow/odp/action.ts';
import { SLOW_ACTION, type XlateContext } from './context.ts';
import { commonLabels, LSE, labelCount, popLabel, pushLabel } from './mpls-stack.ts';
import { ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, isIp, isMpls } from './protocols.ts';
import { tagCount, VLAN_TAGS } from './tags.ts';

/** One set action: the header it works on, its fields, and the packets that have that header. */
interface SetRow {
  readonly target: SetTarget;
  readonly fields: readonly KeyFieldName[];
  readonly applies: (flow: FlowKey, base: FlowKey) => boolean;
  /** A packet without a protocol has no such header that could be set. */
  readonly needsProtocol?: boolean;
  /** The datapath cannot do it by itself. */
  readonly isSlow?: boolean;
  /** All fields are set, and all bits of them. */
  readonly isWhole?: boolean;
}

const ethType = (base: FlowKey): number => base.get(KEY.eth_type);
const isNetwork =
  (type: number) =>
  (_flow: FlowKey, base: FlowKey): boolean =>
    ethType(base) === type;
const isTransport =
  (proto: number) =>
  (flow: FlowKey, base: FlowKey): boolean =>
    flow.get(KEY.nw_proto) === proto && isIp(base);
const isIcmp = (flow: FlowKey): boolean => ethType(flow) === ETH_TYPE_IP && flow.get(KEY.nw_proto) === 1;
const isIcmpv6 = (flow: FlowKey): boolean => ethType(flow) === ETH_TYPE_IPV6 && flow.get(KEY.nw_proto) === 58;
const isNeighborDiscovery = (flow: FlowKey, base: FlowKey): boolean =>
  ethType(base) === ETH_TYPE_IPV6 && base.get(KEY.nw_proto) === 58 && flow.get(KEY.nw_proto) !== 0;

/** In the order in which Open vSwitch commits. */
const ethernetRow: SetRow = {
  target: 'eth',
  fields: ['eth_src', 'eth_dst'],
  applies: (flow) => flow.get(KEY.packet_type) === 0,
};

const headerRows: readonly SetRow[] = [
  {
    target: 'nsh',
    fields: ['nsh_flags', 'nsh_ttl', 'nsh_path', 'nsh_c1', 'nsh_c2', 'nsh_c3', 'nsh_c4'],
    applies: (flow) => ethType(flow) === 0x894f,
  },
  {
    target: 'ipv4',
    fields: ['ipv4_src', 'ipv4_dst', 'nw_tos', 'nw_ttl'],
    applies: isNetwork(ETH_TYPE_IP),
    needsProtocol: true,
  },
  {
    target: 'ipv6',
    fields: ['ipv6_src', 'ipv6_dst', 'ipv6_label', 'nw_tos', 'nw_ttl'],
    applies: isNetwork(ETH_TYPE_IPV6),
    needsProtocol: true,
  },
  { target: 'nd_ext', fields: ['nd_reserved', 'nd_options_type'], applies: isNeighborDiscovery, isSlow: true },
  { target: 'nd', fields: ['nd_target', 'arp_sha', 'arp_tha'], applies: isNeighborDiscovery, isSlow: true },
  {
    target: 'arp',
    fields: ['ipv4_src', 'ipv4_dst', 'nw_proto', 'arp_sha', 'arp_tha'],
    applies: isNetwork(ETH_TYPE_ARP),
    needsProtocol: true,
    isSlow: true,
  },
  { target: 'tcp', fields: ['tp_src', 'tp_dst'], applies: isTransport(6) },
  { target: 'udp', fields: ['tp_src', 'tp_dst'], applies: isTransport(17) },
  { target: 'sctp', fields: ['tp_src', 'tp_dst'], applies: isTransport(132) },
  { target: 'icmp', fields: ['tp_src', 'tp_dst'], applies: isIcmp, isSlow: true, isWhole: true },
  { target: 'icmpv6', fields: ['tp_src', 'tp_dst'], applies: isIcmpv6, isSlow: true, isWhole: true },
];

const lateRows: readonly SetRow[] = [
  { target: 'skb_priority', fields: ['skb_priority'], applies: () => true },
  { target: 'skb_mark', fields: ['pkt_mark'], applies: () => true },
];

/** Adds the actions, and makes base equal to flow. */
export function commit(ctx: XlateContext): void {
  if (isUnchanged(ctx)) {
    if (tagCount(ctx.base) > 0) claimComparedTags(ctx);
    return;
  }
  // What was in an NSH packet has addresses of its own, which only the datapath knows
  const isFromNsh = ctx.isDecapPending;
  commitEncap(ctx);
  if (!isFromNsh) commitSet(ctx, ethernetRow);
  // Headers behind labels can only be set once the labels are off
  const losesLabels = isMpls(ctx.base) && !isMpls(ctx.flow);
  if (losesLabels) commitMpls(ctx);
  for (const row of headerRows) commitSet(ctx, row);
  if (!losesLabels) commitMpls(ctx);
  commitVlans(ctx);
  for (const row of lateRows) commitSet(ctx, row);
}

/** Words that hold every field of the rows and the tags. */
const FIRST_WORD = KEY.packet_type.offset / 4;
const END_WORD = (KEY.pkt_mark.offset + KEY.pkt_mark.size) / 4;

/** Almost every packet leaves as it came. */
function isUnchanged({ base: { words: base }, flow: { words: flow }, pendingEncap, isDecapPending }: XlateContext) {
  if (pendingEncap || isDecapPending) return false;
  for (let i = FIRST_WORD; i < END_WORD; i++) if (base[i] !== flow[i]) return false;
  return true;
}

const PT_ETHERNET = 0;
const PT_NSH = 0x1894f;
/** First byte of the packet's headers in a key, and the end of them. */
const HEADERS = [KEY.eth_dst.offset, KEY.dp_hash.offset] as const;

/** Headers that were put on, or taken off, since the last commit. */
function commitEncap(ctx: XlateContext): void {
  const { flow, base, actions, pendingEncap, isDecapPending } = ctx;
  const [type, was] = [flow.get(KEY.packet_type), base.get(KEY.packet_type)];
  ctx.pendingEncap = null;
  ctx.isDecapPending = false;
  if (pendingEncap && type === PT_ETHERNET) {
    actions.push({ type: 'push_eth', dst: flow.at(KEY.eth_dst).slice(), src: flow.at(KEY.eth_src).slice() });
    base.copyField(flow, KEY.eth_src).copyField(flow, KEY.eth_dst);
  } else if (pendingEncap) {
    actions.push(pushNsh(flow, pendingEncap.data));
    base.bytes.set(flow.bytes.subarray(...HEADERS), HEADERS[0]);
    for (const field of [KEY.eth_type, KEY.nw_proto, KEY.nw_frag]) base.copyField(flow, field);
  } else if (isDecapPending || type !== was) {
    if (was === PT_ETHERNET) {
      actions.push({ type: 'pop_eth' });
      base.setZero(KEY.eth_src).setZero(KEY.eth_dst);
    } else if (was === PT_NSH) actions.push({ type: 'pop_nsh' });
  }
  base.set(KEY.packet_type, type);
}

function pushNsh(flow: FlowKey, options: Uint8Array | null): DpAction {
  const mdtype = flow.get(KEY.nsh_mdtype);
  const fixed = flow.bytes.slice(KEY.nsh_c1.offset, KEY.nsh_c4.offset + KEY.nsh_c4.size);
  return {
    type: 'push_nsh',
    flags: flow.get(KEY.nsh_flags),
    ttl: flow.get(KEY.nsh_ttl),
    mdtype,
    np: flow.get(KEY.nsh_np),
    path: flow.get(KEY.nsh_path),
    metadata: mdtype === 1 ? fixed : (options ?? new Uint8Array(0)),
  };
}

const ETH_TYPE_MPLS = 0x8847;

/** Labels are compared from the bottom up: what the two stacks share stays, a top entry may be set, others go and come. */
function commitMpls(ctx: XlateContext): void {
  const { flow, base, actions } = ctx;
  let has = labelCount(base);
  const wants = labelCount(flow);
  let common = commonLabels(flow, wants, base, has);
  const type = ethType(flow);
  while (has > common) {
    if (has - 1 === common && wants > common) {
      const lse = LSE[wants - has]!;
      const value = flow.at(lse).slice();
      actions.push({ type: 'set', target: 'mpls', fields: [{ field: 'mpls_lse0', value, mask: null }] });
      base.setBytes(KEY.mpls_lse0, value);
      common++;
    } else {
      actions.push({ type: 'pop_mpls', ethType: !isMpls(flow) && has > 1 ? ETH_TYPE_MPLS : type });
      popLabel(base, has, type, null);
      has--;
    }
  }
  for (; has < wants; has++) {
    const lse = flow.get(LSE[wants - has - 1]!);
    actions.push({ type: 'push_mpls', ethType: type, lse });
    pushLabel(base, has, type, null);
    base.set(KEY.mpls_lse0, lse);
  }
}

function commitSet(ctx: XlateContext, row: SetRow): void {
  if (!row.applies(ctx.flow, ctx.base)) return;
  if (row.needsProtocol && !mayHaveHeader(ctx, row)) return;
  const fields: SetField[] = [];
  for (const name of row.fields) {
    const changed = changedField(ctx, KEY[name]);
    if (changed) fields.push(changed);
  }
  if (fields.length === 0) return;
  if (row.isSlow) ctx.slowPath |= SLOW_ACTION;
  ctx.actions.push({ type: 'set', target: row.target, fields: row.isWhole ? wholeFields(ctx, row) : fields });
}

/**
 * A packet without a protocol is let be when that was looked at. When it was not, all packets are treated alike, and megaflows
 * are not multiplied by protocols; the datapath drops what has no such header.
 */
function mayHaveHeader({ base, flow, wildcards }: XlateContext, { fields }: SetRow): boolean {
  if (fields.every((name) => base.sameField(flow, KEY[name]))) return false;
  if (flow.get(KEY.nw_proto) !== 0) return true;
  // One that is not the packet's own was put there by what was looked at, or is hidden behind labels
  return base.sameField(flow, KEY.nw_proto) && !wildcards.isAllOnes(KEY.nw_proto);
}

/** All fields of a row as they are, whatever was looked at: then all of them were. */
function wholeFields({ flow, wildcards }: XlateContext, { fields }: SetRow): SetField[] {
  return fields.map((field) => {
    wildcards.setAllOnes(KEY[field]);
    return { field, value: flow.at(KEY[field]).slice(), mask: null };
  });
}

function changedField(ctx: XlateContext, field: KeyField): SetField | null {
  if (ctx.base.sameField(ctx.flow, field)) return null;
  const [was, is, looked] = [ctx.base.at(field), ctx.flow.at(field), ctx.wildcards.at(field)];
  // Bits that change were decided on: they are looked at, whoever forgot to say so
  const mask = looked.map((bits, i) => bits | (was[i]! ^ is[i]!));
  const value = is.map((byte, i) => byte & mask[i]!);
  looked.set(mask);
  was.set(is);
  if (field.order === 'le') {
    mask.reverse();
    value.reverse();
  }
  return { field: field.name, value, mask: mask.every((byte) => byte === 0xff) ? null : mask };
}

const sameTag = (a: FlowKey, i: number, b: FlowKey, j: number): boolean =>
  a.get(VLAN_TAGS[i]!.tci) === b.get(VLAN_TAGS[j]!.tci) && a.get(VLAN_TAGS[i]!.tpid) === b.get(VLAN_TAGS[j]!.tpid);

const sameTags = (a: FlowKey, b: FlowKey): boolean =>
  tagCount(a) === tagCount(b) && VLAN_TAGS.slice(0, tagCount(a)).every((_, i) => sameTag(a, i, b, i));

function commitVlans(ctx: XlateContext): void {
  const { flow, base, wildcards, actions } = ctx;
  let [has, wants] = [tagCount(base), tagCount(flow)];
  if (has > 0 && wants > 0) claimComparedTags(ctx);
  while (has > 0 && wants > 0 && sameTag(base, has - 1, flow, wants - 1)) {
    has--;
    wants--;
  }
  for (; has > 0; has--) {
    const { tpid, tci } = VLAN_TAGS[has - 1]!;
    wildcards.setAllOnes(tpid).setAllOnes(tci);
    actions.push({ type: 'pop_vlan' });
  }
  for (; wants > 0; wants--) {
    const { tpid, tci } = VLAN_TAGS[wants - 1]!;
    actions.push({ type: 'push_vlan', tpid: flow.get(tpid), tci: flow.get(tci) });
  }
  for (const { tpid, tci } of VLAN_TAGS) {
    base.copyField(flow, tpid).copyField(flow, tci);
  }
}

/** Tags that were moved can be equal by chance: then the megaflow is for these tags only. */
function claimComparedTags({ areTagsMoved, base, initial, claims }: XlateContext): void {
  if (!areTagsMoved && sameTags(base, initial)) return;
  for (const { tpid, tci } of VLAN_TAGS.slice(0, tagCount(initial))) claims.setAllOnes(tpid).setAllOnes(tci);
}
