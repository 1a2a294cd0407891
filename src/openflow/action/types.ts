/**
 * OpenFlow actions and instructions as one type, whatever the version they came in: a flow's behaviour is one list.
 *
 * Terms
 *   port      an OpenFlow port in its sixteen-bit form (reserved ones are 0xfff7 to 0xffff), as src/flow/text/ports.ts has it
 *   subfield  some bits of a match field
 *   value     an unsigned number as wide as the field it is for
 *
 * Instructions are members of the list too: `meter`, then actions (which are OpenFlow's apply-actions), `clear_actions`,
 * `write_actions`, `write_metadata`, `goto_table`.
 */
import type { OfFieldName } from '../../spec/of-fields.ts';

export interface Subfield {
  readonly field: OfFieldName;
  /** Lowest bit. */
  readonly offset: number;
  /** Bits. */
  readonly width: number;
}

/** What a learned flow matches or does; one item of the learn action. */
export interface LearnSpec {
  readonly kind: 'match' | 'load' | 'output';
  /** Bits that are copied. */
  readonly width: number;
  /** Of the packet that is being processed, or a literal. */
  readonly source: Subfield | { readonly value: bigint };
  /** Null for `output`. */
  readonly target: Subfield | null;
}

export interface OfLearn {
  readonly type: 'learn';
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly table: number;
  readonly finIdleTimeout: number;
  readonly finHardTimeout: number;
  readonly sendFlowRemoved: boolean;
  readonly deleteLearned: boolean;
  /** Flows; 0 for no limit. */
  readonly limit: number;
  readonly resultTarget: Subfield | null;
  readonly specs: readonly LearnSpec[];
}

export interface OfNat {
  readonly type: 'nat';
  /** Null translates as an earlier commit said. */
  readonly direction: 'src' | 'dst' | null;
  readonly isPersistent: boolean;
  readonly portChoice: 'hash' | 'random' | null;
  /** Four or sixteen bytes; both null for none. */
  readonly addressMin: Uint8Array | null;
  readonly addressMax: Uint8Array | null;
  /** 0 for none. */
  readonly portMin: number;
  readonly portMax: number;
}

export interface OfCt {
  readonly type: 'ct';
  readonly isCommit: boolean;
  readonly isForce: boolean;
  readonly zone: number | Subfield;
  /** Table the packet goes to again; null for none. */
  readonly table: number | null;
  /** Port number of the application layer gateway: 21 FTP, 69 TFTP, 0 none. */
  readonly alg: number;
  /** nat, and the actions of exec. */
  readonly actions: readonly OfAction[];
}

/** Hash fields of bundle, multipath and select groups. */
export type HashFields =
  | 'eth_src'
  | 'symmetric_l4'
  | 'symmetric_l3l4'
  | 'symmetric_l3l4+udp'
  | 'nw_src'
  | 'nw_dst'
  | 'symmetric_l3';

export interface OfSample {
  readonly type: 'sample';
  /** Packets of 65,535. */
  readonly probability: number;
  readonly collectorSetId: number;
  readonly obsDomainId: number;
  readonly obsPointId: number;
  /** Null for none. */
  readonly samplingPort: number | null;
  readonly direction: 'ingress' | 'egress' | null;
  /** 1 to 3: the form of the action it came in. */
  readonly form: 1 | 2 | 3;
}

export interface OfController {
  readonly type: 'controller';
  readonly maxLen: number;
  readonly controllerId: number;
  /** Code of a packet-in's reason. */
  readonly reason: number;
  readonly userdata: Uint8Array;
  readonly isPause: boolean;
  /** Null for none. */
  readonly meterId: number | null;
  /** It came, or must go, in the form with properties. */
  readonly hasProperties: boolean;
}

export interface EncapProperty {
  readonly class: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export type OfAction =
  /** maxLen: bytes sent to a controller. */
  | { readonly type: 'output'; readonly port: number; readonly maxLen: number }
  | { readonly type: 'output_reg'; readonly source: Subfield; readonly maxLen: number }
  | { readonly type: 'output_trunc'; readonly port: number; readonly maxLen: number }
  | { readonly type: 'group'; readonly group: number }
  | OfController
  | { readonly type: 'enqueue'; readonly port: number; readonly queue: number }
  | {
      readonly type: 'bundle';
      readonly fields: HashFields;
      readonly basis: number;
      readonly algorithm: 'active_backup' | 'hrw';
      readonly members: readonly number[];
      /** Of bundle_load. */
      readonly target: Subfield | null;
    }
  /** Written as load when isLoad: then the mask is one run of bits. */
  | {
      readonly type: 'set_field';
      readonly field: OfFieldName;
      readonly value: bigint;
      readonly mask: bigint;
      readonly isLoad: boolean;
    }
  /** pushIfNeeded: mod_vlan_vid of OpenFlow 1.0, which adds a tag when there is none. */
  | { readonly type: 'set_vlan_vid'; readonly vid: number; readonly pushIfNeeded: boolean }
  | { readonly type: 'set_vlan_pcp'; readonly pcp: number; readonly pushIfNeeded: boolean }
  /** isPop: it is written pop_vlan. */
  | { readonly type: 'strip_vlan'; readonly isPop: boolean }
  | { readonly type: 'push_vlan'; readonly ethType: number }
  | { readonly type: 'set_eth_src' | 'set_eth_dst'; readonly mac: Uint8Array }
  | { readonly type: 'set_ipv4_src' | 'set_ipv4_dst'; readonly address: Uint8Array }
  /** The whole byte; its low two bits are 0. */
  | { readonly type: 'set_ip_dscp'; readonly tos: number }
  | { readonly type: 'set_ip_ecn'; readonly ecn: number }
  | { readonly type: 'set_ip_ttl'; readonly ttl: number }
  | { readonly type: 'set_l4_src_port' | 'set_l4_dst_port'; readonly port: number }
  | { readonly type: 'move'; readonly source: Subfield; readonly target: Subfield }
  | { readonly type: 'push' | 'pop'; readonly subfield: Subfield }
  /** Controllers that hear of an invalid TTL; hasIds: it came with a list. */
  | { readonly type: 'dec_ttl'; readonly controllerIds: readonly number[]; readonly hasIds: boolean }
  | { readonly type: 'set_mpls_label'; readonly label: number }
  | { readonly type: 'set_mpls_tc'; readonly tc: number }
  | { readonly type: 'set_mpls_ttl'; readonly ttl: number }
  | { readonly type: 'dec_mpls_ttl' | 'dec_nsh_ttl' | 'pop_queue' | 'exit' | 'ct_clear' | 'clear_actions' }
  | { readonly type: 'push_mpls' | 'pop_mpls'; readonly ethType: number }
  | { readonly type: 'delete_field'; readonly field: OfFieldName }
  /** isWide: the form of 64 bits. */
  | { readonly type: 'set_tunnel'; readonly id: bigint; readonly isWide: boolean }
  | { readonly type: 'set_queue'; readonly queue: number }
  | { readonly type: 'fin_timeout'; readonly idleTimeout: number; readonly hardTimeout: number }
  /** table 255: the present one. port 0xfff8: the present one. */
  | {
      readonly type: 'resubmit';
      readonly port: number;
      readonly table: number;
      readonly withCt: boolean;
      /** In the form that has no table. */
      readonly isPlain: boolean;
    }
  | OfLearn
  /** clause counts from 0. */
  | { readonly type: 'conjunction'; readonly id: number; readonly clause: number; readonly clauseCount: number }
  | {
      readonly type: 'multipath';
      readonly fields: HashFields;
      readonly basis: number;
      readonly algorithm: 'modulo_n' | 'hash_threshold' | 'hrw' | 'iter_hash';
      readonly linkCount: number;
      readonly arg: number;
      readonly target: Subfield;
    }
  | { readonly type: 'note'; readonly data: Uint8Array }
  | OfSample
  | OfCt
  | OfNat
  | { readonly type: 'clone'; readonly actions: readonly OfAction[] }
  | { readonly type: 'check_pkt_larger'; readonly size: number; readonly target: Subfield }
  | { readonly type: 'encap'; readonly packetType: number; readonly properties: readonly EncapProperty[] }
  | { readonly type: 'decap'; readonly packetType: number }
  | { readonly type: 'debug_recirc' | 'debug_slow' }
  | { readonly type: 'meter'; readonly id: number }
  | { readonly type: 'write_actions'; readonly actions: readonly OfAction[] }
  | { readonly type: 'write_metadata'; readonly value: bigint; readonly mask: bigint }
  | { readonly type: 'goto_table'; readonly table: number };

export type OfActionType = OfAction['type'];
export type ActionOf<T extends OfActionType> = Extract<OfAction, { readonly type: T }>;
