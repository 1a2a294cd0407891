/**
 * learn: a packet makes a flow (ovs-actions(7)).
 *
 * What the flow matches and does comes from the packet's fields and from literals. Whatever is read from the packet is looked
 * at, whether or not anything is learned: a megaflow stands for packets that teach the same flow.
 */
import { KEY, PipelineKey } from '../../flow/key.ts';
import { hexOf, ones } from '../../flow/odp/number.ts';
import { formatActions } from '../../openflow/action/index.ts';
import type { ActionOf, LearnSpec, OfAction, Subfield } from '../../openflow/action/types.ts';
import { fieldOf, readValue, writeValue } from '../../openflow/field/index.ts';
import { formatMatch } from '../../openflow/match-text.ts';
import type { XlateContext } from '../context.ts';
import type { LearnedFlow } from '../types.ts';
import { lookAtSubfield, reportSubfield, writeSubfield } from './fields.ts';

type Learn = ActionOf<'learn'>;

const OFPP_MAX = 0xff00;
/** in_port, flood, all, local. */
const reservedOutputs: ReadonlySet<number> = new Set([0xfff8, 0xfffb, 0xfffc, 0xfffe]);

function sourceValue({ flow }: XlateContext, { source }: LearnSpec): bigint {
  if ('value' in source) return source.value;
  return (readValue(flow, fieldOf(source.field)) >> BigInt(source.offset)) & ones(source.width);
}

/** Writes some bits of a field of a match, and that they count. */
function addToMatch(
  key: PipelineKey,
  mask: PipelineKey,
  { field: name, offset }: Subfield,
  width: number,
  value: bigint,
) {
  const field = fieldOf(name);
  const bits = ones(width) << BigInt(offset);
  writeValue(key, field, (readValue(key, field) & ~bits) | ((value << BigInt(offset)) & bits));
  writeValue(mask, field, readValue(mask, field) | bits);
  // Ports have sixteen bits here, and more in the key
  if (name === 'in_port') mask.setAllOnes(KEY.in_port);
}

function outputTo(value: bigint): OfAction[] {
  if (value > 0xffffn) return [];
  const port = Number(value);
  return port < OFPP_MAX || reservedOutputs.has(port) ? [{ type: 'output', port, maxLen: 0 }] : [];
}

function learnedFlow(ctx: XlateContext, action: Learn): LearnedFlow {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  const actions: OfAction[] = [];
  const { finIdleTimeout, finHardTimeout } = action;
  if (finIdleTimeout !== 0 || finHardTimeout !== 0)
    actions.push({ type: 'fin_timeout', idleTimeout: finIdleTimeout, hardTimeout: finHardTimeout });
  for (const spec of action.specs) {
    const value = sourceValue(ctx, spec);
    if (spec.kind === 'output') actions.push(...outputTo(value));
    else if (spec.kind === 'match') addToMatch(key, mask, spec.target!, spec.width, value);
    else {
      const { field, offset } = spec.target!;
      const shift = BigInt(offset);
      actions.push({ type: 'set_field', field, value: value << shift, mask: ones(spec.width) << shift, isLoad: true });
    }
  }
  return {
    tableId: action.table,
    priority: action.priority,
    cookie: action.cookie,
    idleTimeout: action.idleTimeout,
    hardTimeout: action.hardTimeout,
    sendFlowRemoved: action.sendFlowRemoved,
    deleteLearned: action.deleteLearned,
    limit: action.limit,
    match: { key, mask },
    actions,
  };
}

/** As a trace tells it. */
function formatLearned(flow: LearnedFlow): string {
  const { cookie, idleTimeout, hardTimeout } = flow;
  const match = formatMatch({
    key: flow.match.key as PipelineKey,
    mask: flow.match.mask as PipelineKey,
    tunMetadata: [],
  });
  const words = [
    `table=${flow.tableId}`,
    ...(match === '' ? [] : [match]),
    `priority=${flow.priority}`,
    ...(cookie === 0n ? [] : [`cookie=${hexOf(cookie)}`]),
    ...(idleTimeout === 0 ? [] : [`idle=${idleTimeout}`]),
    ...(hardTimeout === 0 ? [] : [`hard=${hardTimeout}`]),
    ...(flow.sendFlowRemoved ? ['send_flow_rem'] : []),
    `actions=${flow.actions.length === 0 ? 'drop' : formatActions(flow.actions)}`,
  ];
  return words.join(' ');
}

export function learn(ctx: XlateContext, action: Learn): void {
  for (const { source } of action.specs) if (!('value' in source)) lookAtSubfield(ctx, source);
  if (ctx.effects.isDry) {
    ctx.report('warning', 'suppressing side effects, so learn action ignored');
    return;
  }
  const flow = learnedFlow(ctx, action);
  if (ctx.isTracing) ctx.report('detail', formatLearned(flow));
  // What it changes is for the packets that come behind this one
  ctx.holdTables();
  const isLearned = ctx.effects.learnFlow(ctx.bridge.name, flow);
  if (action.resultTarget) {
    writeSubfield(ctx, action.resultTarget, Uint8Array.of(isLearned ? 1 : 0));
    reportSubfield(ctx, action.resultTarget);
  }
  if (!isLearned) ctx.report('detail', 'Limit exceeded, learn failed');
}
