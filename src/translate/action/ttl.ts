/** Decrements of TTLs. A packet whose TTL is used up goes to controllers, and its list of actions ends. */
import { KEY } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_IP, isIp, isMpls } from '../protocols.ts';
import { sendToController } from './controller.ts';
import { setLabelBits } from './mpls.ts';

/** OFPR_INVALID_TTL (OpenFlow 1.3 §7.4.1). */
const REASON_INVALID_TTL = 2;
const ETH_TYPE_NSH = 0x894f;
const PT_NSH = 0x1894f;
const NOTHING = new Uint8Array(0);

function exceeded(ctx: XlateContext, controllerId: number): void {
  const common = { maxLen: 0xffff, userdata: NOTHING, isPause: false, meterId: null };
  sendToController(ctx, { ...common, reason: REASON_INVALID_TTL, controllerId });
}

export function decTtl(ctx: XlateContext, { controllerIds }: ActionOf<'dec_ttl'>): 'stop' | undefined {
  const { flow, wildcards } = ctx;
  if (!isIp(flow)) return undefined;
  wildcards.setAllOnes(KEY.nw_ttl).setAllOnes(KEY.nw_proto);
  const ttl = flow.get(KEY.nw_ttl);
  if (ttl > 1) {
    flow.set(KEY.nw_ttl, ttl - 1);
    return;
  }
  for (const id of controllerIds) exceeded(ctx, id);
  const version = flow.get(KEY.eth_type) === ETH_TYPE_IP ? 4 : 6;
  ctx.report('warning', `IPv${version} decrement TTL exception`);
  return 'stop';
}

export function decMplsTtl(ctx: XlateContext): 'stop' | undefined {
  const { flow } = ctx;
  if (isMpls(flow)) {
    ctx.unwildcardBits(KEY.mpls_lse0, 0xff);
    const ttl = flow.get(KEY.mpls_lse0) & 0xff;
    if (ttl > 1) {
      setLabelBits(ctx, 0xff, ttl - 1);
      return;
    }
    exceeded(ctx, 0);
  }
  ctx.report('warning', 'MPLS decrement TTL exception');
  return 'stop';
}

export function decNshTtl(ctx: XlateContext): 'stop' | undefined {
  const { flow, wildcards } = ctx;
  if (flow.get(KEY.packet_type) === PT_NSH || flow.get(KEY.eth_type) === ETH_TYPE_NSH) {
    wildcards.setAllOnes(KEY.nsh_ttl);
    const ttl = flow.get(KEY.nsh_ttl);
    if (ttl > 1) {
      flow.set(KEY.nsh_ttl, ttl - 1);
      return;
    }
    exceeded(ctx, 0);
  }
  ctx.report('warning', 'NSH decrement TTL exception');
  return 'stop';
}
