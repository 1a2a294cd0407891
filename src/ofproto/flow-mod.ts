/** Changes of flow tables, without a protocol version: what OFPT_FLOW_MOD says, and what comes of it. */
import type { Conjunction } from '../flow/classifier/index.ts';
import type { Match } from '../flow/key.ts';
import type { OfErrorName } from '../spec/of-errors.ts';
import type { RemovedReason, Rule } from './rule.ts';

export type FlowModCommand = 'add' | 'modify' | 'modify_strict' | 'delete' | 'delete_strict';

/** OFPTT_ALL: every table; in an add, the first one. */
export const TABLE_ALL = 0xff;

export interface FlowModFlags {
  readonly sendFlowRemoved?: boolean;
  readonly checkOverlap?: boolean;
  /** Modified rules and replaced ones start at zero. OpenFlow 1.0 and 1.1 imply it in an add. */
  readonly resetCounts?: boolean;
  readonly noPacketCounts?: boolean;
  readonly noByteCounts?: boolean;
  /** For the switch itself: read-only tables and priorities above 65535 too. */
  readonly internal?: boolean;
}

/**
 * @typeParam A a rule's actions, opaque here
 */
export interface FlowMod<A> {
  readonly command: FlowModCommand;
  /** 0 to 254, or TABLE_ALL. */
  readonly tableId: number;
  readonly match: Match;
  /** Ignored by modify and delete that are not strict. */
  readonly priority: number;
  /** Only rules whose cookie agrees in the bits of the mask are modified or deleted. */
  readonly cookie?: bigint;
  readonly cookieMask?: bigint;
  /** The cookie of new rules; null keeps that of modified ones, and lets a modify that finds none do nothing. */
  readonly newCookie?: bigint | null;
  /** Whether modified rules get the new cookie too. */
  readonly modifiesCookie?: boolean;
  /** Seconds; 0 for never. */
  readonly idleTimeout?: number;
  readonly hardTimeout?: number;
  readonly importance?: number;
  /** Only rules that output there are deleted; null for all. */
  readonly outPort?: number | null;
  readonly outGroup?: number | null;
  readonly flags?: FlowModFlags;
  readonly actions: A;
  /** What the actions say of conjunctions, for the classifier. */
  readonly conjunctions?: readonly Conjunction[];
}

/** What the tables must know of actions. */
export interface ActionFacts<A> {
  outputsTo(actions: A, port: number): boolean;
  usesGroup(actions: A, group: number): boolean;
  usesMeter(actions: A, meter: number): boolean;
  equal(a: A, b: A): boolean;
}

/** What happened to a rule, for monitors, controllers and whoever counts cookies. In the order in which it happened. */
export type FlowChange<A> =
  | { readonly kind: 'added'; readonly rule: Rule<A>; readonly replaced: Rule<A> | null }
  | {
      readonly kind: 'modified';
      readonly rule: Rule<A>;
      readonly replaced: Rule<A>;
      readonly actionsChanged: boolean;
      readonly cookieChanged: boolean;
    }
  | { readonly kind: 'removed'; readonly rule: Rule<A>; readonly reason: RemovedReason };

/** The reference's names. */
export type FlowModError = Extract<
  OfErrorName,
  'OFPBRC_BAD_TABLE_ID' | 'OFPBRC_EPERM' | 'OFPFMFC_OVERLAP' | 'OFPFMFC_TABLE_FULL' | 'OFPFMFC_BAD_COMMAND'
>;
