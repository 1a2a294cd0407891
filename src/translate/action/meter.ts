/** meter: the datapath's meter of that number, before anything else happens (OpenFlow 1.3 §5.9, as an action 1.5 §5.8). */
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';

/** A meter that is not there does nothing. */
export function meter(ctx: XlateContext, { id }: ActionOf<'meter'>): void {
  const number = ctx.bridge.pipeline.meter(id);
  if (number !== null) ctx.actions.push({ type: 'meter', id: number });
}
