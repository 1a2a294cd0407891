/** The datapath action that sends a packet up for controllers: what is known of it stands in the action's user data. */
import { encodeCookie } from '../flow/odp/actions/cookie.ts';
import type { OfController } from '../openflow/action/types.ts';
import type { XlateContext } from './context.ts';

export type ControllerCopy = Pick<OfController, 'maxLen' | 'controllerId' | 'reason'> & {
  readonly recircId: number;
  /** The packet waits for the controller's answer. */
  readonly isContinuation: boolean;
};

const flag = (is: boolean | undefined): bigint => (is ? 1n : 0n);

export function putControllerAction(ctx: XlateContext, copy: ControllerCopy): void {
  const userdata = encodeCookie({
    name: 'controller',
    values: {
      reason: BigInt(copy.reason),
      dont_send: flag(ctx.effects.isDry),
      continuation: flag(copy.isContinuation),
      recirc_id: BigInt(copy.recircId),
      rule_cookie: ctx.ruleCookie,
      controller_id: BigInt(copy.controllerId),
      max_len: BigInt(copy.maxLen),
    },
  });
  ctx.actions.push({
    type: 'userspace',
    reason: 'controller',
    pid: 0,
    userdata,
    tunnelOutPort: null,
    withActions: false,
  });
}
