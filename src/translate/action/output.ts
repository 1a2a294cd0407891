/** output: to a port, or to what a reserved port stands for (OpenFlow 1.0 §5.2.4). */
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { normal } from './normal.ts';

const OFPP_NORMAL = 0xfffa;

export function output(ctx: XlateContext, { port }: ActionOf<'output'>): void {
  if (port === OFPP_NORMAL) normal(ctx);
}
