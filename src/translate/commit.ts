/**
 * Commit: the datapath actions that make the packet look as the pipeline says, before it is output.
 *
 * `base` is the packet as the datapath has it, `flow` as it should be. A field that is the same in both needs no action. A
 * field that differs is set under the mask of the bits that were looked at, so that one action serves a whole megaflow.
 * VLAN tags are compared from the innermost outwards: what the two have in common stays, the rest is popped and pushed.
 */
import { type FlowKey, KEY, type KeyField, type KeyFieldName } from '../flow/key.ts';
import type { SetField, SetTarget } from '../flow/odp/action.ts';
import { FRAG_LATER } from '../gen/key.ts';
import type { XlateContext } from './context.ts';
import { VLAN_CFI, VLAN_TAGS } from './tags.ts';

/** One set action: the header it works on, its fields, and the packets that have that header. */
interface SetRow {
  readonly target: SetTarget;
  readonly fields: readonly KeyFieldName[];
  readonly applies: (base: FlowKey) => boolean;
}

const ethType = (base: FlowKey): number => base.get(KEY.eth_type);
const isIpv4 = (base: FlowKey): boolean => ethType(base) === 0x0800;
const isIpv6 = (base: FlowKey): boolean => ethType(base) === 0x86dd;
const hasTransport =
  (proto: number) =>
  (base: FlowKey): boolean =>
    (isIpv4(base) || isIpv6(base)) && base.get(KEY.nw_proto) === proto && (base.get(KEY.nw_frag) & FRAG_LATER) === 0;
const isIcmp = (base: FlowKey): boolean => isIpv4(base) && hasTransport(1)(base);
const isIcmpv6 = (base: FlowKey): boolean => isIpv6(base) && hasTransport(58)(base);
const isNeighborDiscovery = (base: FlowKey): boolean =>
  isIcmpv6(base) && (base.get(KEY.tp_src) === 135 || base.get(KEY.tp_src) === 136);

/** In the order in which Open vSwitch commits. */
const rows: readonly SetRow[] = [
  { target: 'eth', fields: ['eth_src', 'eth_dst'], applies: (base) => base.get(KEY.packet_type) === 0 },
  { target: 'ipv4', fields: ['ipv4_src', 'ipv4_dst', 'nw_tos', 'nw_ttl'], applies: isIpv4 },
  { target: 'ipv6', fields: ['ipv6_src', 'ipv6_dst', 'ipv6_label', 'nw_tos', 'nw_ttl'], applies: isIpv6 },
  { target: 'nd', fields: ['nd_target', 'arp_sha', 'arp_tha'], applies: isNeighborDiscovery },
  {
    target: 'arp',
    fields: ['ipv4_src', 'ipv4_dst', 'nw_proto', 'arp_sha', 'arp_tha'],
    applies: (base) => ethType(base) === 0x0806 || ethType(base) === 0x8035,
  },
  { target: 'tcp', fields: ['tp_src', 'tp_dst'], applies: hasTransport(6) },
  { target: 'udp', fields: ['tp_src', 'tp_dst'], applies: hasTransport(17) },
  { target: 'sctp', fields: ['tp_src', 'tp_dst'], applies: hasTransport(132) },
  { target: 'icmp', fields: ['tp_src', 'tp_dst'], applies: isIcmp },
  { target: 'icmpv6', fields: ['tp_src', 'tp_dst'], applies: isIcmpv6 },
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
  for (const row of rows) commitSet(ctx, row);
  commitVlans(ctx);
  for (const row of lateRows) commitSet(ctx, row);
}

/** Words that hold every field of the rows and the tags. */
const FIRST_WORD = KEY.packet_type.offset / 4;
const END_WORD = (KEY.pkt_mark.offset + KEY.pkt_mark.size) / 4;

/** Almost every packet leaves as it came. */
function isUnchanged({ base: { words: base }, flow: { words: flow } }: XlateContext): boolean {
  for (let i = FIRST_WORD; i < END_WORD; i++) if (base[i] !== flow[i]) return false;
  return true;
}

function commitSet(ctx: XlateContext, row: SetRow): void {
  if (!row.applies(ctx.base)) return;
  const fields: SetField[] = [];
  for (const name of row.fields) {
    const changed = changedField(ctx, KEY[name]);
    if (changed) fields.push(changed);
  }
  if (fields.length > 0) ctx.actions.push({ type: 'set', target: row.target, fields });
}

function changedField(ctx: XlateContext, field: KeyField): SetField | null {
  if (ctx.base.sameField(ctx.flow, field)) return null;
  const [was, is, looked] = [ctx.base.at(field), ctx.flow.at(field), ctx.wildcards.at(field)];
  // Bits that change were decided on: they are looked at, whoever forgot to say so
  const mask = looked.map((bits, i) => bits | (was[i]! ^ is[i]!));
  const value = is.map((byte, i) => byte & mask[i]!);
  looked.set(mask);
  was.set(is);
  return { field: field.name, value, mask: mask.every((byte) => byte === 0xff) ? null : mask };
}

const tagCount = (key: FlowKey): number => {
  const first = VLAN_TAGS.findIndex(({ tci }) => (key.get(tci) & VLAN_CFI) === 0);
  return first < 0 ? VLAN_TAGS.length : first;
};

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
