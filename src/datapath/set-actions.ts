/**
 * Set actions to bytes and back. Each row pairs a field of the record with the key field that the action names; values
 * of SetField are in network order and as wide as the key field, a record has its own widths and orders.
 */
import type { DpAction, SetField, SetTarget } from '../flow/odp/action.ts';
import { TUNNEL_OPTIONS_SIZE_MAX } from '../gen/limits.ts';
import { KEY, type KeyFieldName } from '../gen/tables.ts';
import { ActionRecord } from './action-record.ts';

type SetAction = Extract<DpAction, { type: 'set' }>;
type Pair = readonly [recordField: string, keyField: KeyFieldName];

interface SetRow {
  readonly target: SetTarget;
  /** Name of the action's record. */
  readonly record: string;
  readonly pairs: readonly Pair[];
}

const ports: readonly Pair[] = [
  ['src', 'tp_src'],
  ['dst', 'tp_dst'],
];
const typeAndCode: readonly Pair[] = [
  ['type', 'tp_src'],
  ['code', 'tp_dst'],
];

const rows: readonly SetRow[] = [
  {
    target: 'eth',
    record: 'set_eth',
    pairs: [
      ['src', 'eth_src'],
      ['dst', 'eth_dst'],
    ],
  },
  {
    target: 'ipv4',
    record: 'set_ipv4',
    pairs: [
      ['src', 'ipv4_src'],
      ['dst', 'ipv4_dst'],
      ['proto', 'nw_proto'],
      ['tos', 'nw_tos'],
      ['ttl', 'nw_ttl'],
      ['frag', 'nw_frag'],
    ],
  },
  {
    target: 'ipv6',
    record: 'set_ipv6',
    pairs: [
      ['src', 'ipv6_src'],
      ['dst', 'ipv6_dst'],
      ['label', 'ipv6_label'],
      ['proto', 'nw_proto'],
      ['tclass', 'nw_tos'],
      ['hlimit', 'nw_ttl'],
      ['frag', 'nw_frag'],
    ],
  },
  { target: 'tcp', record: 'set_tcp', pairs: ports },
  { target: 'udp', record: 'set_udp', pairs: ports },
  { target: 'sctp', record: 'set_sctp', pairs: ports },
  { target: 'icmp', record: 'set_icmp', pairs: typeAndCode },
  { target: 'icmpv6', record: 'set_icmpv6', pairs: typeAndCode },
  {
    target: 'arp',
    record: 'set_arp',
    pairs: [
      ['sip', 'ipv4_src'],
      ['tip', 'ipv4_dst'],
      ['op', 'nw_proto'],
      ['sha', 'arp_sha'],
      ['tha', 'arp_tha'],
    ],
  },
  {
    target: 'nd',
    record: 'set_nd',
    pairs: [
      ['target', 'nd_target'],
      ['sll', 'arp_sha'],
      ['tll', 'arp_tha'],
    ],
  },
  {
    target: 'nd_ext',
    record: 'set_nd_ext',
    pairs: [
      ['reserved', 'nd_reserved'],
      ['options_type', 'nd_options_type'],
    ],
  },
  { target: 'mpls', record: 'set_mpls', pairs: [['lse', 'mpls_lse0']] },
  {
    target: 'nsh',
    record: 'set_nsh',
    pairs: [
      ['flags', 'nsh_flags'],
      ['ttl', 'nsh_ttl'],
      ['mdtype', 'nsh_mdtype'],
      ['np', 'nsh_np'],
      ['path', 'nsh_path'],
      ['c1', 'nsh_c1'],
      ['c2', 'nsh_c2'],
      ['c3', 'nsh_c3'],
      ['c4', 'nsh_c4'],
    ],
  },
  { target: 'skb_priority', record: 'set_priority', pairs: [['priority', 'skb_priority']] },
  { target: 'skb_mark', record: 'set_mark', pairs: [['mark', 'pkt_mark']] },
];

/** Set as a whole, without masks. */
const tunnelPairs: readonly Pair[] = [
  ['tun_id', 'tun_id'],
  ['src', 'tun_src'],
  ['dst', 'tun_dst'],
  ['ipv6_src', 'tun_ipv6_src'],
  ['ipv6_dst', 'tun_ipv6_dst'],
  ['flags', 'tun_flags'],
  ['tos', 'tun_tos'],
  ['ttl', 'tun_ttl'],
  ['tp_src', 'tun_tp_src'],
  ['tp_dst', 'tun_tp_dst'],
  ['gbp_id', 'tun_gbp_id'],
  ['gbp_flags', 'tun_gbp_flags'],
  ['opts_len', 'tun_opts_len'],
];
const LITTLE_ENDIAN = new Set(['priority', 'priority_mask', 'mark', 'mark_mask', 'flags:tunnel']);

const rowOfTarget = new Map(rows.map((row) => [row.target, row]));
const rowOfRecord = new Map(rows.map((row) => [row.record, row]));

export const isSetRecord = (name: string): boolean => name === 'set_tunnel' || rowOfRecord.has(name);

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** Network order to a record's own order. */
const ordered = (bytes: Uint8Array, isLittle: boolean): Uint8Array => (isLittle ? bytes.toReversed() : bytes);

/** The low bytes of a number in network order, `size` of them, zeros in front when it is shorter. */
function resized(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const kept = bytes.subarray(Math.max(0, bytes.length - size));
  out.set(kept, size - kept.length);
  return out;
}

/** @throws when the action names a field that its target does not have */
export function encodeSet(action: SetAction): ActionRecord {
  if (action.target === 'tunnel') return encodeTunnel(action.fields);
  const row = rowOfTarget.get(action.target)!;
  const record = ActionRecord.make(row.record);
  for (const { field, value, mask } of action.fields) {
    const pair = row.pairs.find(([, keyField]) => keyField === field);
    if (!pair) throw new Error(`set(${action.target}) has no field ${field}`);
    const place = record.at(pair[0]);
    const isLittle = LITTLE_ENDIAN.has(pair[0]);
    const full = mask ?? new Uint8Array(value.length).fill(0xff);
    const within = value.map((byte, i) => byte & full[i]!);
    place.set(ordered(resized(within, place.length), isLittle));
    record.at(`${pair[0]}_mask`).set(ordered(widenedMask(full, place.length), isLittle));
  }
  return record;
}

/** A mask of all ones stays one when the record's field is wider than the key's (the ARP opcode). */
function widenedMask(mask: Uint8Array, size: number): Uint8Array {
  const out = resized(mask, size);
  if (size > mask.length && mask.every((byte) => byte === 0xff)) out.fill(0xff);
  return out;
}

export function decodeSet(record: ActionRecord): SetAction {
  if (record.name === 'set_tunnel') return { type: 'set', target: 'tunnel', fields: decodeTunnel(record) };
  const row = rowOfRecord.get(record.name)!;
  const fields: SetField[] = [];
  for (const [name, field] of row.pairs) {
    const isLittle = LITTLE_ENDIAN.has(name);
    const recordMask = record.at(`${name}_mask`);
    if (isZero(recordMask)) continue;
    const { size } = KEY[field];
    const value = resized(ordered(record.at(name), isLittle), size);
    const isFull = recordMask.every((byte) => byte === 0xff);
    fields.push({ field, value, mask: isFull ? null : resized(ordered(recordMask, isLittle), size) });
  }
  return { type: 'set', target: row.target, fields };
}

function encodeTunnel(fields: readonly SetField[]): ActionRecord {
  const options = fields.find(({ field }) => field === 'tun_opts')?.value ?? new Uint8Array(0);
  const length = fields.find(({ field }) => field === 'tun_opts_len')?.value[0] ?? options.length;
  if (length > TUNNEL_OPTIONS_SIZE_MAX) throw new Error(`${length} bytes of tunnel options are too many`);
  const record = ActionRecord.make('set_tunnel', length);
  for (const { field, value } of fields) {
    if (field === 'tun_opts') continue;
    const pair = tunnelPairs.find(([, keyField]) => keyField === field);
    if (!pair) throw new Error(`set(tunnel) has no field ${field}`);
    record.at(pair[0]).set(ordered(value, LITTLE_ENDIAN.has(`${pair[0]}:tunnel`)));
  }
  return record.set('opts_len', length).withTail(options.subarray(0, length));
}

function decodeTunnel(record: ActionRecord): SetField[] {
  const fields: SetField[] = [];
  for (const [name, field] of tunnelPairs) {
    const value = ordered(record.at(name).slice(), LITTLE_ENDIAN.has(`${name}:tunnel`));
    if (!isZero(value)) fields.push({ field, value, mask: null });
  }
  const length = record.get('opts_len');
  if (length === 0) return fields;
  const options = new Uint8Array(KEY.tun_opts.size);
  options.set(record.bytesOfTail(length));
  return [...fields, { field: 'tun_opts', value: options, mask: null }];
}
