/** Groups: changing them, what they are, what they counted, what a switch can. */
import { formatOfPort } from '../../flow/text.ts';
import { ok } from '../../lib/result.ts';
import { decodeActions, encodeActions, formatActions, type OfAction } from '../action/index.ts';
import { ofFail } from '../error.ts';
import type { OfVersion } from '../version.ts';
import { fixedText, u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  type Encoded,
  type Family,
  OFPP_ANY,
  portAt,
  portTo32,
  readProperties,
  unknownProperty,
  writeProperty,
} from './codec.ts';
import { OFPG_ANY } from './flow-mod.ts';
import { decodeGroupStats, encodeGroupStats, formatGroupStats, type GroupStatsReplyMessage } from './group-stats.ts';
import { specIn } from './header.ts';

export const OFPG_ALL = 0xfffffffc;
/** Highest number of a bucket (OFPG15_BUCKET_MAX). */
const BUCKET_ID_MAX = 0xffffff00;
export const BUCKET_FIRST = 0xfffffffd;
export const BUCKET_LAST = 0xfffffffe;
export const BUCKET_ALL = 0xffffffff;

export type GroupType = (typeof groupTypes)[number];
export type GroupCommand = (typeof commands)[number];

export interface OfBucket {
  /** Null where the version does not say. */
  readonly id: number | null;
  readonly weight: number;
  /** OFPP_ANY and OFPG_ANY: not watched. */
  readonly watchPort: number;
  readonly watchGroup: number;
  readonly actions: readonly OfAction[];
}

/** How a select group chooses (an experimenter's property of OpenFlow 1.5 and of Nicira's form). */
export interface GroupSelection {
  readonly method: string;
  readonly parameter: bigint;
  /** Fields and masks in OXM. */
  readonly fields: Uint8Array;
}

export interface OfGroup {
  readonly id: number;
  readonly type: GroupType;
  readonly buckets: readonly OfBucket[];
  readonly selection: GroupSelection | null;
}

export interface GroupModMessage {
  readonly kind: 'group_mod';
  readonly command: GroupCommand;
  readonly group: OfGroup;
  /** Of insert_bucket and remove_bucket. */
  readonly commandBucket: number;
}

export interface GroupRequestMessage {
  readonly kind: 'group_stats_request' | 'group_desc_request';
  readonly id: number;
}

export interface GroupDescReplyMessage {
  readonly kind: 'group_desc_reply';
  readonly groups: readonly OfGroup[];
}

export type GroupMessage = GroupModMessage | GroupRequestMessage | GroupStatsReplyMessage | GroupDescReplyMessage;

const groupTypes = ['all', 'select', 'indirect', 'ff'] as const;
const commands = ['add', 'modify', 'delete', 'insert_bucket', 'reserved', 'remove_bucket', 'add_or_modify'] as const;
const NICIRA_ADD_OR_MODIFY = 0x8000;
const commandWords = ['ADD', 'MOD', 'DEL', 'INSERT_BUCKET', '', 'REMOVE_BUCKET', 'ADD_OR_MOD'];

const BUCKET_HEAD = 16;

/** Buckets of OpenFlow 1.1 to 1.4. */
function readBuckets11(version: OfVersion, bytes: Uint8Array): Decoded<OfBucket[]> {
  const buckets: OfBucket[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < BUCKET_HEAD) return ofFail('OFPGMFC_BAD_BUCKET');
    const size = u16At(bytes, at);
    if (size < BUCKET_HEAD || size > left || size % 8 !== 0) return ofFail('OFPGMFC_BAD_BUCKET');
    const port = portAt(version, bytes, at + 4);
    if (!port.ok) return ofFail('OFPGMFC_BAD_WATCH');
    const actions = decodeActions(version, bytes.subarray(at + BUCKET_HEAD, at + size));
    if (!actions.ok) return actions;
    const [weight, watchGroup] = [u16At(bytes, at + 2), u32At(bytes, at + 8)];
    buckets.push({ id: null, weight, watchPort: port.value, watchGroup, actions: actions.value });
    at += size;
  }
  return ok(buckets);
}

const WEIGHT = 0;
const WATCH_PORT = 1;
const WATCH_GROUP = 2;

function readBucket15(version: OfVersion, bytes: Uint8Array, type: GroupType): Decoded<OfBucket> {
  const actionSize = u16At(bytes, 2);
  if (8 + actionSize > bytes.length) return ofFail('OFPGMFC_BAD_BUCKET');
  const actions = decodeActions(version, bytes.subarray(8, 8 + actionSize));
  if (!actions.ok) return actions;
  const properties = readProperties(bytes.subarray(8 + actionSize));
  if (!properties.ok) return properties;
  let bucket: OfBucket = {
    id: u32At(bytes, 4),
    weight: type === 'select' ? 1 : 0,
    watchPort: OFPP_ANY,
    watchGroup: OFPG_ANY,
    actions: actions.value,
  };
  for (const property of properties.value) {
    if (property.type !== null && property.type <= WATCH_GROUP && property.bytes.length !== 8) {
      const isPaddedWeight = property.type === WEIGHT && property.bytes.length === 6;
      if (!isPaddedWeight) return ofFail('OFPBPC_BAD_LEN');
    }
    if (property.type === WEIGHT) bucket = { ...bucket, weight: u16At(property.bytes, 4) };
    else if (property.type === WATCH_PORT) {
      const port = portAt(6, property.bytes, 4);
      if (!port.ok) return port;
      bucket = { ...bucket, watchPort: port.value };
    } else if (property.type === WATCH_GROUP) bucket = { ...bucket, watchGroup: u32At(property.bytes, 4) };
    else {
      const unknown = unknownProperty(property, false);
      if (unknown) return unknown;
    }
  }
  return ok(bucket);
}

function readBuckets15(version: OfVersion, bytes: Uint8Array, type: GroupType): Decoded<OfBucket[]> {
  const buckets: OfBucket[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < 8) return ofFail('OFPGMFC_BAD_BUCKET');
    const size = u16At(bytes, at);
    if (size < 8 || size > left || size % 8 !== 0) return ofFail('OFPGMFC_BAD_BUCKET');
    const bucket = readBucket15(version, bytes.subarray(at, at + size), type);
    if (!bucket.ok) return bucket;
    const { id } = bucket.value;
    if ((id ?? 0) > BUCKET_ID_MAX || buckets.some((other) => other.id === id)) return ofFail('OFPGMFC_BAD_BUCKET');
    buckets.push(bucket.value);
    at += size;
  }
  return ok(buckets);
}

const NTR = 0x0000154d;
const SELECTION_METHOD = 1;
const SELECTION_HEAD = 40;

function readSelection(bytes: Uint8Array): Decoded<GroupSelection | null> {
  const properties = readProperties(bytes);
  if (!properties.ok) return properties;
  let selection: GroupSelection | null = null;
  for (const property of properties.value) {
    const isKnown =
      property.type === null && property.experimenter === NTR && property.experimenterType === SELECTION_METHOD;
    if (!isKnown)
      return unknownProperty(
        { ...property, experimenter: property.experimenter === NTR ? 0x2320 : property.experimenter },
        false,
      )!;
    if (property.bytes.length < SELECTION_HEAD) return ofFail('OFPBPC_BAD_LEN');
    selection = {
      method: fixedText(property.bytes, 16, 16),
      parameter: u64At(property.bytes, 32),
      fields: property.bytes.slice(SELECTION_HEAD),
    };
  }
  return ok(selection);
}

/** What no group of that type may be. */
function checkGroup(command: number, { type, buckets }: OfGroup): 'OFPGMFC_INVALID_GROUP' | null {
  const isWhole = command <= 1 || command === NICIRA_ADD_OR_MODIFY || command === 7;
  if (isWhole && type === 'indirect' && buckets.length !== 1) return 'OFPGMFC_INVALID_GROUP';
  const isUnwatched = (b: OfBucket): boolean => b.watchPort === OFPP_ANY && b.watchGroup === OFPG_ANY;
  return type === 'ff' && buckets.some(isUnwatched) ? 'OFPGMFC_INVALID_GROUP' : null;
}

function finishMod(code: number, group: OfGroup, commandBucket: number): Decoded<GroupModMessage> {
  const wrong = checkGroup(code, group);
  if (wrong) return ofFail(wrong);
  const command = code === NICIRA_ADD_OR_MODIFY ? 'add_or_modify' : commands[code];
  if (!command || command === 'reserved' || code === 6) return ofFail('OFPGMFC_BAD_COMMAND');
  return ok({ kind: 'group_mod', command, group, commandBucket });
}

function decodeMod11({ version, body }: DecodeInput): Decoded<GroupModMessage> {
  const type = groupTypes[body[2]!];
  const buckets = readBuckets11(version as OfVersion, body.subarray(8));
  if (!buckets.ok) return buckets;
  if (!type) return ofFail('OFPGMFC_BAD_TYPE');
  const group: OfGroup = { id: u32At(body, 4), type, buckets: buckets.value, selection: null };
  return finishMod(u16At(body, 0), group, BUCKET_ALL);
}

function decodeMod15({ version, body }: DecodeInput): Decoded<GroupModMessage> {
  const type = groupTypes[body[2]!];
  const size = u16At(body, 8);
  const place = u32At(body, 12);
  if (place > BUCKET_ID_MAX && place < BUCKET_FIRST) return ofFail('OFPGMFC_BAD_BUCKET');
  if (16 + size > body.length) return ofFail('OFPGMFC_BAD_BUCKET');
  const buckets = readBuckets15(version as OfVersion, body.subarray(16, 16 + size), type ?? 'all');
  if (!buckets.ok) return buckets;
  const selection = readSelection(body.subarray(16 + size));
  if (!selection.ok) return selection;
  if (!type) return ofFail('OFPGMFC_BAD_TYPE');
  const group: OfGroup = { id: u32At(body, 4), type, buckets: buckets.value, selection: selection.value };
  return finishMod(u16At(body, 0), group, place);
}

function writeBuckets11(out: Writer, version: OfVersion, buckets: readonly OfBucket[]): void {
  for (const b of buckets) {
    const actions = encodeActions(version, b.actions);
    out
      .u16(BUCKET_HEAD + actions.length)
      .u16(b.weight)
      .u32(portTo32(b.watchPort))
      .u32(b.watchGroup)
      .zeros(4);
    out.bytes(actions);
  }
}

function writeBuckets15(out: Writer, version: OfVersion, group: OfGroup): void {
  group.buckets.forEach((b, i) => {
    const start = out.size;
    const actions = encodeActions(version, b.actions);
    out
      .u16(0)
      .u16(actions.length)
      .u32(b.id ?? i)
      .bytes(actions);
    if (group.type === 'select') writeProperty(out, WEIGHT, (p) => p.u16(b.weight).zeros(2));
    if (b.watchPort !== OFPP_ANY) writeProperty(out, WATCH_PORT, (p) => p.u32(portTo32(b.watchPort)));
    if (b.watchGroup !== OFPG_ANY) writeProperty(out, WATCH_GROUP, (p) => p.u32(b.watchGroup));
    out.putU16(start, out.size - start);
  });
}

function writeSelection(out: Writer, selection: GroupSelection | null): void {
  if (!selection) return;
  writeProperty(out, 0xffff, (p) =>
    p
      .u32(NTR)
      .u32(SELECTION_METHOD)
      .zeros(4)
      .text(selection.method, 16)
      .u64(selection.parameter)
      .bytes(selection.fields),
  );
}

function encodeMod({ command, group, commandBucket }: GroupModMessage, version: OfVersion): Encoded | null {
  const spec = specIn(version, 'NXT_GROUP_MOD', 'OFPT11_GROUP_MOD', 'OFPT15_GROUP_MOD')!;
  const code = command === 'add_or_modify' ? NICIRA_ADD_OR_MODIFY : commands.indexOf(command);
  const out = new Writer().u16(code).u8(groupTypes.indexOf(group.type)).zeros(1).u32(group.id);
  if (spec.raw === 'OFPT11_GROUP_MOD') {
    if (command === 'insert_bucket' || command === 'remove_bucket') return null;
    writeBuckets11(out, version, group.buckets);
    return { spec, body: out.done() };
  }
  out.zeros(4).u32(commandBucket);
  writeBuckets15(out, version, group);
  out.putU16(8, out.size - 16);
  writeSelection(out, group.selection);
  return { spec, body: out.done() };
}

const bucketWord = (id: number): string => {
  if (id === BUCKET_FIRST) return 'first';
  if (id === BUCKET_LAST) return 'last';
  return id === BUCKET_ALL ? 'all' : String(id);
};

const defaultWeight = (type: GroupType): number => (type === 'select' ? 100 : 0);

function formatBucket(b: OfBucket, type: GroupType): string {
  let text = ',bucket=';
  if (b.id !== null) text += `bucket_id:${b.id},`;
  if (b.weight !== defaultWeight(type)) text += `weight:${b.weight},`;
  if (b.watchPort !== OFPP_ANY) text += `watch_port:${formatOfPort(b.watchPort)},`;
  if (b.watchGroup !== OFPG_ANY) text += `watch_group:${b.watchGroup},`;
  return `${text}actions=${formatActions(b.actions)}`;
}

function formatGroup(group: OfGroup, hidesType = false): string {
  const selection = group.selection?.method
    ? `,selection_method=${group.selection.method}` +
      (group.selection.parameter === 0n ? '' : `,selection_method_param=${group.selection.parameter}`)
    : '';
  const head = `group_id=${group.id}${hidesType ? '' : `,type=${group.type}`}${selection}`;
  return head + group.buckets.map((b) => formatBucket(b, group.type)).join('');
}

function formatMod({ command, group, commandBucket }: GroupModMessage): string {
  const word = commandWords[commands.indexOf(command)];
  const isBucket = command === 'insert_bucket' || command === 'remove_bucket';
  const bucket = isBucket ? `command_bucket_id:${bucketWord(commandBucket)},` : '';
  return `\n ${word} ${bucket}${formatGroup(group, isBucket)}\n`;
}

function decodeDesc({ version, body }: DecodeInput): Decoded<GroupDescReplyMessage> {
  const isNew = version === 6 || version === 1;
  const head = isNew ? 16 : 8;
  const groups: OfGroup[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < head) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at);
    if (size < head || size > left) return ofFail('OFPBRC_BAD_LEN');
    const type = groupTypes[body[at + 2]!];
    if (!type) return ofFail('OFPGMFC_BAD_TYPE');
    const bucketSize = isNew ? u16At(body, at + 8) : size - head;
    if (head + bucketSize > size) return ofFail('OFPBRC_BAD_LEN');
    const bytes = body.subarray(at + head, at + head + bucketSize);
    const read = isNew ? readBuckets15(version as OfVersion, bytes, type) : readBuckets11(version as OfVersion, bytes);
    if (!read.ok) return read;
    const selection = readSelection(body.subarray(at + head + bucketSize, at + size));
    if (!selection.ok) return selection;
    groups.push({ id: u32At(body, at + 4), type, buckets: read.value, selection: selection.value });
    at += size;
  }
  return ok({ kind: 'group_desc_reply', groups });
}

function encodeDesc({ groups }: GroupDescReplyMessage, version: OfVersion): Encoded {
  const isNew = version === 6 || version === 1;
  const out = new Writer();
  for (const group of groups) {
    const start = out.size;
    out.u16(0).u8(groupTypes.indexOf(group.type)).zeros(1).u32(group.id);
    if (isNew) {
      out.zeros(8);
      writeBuckets15(out, version, group);
      out.putU16(start + 8, out.size - start - 16);
      writeSelection(out, group.selection);
    } else writeBuckets11(out, version, group.buckets);
    out.putU16(start, out.size - start);
  }
  const spec = specIn(version, 'NXST_GROUP_DESC_REPLY', 'OFPST11_GROUP_DESC_REPLY', 'OFPST15_GROUP_DESC_REPLY')!;
  return { spec, body: out.done() };
}

const request =
  (kind: GroupRequestMessage['kind']) =>
  ({ body }: DecodeInput): Decoded<GroupRequestMessage> =>
    ok({ kind, id: body.length === 0 ? OFPG_ALL : u32At(body, 0) });

const requestRaws = {
  group_stats_request: ['NXST_GROUP_REQUEST', 'OFPST11_GROUP_REQUEST'],
  group_desc_request: ['NXST_GROUP_DESC_REQUEST', 'OFPST11_GROUP_DESC_REQUEST', 'OFPST15_GROUP_DESC_REQUEST'],
} as const;

const encodeRequest = ({ kind, id }: GroupRequestMessage, version: OfVersion): Encoded => {
  const spec = specIn(version, ...requestRaws[kind])!;
  return { spec, body: spec.least === 0 ? new Uint8Array(0) : new Writer().u32(id).zeros(4).done() };
};

const idText = (id: number): string => (id === OFPG_ALL ? 'ALL' : id === OFPG_ANY ? 'ANY' : String(id));
const formatRequest = ({ id }: GroupRequestMessage): string => ` group_id=${idText(id)}\n`;

export const groupFamily: Family<GroupMessage> = {
  decode: {
    OFPT11_GROUP_MOD: decodeMod11,
    OFPT15_GROUP_MOD: decodeMod15,
    NXT_GROUP_MOD: decodeMod15,
    OFPST11_GROUP_REQUEST: request('group_stats_request'),
    NXST_GROUP_REQUEST: request('group_stats_request'),
    OFPST11_GROUP_DESC_REQUEST: request('group_desc_request'),
    OFPST15_GROUP_DESC_REQUEST: request('group_desc_request'),
    NXST_GROUP_DESC_REQUEST: request('group_desc_request'),
    OFPST11_GROUP_REPLY: decodeGroupStats,
    OFPST13_GROUP_REPLY: decodeGroupStats,
    NXST_GROUP_REPLY: decodeGroupStats,
    OFPST11_GROUP_DESC_REPLY: decodeDesc,
    OFPST15_GROUP_DESC_REPLY: decodeDesc,
    NXST_GROUP_DESC_REPLY: decodeDesc,
  },
  encode: {
    group_mod: encodeMod,
    group_stats_request: encodeRequest,
    group_desc_request: encodeRequest,
    group_stats_reply: encodeGroupStats,
    group_desc_reply: encodeDesc,
  },
  format: {
    group_mod: formatMod,
    group_stats_request: formatRequest,
    group_desc_request: formatRequest,
    group_stats_reply: ({ stats }) => `\n${stats.map(formatGroupStats).join('')}`,
    group_desc_reply: ({ groups }) => `\n${groups.map((group) => ` ${formatGroup(group)}\n`).join('')}`,
  },
};
