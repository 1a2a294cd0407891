/**
 * Flow monitors (NXST_FLOW_MONITOR, OFPMP_FLOW_MONITOR): connections that are told of every change of some flows.
 *
 * Terms. *update*: what became of one flow. *abbreviated*: in place of the updates that a flow-mod of the connection itself
 * led to, one that names its transaction. *paused*: too much waits to be sent; until all of it has gone only the removal of
 * flows that the peer has heard of is told. *resumed*: then what was added and modified in between is told at once.
 */
import type { Match } from '../../flow/key.ts';
import { segmentMultipart } from '../../openflow/connection/multipart.ts';
import type { OfMatch } from '../../openflow/match.ts';
import type { FullFlowUpdate, OfFlowMonitor, OfFlowUpdate } from '../../openflow/message/flow-monitor.ts';
import { identify } from '../../openflow/message/header.ts';
import { encodeMessage } from '../../openflow/message/message.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { FlowChange } from '../flow-mod.ts';
import type { FlowTables } from '../flow-tables.ts';
import type { RemovedReason, Rule } from '../rule.ts';
import type { Connection } from './connection.ts';
import type { Monitor } from './monitor-state.ts';
import type { OfActions, OfPeer, OfRequest } from './types.ts';

const ANY_TABLE = 0xff;
const OFPP_ANY = 0xffff;
const OFPG_ANY = 0xffffffff;
/** Bytes of updates that wait before monitors pause. */
const PAUSE_BYTES = 128 * 1024;
const MONITORS_MAX = 4096;

/** Numbers of OFPRR. */
export const removedReasons: readonly RemovedReason[] = [
  'idle_timeout',
  'hard_timeout',
  'delete',
  'group_delete',
  'meter_delete',
  'eviction',
];

type OfRule = Rule<OfActions>;

/** What a refresh tells of a rule. */
interface Refresh {
  event: 'initial' | 'added' | 'modified';
  withActions: boolean;
}

export interface MonitorSource {
  readonly tables: FlowTables<OfActions>;
  /** A table's match as messages have it, and back. */
  readonly toOfMatch: (match: Match) => OfMatch;
  readonly toMatch: (match: OfMatch) => Match;
}

function isLooseMatch(rule: Match, asked: Match): boolean {
  const [key, mask] = [rule.key.words, rule.mask.words];
  const [askedKey, askedMask] = [asked.key.words, asked.mask.words];
  for (let i = 0; i < askedMask.length; i++) {
    const bits = askedMask[i]!;
    if ((mask[i]! & bits) >>> 0 !== bits || ((key[i]! ^ askedKey[i]!) & bits) !== 0) return false;
  }
  return true;
}

export class FlowMonitors {
  readonly #source: MonitorSource;
  readonly #connections: () => Iterable<Connection>;
  /** Changes so far. */
  #sequence = 1;
  /** Last changes of rules since somebody paused. */
  readonly #changed = new WeakMap<OfRule, { readonly added: number; readonly modified: number }>();

  constructor(source: MonitorSource, connections: () => Iterable<Connection>) {
    this.#source = source;
    this.#connections = connections;
  }

  #passesOutput({ outPort, outGroup }: OfFlowMonitor, actions: OfActions): boolean {
    const { facts } = this.#source.tables;
    return (
      (outPort === OFPP_ANY || facts.outputsTo(actions, outPort)) &&
      (outGroup === OFPG_ANY || facts.usesGroup(actions, outGroup))
    );
  }

  // What happens

  /** @param cause who asked for it, and in which transaction */
  report(
    changes: readonly FlowChange<OfActions>[],
    cause: { readonly peer: OfPeer; readonly xid: number } | null,
  ): void {
    const watching = [...this.#connections()].filter(({ monitors }) => monitors.byId.size > 0);
    if (watching.length === 0) return;
    for (const change of changes) if (!change.rule.isHidden) this.#reportOne(change, watching, cause);
    for (const connection of watching) this.#flush(connection);
  }

  #reportOne(
    change: FlowChange<OfActions>,
    watching: readonly Connection[],
    cause: { readonly peer: OfPeer; readonly xid: number } | null,
  ): void {
    const { facts } = this.#source.tables;
    const { rule } = change;
    const replaced = change.kind === 'removed' ? null : change.replaced;
    const event = change.kind === 'removed' ? 'deleted' : change.kind;
    const hasNewActions = replaced !== null && !facts.equal(replaced.actions, rule.actions);
    if (change.kind === 'modified' && !hasNewActions && !change.cookieChanged) {
      this.#remember(rule, change.replaced, false);
      return;
    }
    const addedAt = this.#changed.get(rule)?.added ?? 0;
    if (event !== 'deleted') this.#remember(rule, event === 'modified' ? replaced : null, true);
    const match = this.#source.tables.matchOf(rule);
    for (const connection of watching) {
      const { monitors } = connection;
      const { pausedAt } = monitors;
      if (pausedAt !== null && (event !== 'deleted' || addedAt > pausedAt)) continue;
      const wanted = event === 'deleted' ? 'delete' : event === 'modified' ? 'modify' : 'add';
      const flags = new Set<string>();
      for (const { request, match: asked } of monitors.byId.values()) {
        const isTold =
          request.flags.includes(wanted) &&
          (request.table === ANY_TABLE || request.table === rule.tableId) &&
          (this.#passesOutput(request, rule.actions) ||
            (hasNewActions && this.#passesOutput(request, replaced!.actions))) &&
          isLooseMatch(match, asked);
        if (isTold) for (const flag of request.flags) flags.add(flag);
      }
      if (flags.size === 0) continue;
      if (flags.has('own') || connection !== cause?.peer || pausedAt !== null) {
        const reason = change.kind === 'removed' ? removedReasons.indexOf(change.reason) : 0;
        monitors.updates.push(this.#update(rule, match, event, reason, flags.has('actions')));
      } else if (!monitors.hasAbbreviated) {
        monitors.updates.push({ event: 'abbrev', xid: cause.xid });
        monitors.hasAbbreviated = true;
      }
    }
  }

  /** Only who has paused will ask. */
  #remember(rule: OfRule, replaced: OfRule | null, isNews: boolean): void {
    const sequence = isNews ? this.#sequence++ : 0;
    const before = replaced && this.#changed.get(replaced);
    if (!isNews) {
      if (before) this.#changed.set(rule, before);
      return;
    }
    this.#changed.set(rule, { added: replaced ? (before?.added ?? 0) : sequence, modified: sequence });
  }

  #update(
    rule: OfRule,
    match: Match,
    event: FullFlowUpdate['event'],
    reason: number,
    withActions: boolean,
  ): FullFlowUpdate {
    return {
      event,
      reason,
      table: rule.tableId,
      priority: rule.priority,
      idleTimeout: rule.idleTimeout,
      hardTimeout: rule.hardTimeout,
      cookie: rule.cookie,
      match: this.#source.toOfMatch(match),
      actions: withActions ? rule.actions : [],
    };
  }

  #flush(connection: Connection): void {
    const { monitors } = connection;
    if (monitors.updates.length > 0) this.#send(connection, monitors.updates);
    monitors.updates = [];
    monitors.hasAbbreviated = false;
    if (monitors.pausedAt === null && connection.waiting('monitor').bytes > PAUSE_BYTES) {
      monitors.pausedAt = this.#sequence++;
      this.#sendState(connection, 'paused');
    }
  }

  #send(connection: Connection, updates: readonly OfFlowUpdate[]): void {
    const encode = (some: readonly OfFlowUpdate[]): Uint8Array =>
      encodeMessage({ kind: 'flow_monitor_reply', updates: some }, connection.version, 0)!;
    const records = updates.map((update) => {
      const header = identify(encode([update]));
      if (!header.ok) throw new Error('an update that cannot be read again');
      return header.value.body;
    });
    for (const bytes of segmentMultipart(encode([]), records)) connection.send('monitor', bytes);
  }

  #sendState(connection: Connection, state: 'paused' | 'resumed'): void {
    if (connection.version >= 5) this.#send(connection, [{ event: state }]);
    else connection.send('monitor', encodeMessage({ kind: `flow_monitor_${state}` }, connection.version, 0)!);
  }

  /** Those who have paused and whose output has gone hear of what they missed. */
  run(): void {
    for (const connection of this.#connections()) {
      const { monitors } = connection;
      const { pausedAt } = monitors;
      if (pausedAt === null || !connection.isConnected || connection.waiting('monitor').messages > 0) continue;
      monitors.pausedAt = null;
      const refreshes = new Map<OfRule, Refresh>();
      for (const monitor of monitors.byId.values()) this.#collect(monitor, pausedAt, refreshes);
      const updates = this.#refresh(refreshes);
      if (updates.length > 0) this.#send(connection, updates);
      this.#sendState(connection, 'resumed');
    }
  }

  /** @param since null for all that is there */
  #collect({ request, match }: Monitor, since: number | null, into: Map<OfRule, Refresh>): void {
    const outPort = request.outPort === OFPP_ANY ? null : request.outPort;
    const outGroup = request.outGroup === OFPG_ANY ? null : request.outGroup;
    for (const rule of this.#source.tables.select(request.table, { match, outPort, outGroup })) {
      const event = this.#eventSince(rule, request, since);
      if (!event) continue;
      const refresh = into.get(rule) ?? { event, withActions: false };
      if (event !== 'modified') refresh.event = event;
      refresh.withActions ||= request.flags.includes('actions');
      into.set(rule, refresh);
    }
  }

  #eventSince(rule: OfRule, { flags }: OfFlowMonitor, since: number | null): Refresh['event'] | null {
    if (since === null) return 'initial';
    const changed = this.#changed.get(rule);
    if (!changed) return null;
    if (changed.added > since) return flags.includes('add') || flags.includes('modify') ? 'added' : null;
    return changed.modified > since && flags.includes('modify') ? 'modified' : null;
  }

  #refresh(refreshes: ReadonlyMap<OfRule, Refresh>): FullFlowUpdate[] {
    return [...refreshes].map(([rule, { event, withActions }]) =>
      this.#update(rule, this.#source.tables.matchOf(rule), event, 0, withActions),
    );
  }

  // What connections ask for

  /** Makes, changes and ends monitors; when one of them is refused, nothing has happened. */
  request(connection: Connection, request: OfRequest, monitors: readonly OfFlowMonitor[]): void {
    const { byId } = connection.monitors;
    const before = new Map(byId);
    const refreshes = new Map<OfRule, Refresh>();
    for (const one of monitors) {
      const error = this.#apply(byId, one);
      if (error) {
        byId.clear();
        for (const [id, monitor] of before) byId.set(id, monitor);
        connection.fail(request, error);
        return;
      }
      const made = byId.get(one.id);
      if (made && one.command !== 'delete' && one.flags.includes('initial')) this.#collect(made, null, refreshes);
    }
    const parts = this.#refresh(refreshes).map((update) => ({
      kind: 'flow_monitor_reply' as const,
      updates: [update],
    }));
    connection.replyMultipart(request, parts, { kind: 'flow_monitor_reply', updates: [] });
  }

  #apply(byId: Map<number, Monitor>, request: OfFlowMonitor): OfErrorName | null {
    const { id, command, table } = request;
    if (command === 'delete') return byId.delete(id) ? null : 'OFPMOFC_UNKNOWN_MONITOR';
    if (table !== ANY_TABLE && !this.#source.tables.table(table)) return 'OFPBRC_BAD_TABLE_ID';
    if (command === 'add' && byId.has(id)) return 'OFPMOFC_MONITOR_EXISTS';
    if (command === 'modify' && !byId.has(id)) return 'OFPMOFC_UNKNOWN_MONITOR';
    if (byId.size >= MONITORS_MAX) return 'OFPBRC_EPERM';
    byId.set(id, { request, match: this.#source.toMatch(request.match) });
    return null;
  }

  cancel(connection: Connection, request: OfRequest, id: number): void {
    if (!connection.monitors.byId.delete(id)) connection.fail(request, 'OFPMOFC_UNKNOWN_MONITOR');
  }
}
