/**
 * All connections of one bridge: takes their requests apart, answers what is about connections, hands the rest to the handler
 * of requests, and tells connections what happens.
 *
 * Invariants. A secondary's requests to change anything are refused here, before they are read. Whoever is told something
 * unasked has said, or has by default, that it wants to hear it. Nothing that comes from outside makes this throw.
 *
 * Where: connection.ts is one connection, own-requests.ts what it asks about itself, bundles.ts, flow-monitors.ts, roles.ts,
 * async-config.ts its parts; packet-in.ts (with continuation.ts, packet-scheduler.ts), flow-removed.ts and request-forward.ts what
 * it is told. types.ts is the contract with the handler of requests.
 *
 * Not supported. OFPT_CONTROLLER_STATUS, which the reference does not send either. max_len and miss_send_len cut no packet, as in
 * the reference. A continuation names no datapath port. Packet buffers: there are none.
 */
import { KEY, type Match, PipelineKey } from '../../flow/key.ts';
import { type Micros, SECOND } from '../../lib/clock.ts';
import { errorInVersionOf, isBadVersion } from '../../openflow/connection/session.ts';
import type { OfError } from '../../openflow/error.ts';
import type { OfMatch } from '../../openflow/match.ts';
import { type OfHeader, readHeader } from '../../openflow/message/header.ts';
import { decodeBody } from '../../openflow/message/message.ts';
import type { OfPort } from '../../openflow/message/port-desc.ts';
import type { TableStatusMessage } from '../../openflow/message/table.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { PacketInView } from '../../translate/types.ts';
import type { FlowChange } from '../flow-mod.ts';
import type { FlowTables } from '../flow-tables.ts';
import type { GroupChange } from '../groups.ts';
import type { MeterChange } from '../meters.ts';
import { STATE_LIVE } from '../port-description.ts';
import { Connection, type ConnectionHost, type ConnectionOptions } from './connection.ts';
import { FlowMonitors } from './flow-monitors.ts';
import { flowRemoved, tellFlowRemoved } from './flow-removed.ts';
import { answerOwn, type OwnContext } from './own-requests.ts';
import { encodePacketIn, isMiss, packetMetadata } from './packet-in.ts';
import { forwardRequest } from './request-forward.ts';
import { Election } from './roles.ts';
import type { OfActions, OfEvents, OfPeer, OfRequest, OfRequestHandler } from './types.ts';

const BUNDLE_IDLE: Micros = 10 * SECOND;
/** Refused requests that are logged in a period at the most. */
const LOG_MAX = 10;
const LOG_PERIOD: Micros = 60 * SECOND;
/** Requests that change something: not for secondaries. */
const WRITES =
  /_(PACKET_OUT|FLOW_MOD|GROUP_MOD|METER_MOD|PORT_MOD|TABLE_MOD|TLV_TABLE_MOD|RESUME|BUNDLE_CONTROL|BUNDLE_ADD_MESSAGE)$/;
/** What a switch says and is never told. */
const NO_REQUEST =
  /^(hello|error|packet_in|flow_removed|port_status|role_status|table_status|requestforward|flow_monitor_(paused|resumed)|.*_reply)$/;
/** What every controller asks first: it says nothing of whether the controller takes the switch over. */
const SMALL_TALK = /^(hello|error|echo_.*|features_request|get_config_request|set_config|vendor)$/;

/** Patterns are asked once a word: messages come by the million. */
function known(pattern: RegExp): (word: string) => boolean {
  const answers = new Map<string, boolean>();
  return (word) => {
    let answer = answers.get(word);
    if (answer === undefined) answers.set(word, (answer = pattern.test(word)));
    return answer;
  };
}
const isWrite = known(WRITES);
const isNoRequest = known(NO_REQUEST);
const isSmallTalk = known(SMALL_TALK);
/** Their matches are used and forgotten before the next message is read. */
const isFlowMod = known(/_FLOW_MOD$/);
const portReasons = ['add', 'delete', 'modify'] as const;
const SENDS_OWN_PORT_MODS = 6;

export interface ManagerOptions {
  readonly handler: OfRequestHandler;
  readonly tables: FlowTables<OfActions>;
  readonly log?: (level: 'info' | 'warn' | 'error', text: string) => void;
  /** A table's match as messages have it, and back: where tunnel metadata lies. */
  readonly toOfMatch?: (match: Match) => OfMatch;
  readonly toMatch?: (match: OfMatch) => Match;
}

export type OpenOptions = Omit<ConnectionOptions, 'id' | 'bundleIdle'>;

export class ConnectionManager implements OfEvents, ConnectionHost {
  /** How long a bundle may be left alone; for connections to come. */
  bundleIdle: Micros = BUNDLE_IDLE;
  readonly #handler: OfRequestHandler;
  readonly #log: (level: 'info' | 'warn' | 'error', text: string) => void;
  readonly #tables: FlowTables<OfActions>;
  readonly #toOfMatch: (match: Match) => OfMatch;
  readonly #connections = new Set<Connection>();
  readonly #own: OwnContext;
  readonly #scratch = { key: new PipelineKey(), mask: new PipelineKey() };
  #nextId = 1;
  #logSince: Micros = Number.NEGATIVE_INFINITY;
  #logged = 0;

  constructor(options: ManagerOptions) {
    const { handler, tables, log = () => undefined } = options;
    this.#handler = handler;
    this.#log = log;
    this.#tables = tables;
    this.#toOfMatch = options.toOfMatch ?? (({ key, mask }) => ({ key, mask, tunMetadata: [] }) as unknown as OfMatch);
    const toMatch = options.toMatch ?? (({ key, mask }) => ({ key, mask }));
    const connections = (): Iterable<Connection> => this.#connections;
    const monitors = new FlowMonitors({ tables, toOfMatch: this.#toOfMatch, toMatch }, connections);
    this.#own = { handler, election: new Election(connections), monitors, scratch: this.#scratch };
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Somebody hears of misses that no table-miss flow asked for: who speaks OpenFlow 1.2 or before, or may yet. */
  get wantsPacketInOnMiss(): boolean {
    for (const connection of this.#connections)
      if (connection.controllerId === 0 && (!connection.isConnected || connection.version < 4)) return true;
    return false;
  }

  /** A transport is up. */
  open(now: Micros, options: OpenOptions): Connection {
    const connection = new Connection(now, this, { ...options, id: this.#nextId++, bundleIdle: this.bundleIdle });
    this.#connections.add(connection);
    return connection;
  }

  /** It has ended, or is to. */
  remove(connection: Connection): void {
    connection.close('End of file', 'connection closed');
    this.#connections.delete(connection);
  }

  wakeAt(): Micros | null {
    let first: Micros | null = null;
    for (const connection of this.#connections) {
      const at = connection.wakeAt();
      if (at !== null && (first === null || at < first)) first = at;
    }
    return first;
  }

  run(now: Micros): void {
    for (const connection of this.#connections) connection.run(now);
    this.#own.monitors.run();
  }

  // What comes in

  #mayLog(now: Micros): boolean {
    if (now - this.#logSince >= LOG_PERIOD) [this.#logSince, this.#logged] = [now, 0];
    return ++this.#logged <= LOG_MAX;
  }

  #refuse(
    connection: Connection,
    bytes: Uint8Array,
    error: OfError | OfErrorName,
    now: Micros,
    shown = 'invalid',
  ): void {
    const name = typeof error === 'string' ? error : error.name;
    // A peer that is wrong all the time must not fill the log
    if (this.#mayLog(now)) this.#log('info', `${connection.name}: sending ${name} error reply to ${shown} message`);
    connection.counters.errorsSent++;
    connection.send('reply', errorInVersionOf(error, bytes));
  }

  message(connection: Connection, bytes: Uint8Array, now: Micros): void {
    if (bytes[0] !== connection.version && isBadVersion(bytes, connection.version)) {
      this.#refuse(connection, bytes, 'OFPBRC_BAD_VERSION', now);
      return;
    }
    const header = readHeader(bytes);
    if (!header.ok) {
      this.#refuse(connection, bytes, header.error, now);
      return;
    }
    const whole = this.#reassemble(connection, header.value, now);
    if (whole) this.#request(connection, whole, now);
  }

  /** The header with the whole body; null while pieces are missing or when it was refused. */
  #reassemble(connection: Connection, header: OfHeader, now: Micros): OfHeader | null {
    if (header.spec.direction !== 'request') return header;
    const { bytes, spec } = header;
    const result = connection.multipart.push(bytes, now);
    if (result.kind === 'whole') return { ...header, body: result.body };
    if (result.kind === 'overflow')
      this.#refuse(connection, bytes, 'OFPBRC_MULTIPART_BUFFER_OVERFLOW', now, spec.shown);
    if (result.kind === 'mismatch') this.#refuse(connection, bytes, 'OFPBRC_BAD_STAT', now, spec.shown);
    return null;
  }

  #request(connection: Connection, header: OfHeader, now: Micros): void {
    const { bytes, spec } = header;
    if (connection.role === 'secondary' && isWrite(spec.raw)) {
      this.#refuse(connection, bytes, 'OFPBRC_IS_SECONDARY', now, spec.shown);
      return;
    }
    const hasTableId = connection.hasTableIds;
    const message = decodeBody(header, isFlowMod(spec.raw) ? { hasTableId, scratch: this.#scratch } : { hasTableId });
    if (!message.ok) {
      this.#refuse(connection, bytes, message.error, now, spec.shown);
      return;
    }
    const { kind } = message.value;
    if (isNoRequest(kind)) {
      this.#refuse(connection, bytes, 'OFPBRC_BAD_TYPE', now, spec.shown);
      return;
    }
    if (connection.admittedAt === null && !isSmallTalk(kind)) connection.admittedAt = now;
    const request: OfRequest = { envelope: { header, message: message.value }, bytes };
    if (!answerOwn(this.#own, connection, request, now)) this.#handler.handle(connection, request, now);
  }

  // What happens

  flowsChanged(
    changes: readonly FlowChange<OfActions>[],
    cause: { readonly peer: OfPeer; readonly xid: number } | null,
    now: Micros,
  ): void {
    this.#own.monitors.report(changes, cause);
    for (const change of changes) if (change.kind === 'removed') this.#removed(change.rule, change.reason, now);
  }

  #removed(
    rule: Extract<FlowChange<OfActions>, { kind: 'removed' }>['rule'],
    reason: Extract<FlowChange<OfActions>, { kind: 'removed' }>['reason'],
    now: Micros,
  ): void {
    if (!rule.sendsRemoved || rule.isHidden) return;
    let message: ReturnType<typeof flowRemoved> | null = null;
    for (const connection of this.#connections) {
      message ??= flowRemoved(rule, this.#toOfMatch(this.#tables.matchOf(rule)), reason, now);
      if (connection.wants('flow_removed', message.reason)) tellFlowRemoved(connection, message);
    }
  }

  groupsChanged(_changes: readonly GroupChange<OfActions>[], request: OfRequest, peer: OfPeer): void {
    forwardRequest(this.#connections, request, peer);
  }

  metersChanged(_changes: readonly MeterChange[], request: OfRequest, peer: OfPeer): void {
    forwardRequest(this.#connections, request, peer);
  }

  portChanged(
    reason: 'add' | 'delete' | 'modify',
    port: OfPort,
    cause: OfPeer | null = null,
    before: OfPort | null = null,
  ): void {
    for (const connection of this.#connections) {
      // OpenFlow 1.0 has no bit for ports that are live
      if (connection.version === 1 && before && ((before.state ^ port.state) & ~STATE_LIVE) === 0) continue;
      if (!connection.wants('port_status', portReasons.indexOf(reason))) continue;
      if (connection === cause && connection.version < SENDS_OWN_PORT_MODS) continue;
      connection.tell({ kind: 'port_status', reason, port });
    }
  }

  /** A table has become nearly full, or is so no more (OpenFlow 1.4 §7.4.5). */
  tableStatus(reason: TableStatusMessage['reason'], desc: TableStatusMessage['desc']): void {
    const bit = reason === 'vacancy_down' ? 3 : 4;
    for (const connection of this.#connections)
      if (connection.wants('table_status', bit)) connection.tell({ kind: 'table_status', reason, desc });
  }

  packetIn(packet: PacketInView, now: Micros): void {
    let metadata: OfMatch | null = null;
    for (const connection of this.#connections) {
      if (connection.controllerId !== packet.controllerId || !connection.wants('packet_in', packet.reason)) continue;
      metadata ??= this.#toOfMatch(packetMetadata(packet.flow) as Match);
      const bytes = encodePacketIn(connection, packet, metadata);
      const scheduler = connection.schedulers?.[isMiss(packet.reason) ? 'miss' : 'action'];
      if (!scheduler || scheduler.send(packet.flow.get(KEY.in_port), bytes, now)) connection.sendPacketIn(bytes);
    }
  }
}
