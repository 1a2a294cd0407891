/** output in all its forms: to a port, or to what a reserved port stands for (OpenFlow 1.0 §5.2.4). Queues. */
import { KEY } from '../../flow/key.ts';
import { bytesToBig } from '../../flow/odp/number.ts';
import { formatOfPort } from '../../flow/text.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { ActionContext, XlateContext } from '../context.ts';
import { floodOrder } from '../flood-order.ts';
import { composeOutput } from '../output.ts';
import type { OfPort } from '../types.ts';
import { sendToController } from './controller.ts';
import { lookAtSubfield } from './fields.ts';
import { normal } from './normal.ts';

const OFPP_IN_PORT = 0xfff8;
const OFPP_TABLE = 0xfff9;
const OFPP_NORMAL = 0xfffa;
const OFPP_FLOOD = 0xfffb;
const OFPP_ALL = 0xfffc;
const OFPP_CONTROLLER = 0xfffd;
const OFPP_NONE = 0xffff;

/** OFPR_ codes: why a packet goes to a controller (OpenFlow 1.5 §7.4.1). */
const REASON = { action: 1, actionSet: 3, group: 4, packetOut: 5 } as const;

/** What an output needs to know beside the port. */
interface OutputManner extends ActionContext {
  readonly maxLen: number;
  /** The table that OFPP_TABLE enters may send what it misses to controllers. */
  readonly mayPacketIn: boolean;
  readonly isTruncated?: boolean;
}

const inPortOf = ({ flow }: XlateContext): OfPort => flow.get(KEY.in_port) as OfPort;

export function output(ctx: XlateContext, { port, maxLen }: ActionOf<'output'>, at: ActionContext): void {
  outputTo(ctx, port, { ...at, maxLen, mayPacketIn: true });
}

export function outputTo(ctx: XlateContext, port: number, manner: OutputManner): void {
  switch (port) {
    case OFPP_IN_PORT:
      composeOutput(ctx, inPortOf(ctx), manner);
      break;
    case OFPP_TABLE:
      ctx.enterTable(ctx, 0, { mayPacketIn: manner.mayPacketIn, honorsMiss: true, isLast: false });
      break;
    case OFPP_NORMAL:
      normal(ctx);
      break;
    case OFPP_FLOOD:
    case OFPP_ALL:
      flood(ctx, port === OFPP_ALL, manner);
      break;
    case OFPP_CONTROLLER:
      sendToController(ctx, { maxLen: manner.maxLen, reason: reasonOf(ctx, manner) });
      break;
    case OFPP_NONE:
      break;
    default:
      if (port === inPortOf(ctx)) skipInPort(ctx);
      else composeOutput(ctx, port as OfPort, manner);
  }
}

/** Only IN_PORT goes back (OpenFlow 1.0 §5.2.1). */
function skipInPort(ctx: XlateContext): void {
  ctx.report('warning', 'skipping output to input port');
  ctx.noteDrop('own_port_only');
}

function reasonOf(ctx: XlateContext, { isBucket }: ActionContext): number {
  if (ctx.isPacketOut) return REASON.packetOut;
  if (isBucket) return REASON.group;
  return ctx.isInActionSet ? REASON.actionSet : REASON.action;
}

function flood(ctx: XlateContext, isAll: boolean, { isLast }: ActionContext): void {
  const { bridge } = ctx;
  for (const ofport of floodOrder(bridge)) {
    if (ofport === inPortOf(ctx)) continue;
    if (!isAll && bridge.portConfig.get(ofport)?.noFlood) continue;
    composeOutput(ctx, ofport, { isLast, ignoresStp: isAll });
  }
}

export function outputReg(ctx: XlateContext, { source, maxLen }: ActionOf<'output_reg'>, at: ActionContext): void {
  const port = bytesToBig(lookAtSubfield(ctx, source));
  if (port > 0xffffn) {
    ctx.report('warning', `output port ${port} is out of range`);
    return;
  }
  ctx.report('detail', `output port is ${port}`);
  outputTo(ctx, Number(port), { ...at, maxLen, mayPacketIn: false });
}

const truncatable = (port: number): boolean => port < OFPP_TABLE || port === 0xfffe || port === OFPP_IN_PORT;

export function outputTrunc(ctx: XlateContext, { port, maxLen }: ActionOf<'output_trunc'>, at: ActionContext): void {
  if (!truncatable(port)) {
    ctx.report('warning', `output_trunc does not support port: ${formatOfPort(port)}`);
    return;
  }
  if (port === inPortOf(ctx)) {
    skipInPort(ctx);
    return;
  }
  if ((ctx.bridge.ports.get(port as OfPort)?.dpPort ?? null) === null) {
    ctx.report('error', `output_trunc does not support patch port ${formatOfPort(port)}`);
    return;
  }
  ctx.actions.push({ type: 'trunc', maxLen });
  outputTo(ctx, port, { ...at, maxLen: 0, mayPacketIn: false, isTruncated: true });
}

export function enqueue(ctx: XlateContext, { port, queue }: ActionOf<'enqueue'>, { isLast }: ActionContext): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.skb_priority);
  const inPort = inPortOf(ctx);
  if (port === inPort) return;
  const priority = flow.get(KEY.skb_priority);
  flow.set(KEY.skb_priority, queue);
  composeOutput(ctx, port === OFPP_IN_PORT ? inPort : (port as OfPort), { isLast });
  flow.set(KEY.skb_priority, priority);
}

export function setQueue(ctx: XlateContext, { queue }: ActionOf<'set_queue'>): void {
  ctx.unwildcard(KEY.skb_priority);
  ctx.flow.set(KEY.skb_priority, queue);
}

export function popQueue(ctx: XlateContext): void {
  const { flow, initialPriority } = ctx;
  ctx.unwildcard(KEY.skb_priority);
  if (flow.get(KEY.skb_priority) === initialPriority) return;
  flow.set(KEY.skb_priority, initialPriority);
  ctx.report('detail', `queue = ${initialPriority === 0 ? '0' : `0x${initialPriority.toString(16)}`}`);
}
