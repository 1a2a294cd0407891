/**
 * controller: a copy of the packet for controllers, or the packet itself until a controller gives it back (ovs-actions(7)).
 *
 * The copy's metadata is a frozen state, since the datapath carries nothing but its id. A meter, the action's own or the
 * bridge's for controllers, stands in front of the copy in a sample of every packet: it limits the copy, not the packet.
 */
import type { ActionOf, OfController } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { XlateContext } from '../context.ts';
import { putControllerAction } from '../controller-cookie.ts';
import { freezeForController } from '../freeze.ts';

const OFPR_ACTION = 1;
/** An action of a table-miss rule; OpenFlow 1.2 and before know it as OFPR_ACTION. */
const EXPLICIT_MISS = 6;
const EVERY_PACKET = 0xffffffff;
/** OFPM_CONTROLLER: the meter of all that goes to controllers. */
const METER_CONTROLLER = 0xfffffffe;
const NOTHING = new Uint8Array(0);

const isMissRule = ({ bridge, rule }: XlateContext): boolean =>
  rule !== null && rule.priority === 0 && bridge.pipeline.matchText(rule) === '';

export type ControllerRequest = Pick<OfController, 'maxLen' | 'reason'> &
  Partial<Pick<OfController, 'controllerId' | 'userdata' | 'meterId'>>;

/** A copy of the packet as it is now goes to controllers. */
export function sendToController(ctx: XlateContext, request: ControllerRequest): void {
  const { controllerId = 0, userdata = NOTHING, meterId = null, maxLen } = request;
  commit(ctx);
  const reason = request.reason === OFPR_ACTION && isMissRule(ctx) ? EXPLICIT_MISS : request.reason;
  const recircId = freezeForController(ctx, userdata);
  const meter = ctx.bridge.pipeline.meter(meterId ?? METER_CONTROLLER);
  const copy = { maxLen, controllerId, reason, recircId, isContinuation: false };
  if (meter === null) {
    putControllerAction(ctx, copy);
    return;
  }
  const outer = ctx.actions;
  ctx.actions = [{ type: 'meter', id: meter }];
  putControllerAction(ctx, copy);
  outer.push({ type: 'sample', probability: EVERY_PACKET, actions: ctx.actions });
  ctx.actions = outer;
}

export function controller(ctx: XlateContext, action: ActionOf<'controller'>): 'done' | undefined {
  if (!action.isPause) {
    sendToController(ctx, action);
    return undefined;
  }
  ctx.pause = action;
  ctx.triggerFreeze();
  return 'done';
}
