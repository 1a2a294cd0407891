/** MPLS label stack entries: push, pop, and the fields of the outermost. */
import { KEY } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { XlateContext } from '../context.ts';
import { labelCount, MPLS_LABELS_MAX, popLabel, pushLabel } from '../mpls-stack.ts';
import { isMpls } from '../protocols.ts';

const LABEL = 0xfffff000;
const TC = 0xe00;
const TTL = 0xff;

function tooMany(ctx: XlateContext, text: string): void {
  if (ctx.frame) ctx.report('error', text);
  ctx.error = 'too_many_mpls_labels';
}

export function pushMpls(ctx: XlateContext, { ethType }: ActionOf<'push_mpls' | 'pop_mpls'>): void {
  const count = labelCount(ctx.flow, ctx);
  if (count >= MPLS_LABELS_MAX) {
    const text = `dropping packet on which an MPLS push action can't be performed as it would have more MPLS LSEs than the ${MPLS_LABELS_MAX} supported.`;
    tooMany(ctx, text);
    return;
  }
  // What was done to the headers behind must be done before they are out of sight
  if (count === 0) commit(ctx);
  pushLabel(ctx.flow, count, ethType, ctx);
}

export function popMpls(ctx: XlateContext, { ethType }: ActionOf<'push_mpls' | 'pop_mpls'>): void {
  const count = labelCount(ctx.flow, ctx);
  if (popLabel(ctx.flow, count, ethType, ctx)) {
    if (!isMpls(ctx.flow)) ctx.wasMpls = true;
  } else if (count >= MPLS_LABELS_MAX) {
    const text = `dropping packet on which an MPLS pop action can't be performed as it has more MPLS LSEs than the ${MPLS_LABELS_MAX} supported.`;
    tooMany(ctx, text);
    ctx.actions.length = 0;
  }
}

export function setLabelBits(ctx: XlateContext, mask: number, bits: number): void {
  const { flow } = ctx;
  if (!isMpls(flow)) return;
  ctx.unwildcardBits(KEY.mpls_lse0, mask);
  flow.set(KEY.mpls_lse0, ((flow.get(KEY.mpls_lse0) & ~mask) | bits) >>> 0);
}

export const setMplsLabel = (ctx: XlateContext, { label }: ActionOf<'set_mpls_label'>): void =>
  setLabelBits(ctx, LABEL, label << 12);
export const setMplsTc = (ctx: XlateContext, { tc }: ActionOf<'set_mpls_tc'>): void =>
  setLabelBits(ctx, TC, (tc & 7) << 9);
export const setMplsTtl = (ctx: XlateContext, { ttl }: ActionOf<'set_mpls_ttl'>): void => setLabelBits(ctx, TTL, ttl);
