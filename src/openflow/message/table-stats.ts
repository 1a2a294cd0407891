/** What tables counted; up to OpenFlow 1.2 with their features (OpenFlow 1.0 §5.3.5, 1.1 §A.3.5.3, 1.2 §A.3.5.3). */

import { ok } from '../../lib/result.ts';
import type { OfFieldName } from '../../spec/of-fields.ts';
import { ofFields } from '../../spec/of-fields.ts';
import { headerOf } from '../field/index.ts';
import { fixedText, u32At, u64At, Writer } from '../wire.ts';
import type { Decoded, DecodeInput, Encoded, Family } from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import {
  type ActionFeatures,
  actionBitsOf,
  actionsFromBits,
  type InstructionFeatures,
  inFieldOrder,
  instructionBits,
  instructionsFromBits,
  noFeatures,
  type OfTableCounts,
  type OfTableFeatures,
} from './table-capabilities.ts';
import { formatTables } from './table-features-text.ts';

export interface OfTableStats extends OfTableCounts {
  /** What the table can: before OpenFlow 1.3 it is told with the counts, afterwards only its number is. */
  readonly features: OfTableFeatures;
}

export interface TableStatsRequestMessage {
  readonly kind: 'table_stats_request';
}

export interface TableStatsReplyMessage {
  readonly kind: 'table_stats_reply';
  readonly tables: readonly OfTableStats[];
}

export type TableStatsMessage = TableStatsRequestMessage | TableStatsReplyMessage;

type BitRow = readonly [mask: number, field: OfFieldName];

/** Wildcard bits of OpenFlow 1.0: any bit of the mask stands for the field. */
const bits10: readonly BitRow[] = [
  [0x1, 'in_port'],
  [0x2, 'vlan_vid'],
  [0x4, 'eth_src'],
  [0x8, 'eth_dst'],
  [0x10, 'eth_type'],
  [0x20, 'nw_proto'],
  [0x40, 'tcp_src'],
  [0x80, 'tcp_dst'],
  [0x3f00, 'ip_src'],
  [0xfc000, 'ip_dst'],
  [0x100000, 'vlan_pcp'],
  [0x200000, 'nw_tos'],
];

/** Match field bits of OpenFlow 1.1 (ofp_flow_match_fields). */
const bits11: readonly BitRow[] = [
  [1 << 0, 'in_port'],
  [1 << 1, 'vlan_vid'],
  [1 << 2, 'vlan_pcp'],
  [1 << 3, 'eth_type'],
  [1 << 4, 'nw_tos'],
  [1 << 5, 'nw_proto'],
  [1 << 6, 'tcp_src'],
  [1 << 7, 'tcp_dst'],
  [1 << 8, 'mpls_label'],
  [1 << 9, 'mpls_tc'],
  [1 << 11, 'eth_src'],
  [1 << 12, 'eth_dst'],
  [1 << 13, 'ip_src'],
  [1 << 14, 'ip_dst'],
  [1 << 15, 'metadata'],
];

const fieldsOfBits = (rows: readonly BitRow[], bits: number): Set<OfFieldName> =>
  new Set(rows.filter(([mask]) => (bits & mask) !== 0).map(([, field]) => field));
const bitsOfFields = (rows: readonly BitRow[], fields: ReadonlySet<OfFieldName>): number =>
  rows.filter(([, field]) => fields.has(field)).reduce((all, [mask]) => all | mask, 0) >>> 0;

const OXM_OPENFLOW = 0x8000;
/**
 * Bit numbers of OpenFlow 1.2: the number in the header. Fields of later versions that have no other header are told, too,
 * and not read, as Open vSwitch has it.
 */
const bits12 = new Map<number, OfFieldName>();
const later = new Set<OfFieldName>();
for (const field of ofFields) {
  const header = headerOf(field, 3);
  if (header?.class === OXM_OPENFLOW) bits12.set(header.number, field.name);
  if (header !== null && header.since > 3) later.add(field.name);
}
const fieldsOfOxmBits = (bits: bigint): Set<OfFieldName> =>
  new Set(
    [...bits12].filter(([n, name]) => (bits & (1n << BigInt(n))) !== 0n && !later.has(name)).map(([, name]) => name),
  );
const oxmBitsOf = (fields: readonly OfFieldName[]): bigint => {
  const wanted = new Set(fields);
  return [...bits12].filter(([, name]) => wanted.has(name)).reduce((all, [number]) => all | (1n << BigInt(number)), 0n);
};

const misses = ['controller', 'continue', 'drop'] as const;
const NAME_SIZE = 32;
const nameAt = (bytes: Uint8Array, at: number): string => fixedText(bytes, at, NAME_SIZE).slice(0, NAME_SIZE - 1);

function read10(bytes: Uint8Array): OfTableStats {
  const fields = inFieldOrder(fieldsOfBits(bits10, u32At(bytes, 36)));
  const features: OfTableFeatures = {
    ...noFeatures,
    table: bytes[0]!,
    name: nameAt(bytes, 4),
    maxEntries: u32At(bytes, 40),
    match: fields,
    wildcard: fields,
  };
  return { features, active: u32At(bytes, 44), lookups: u64At(bytes, 48), matches: u64At(bytes, 56) };
}

const bothFields = (fields: Set<OfFieldName>, wild: Set<OfFieldName>): Pick<OfTableFeatures, 'match' | 'wildcard'> => ({
  match: inFieldOrder(new Set([...fields, ...wild])),
  wildcard: inFieldOrder(wild),
});

const behaviour = (instructions: number, write: ActionFeatures, apply: ActionFeatures): InstructionFeatures => ({
  instructions: instructionsFromBits(instructions),
  nextTables: [],
  write,
  apply,
});

function read11(bytes: Uint8Array): OfTableStats {
  // Open vSwitch reads the written actions for the applied ones, too
  const actions = { actions: actionsFromBits(u32At(bytes, 52), 2), setFields: [] };
  const nonmiss = behaviour(u32At(bytes, 48), actions, actions);
  const features: OfTableFeatures = {
    ...noFeatures,
    table: bytes[0]!,
    name: nameAt(bytes, 8),
    missConfig: misses[u32At(bytes, 60) & 3] ?? 'controller',
    maxEntries: u32At(bytes, 64),
    nonmiss,
    miss: nonmiss,
    ...bothFields(fieldsOfBits(bits11, u32At(bytes, 44)), fieldsOfBits(bits11, u32At(bytes, 40))),
  };
  return { features, active: u32At(bytes, 68), lookups: u64At(bytes, 72), matches: u64At(bytes, 80) };
}

function read12(bytes: Uint8Array): OfTableStats {
  const features = (actionsAt: number, fieldsAt: number): ActionFeatures => ({
    actions: actionsFromBits(u32At(bytes, actionsAt), 3),
    setFields: inFieldOrder(fieldsOfOxmBits(u64At(bytes, fieldsAt))),
  });
  const nonmiss = behaviour(u32At(bytes, 96), features(56, 64), features(60, 72));
  const all: OfTableFeatures = {
    ...noFeatures,
    table: bytes[0]!,
    name: nameAt(bytes, 8),
    metadataMatch: u64At(bytes, 80),
    metadataWrite: u64At(bytes, 88),
    missConfig: misses[u32At(bytes, 100) & 3] ?? 'controller',
    maxEntries: u32At(bytes, 104),
    nonmiss,
    miss: nonmiss,
    ...bothFields(fieldsOfOxmBits(u64At(bytes, 40)), fieldsOfOxmBits(u64At(bytes, 48))),
  };
  return { features: all, active: u32At(bytes, 108), lookups: u64At(bytes, 112), matches: u64At(bytes, 120) };
}

const read13 = (bytes: Uint8Array): OfTableStats => ({
  features: { ...noFeatures, table: bytes[0]! },
  active: u32At(bytes, 4),
  lookups: u64At(bytes, 8),
  matches: u64At(bytes, 16),
});

const readers = { 1: read10, 2: read11, 3: read12, 4: read13 } as const;

function decodeReply({ version, body, spec }: DecodeInput): Decoded<TableStatsReplyMessage> {
  const read = readers[Math.min(version, 4) as keyof typeof readers];
  const tables: OfTableStats[] = [];
  for (let at = 0; at < body.length; at += spec.step) tables.push(read(body.subarray(at, at + spec.step)));
  return ok({ kind: 'table_stats_reply', tables });
}

/** Fields that may be left out, and those that must be: OpenFlow 1.0 and 1.1 tell no difference. */
const wildOrUnmatchable = (f: OfTableFeatures, rows: readonly BitRow[]): number =>
  bitsOfFields(rows, new Set(rows.map(([, n]) => n).filter((n) => f.wildcard.includes(n) || !f.match.includes(n))));

const missBits = ({ missConfig }: OfTableFeatures): number =>
  missConfig === 'default' ? 0 : misses.indexOf(missConfig);

function write10(out: Writer, { features: f, ...counts }: OfTableStats): void {
  out.u8(f.table).zeros(3).text(f.name, NAME_SIZE).u32(wildOrUnmatchable(f, bits10)).u32(f.maxEntries);
  out.u32(counts.active).u64(counts.lookups).u64(counts.matches);
}

function write11(out: Writer, { features: f, ...counts }: OfTableStats): void {
  out.u8(f.table).zeros(7).text(f.name, NAME_SIZE);
  out.u32(wildOrUnmatchable(f, bits11)).u32(bitsOfFields(bits11, new Set(f.match)));
  out.u32(instructionBits(f.nonmiss.instructions, 2));
  out.u32(actionBitsOf(f.nonmiss.write.actions, 2)).u32(actionBitsOf(f.nonmiss.apply.actions, 2));
  out.u32(missBits(f)).u32(f.maxEntries).u32(counts.active).u64(counts.lookups).u64(counts.matches);
}

function write12(out: Writer, { features: f, ...counts }: OfTableStats): void {
  const { write, apply, instructions } = f.nonmiss;
  out.u8(f.table).zeros(7).text(f.name, NAME_SIZE).u64(oxmBitsOf(f.match)).u64(oxmBitsOf(f.wildcard));
  out.u32(actionBitsOf(write.actions, 3)).u32(actionBitsOf(apply.actions, 3));
  out.u64(oxmBitsOf(write.setFields)).u64(oxmBitsOf(apply.setFields)).u64(f.metadataMatch).u64(f.metadataWrite);
  out.u32(instructionBits(instructions, 3)).u32(missBits(f)).u32(f.maxEntries);
  out.u32(counts.active).u64(counts.lookups).u64(counts.matches);
}

function write13(out: Writer, { features, active, lookups, matches }: OfTableStats): void {
  out.u8(features.table).zeros(3).u32(active).u64(lookups).u64(matches);
}

const writers = { 1: write10, 2: write11, 3: write12, 4: write13 } as const;

function encodeReply({ tables }: TableStatsReplyMessage, version: number): Encoded {
  const out = new Writer();
  const write = writers[Math.min(version, 4) as keyof typeof writers];
  for (const table of tables) write(out, table);
  const raws = ['OFPST10_TABLE_REPLY', 'OFPST11_TABLE_REPLY', 'OFPST12_TABLE_REPLY', 'OFPST13_TABLE_REPLY'];
  return { spec: specIn(version, ...raws)!, body: out.done() };
}

export const tableStatsFamily: Family<TableStatsMessage> = {
  decode: {
    OFPST_TABLE_REQUEST: () => ok({ kind: 'table_stats_request' }),
    OFPST10_TABLE_REPLY: decodeReply,
    OFPST11_TABLE_REPLY: decodeReply,
    OFPST12_TABLE_REPLY: decodeReply,
    OFPST13_TABLE_REPLY: decodeReply,
  },
  encode: {
    table_stats_request: () => ({ spec: messageSpec('OFPST_TABLE_REQUEST'), body: new Uint8Array(0) }),
    table_stats_reply: encodeReply,
  },
  format: {
    table_stats_request: () => '',
    table_stats_reply: ({ tables }, { table }) =>
      formatTables(
        tables.map((t) => ({ features: t.features, stats: t })),
        table,
      ),
  },
};
