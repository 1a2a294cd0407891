/** From table to table: resubmit, goto_table, metadata, and what is gathered for the pipeline's end. */
import { type KeyField, PIPELINE } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { ActionContext, XlateContext } from '../context.ts';
import { ACTSET_UNSET } from '../protocols.ts';
import { isInternalRule } from '../table.ts';
import { reportActionSet } from './action-set.ts';

const OFPP_IN_PORT = 0xfff8;
const PRESENT_TABLE = 255;
const METADATA = PIPELINE.metadata as KeyField;
const ACTSET_OUTPUT = PIPELINE.actset_output as KeyField;

export function resubmit(
  ctx: XlateContext,
  { port, table, withCt }: ActionOf<'resubmit'>,
  { isLast }: ActionContext,
): 'done' {
  const mayMiss = isInternalRule(ctx.rule);
  ctx.enterTable(ctx, table === PRESENT_TABLE ? ctx.tableId : table, {
    ...(port === OFPP_IN_PORT ? {} : { inPort: port }),
    mayPacketIn: mayMiss,
    honorsMiss: mayMiss,
    withCt,
    isLast,
  });
  return 'done';
}

export function gotoTable(ctx: XlateContext, { table }: ActionOf<'goto_table'>, { isLast }: ActionContext): 'done' {
  ctx.enterTable(ctx, table, { mayPacketIn: true, honorsMiss: true, isLast });
  return 'done';
}

export function writeMetadata({ flow }: XlateContext, { value, mask }: ActionOf<'write_metadata'>): void {
  flow.setU64(METADATA, (flow.getU64(METADATA) & ~mask) | (value & mask));
}

export function writeActions(ctx: XlateContext, { actions }: ActionOf<'write_actions'>): void {
  for (const action of actions) {
    if (ctx.hasGroupInSet) break;
    if (action.type === 'output') {
      ctx.flow.set(ACTSET_OUTPUT, action.port >= 0xff00 ? 0xffff0000 + action.port : action.port);
    } else if (action.type === 'group') {
      ctx.flow.set(ACTSET_OUTPUT, ACTSET_UNSET);
      ctx.hasGroupInSet = true;
    }
  }
  ctx.actionSet = [...ctx.actionSet, ...actions];
  reportActionSet(ctx, 'is');
}

export function clearActions(ctx: XlateContext): void {
  reportActionSet(ctx, 'was');
  ctx.actionSet = [];
  ctx.flow.set(ACTSET_OUTPUT, ACTSET_UNSET);
  ctx.hasGroupInSet = false;
}
