/** What a table can, as data: instructions, actions and fields, and their bits on the wire. */
import { type OfFieldName, ofFields } from '../../spec/of-fields.ts';

export interface OfTableCounts {
  /** Flows. */
  readonly active: number;
  readonly lookups: bigint;
  readonly matches: bigint;
}

export type InstructionName = (typeof instructionRows)[number][0];
export type ActionName = (typeof actionRows)[number][0];

export interface ActionFeatures {
  readonly actions: readonly ActionName[];
  readonly setFields: readonly OfFieldName[];
}

export interface InstructionFeatures {
  readonly instructions: readonly InstructionName[];
  /** Tables that goto_table may name. */
  readonly nextTables: readonly number[];
  readonly write: ActionFeatures;
  readonly apply: ActionFeatures;
}

export interface OfTableFeatures {
  readonly table: number;
  /** OpenFlow 1.5 only: 0 replace, 1 modify, 2 enable, 3 disable (ofp_table_features_command). */
  readonly command: number;
  readonly name: string;
  readonly metadataMatch: bigint;
  readonly metadataWrite: bigint;
  /** OpenFlow 1.1 and 1.2: what a miss does. */
  readonly missConfig: 'controller' | 'continue' | 'drop' | 'default';
  /** Null where the version does not say (before OpenFlow 1.4). */
  readonly supportsEviction: boolean | null;
  readonly supportsVacancyEvents: boolean | null;
  readonly maxEntries: number;
  /** What other flows than the table-miss flow may do, and what that may. */
  readonly nonmiss: InstructionFeatures;
  readonly miss: InstructionFeatures;
  /** Fields that may be matched; of these those with arbitrary masks, and those that may be left out. */
  readonly match: readonly OfFieldName[];
  readonly mask: readonly OfFieldName[];
  readonly wildcard: readonly OfFieldName[];
}

/** Name and number on the wire, in the order of the text; meter is an action from OpenFlow 1.5 on. */
const instructionRows = [
  ['meter', 6],
  ['apply_actions', 4],
  ['clear_actions', 5],
  ['write_actions', 3],
  ['write_metadata', 2],
  ['goto_table', 1],
] as const;

/** Name; number in OpenFlow 1.0, 1.1, and 1.2 and later; -1 for none. In the order of the text. */
const actionRows = [
  ['output', 0, 0, 0],
  ['group', -1, 22, 22],
  ['enqueue', 11, -1, -1],
  ['set_field', -1, -1, 25],
  ['set_vlan_vid', 1, 1, -1],
  ['set_vlan_pcp', 2, 2, -1],
  ['strip_vlan', 3, 18, 18],
  ['push_vlan', -1, 17, 17],
  ['mod_dl_src', 4, 3, -1],
  ['mod_dl_dst', 5, 4, -1],
  ['mod_nw_src', 6, 5, -1],
  ['mod_nw_dst', 7, 6, -1],
  ['mod_nw_tos', 8, 7, -1],
  ['mod_nw_ecn', -1, 8, -1],
  ['mod_nw_ttl', -1, 23, 23],
  ['mod_tp_src', 9, 9, -1],
  ['mod_tp_dst', 10, 10, -1],
  ['dec_ttl', -1, 24, 24],
  ['set_mpls_label', -1, 13, -1],
  ['set_mpls_tc', -1, 14, -1],
  ['set_mpls_ttl', -1, 15, 15],
  ['dec_mpls_ttl', -1, 16, 16],
  ['push_mpls', -1, 19, 19],
  ['pop_mpls', -1, 20, 20],
  ['set_queue', -1, 21, 21],
] as const;

const instructionMeterLast = 5;

/** Bits: 1 shifted by the number on the wire. */
export const instructionsFromBits = (bits: number): InstructionName[] =>
  instructionRows.filter(([, number]) => (bits & (1 << number)) !== 0).map(([name]) => name);
export const instructionBits = (names: readonly InstructionName[], version: number): number =>
  instructionRows
    .filter(([name]) => names.includes(name))
    .filter(([name]) => name !== 'meter' || (version >= 4 && version <= instructionMeterLast))
    .reduce((all, [, number]) => all | (1 << number), 0);

const actionNumber = (row: (typeof actionRows)[number], version: number): number =>
  row[version === 1 ? 1 : version === 2 ? 2 : 3];
export const actionsFromBits = (bits: number, version: number): ActionName[] =>
  actionRows
    .filter((row) => actionNumber(row, version) >= 0 && (bits & (1 << actionNumber(row, version))) !== 0)
    .map(([name]) => name);
export const actionBitsOf = (names: readonly ActionName[], version: number): number =>
  actionRows
    .filter((row) => names.includes(row[0]) && actionNumber(row, version) >= 0)
    .reduce((all, row) => all | (1 << actionNumber(row, version)), 0) >>> 0;

// Open vSwitch's order has nsh_ttl, a later field, at the end
const fieldNames = [...ofFields.map(({ name }) => name).filter((name) => name !== 'nsh_ttl'), 'nsh_ttl'];
/** In the order of the fields' rows. */
export const inFieldOrder = (names: ReadonlySet<OfFieldName>): OfFieldName[] => fieldNames.filter((n) => names.has(n));

const noActions: ActionFeatures = { actions: [], setFields: [] };
const noInstructions: InstructionFeatures = { instructions: [], nextTables: [], write: noActions, apply: noActions };
/** A table of which nothing is known. */
export const noFeatures: OfTableFeatures = {
  table: 0,
  command: 0,
  name: '',
  metadataMatch: 0n,
  metadataWrite: 0n,
  missConfig: 'default',
  supportsEviction: null,
  supportsVacancyEvents: null,
  maxEntries: 0,
  nonmiss: noInstructions,
  miss: noInstructions,
  match: [],
  mask: [],
  wildcard: [],
};
