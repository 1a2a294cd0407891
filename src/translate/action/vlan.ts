/** VLAN tags: set, push, pop. */
import { KEY } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { tagCount, VLAN_CFI, VLAN_TAGS } from '../tags.ts';

const VID = 0x0fff;
const PCP = 0xe000;
const PCP_SHIFT = 13;

/** @param mayPush a packet without a tag is given one */
function setTagBits(ctx: XlateContext, mask: number, bits: number, mayPush: boolean): void {
  const { flow } = ctx;
  ctx.unwildcardBits(KEY.vlan_tci, mask | VLAN_CFI);
  const tci = flow.get(KEY.vlan_tci);
  if ((tci & VLAN_CFI) === 0 && !mayPush) return;
  if (flow.get(KEY.vlan_tpid) === 0) flow.set(KEY.vlan_tpid, 0x8100);
  flow.set(KEY.vlan_tci, (tci & ~mask) | bits | VLAN_CFI);
}

export const setVlanVid = (ctx: XlateContext, { vid, pushIfNeeded }: ActionOf<'set_vlan_vid'>): void =>
  setTagBits(ctx, VID, vid, pushIfNeeded);
export const setVlanPcp = (ctx: XlateContext, { pcp, pushIfNeeded }: ActionOf<'set_vlan_pcp'>): void =>
  setTagBits(ctx, PCP, pcp << PCP_SHIFT, pushIfNeeded);

const [OUTER, INNER] = VLAN_TAGS;

export function popVlan(ctx: XlateContext): void {
  const { flow } = ctx;
  const count = tagCount(flow);
  if (count === 0) return;
  ctx.areTagsMoved = true;
  if (count > 1) ctx.unwildcard(INNER.tpid, INNER.tci);
  flow.set(OUTER.tpid, count > 1 ? flow.get(INNER.tpid) : 0).set(OUTER.tci, count > 1 ? flow.get(INNER.tci) : 0);
  if (count > 1) flow.set(INNER.tpid, 0).set(INNER.tci, 0);
}

/** A third tag pushes the second out of sight. */
export function pushVlan(ctx: XlateContext, { ethType }: ActionOf<'push_vlan'>): void {
  const { flow } = ctx;
  const count = tagCount(flow);
  ctx.areTagsMoved = true;
  for (const { tpid, tci } of VLAN_TAGS.slice(0, count)) ctx.unwildcard(tpid, tci);
  flow.set(INNER.tpid, flow.get(OUTER.tpid)).set(INNER.tci, flow.get(OUTER.tci));
  flow.set(OUTER.tpid, ethType).set(OUTER.tci, VLAN_CFI);
}
