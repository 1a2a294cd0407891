/**
 * The OpenFlow side of one bridge: flow tables, groups, meters and switch configuration, whoever changes them: requests,
 * learn actions, time.
 *
 * Terms. *cause*: the connection and transaction that asked for a change; null for what the switch does by itself.
 * *applied*: a change is counted, told to the connections, and what goes with it is done.
 *
 * Invariants. Every change of the flow tables goes through here and is told once, in order. A change of what translation sees
 * changes `generation`. What a learn action asks for while a transaction is open waits for its end.
 */
import { KEY, type Match, PIPELINE, PipelineKey } from '../flow/key.ts';
import type { Micros } from '../lib/clock.ts';
import type { KeyFieldSpec } from '../spec/key.ts';
import type { FragHandling, LearnedFlow, PacketInView, RuleView } from '../translate/types.ts';
import { actionFacts, equalActions } from './actions.ts';
import type { OfActions, OfEvents, OfPeer } from './connections/types.ts';
import type { FlowChange, FlowMod, FlowModError } from './flow-mod.ts';
import { FlowTables, TABLES_MAX } from './flow-tables.ts';
import type { FlowTransaction } from './flow-transaction.ts';
import { GroupTable } from './groups.ts';
import { type DatapathMeters, MeterTable, noDatapathMeters } from './meters.ts';
import { Rule } from './rule.ts';
import { describeTable } from './table-description.ts';
import { TlvTable } from './tlv-table.ts';
import { RuleUsage } from './usage.ts';

export type Cause = { readonly peer: OfPeer; readonly xid: number } | null;

export interface OfprotoOptions {
  /** Brings the counts of rules and groups up to date. */
  readonly settle?: () => void;
  readonly meters?: DatapathMeters;
}

/** What the switch is, in words. */
export interface OfDescription {
  readonly manufacturer: string;
  readonly hardware: string;
  readonly software: string;
  readonly serial: string;
  readonly datapath: string;
}

const OFPP_NORMAL = 0xfffa;
/** Time between two searches for rules whose time is over, for each rule that has one. */
const SEARCH_COST: Micros = 1;
/** Learned flows that wait for the end of a transaction at the most. */
const WAITING_MAX = 4096;

/** Fields of a packet with an Ethernet header lie here in a key. */
const ETHERNET_START = KEY.eth_type.offset;
const ETHERNET_END = KEY.nsh_flags.offset;

function needsEthernet({ mask }: Match): boolean {
  for (let at = ETHERNET_START; at < ETHERNET_END; at++) if (mask.bytes[at] !== 0) return true;
  return false;
}

/** A match of fields of Ethernet packets, and only such a one, means packets of that type (ovs-fields(7), packet_type). */
export function withTypeOf<M extends Match>(match: M): M {
  const needs = needsEthernet(match);
  if (needs !== match.mask.isZero(KEY.packet_type)) return match;
  const mask = match.mask.clone() as M['mask'];
  if (needs) mask.setAllOnes(KEY.packet_type);
  else mask.setZero(KEY.packet_type);
  return { ...match, mask };
}

/** A match of every packet. */
export const everything = (): Match => ({ key: new PipelineKey(), mask: new PipelineKey() });

/** The reason of a packet-in that has no rule; no message tells it. */
const IMPLICIT_MISS = 7;

/**
 * The switch's own rules in the last table, as the reference has them: what becomes of misses with and without packet-in and of
 * fragments that are dropped, and of packets whose recirculation nobody knows. Translation does the same by itself.
 */
const internalRules = (): FlowMod<OfActions>[] => {
  const add = (priority: number, field: KeyFieldSpec, value: number, actions: OfActions): FlowMod<OfActions> => {
    const match = everything();
    match.key.set(field, value);
    match.mask.setAllOnes(field);
    return { command: 'add', tableId: TABLES_MAX, match, priority, actions, flags: { internal: true } };
  };
  const toController: OfActions = [
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
  ];
  return [
    add(0, PIPELINE.reg0, 1, toController),
    add(0, PIPELINE.reg0, 2, []),
    add(0, PIPELINE.reg0, 3, []),
    add(2, KEY.recirc_id, 0, []),
  ];
};

export class Ofproto {
  readonly tables: FlowTables<OfActions>;
  readonly groups = new GroupTable<OfActions>({ facts: actionFacts });
  readonly meters: MeterTable;
  readonly usage = new RuleUsage();
  readonly tlvs = new TlvTable();
  /** OFPMP_DESC: what the reference says when nothing else is configured. */
  description: OfDescription = {
    manufacturer: 'Nicira, Inc.',
    hardware: 'Open vSwitch',
    software: '3.1.0',
    serial: 'None',
    datapath: 'None',
  };
  /** Who hears of what happens; null for nobody. */
  events: OfEvents | null = null;
  /** Learned flows that were lost: too many waited. */
  lostLearned = 0;
  readonly #settle: () => void;
  #fragments: FragHandling = 'normal';
  #wantsPacketInOnMiss = false;
  #edits = 0;
  #isTransacting = false;
  #nextSearch: Micros = Number.POSITIVE_INFINITY;
  #lastSearch: Micros = Number.NEGATIVE_INFINITY;
  #waiting: LearnedFlow[] = [];

  constructor({ settle = () => undefined, meters = noDatapathMeters }: OfprotoOptions = {}) {
    this.#settle = settle;
    this.tables = new FlowTables<OfActions>({ facts: actionFacts, beforeEnd: () => this.#settleInside() });
    this.meters = new MeterTable({}, meters);
  }

  /** Changes with everything that translation can see of it. */
  get generation(): number {
    return this.tables.version + this.groups.generation + this.meters.generation + this.tlvs.generation + this.#edits;
  }

  get fragments(): FragHandling {
    return this.#fragments;
  }

  set fragments(fragments: FragHandling) {
    if (fragments !== this.#fragments) this.touch();
    this.#fragments = fragments;
  }

  get wantsPacketInOnMiss(): boolean {
    return this.#wantsPacketInOnMiss;
  }

  /** The connections say whether somebody hears of misses without a table-miss flow. */
  set wantsPacketInOnMiss(wants: boolean) {
    if (wants !== this.#wantsPacketInOnMiss) this.touch();
    this.#wantsPacketInOnMiss = wants;
  }

  /** Something changed that has no generation of its own: settings of a table. */
  touch(): void {
    this.#edits++;
  }

  /** Brings the counts of rules, groups and meters up to date. */
  settle(): void {
    this.#settle();
  }

  // ---- changes ----

  /** One flow-mod. @returns nothing, or why nothing has happened */
  execute(mod: FlowMod<OfActions>, cause: Cause, now: Micros): FlowModError | null {
    // An add that ends a rule says so itself
    if (mod.command !== 'add') this.#settle();
    const done = this.tables.execute(mod, now);
    if (!done.ok) return done.error;
    this.applied(done.value, cause, now);
    return null;
  }

  /** A transaction of several changes has settled before it began. */
  #settleInside(): void {
    if (!this.#isTransacting) this.#settle();
  }

  /** Several changes at once; when one fails, none has happened. @returns what `start` returned last, null when all is done */
  transact<E>(start: (transaction: FlowTransaction<OfActions>) => E | null, cause: Cause, now: Micros): E | null {
    this.#settle();
    const transaction = this.tables.begin(now);
    let failure: E | null;
    this.#isTransacting = true;
    try {
      failure = start(transaction);
    } catch (error) {
      transaction.revert();
      throw error;
    } finally {
      this.#isTransacting = false;
    }
    if (failure !== null) transaction.revert();
    else this.applied(transaction.commit(), cause, now);
    return failure;
  }

  /** Removes the rules that used a group or a meter. */
  removeUsers(reason: 'group_delete' | 'meter_delete', id: number, cause: Cause, now: Micros): void {
    const users = reason === 'group_delete' ? this.usage.ofGroup(id) : this.usage.ofMeter(id);
    if (users === 0) return;
    this.#settle();
    const uses = reason === 'group_delete' ? actionFacts.usesGroup : actionFacts.usesMeter;
    this.applied(
      this.tables.removeWhere(({ actions }) => uses(actions, id), reason, now),
      cause,
      now,
    );
  }

  /** Counts changes, tells them, and does what goes with them. */
  applied(changes: readonly FlowChange<OfActions>[], cause: Cause, now: Micros): void {
    if (changes.length > 0) {
      const orphans = this.usage.note(changes);
      for (const change of changes) if (change.kind !== 'removed') this.#watch(change.rule);
      this.events?.flowsChanged(changes, cause, now);
      this.tables.collect();
      this.#tellVacancy(changes);
      for (const { tableId, cookie } of orphans) {
        const mod: FlowMod<OfActions> = {
          command: 'delete',
          tableId,
          match: everything(),
          priority: 0,
          cookie,
          cookieMask: 0xffff_ffff_ffff_ffffn,
          actions: [],
        };
        this.execute(mod, cause, now);
      }
    }
    if (this.#waiting.length > 0 && !this.tables.isBusy) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const flow of waiting) this.learn(flow, now);
    }
  }

  #tellVacancy(changes: readonly FlowChange<OfActions>[]): void {
    if (!this.tables.tables.some(({ vacancy }) => vacancy)) return;
    for (const id of new Set(changes.map(({ rule }) => rule.tableId))) {
      const table = this.tables.table(id)!;
      const event = table.takeVacancyEvent();
      if (event) this.events?.tableStatus?.(event, describeTable(table));
    }
  }

  /** Everything goes, and what the fail mode wants comes: standalone forwards as a learning switch (ovs-vswitchd.conf.db(5)). */
  flush(failMode: 'standalone' | 'secure', now: Micros): void {
    this.transact(
      (transaction) => {
        const all = this.tables.tables.flatMap(({ id }) =>
          this.tables.select(id, { match: everything(), includesHidden: true }),
        );
        transaction.removeRules(all, 'delete');
        for (const rule of internalRules()) transaction.start(rule);
        if (failMode === 'secure') return null;
        const actions: OfActions = [{ type: 'output', port: OFPP_NORMAL, maxLen: 0 }];
        const normal = transaction.start({ command: 'add', tableId: 0, match: everything(), priority: 0, actions });
        return normal.ok ? null : normal.error;
      },
      null,
      now,
    );
  }

  /** The bridge goes: what it holds in the datapath is given back, and nobody hears of anything any more. */
  dispose(): void {
    this.events = null;
    this.meters.clear();
  }

  // ---- what packets do ----

  /** A learn action's flow comes, or is kept alive. @returns false when its limit keeps it out */
  learn(flow: LearnedFlow, now: Micros): boolean {
    if (this.tables.isBusy) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(flow);
      else this.lostLearned++;
      return true;
    }
    const { tableId, priority, cookie } = flow;
    const match = needsEthernet(flow.match) ? withTypeOf(flow.match) : flow.match;
    if (!this.tables.table(tableId)) return true;
    const old = this.#sameFlow(flow);
    if (old) {
      old.modified = now;
      return true;
    }
    if (!this.#hasRoom(flow)) return false;
    const { idleTimeout, hardTimeout, sendFlowRemoved, actions } = flow;
    const mod: FlowMod<OfActions> = {
      command: 'modify_strict',
      tableId,
      match,
      priority,
      newCookie: cookie,
      modifiesCookie: true,
      idleTimeout,
      hardTimeout,
      flags: { sendFlowRemoved },
      actions,
    };
    this.execute(mod, null, now);
    return true;
  }

  /** The rule that says what a learned flow would say; null when there is none. */
  #sameFlow(flow: LearnedFlow): Rule<OfActions> | null {
    const match = needsEthernet(flow.match) ? withTypeOf(flow.match) : flow.match;
    const table = this.tables.table(flow.tableId);
    const id = table ? table.classifier.find(match, flow.priority, this.tables.version) : -1;
    const old = id < 0 ? null : table!.classifier.value(id);
    return old && isSame(old, flow) ? old : null;
  }

  #hasRoom({ tableId, cookie, limit }: LearnedFlow): boolean {
    if (limit === 0) return true;
    const criteria = { match: everything(), cookie, cookieMask: 0xffff_ffff_ffff_ffffn };
    return this.tables.select(tableId, criteria).length < limit;
  }

  /** What learn() would answer. */
  mayLearn(flow: LearnedFlow): boolean {
    return flow.limit === 0 || this.#sameFlow(flow) !== null || this.#hasRoom(flow);
  }

  /** Packets that hit a rule, or whatever has taken its place. @param used when the last of them did */
  creditRule(rule: RuleView, packets: number, bytes: number, used: Micros): void {
    if (rule instanceof Rule) rule.credit(packets, bytes, used);
  }

  creditTable(tableId: number, isMatch: boolean, packets: number): void {
    const table = this.tables.table(tableId);
    if (!table) return;
    table.lookups += packets;
    if (isMatch) table.matches += packets;
  }

  reduceTimeouts(view: RuleView, idle: number, hard: number): void {
    if (!(view instanceof Rule)) return;
    const rule = view as Rule<OfActions>;
    this.tables.reduceTimeouts(rule, idle, hard);
    this.#watch(rule);
  }

  packetIn(packet: PacketInView, now: Micros): void {
    this.events?.packetIn(packet, now);
  }

  // ---- time ----

  /** Removes rules whose time is over. */
  run(now: Micros): void {
    if (now < this.#wakeTime() && !this.#isCrowded()) return;
    this.#settle();
    const changes = this.tables.run(now);
    this.#lastSearch = now;
    this.#nextSearch = Number.POSITIVE_INFINITY;
    for (const { expirable } of this.tables.tables) for (const rule of expirable) this.#watch(rule);
    this.applied(changes, null, now);
  }

  #isCrowded(): boolean {
    return this.tables.tables.some(({ isCrowded }) => isCrowded);
  }

  #wakeTime(): Micros {
    let rules = 0;
    for (const { expirable } of this.tables.tables) rules += expirable.size;
    return Math.max(this.#nextSearch, this.#lastSearch + rules * SEARCH_COST);
  }

  /** When run() has something to do; null for never. */
  wakeAt(): Micros | null {
    return this.#nextSearch === Number.POSITIVE_INFINITY ? null : this.#wakeTime();
  }

  #watch(rule: Rule<OfActions>): void {
    const end = rule.expiryTime();
    if (end < this.#nextSearch) this.#nextSearch = end;
  }
}

/** Whether a learned flow is there as it is asked for, and needs no more than to be kept alive. */
function isSame(rule: Rule<OfActions>, flow: LearnedFlow): boolean {
  return (
    rule.cookie === flow.cookie &&
    rule.idleTimeout === flow.idleTimeout &&
    rule.hardTimeout === flow.hardTimeout &&
    rule.sendsRemoved === flow.sendFlowRemoved &&
    rule.importance === 0 &&
    equalActions(rule.actions, flow.actions)
  );
}

/** Whether a match is about what only the switch itself may match: recirculation ids and hashes of the datapath. */
export const hasHiddenFields = ({ key, mask }: Match): boolean =>
  (!mask.isZero(KEY.recirc_id) && !key.isZero(KEY.recirc_id)) || !mask.isZero(KEY.dp_hash);
