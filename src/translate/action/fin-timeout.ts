/** fin_timeout: the end of a TCP connection shortens the life of its flow (ovs-actions(7)). */
import { KEY } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';

export function finTimeout(ctx: XlateContext, { idleTimeout, hardTimeout }: ActionOf<'fin_timeout'>): void {
  ctx.unwildcard(KEY.nw_proto);
  if (ctx.rule) ctx.effects.reduceTimeouts(ctx.bridge.name, ctx.rule, idleTimeout, hardTimeout);
}
