/** Flow-mods, and statistics of flows. */
import type { Match } from '../../flow/key.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import type { FlowFlag, FlowModMessage } from '../../openflow/message/flow-mod.ts';
import type {
  AggregateReplyMessage,
  FlowStatsReplyMessage,
  FlowStatsRequestMessage,
  OfFlowStats,
} from '../../openflow/message/flow-stats.ts';
import type { OfMatch } from '../../openflow/oxm/types.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { flattened, isLeaf } from '../actions.ts';
import type { Bridge } from '../bridge.ts';
import type { OfActions, OfPeer, OfRequest } from '../connections/types.ts';
import { type FlowMod, type FlowModFlags, TABLE_ALL } from '../flow-mod.ts';
import { TABLES_MAX } from '../flow-tables.ts';
import type { FlowTransaction } from '../flow-transaction.ts';
import { hasHiddenFields, withTypeOf } from '../ofproto.ts';
import type { Rule } from '../rule.ts';
import { type Call, durationOf, OFPG_ANY, OFPP_ANY, type Refusal } from './call.ts';
import { checkActions } from './check-actions.ts';

const NO_BUFFER = 0xffffffff;
const KEEP_COOKIE = 0xffff_ffff_ffff_ffffn;
/** OpenFlow 1.1. */
const IMPLIED_RESET_LAST = 2;

type Prepared = { readonly mod: FlowMod<OfActions> } | { readonly error: OfErrorName };

/** Where the command stands in the bodies of OpenFlow 1.0's form and Nicira's. */
const COMMAND_AT: Readonly<Record<string, number>> = { OFPT10_FLOW_MOD: 48, NXT_FLOW_MOD: 8 };

/** The table, which OpenFlow 1.0 has in the command when the connection agreed on that; null for a command that is none. */
function tableOf({ table }: FlowModMessage, peer: OfPeer, { envelope }: OfRequest): number | null {
  const at = COMMAND_AT[envelope.header.spec.raw];
  if (at === undefined) return table;
  const high = envelope.header.body[at]!;
  if (peer.hasTableIds) return high;
  return high === 0 ? TABLE_ALL : null;
}

const noFlags: FlowModFlags = {};

function flagsOf(flags: readonly FlowFlag[], impliesReset: boolean): FlowModFlags {
  if (flags.length === 0 && !impliesReset) return noFlags;
  const has = (flag: FlowFlag): boolean => flags.includes(flag);
  return {
    sendFlowRemoved: has('send_flow_rem'),
    checkOverlap: has('check_overlap'),
    resetCounts: impliesReset || has('reset_counts'),
    noPacketCounts: has('no_packet_counts'),
    noByteCounts: has('no_byte_counts'),
  };
}

/** OpenFlow 1.0 and 1.1 have no packet type in their own matches: what is matched says whether one is meant. */
function matchOf({ version }: OfPeer, { envelope }: OfRequest, { match }: { readonly match: OfMatch }): OfMatch {
  return version <= 2 && !envelope.header.spec.raw.startsWith('NX') ? withTypeOf(match) : match;
}

/** OpenFlow 1.1 lets a modify that finds nothing and names no cookie add (OpenFlow 1.1 §A.3.4.1); later versions do not. */
function newCookieOf({ version }: OfPeer, { command, newCookie, cookie, cookieMask }: FlowModMessage): bigint | null {
  if (newCookie !== KEEP_COOKIE || command === 'add') return newCookie;
  return version === 2 && command.startsWith('modify') && cookieMask === 0n ? cookie : null;
}

type Conjunctions = readonly ActionOf<'conjunction'>[];
const noConjunctions: Conjunctions = [];

/** Rules without any share one empty list. */
function conjunctionsOf(actions: OfActions): Conjunctions {
  for (const { type } of actions)
    if (type === 'conjunction') return actions.filter((action) => action.type === 'conjunction');
  return noConjunctions;
}

/** A flow-mod without its version, or what is wrong with it whatever the tables hold. */
export function prepareFlowMod({ ofproto }: Bridge, peer: OfPeer, request: OfRequest, m: FlowModMessage): Prepared {
  const tableId = tableOf(m, peer, request);
  if (tableId === null) return { error: 'OFPFMFC_BAD_COMMAND' };
  // Tunnel metadata has no place in the keys of tables
  if (m.match.tunMetadata.length > 0) return { error: 'NXFMFC_INVALID_TLV_FIELD' };
  const wrong = checkActions(peer.version, m.actions, m.match, tableId, ofproto.tlvs);
  if (wrong) return { error: wrong };
  const error = checkChange(m, tableId);
  if (error) return { error };
  const mod: FlowMod<OfActions> = {
    command: m.command,
    tableId,
    match: matchOf(peer, request, m),
    priority: m.priority,
    cookie: m.cookie,
    cookieMask: m.cookieMask,
    newCookie: newCookieOf(peer, m),
    modifiesCookie: peer.version === 1 && m.newCookie !== KEEP_COOKIE,
    idleTimeout: m.idleTimeout,
    hardTimeout: m.hardTimeout,
    importance: m.importance,
    outPort: m.outPort === OFPP_ANY ? null : m.outPort,
    outGroup: m.outGroup === OFPG_ANY ? null : m.outGroup,
    flags: flagsOf(m.flags, m.command === 'add' && peer.version <= IMPLIED_RESET_LAST),
    actions: m.actions,
    conjunctions: conjunctionsOf(m.actions),
  };
  return { mod };
}

/** What an add or modify may not ask for. */
function checkChange({ command, match, buffer }: FlowModMessage, tableId: number): OfErrorName | null {
  if (command.startsWith('delete')) return null;
  if (tableId !== TABLE_ALL && tableId >= TABLES_MAX) return 'OFPBRC_EPERM';
  if (hasHiddenFields(match)) return 'OFPBRC_EPERM';
  return buffer === NO_BUFFER ? null : 'OFPBRC_BUFFER_UNKNOWN';
}

/** Groups and meters that flows name must be there. */
export function checkReferences({ ofproto }: Bridge, actions: OfActions): OfErrorName | null {
  if (isLeaf(actions)) return null;
  for (const action of flattened(actions)) {
    if (action.type === 'group' && !ofproto.groups.get(action.group)) return 'OFPBAC_BAD_OUT_GROUP';
    if (action.type === 'meter' && !ofproto.meters.get(action.id)) return 'OFPMMFC_INVALID_METER';
  }
  return null;
}

const changes = ({ command }: FlowMod<OfActions>): boolean => !command.startsWith('delete');

/** One flow-mod of a bundle. */
export function startFlowMod(
  bridge: Bridge,
  transaction: FlowTransaction<OfActions>,
  mod: FlowMod<OfActions>,
): OfErrorName | null {
  const wrong = changes(mod) ? checkReferences(bridge, mod.actions) : null;
  if (wrong) return wrong;
  const started = transaction.start(mod);
  return started.ok ? null : started.error;
}

export function flowMod({ bridge, peer, request, now }: Call, message: FlowModMessage): Refusal {
  const prepared = prepareFlowMod(bridge, peer, request, message);
  if ('error' in prepared) return prepared.error;
  const { mod } = prepared;
  const wrong = changes(mod) ? checkReferences(bridge, mod.actions) : null;
  return wrong ?? bridge.ofproto.execute(mod, { peer, xid: request.envelope.header.xid }, now);
}

// ---- statistics ----

function select(call: Call, message: FlowStatsRequestMessage): Rule<OfActions>[] | OfErrorName {
  const { table, outPort, outGroup, cookie, cookieMask } = message;
  if (table !== TABLE_ALL && table > TABLES_MAX) return 'OFPBRC_BAD_TABLE_ID';
  const { ofproto } = call.bridge;
  ofproto.settle();
  return ofproto.tables.select(table, {
    match: matchOf(call.peer, call.request, message),
    cookie,
    cookieMask,
    outPort: outPort === OFPP_ANY ? null : outPort,
    outGroup: outGroup === OFPG_ANY ? null : outGroup,
  });
}

const ageOf = (now: number, since: number): number => Math.max(0, Math.floor((now - since) / 1e6));

const flagRows: readonly (readonly [flag: FlowFlag, has: (rule: Rule<OfActions>) => boolean])[] = [
  ['send_flow_rem', ({ sendsRemoved }) => sendsRemoved],
  ['check_overlap', ({ checksOverlap }) => checksOverlap],
  ['reset_counts', ({ resetsCounts }) => resetsCounts],
  ['no_packet_counts', ({ countsPackets }) => !countsPackets],
  ['no_byte_counts', ({ countsBytes }) => !countsBytes],
];

const noneOfThem: readonly FlowFlag[] = [];

function flagsOfRule(rule: Rule<OfActions>): readonly FlowFlag[] {
  const { sendsRemoved, checksOverlap, resetsCounts, countsPackets, countsBytes } = rule;
  if (!sendsRemoved && !checksOverlap && !resetsCounts && countsPackets && countsBytes) return noneOfThem;
  return flagRows.filter(([, has]) => has(rule)).map(([flag]) => flag);
}

/** A match of the tables as the codec writes it. */
export const toOfMatch = ({ key, mask }: Match): OfMatch => ({ key, mask, tunMetadata: [] }) as unknown as OfMatch;

function statsOf({ bridge, now }: Call, rule: Rule<OfActions>): OfFlowStats {
  return {
    table: rule.tableId,
    match: toOfMatch(bridge.ofproto.tables.matchOf(rule)),
    priority: rule.priority,
    cookie: rule.cookie,
    ...durationOf(now - rule.created),
    idleTimeout: rule.idleTimeout,
    hardTimeout: rule.hardTimeout,
    idleAge: ageOf(now, rule.used),
    hardAge: ageOf(now, rule.modified),
    importance: rule.importance,
    flags: flagsOfRule(rule),
    packets: BigInt(rule.packets),
    bytes: BigInt(rule.bytes),
    actions: rule.actions,
  };
}

export function flowStats(call: Call, message: FlowStatsRequestMessage): Refusal {
  const rules = select(call, message);
  if (typeof rules === 'string') return rules;
  call.peer.replyMultipart(call.request, flowParts(call, rules), { kind: 'flow_stats_reply', flows: [] });
  return null;
}

/** One after the other: a million of them do not fit in memory. */
function* flowParts(call: Call, rules: readonly Rule<OfActions>[]): Generator<FlowStatsReplyMessage> {
  for (const rule of rules) yield { kind: 'flow_stats_reply', flows: [statsOf(call, rule)] };
}

export function aggregate(call: Call, message: FlowStatsRequestMessage): Refusal {
  const rules = select(call, message);
  if (typeof rules === 'string') return rules;
  let [packets, bytes] = [0, 0];
  for (const rule of rules) {
    packets += rule.packets;
    bytes += rule.bytes;
  }
  const sums = { packets: BigInt(packets), bytes: BigInt(bytes), flows: rules.length };
  const reply: AggregateReplyMessage = { kind: 'aggregate_reply', ...sums };
  call.peer.replyMultipart(call.request, [reply], reply);
  return null;
}
