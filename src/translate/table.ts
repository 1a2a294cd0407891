/** Tables: look a packet up in the bridge it is in, and do what the rule says. */
import { KEY, type KeyField } from '../flow/key.ts';
import { translateClone } from './action/clone.ts';
import { DEPTH_MAX, RESUBMITS_MAX, STACK_MAX, type TableCall, type XlateContext } from './context.ts';
import { isIp } from './protocols.ts';
import type { RuleView, TableMiss } from './types.ts';

/** The switch's own table, which no miss leads to. */
export const TABLE_INTERNAL = 254;
/** A miss without a table-miss rule: controllers see OFPR_NO_MATCH. */
const IMPLICIT_MISS = 7;

/** Rules of the switch's own that no table holds: what becomes of packets that no rule takes. */
const ownRule = (actions: RuleView['actions']): RuleView => ({
  tableId: TABLE_INTERNAL,
  priority: 0,
  cookie: 0n,
  actions,
});
const missRule = ownRule([
  {
    type: 'controller',
    maxLen: 0xffff,
    controllerId: 0,
    reason: IMPLICIT_MISS,
    userdata: new Uint8Array(0),
    isPause: false,
    meterId: null,
    hasProperties: false,
  },
]);
const silentMissRule = ownRule([]);
const fragmentRule = ownRule([]);

/** Whether it is one of the switch's own: what such a rule resubmits may still be sent to controllers. */
export const isInternalRule = (rule: RuleView | null): boolean => rule !== null && rule.tableId === TABLE_INTERNAL;

interface Found {
  readonly rule: RuleView;
  /** Table of the rule, or the one that missed. */
  readonly tableId: number;
}

const FIRST: TableCall = { mayPacketIn: true, honorsMiss: true, isLast: true };

/**
 * The first lookup of a packet, and what its rule says.
 * @param isRefused the rule is found, but its port takes no packets: nothing is done
 * @param end what the pipeline ends with, told below the table
 */
export function startTables(
  ctx: XlateContext,
  tableId: number,
  isRefused: boolean,
  end: (ctx: XlateContext) => void,
): void {
  const found = findRule(ctx, tableId, FIRST);
  if (isRefused) {
    if (ctx.isTracing) ctx.report('table', headingOf(ctx, found));
    return;
  }
  obey(ctx, found, FIRST, end);
}

/** Looks the flow up and does the actions of the rule. Depth and number of lookups are limited. */
export function enterTable(ctx: XlateContext, tableId: number, call: TableCall): void {
  // What is behind the labels that were taken off must be parsed first
  if (ctx.wasMpls) {
    ctx.triggerFreeze();
    return;
  }
  if (!mayEnter(ctx)) return;
  const outer = ctx.tableId;
  ctx.tableId = tableId;
  const found = call.withCt ? findByTuple(ctx, tableId, call) : findRule(ctx, tableId, call);
  if (!found) return;
  ctx.resubmits++;
  const deepens = found.tableId <= outer ? 1 : 0;
  ctx.depth += deepens;
  obey(ctx, found, call);
  ctx.depth -= deepens;
  ctx.tableId = outer;
}

const stackSize = ({ stack }: XlateContext): number => {
  let size = 0;
  for (const value of stack) size += value.length + 1;
  return size;
};

/** False, and the translation has failed, when no table or group may be entered any more. */
export function mayEnter(ctx: XlateContext): boolean {
  if (ctx.depth >= DEPTH_MAX) {
    ctx.report('error', `over max translation depth ${DEPTH_MAX}`);
    ctx.error = 'recursion';
  } else if (ctx.resubmits >= RESUBMITS_MAX) {
    ctx.report('error', `over ${RESUBMITS_MAX} resubmit actions`);
    ctx.error = 'resubmits';
  } else if (stackSize(ctx) >= STACK_MAX) {
    ctx.report('error', 'resubmits yielded over 64 kB of stack');
    ctx.error = 'stack_too_deep';
  }
  return ctx.error === 'none';
}

type Lookup = Pick<TableCall, 'inPort' | 'mayPacketIn' | 'honorsMiss'>;

/** Looks up by the original direction of the packet's connection; null for a packet that has none. */
function findByTuple(ctx: XlateContext, tableId: number, call: Lookup): Found | null {
  const { flow, wildcards } = ctx;
  if (flow.get(KEY.ct_nw_proto) === 0 || !isIp(flow)) {
    ctx.report('error', 'resubmit(ct) with non-tracked or non-IP packet!');
    return null;
  }
  swapTuple(flow);
  swapTuple(wildcards);
  const found = findRule(ctx, tableId, call);
  swapTuple(flow);
  swapTuple(wildcards);
  return found;
}

const tuples: readonly (readonly [KeyField, KeyField])[] = [
  [KEY.nw_proto, KEY.ct_nw_proto],
  [KEY.ipv4_src, KEY.ct_nw_src],
  [KEY.ipv4_dst, KEY.ct_nw_dst],
  [KEY.ipv6_src, KEY.ct_ipv6_src],
  [KEY.ipv6_dst, KEY.ct_ipv6_dst],
  [KEY.tp_src, KEY.ct_tp_src],
  [KEY.tp_dst, KEY.ct_tp_dst],
];

function swapTuple({ bytes }: XlateContext['flow']): void {
  for (const [{ offset: a, size }, { offset: b }] of tuples) {
    for (let i = 0; i < size; i++) {
      const byte = bytes[a + i]!;
      bytes[a + i] = bytes[b + i]!;
      bytes[b + i] = byte;
    }
  }
}

const FRAGMENT = 1;
const isFragment = ({ flow }: XlateContext): boolean => (flow.get(KEY.nw_frag) & FRAGMENT) !== 0;

function findRule(ctx: XlateContext, tableId: number, call: Lookup): Found {
  const { flow, bridge } = ctx;
  const { fragments } = bridge.pipeline;
  if (!isFragment(ctx) || fragments === 'nx-match') return findAsIs(ctx, tableId, call);
  if (fragments === 'drop') {
    ctx.effects.creditTable(bridge.name, tableId, true);
    return { rule: fragmentRule, tableId };
  }
  // Tables see a fragment as a packet without ports: the later ones have none
  const [source, destination] = [flow.get(KEY.tp_src), flow.get(KEY.tp_dst)];
  flow.set(KEY.tp_src, 0).set(KEY.tp_dst, 0);
  const found = findAsIs(ctx, tableId, call);
  flow.set(KEY.tp_src, source).set(KEY.tp_dst, destination);
  return found;
}

function findAsIs(ctx: XlateContext, tableId: number, call: Lookup): Found {
  const { flow, bridge, effects } = ctx;
  const { pipeline } = bridge;
  const inPort = flow.get(KEY.in_port);
  if (call.inPort !== undefined) flow.set(KEY.in_port, call.inPort);
  let miss: TableMiss = 'continue';
  let table = tableId;
  let rule: RuleView | null = null;
  for (; table <= TABLE_INTERNAL; table++) {
    rule = pipeline.lookup(table, flow, ctx.wildcards, ctx.tablesVersion);
    effects.creditTable(bridge.name, table, rule !== null);
    if (rule || !call.honorsMiss) break;
    miss = pipeline.tableMiss(table);
    if (miss !== 'continue' || table + 1 >= TABLE_INTERNAL) break;
  }
  if (call.inPort !== undefined) flow.set(KEY.in_port, inPort);
  ctx.tableId = table;
  if (rule) {
    effects.creditRule(bridge.name, rule);
    return { rule, tableId: table };
  }
  const isTold = call.mayPacketIn && wantsMiss(ctx, miss);
  if (!isTold) ctx.noteDrop('table_miss');
  return { rule: isTold ? missRule : silentMissRule, tableId: table };
}

function wantsMiss({ bridge, flow }: XlateContext, miss: TableMiss): boolean {
  if (miss === 'default') return bridge.pipeline.wantsPacketInOnMiss;
  if (miss === 'drop') return false;
  const port = bridge.ports.get(flow.get(KEY.in_port));
  return port !== undefined && !bridge.portConfig.get(port.ofport)?.noPacketIn;
}

function headingOf({ bridge }: XlateContext, { rule, tableId }: Found): string {
  const number = String(tableId).padStart(2);
  if (rule === missRule) return `${number}. No match, and a "packet-in" is called for.`;
  if (rule === silentMissRule) return `${number}. No match.`;
  if (rule === fragmentRule) return `${number}. Packets are IP fragments and the fragment handling mode is "drop".`;
  const match = bridge.pipeline.matchText(rule);
  const cookie = rule.cookie === 0n ? '' : `, cookie 0x${rule.cookie.toString(16)}`;
  return `${number}. ${match === '' ? '' : `${match}, `}priority ${rule.priority}${cookie}`;
}

const nothing = (): void => undefined;

function obey(ctx: XlateContext, found: Found, call: TableCall, end: (ctx: XlateContext) => void = nothing): void {
  const { rule: outerRule, ruleCookie } = ctx;
  ctx.rule = found.rule;
  ctx.ruleCookie = found.rule.cookie;
  if (ctx.isTracing) ctx.within('table', headingOf(ctx, found), () => act(ctx, found.rule, call, end));
  else act(ctx, found.rule, call, end);
  ctx.rule = outerRule;
  ctx.ruleCookie = ruleCookie;
}

function act(ctx: XlateContext, rule: RuleView, call: TableCall, end: (ctx: XlateContext) => void): void {
  if (call.isClone) translateClone(ctx, rule.actions, call.isLast);
  else ctx.bodies.translate(ctx, rule.actions, call.isLast, false);
  end(ctx);
}
