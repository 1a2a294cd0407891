/** Actions as they stand in megaflows. */
import { encodeActions } from '../datapath/actions.ts';
import type { DpAction, DpPort } from '../flow/odp/action.ts';
import { encodeCookie } from '../flow/odp/actions/cookie.ts';
import { ACTIONS_SIZE_MAX } from '../gen/limits.ts';
import type { XlateOut } from '../translate/types.ts';

const OUTPUT_SIZE = 8;
/** Of an action without what is inside it; a set of tunnel options is the longest. */
const OTHER_SIZE_MAX = 512;

/** Bytes of a list of encoded actions at the most. */
function sizeBound(actions: readonly DpAction[]): number {
  let size = 0;
  for (const action of actions) {
    if (action.type === 'output') size += OUTPUT_SIZE;
    else if (action.type === 'clone' || action.type === 'sample') size += OTHER_SIZE_MAX + sizeBound(action.actions);
    else if (action.type === 'tnl_push') size += OTHER_SIZE_MAX + action.header.bytes.length;
    else if (action.type === 'userspace') size += OTHER_SIZE_MAX + action.userdata.length;
    else if (action.type === 'check_pkt_len')
      size += OTHER_SIZE_MAX + sizeBound(action.greater) + sizeBound(action.lessEqual);
    else size += OTHER_SIZE_MAX;
  }
  return size;
}

/** What a megaflow of the slow path does: every packet comes up. */
function slowPathActions(reasons: number): DpAction[] {
  const userdata = encodeCookie({ name: 'slow_path', values: { reason: BigInt(reasons) } });
  return [{ type: 'userspace', reason: 'slow_path', pid: 0, userdata, tunnelOutPort: null, withActions: false }];
}

/** The actions as they stand in a megaflow. */
export function encodeInstalled(out: Pick<XlateOut, 'actions' | 'drop' | 'slowPath'>): Uint8Array {
  return out.slowPath === 0 ? encodeActionsOf(out) : encodeActions(slowPathActions(out.slowPath));
}

/** The actions as the datapath gets them: a drop says why, and so does a list that is too long for it. */
export function encodeActionsOf({ actions, drop }: Pick<XlateOut, 'actions' | 'drop'>): Uint8Array {
  if (actions.length === 0) return encodeActions([{ type: 'drop', reason: drop }]);
  if (sizeBound(actions) > ACTIONS_SIZE_MAX) return encodeActions([{ type: 'drop', reason: 'actions_too_long' }]);
  return encodeActions(actions);
}

/** Whether some action has to do with a datapath port. */
export const namesPort = (actions: readonly DpAction[], port: DpPort): boolean =>
  actions.some((action) => {
    switch (action.type) {
      case 'output':
      case 'tnl_pop':
        return action.port === port;
      case 'tnl_push':
        return action.tunnelPort === port || action.outPort === port;
      case 'userspace':
        return action.tunnelOutPort === port;
      case 'clone':
      case 'sample':
        return namesPort(action.actions, port);
      case 'check_pkt_len':
        return namesPort(action.greater, port) || namesPort(action.lessEqual, port);
      default:
        return false;
    }
  });
