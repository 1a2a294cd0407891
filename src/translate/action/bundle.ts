/** bundle, bundle_load: a hash of the packet, or the order of the list, chooses among ports that are live (ovs-actions(7)). */
import type { ActionOf } from '../../openflow/action/types.ts';
import type { ActionContext, XlateContext } from '../context.ts';
import { hashFlow, hashWords } from '../hash.ts';
import { isPortLive } from '../liveness.ts';
import { OFPP_NONE } from '../types.ts';
import { loadResult, unwildcardHashed } from './hash-result.ts';
import { outputTo } from './output.ts';

type Bundle = ActionOf<'bundle'>;

const OFPP_CONTROLLER = 0xfffd;
/** in_port, table, normal, flood, all, local: always good. */
const RESERVED_MIN = 0xfff8;

function isUsable(ctx: XlateContext, port: number): boolean {
  if (port === OFPP_CONTROLLER || port === OFPP_NONE) return false;
  return port >= RESERVED_MIN || isPortLive(ctx, port);
}

/** The usable member whose own hash is highest. */
function highestRandomWeight(ctx: XlateContext, { members, fields, basis }: Bundle): number {
  const hash = hashFlow(ctx.flow, fields, basis);
  unwildcardHashed(ctx, fields);
  let [best, bestHash] = [OFPP_NONE as number, -1];
  members.forEach((port, i) => {
    if (!isUsable(ctx, port)) return;
    const memberHash = hashWords(i, hash);
    if (memberHash > bestHash) [best, bestHash] = [port, memberHash];
  });
  return best;
}

export function bundle(ctx: XlateContext, action: Bundle, at: ActionContext): void {
  const port =
    action.algorithm === 'hrw'
      ? highestRandomWeight(ctx, action)
      : (action.members.find((member) => isUsable(ctx, member)) ?? OFPP_NONE);
  if (action.target) loadResult(ctx, action.target, port);
  else outputTo(ctx, port, { ...at, maxLen: 0, mayPacketIn: false });
}
