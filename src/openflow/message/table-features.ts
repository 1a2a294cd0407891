/**
 * What a table can (OpenFlow 1.3 §7.3.5.5): instructions, next tables, actions, fields that may be matched and set.
 *
 * Invariants: lists of fields, actions and instructions are in the order of their tables of rows, without repetition.
 */

import { ok } from '../../lib/result.ts';
import type { OfFieldName } from '../../spec/of-fields.ts';
import { ofFail } from '../error.ts';
import { fieldOf, headerOf } from '../field/index.ts';
import { readOxmHeader, writeOxmHeader } from '../oxm/header.ts';
import { fixedText, roundUp8, u16At, u32At, u64At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, unknownProperty } from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import { OFPTT_ALL } from './table.ts';
import {
  type ActionName,
  actionBitsOf,
  actionsFromBits,
  type InstructionFeatures,
  type InstructionName,
  inFieldOrder,
  instructionBits,
  instructionsFromBits,
  type OfTableFeatures,
} from './table-capabilities.ts';
import { formatTables } from './table-features-text.ts';

export * from './table-capabilities.ts';

/** A request without tables asks; one with tables sets. */
export interface TableFeaturesMessage {
  readonly kind: 'table_features_request' | 'table_features_reply';
  readonly tables: readonly OfTableFeatures[];
}

// The properties: a type, a length without padding, a content that begins right behind them

const PROPERTY = {
  instructions: 0,
  next: 2,
  writeActions: 4,
  applyActions: 6,
  match: 8,
  wildcards: 10,
  writeSetField: 12,
  applySetField: 14,
} as const;
const EXPERIMENTER_FIRST = 0xfffe;

/** Types of a list of entries that have a type and a length each, and no padding between them. */
function readTypes(bytes: Uint8Array): Decoded<number[]> {
  const types: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 4) return ofFail('OFPBPC_BAD_LEN');
    const size = u16At(bytes, at + 2);
    if (size < 4 || size > bytes.length - at) return ofFail('OFPBPC_BAD_LEN');
    types.push(u16At(bytes, at));
    at += size;
  }
  return ok(types);
}

interface FieldLists {
  readonly exact: Set<OfFieldName>;
  readonly masked: Set<OfFieldName>;
}

function readFields(bytes: Uint8Array, isLoose: boolean): Decoded<FieldLists> {
  const lists: FieldLists = { exact: new Set(), masked: new Set() };
  for (let at = 0; at < bytes.length; ) {
    const header = readOxmHeader(bytes, at);
    if (!header) return ofFail('OFPBMC_BAD_LEN');
    const { field, hasMask, payload } = header;
    const size = hasMask ? payload / 2 : payload;
    const isVariable = field?.name.startsWith('tun_metadata') ?? false;
    const fits = field !== null && (isVariable ? size <= field.size : size === field.size);
    if (fits) (hasMask ? lists.masked : lists.exact).add(field.name);
    else if (!isLoose) return ofFail('OFPBMC_BAD_FIELD');
    at += header.size;
  }
  return ok(lists);
}

interface Draft {
  instructions: InstructionName[];
  nextTables: number[];
  writeActions: ActionName[];
  applyActions: ActionName[];
  writeFields: OfFieldName[];
  applyFields: OfFieldName[];
}
const newDraft = (): Draft => ({
  instructions: [],
  nextTables: [],
  writeActions: [],
  applyActions: [],
  writeFields: [],
  applyFields: [],
});
const finishDraft = (d: Draft): InstructionFeatures => ({
  instructions: d.instructions,
  nextTables: d.nextTables,
  write: { actions: d.writeActions, setFields: d.writeFields },
  apply: { actions: d.applyActions, setFields: d.applyFields },
});

const INSTRUCTION_MAX = 6;

function readInstructionList(content: Uint8Array, draft: Draft, isLoose: boolean): Decoded<null> {
  const types = readTypes(content);
  if (!types.ok) return types;
  if (!isLoose && types.value.some((type) => type < 1 || type > INSTRUCTION_MAX)) return ofFail('OFPBIC_UNKNOWN_INST');
  draft.instructions = instructionsFromBits(types.value.filter((t) => t < 32).reduce((all, t) => all | (1 << t), 0));
  return ok(null);
}

function readNextTables(content: Uint8Array, draft: Draft): Decoded<null> {
  if (content.some((table) => table === OFPTT_ALL)) return ofFail('OFPBPC_BAD_VALUE');
  draft.nextTables = [...new Set(content)].toSorted((a, b) => a - b);
  return ok(null);
}

const readActionList =
  (key: 'writeActions' | 'applyActions') =>
  (content: Uint8Array, draft: Draft, version: number): Decoded<null> => {
    const types = readTypes(content);
    if (!types.ok) return types;
    const bits = types.value.filter((type) => type < 32).reduce((all, type) => all | (1 << type), 0);
    draft[key] = actionsFromBits(bits, version);
    return ok(null);
  };

const readSetFields =
  (key: 'writeFields' | 'applyFields') =>
  (content: Uint8Array, draft: Draft, isLoose: boolean): Decoded<null> => {
    const fields = readFields(content, isLoose);
    if (!fields.ok) return fields;
    if (fields.value.masked.size > 0) return ofFail('OFPBMC_BAD_MASK');
    draft[key] = inFieldOrder(fields.value.exact);
    return ok(null);
  };

interface Matching {
  match: Set<OfFieldName>;
  mask: Set<OfFieldName>;
  wildcard: Set<OfFieldName>;
}

function readMatching(type: number, content: Uint8Array, into: Matching, isLoose: boolean): Decoded<null> {
  const fields = readFields(content, isLoose);
  if (!fields.ok) return fields;
  if (type === PROPERTY.match) [into.match, into.mask] = [fields.value.exact, fields.value.masked];
  else if (fields.value.masked.size > 0) return ofFail('OFPBMC_BAD_MASK');
  else into.wildcard = fields.value.exact;
  return ok(null);
}

/** One property's content into what it speaks of. */
function takeProperty(
  type: number,
  content: Uint8Array,
  into: { readonly nonmiss: Draft; readonly miss: Draft; readonly matching: Matching },
  { version, isLoose }: DecodeInput,
): Decoded<null> {
  const draft = (type & 1) === 0 ? into.nonmiss : into.miss;
  if (type === PROPERTY.match || type === PROPERTY.wildcards) {
    return readMatching(type, content, into.matching, isLoose);
  }
  switch (type & ~1) {
    case PROPERTY.instructions:
      return readInstructionList(content, draft, isLoose);
    case PROPERTY.next:
      return readNextTables(content, draft);
    case PROPERTY.writeActions:
      return readActionList('writeActions')(content, draft, version);
    case PROPERTY.applyActions:
      return readActionList('applyActions')(content, draft, version);
    case PROPERTY.writeSetField:
      return readSetFields('writeFields')(content, draft, isLoose);
    case PROPERTY.applySetField:
      return readSetFields('applyFields')(content, draft, isLoose);
    default:
      return unknownProperty({ type, experimenter: 0, experimenterType: 0, bytes: content }, isLoose) ?? ok(null);
  }
}

interface ReadProperties {
  readonly nonmiss: Draft;
  readonly miss: Draft;
  readonly matching: Matching;
}

/** What must be there: in OpenFlow 1.5 only when anything is. */
const required = [0, 2, 4, 6, 8, 10, 12, 14] as const;

/** What is not said of the table-miss flow is as it is for others. */
function completeMiss({ nonmiss, miss }: ReadProperties, seen: ReadonlySet<number>): void {
  const copy = <K extends keyof Draft>(key: K, type: number): void => {
    if (!seen.has(type + 1)) miss[key] = nonmiss[key];
  };
  copy('instructions', PROPERTY.instructions);
  copy('nextTables', PROPERTY.next);
  copy('writeActions', PROPERTY.writeActions);
  copy('applyActions', PROPERTY.applyActions);
  copy('writeFields', PROPERTY.writeSetField);
  copy('applyFields', PROPERTY.applySetField);
}

function readAllProperties(bytes: Uint8Array, input: DecodeInput): Decoded<ReadProperties> {
  const matching: Matching = { match: new Set(), mask: new Set(), wildcard: new Set() };
  const into = { nonmiss: newDraft(), miss: newDraft(), matching };
  const seen = new Set<number>();
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    const size = u16At(bytes, at + 2);
    if (left < 4 || size < 4 || roundUp8(size) > left) return ofFail('OFPBPC_BAD_LEN');
    const type = u16At(bytes, at);
    const content = bytes.subarray(at + 4, at + size);
    if (type >= EXPERIMENTER_FIRST) {
      if (size < 12) return ofFail('OFPBPC_BAD_LEN');
      const [experimenter, experimenterType] = [u32At(content, 0), u32At(content, 4)];
      const unknown = unknownProperty({ type: null, experimenter, experimenterType, bytes: content }, input.isLoose);
      if (unknown) return unknown;
    } else {
      if (seen.has(type)) return ofFail('OFPTFFC_BAD_FEATURES');
      seen.add(type);
      const taken = takeProperty(type, content, into, input);
      if (!taken.ok) return taken;
    }
    at += roundUp8(size);
  }
  const isWhole = required.every((type) => seen.has(type));
  if (!isWhole && (input.version < 6 || bytes.length > 0)) return ofFail('OFPTFFC_BAD_FEATURES');
  completeMiss(into, seen);
  return ok(into);
}

const HEAD = 64;
const NAME_SIZE = 32;
const EVICTION = 4;
const VACANCY_EVENTS = 8;
const COMMAND_MAX = 3;

function readOne(bytes: Uint8Array, input: DecodeInput): Decoded<OfTableFeatures> {
  const { version } = input;
  if (bytes[2] === OFPTT_ALL) return ofFail('OFPTFFC_BAD_TABLE');
  if (version >= 6 && bytes[3]! > COMMAND_MAX) return ofFail('OFPTFFC_BAD_COMMAND');
  const read = readAllProperties(bytes.subarray(HEAD), input);
  if (!read.ok) return read;
  const { nonmiss, miss, matching } = read.value;
  const capabilities = u32At(bytes, 56);
  // A field with a mask can be matched, and left out; what cannot be matched cannot be left out
  const match = new Set([...matching.match, ...matching.mask]);
  const wildcard = new Set([...matching.wildcard, ...matching.mask].filter((name) => match.has(name)));
  return ok({
    table: bytes[2]!,
    command: version >= 6 ? bytes[3]! : 0,
    name: fixedText(bytes, 8, NAME_SIZE).slice(0, NAME_SIZE - 1),
    metadataMatch: u64At(bytes, 40),
    metadataWrite: u64At(bytes, 48),
    missConfig: 'default',
    supportsEviction: version >= 5 ? (capabilities & EVICTION) !== 0 : null,
    supportsVacancyEvents: version >= 5 ? (capabilities & VACANCY_EVENTS) !== 0 : null,
    maxEntries: u32At(bytes, 60),
    nonmiss: finishDraft(nonmiss),
    miss: finishDraft(miss),
    match: inFieldOrder(match),
    mask: inFieldOrder(matching.mask),
    wildcard: inFieldOrder(wildcard),
  });
}

const decode =
  (kind: TableFeaturesMessage['kind']) =>
  (input: DecodeInput): Decoded<TableFeaturesMessage> => {
    const tables: OfTableFeatures[] = [];
    const { body } = input;
    for (let at = 0; at < body.length; ) {
      const left = body.length - at;
      if (left < HEAD) return ofFail('OFPBPC_BAD_LEN');
      const size = u16At(body, at);
      if (size < HEAD || size % 8 !== 0 || size > left) return ofFail('OFPBPC_BAD_LEN');
      const one = readOne(body.subarray(at, at + size), input);
      if (!one.ok) return one;
      tables.push(one.value);
      at += size;
    }
    return ok({ kind, tables });
  };

function put(out: Writer, type: number, write: (out: Writer) => void): void {
  const start = out.size;
  out.u16(type).zeros(2);
  write(out);
  out.putU16(start + 2, out.size - start).pad8(start);
}

const putTypes = (bits: number) => (out: Writer) => {
  for (let type = 0; type < 32; type++) if ((bits & (1 << type)) !== 0) out.u16(type).u16(4);
};

const putFields =
  (version: number, fields: readonly OfFieldName[], masked: readonly OfFieldName[]) => (out: Writer) => {
    for (const name of fields) {
      const field = fieldOf(name);
      const header = headerOf(field, version);
      const hasMask = masked.includes(name);
      if (header) writeOxmHeader(out, header, hasMask, hasMask ? 2 * field.size : field.size);
    }
  };

/** @param offset 1 for the table-miss flow */
function putInstructions(out: Writer, features: InstructionFeatures, offset: 0 | 1, version: number): void {
  const { instructions, nextTables, write, apply } = features;
  put(out, PROPERTY.instructions + offset, putTypes(instructionBits(instructions, version)));
  put(out, PROPERTY.next + offset, (p) => p.bytes(Uint8Array.from(nextTables)));
  put(out, PROPERTY.writeActions + offset, putTypes(actionBitsOf(write.actions, version)));
  put(out, PROPERTY.writeSetField + offset, putFields(version, write.setFields, []));
  put(out, PROPERTY.applyActions + offset, putTypes(actionBitsOf(apply.actions, version)));
  put(out, PROPERTY.applySetField + offset, putFields(version, apply.setFields, []));
}

function putTable(out: Writer, t: OfTableFeatures, version: number): void {
  const start = out.size;
  const capabilities = (t.supportsEviction ? EVICTION : 0) | (t.supportsVacancyEvents ? VACANCY_EVENTS : 0);
  out
    .u16(0)
    .u8(t.table)
    .u8(version >= 6 ? t.command : 0)
    .zeros(4)
    .text(t.name, NAME_SIZE);
  out.u64(t.metadataMatch).u64(t.metadataWrite);
  out.u32(version >= 5 ? capabilities : 0).u32(t.maxEntries);
  putInstructions(out, t.nonmiss, 0, version);
  putInstructions(out, t.miss, 1, version);
  put(out, PROPERTY.match, putFields(version, t.match, t.mask));
  put(out, PROPERTY.wildcards, putFields(version, t.wildcard, []));
  out.putU16(start, out.size - start);
}

const encode =
  (raw: string) =>
  ({ tables }: TableFeaturesMessage, version: number): Encoded | null => {
    if (!specIn(version, raw)) return null;
    const out = new Writer();
    for (const table of tables) putTable(out, table, version);
    return { spec: messageSpec(raw), body: out.done() };
  };

export const tableFeaturesFamily: Family<TableFeaturesMessage> = {
  decode: {
    OFPST13_TABLE_FEATURES_REQUEST: decode('table_features_request'),
    OFPST13_TABLE_FEATURES_REPLY: decode('table_features_reply'),
  },
  encode: {
    table_features_request: encode('OFPST13_TABLE_FEATURES_REQUEST'),
    table_features_reply: encode('OFPST13_TABLE_FEATURES_REPLY'),
  },
  format: {
    table_features_request: ({ tables }, { table }) =>
      formatTables(
        tables.map((features) => ({ features, stats: null })),
        table,
      ),
    table_features_reply: ({ tables }, { table }) =>
      formatTables(
        tables.map((features) => ({ features, stats: null })),
        table,
      ),
  },
};
