/**
 * Datapath actions on the control side: what translation makes, what the datapath's text form shows, and what
 * src/datapath encodes into linear memory (src/spec/actions.ts). Not OpenFlow actions: those are another type.
 */
import type { DropReasonName, KeyFieldName } from '../../gen/tables.ts';

/** A number of the datapath's ports. OpenFlow port numbers are another brand. */
export type DpPort = number & { readonly __brand?: 'datapath port' };

/** One field of a masked set: bytes in network order, as wide as the key field; a null mask sets all bits. */
export interface SetField {
  readonly field: KeyFieldName;
  readonly value: Uint8Array;
  readonly mask: Uint8Array | null;
}

/** The header that a set action works on: Open vSwitch's key attributes. */
export type SetTarget =
  | 'eth'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'arp'
  | 'nd'
  | 'nd_ext'
  | 'mpls'
  | 'nsh'
  | 'skb_priority'
  | 'skb_mark'
  | 'tunnel';

export type UpcallReason = 'miss' | 'action' | 'controller' | 'slow_path' | 'sample';

/** Outer header of a tunnel push: the bytes, and what the datapath fills in (lengths, checksums, UDP source port). */
export interface TunnelHeader {
  readonly type: 'vxlan' | 'geneve' | 'gre';
  /** Ethernet to tunnel header, both included. */
  readonly bytes: Uint8Array;
  /** Bytes of the Ethernet header and its tags. */
  readonly l3Offset: number;
}

export type DpAction =
  | { readonly type: 'output'; readonly port: DpPort }
  | { readonly type: 'trunc'; readonly maxLen: number }
  | {
      readonly type: 'userspace';
      readonly reason: UpcallReason;
      readonly pid: number;
      readonly userdata: Uint8Array;
      readonly tunnelOutPort: DpPort | null;
      /** The text form's `actions` word: the receiver is to see the actions. */
      readonly withActions: boolean;
    }
  | { readonly type: 'drop'; readonly reason: DropReasonName }
  | { readonly type: 'push_vlan'; readonly tpid: number; readonly tci: number }
  | { readonly type: 'pop_vlan' }
  | { readonly type: 'push_mpls'; readonly lse: number; readonly ethType: number }
  | { readonly type: 'pop_mpls'; readonly ethType: number }
  | { readonly type: 'push_eth'; readonly dst: Uint8Array; readonly src: Uint8Array }
  | { readonly type: 'pop_eth' }
  | {
      readonly type: 'push_nsh';
      readonly flags: number;
      readonly ttl: number;
      readonly mdtype: number;
      readonly np: number;
      readonly path: number;
      readonly metadata: Uint8Array;
    }
  | { readonly type: 'pop_nsh' }
  | { readonly type: 'set'; readonly target: SetTarget; readonly fields: readonly SetField[] }
  | { readonly type: 'tnl_pop'; readonly port: DpPort }
  | { readonly type: 'tnl_push'; readonly tunnelPort: DpPort; readonly outPort: DpPort; readonly header: TunnelHeader }
  | { readonly type: 'hash'; readonly algorithm: 'l4' | 'sym_l4'; readonly basis: number }
  | { readonly type: 'recirc'; readonly id: number }
  | { readonly type: 'clone'; readonly actions: readonly DpAction[] }
  | { readonly type: 'sample'; readonly probability: number; readonly actions: readonly DpAction[] }
  | { readonly type: 'meter'; readonly id: number }
  | {
      readonly type: 'check_pkt_len';
      readonly maxLen: number;
      readonly greater: readonly DpAction[];
      readonly lessEqual: readonly DpAction[];
    }
  | { readonly type: 'ct'; readonly commit: boolean; readonly zone: number; readonly text: string }
  | { readonly type: 'ct_clear' };
