/** Groups as ovs-ofctl reads them (ovs-ofctl(8), Group Syntax). */

import { bigToBytes } from '../../flow/odp/number.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import { parseActions } from '../../openflow/action/index.ts';
import { findField, headerOf } from '../../openflow/field/index.ts';
import { parseFieldValue } from '../../openflow/field/value.ts';
import {
  BUCKET_ALL,
  BUCKET_FIRST,
  BUCKET_LAST,
  type GroupCommand,
  type GroupModMessage,
  type GroupSelection,
  type GroupType,
  OFPG_ALL,
  type OfBucket,
} from '../../openflow/message/group.ts';
import { writeOxmHeader } from '../../openflow/oxm/header.ts';
import { Writer } from '../../openflow/wire.ts';
import { type Names, parsePort, type Usable } from './flow-text.ts';
import { parseInteger, parseUint, splitWords, type Word } from './key-value.ts';
import { P } from './protocols.ts';

const OFPP_ANY = 0xffff;
const OFPG_ANY = 0xffffffff;
const OFPG_MAX = 0xffffff00;
const OXM_VERSION = 6;
const SELECT_WEIGHT = 100;

const types: Readonly<Record<string, GroupType>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'ff',
  fast_failover: 'ff',
};
const bucketWords: Readonly<Record<string, number>> = { all: BUCKET_ALL, first: BUCKET_FIRST, last: BUCKET_LAST };
const commandNames: Readonly<Record<string, GroupCommand>> = {
  add: 'add',
  modify: 'modify',
  add_or_mod: 'add_or_modify',
  delete: 'delete',
  insert_bucket: 'insert_bucket',
  remove_bucket: 'remove_bucket',
};

/** Null for what is no group. */
export function parseGroupId(text: string): number | null {
  const word = text.toUpperCase();
  if (word === 'ALL') return OFPG_ALL;
  if (word === 'ANY') return OFPG_ANY;
  return parseUint(text, 32);
}

function parseBucket(text: string, type: GroupType, names: Names): Result<OfBucket> {
  let bucket = {
    id: null as number | null,
    weight: type === 'select' ? SELECT_WEIGHT : 0,
    watchPort: OFPP_ANY,
    watchGroup: OFPG_ANY,
  };
  const at = /(?:^|,)actions?[=:]/.exec(text);
  const head = at ? text.slice(0, at.index) : text;
  let actions = at ? text.slice(at.index + at[0].length) : '';
  for (const { key, value } of splitWords(head)) {
    const name = key.toLowerCase();
    if (name === 'weight') {
      const weight = parseUint(value, 16);
      if (weight === null) return fail(`invalid weight "${value}"`);
      bucket = { ...bucket, weight };
    } else if (name === 'watch_port') {
      const port = parsePort(value, names);
      if (port === null || (port >= 0xff00 && port !== OFPP_ANY)) return fail(`${value}: invalid watch_port`);
      bucket = { ...bucket, watchPort: port };
    } else if (name === 'watch_group') {
      const group = parseUint(value, 32);
      if (group === null || group > OFPG_MAX) return fail(`invalid watch_group id ${value}`);
      bucket = { ...bucket, watchGroup: group };
    } else if (name === 'bucket_id') {
      const id = parseUint(value, 32);
      if (id === null || id > OFPG_MAX) return fail(`invalid bucket_id id ${value}`);
      bucket = { ...bucket, id };
    } else {
      const word = value === '' ? key : head.includes(`${key}(`) ? `${key}(${value})` : `${key}:${value}`;
      actions = actions === '' ? word : `${actions},${word}`;
    }
  }
  const list = parseActions(actions, names);
  return list.ok ? ok({ ...bucket, actions: list.value }) : list;
}

/** Fields of a hash: their headers in OXM, and masks. */
function parseFields(text: string): Result<Uint8Array> {
  const out = new Writer();
  for (const { key, value } of splitWords(text)) {
    const field = findField(key);
    if (!field) return fail(`unknown field ${key}`);
    const mask = value === '' ? null : parseFieldValue(field, value);
    if (value !== '' && !mask) return fail(`${key}: invalid mask ${value}`);
    const header = headerOf(field, OXM_VERSION);
    if (!header) return fail(`unknown field ${key}`);
    writeOxmHeader(out, header, false, field.size);
    out.bytes(mask ? bigToBytes(mask.value, field.size) : new Uint8Array(field.size).fill(0xff));
  }
  return ok(out.done());
}

interface Draft {
  readonly command: GroupCommand;
  id: number | null;
  type: GroupType | null;
  commandBucket: number | null;
  method: string;
  parameter: bigint;
  fields: Uint8Array;
}

const takesType = (command: GroupCommand): boolean =>
  command === 'add' || command === 'modify' || command === 'add_or_modify';
const takesBucketId = (command: GroupCommand): boolean => command === 'insert_bucket' || command === 'remove_bucket';

function takeBucketId(draft: Draft, value: string): string | null {
  if (!takesBucketId(draft.command)) return 'keyword command_bucket_id is not needed';
  const id = bucketWords[value] ?? parseUint(value, 32);
  if (id === null || (bucketWords[value] === undefined && id > OFPG_MAX))
    return `invalid command_bucket_id id ${value}`;
  if (value === 'all' && draft.command === 'insert_bucket') return 'invalid command bucket id all';
  draft.commandBucket = id;
  return null;
}

/** Null, or what is wrong. */
function takeWord(draft: Draft, { key, value }: Word): string | null {
  if (key === 'command_bucket_id') return takeBucketId(draft, value);
  if (key === 'group_id') {
    draft.id = value === 'all' ? OFPG_ALL : parseUint(value, 32);
    if (draft.id === null) return `invalid group_id "${value}"`;
    return draft.id !== OFPG_ALL && draft.id > OFPG_MAX ? `invalid group id ${value}` : null;
  }
  if (key === 'type') {
    if (!takesType(draft.command)) return 'type is not needed';
    draft.type = types[value] ?? null;
    return draft.type ? null : `invalid group type ${value}`;
  }
  if (key === 'selection_method') {
    if (!takesType(draft.command)) return 'selection method is not needed';
    if (value.length >= 16) return 'selection method is longer than 15 bytes';
    draft.method = value;
    return null;
  }
  if (key === 'selection_method_param') {
    if (!takesType(draft.command)) return 'selection method param is not needed';
    const parameter = parseInteger(value);
    if (parameter === null) return `invalid selection_method_param "${value}"`;
    draft.parameter = parameter;
    return null;
  }
  if (key === 'fields') {
    if (!takesType(draft.command)) return 'fields are not needed';
    const fields = parseFields(value);
    if (!fields.ok) return fields.error;
    draft.fields = fields.value;
    return null;
  }
  return `unknown keyword ${key}`;
}

/** What is missing; null when nothing is. */
function missing(draft: Draft, bucketCount: number): string | null {
  if (draft.id === null) return 'must specify a group_id';
  if (takesType(draft.command) && draft.type === null) return 'must specify a type';
  if (draft.method !== '' && draft.type !== 'select') return 'selection method is only allowed for select groups';
  if (draft.method === '' && draft.fields.length > 0)
    return 'fields may only be specified along with a selection method';
  if (draft.method === '' && draft.parameter !== 0n) {
    return 'selection method param may only be specified along with a selection method';
  }
  if (takesBucketId(draft.command) && draft.commandBucket === null) return 'must specify a command bucket id';
  if (draft.type === 'indirect' && takesType(draft.command) && bucketCount !== 1) return null;
  return null;
}

const leadingCommand = /^\s*(add_or_mod|add|modify|delete|insert_bucket|remove_bucket)\b\s*/;

/** @param command null: the text may begin with one, and adds when it does not */
export function parseGroupMod(
  text: string,
  command: GroupCommand | null,
  names: Names,
): Result<Usable<GroupModMessage>> {
  const named = command === null ? leadingCommand.exec(text) : null;
  const chosen = command ?? commandNames[named?.[1] ?? 'add']!;
  const body = named ? text.slice(named[0].length) : text;
  const [head, ...bucketTexts] = body.split(/(?:^|[,\s])bucket=/);
  const draft: Draft = {
    command: chosen,
    id: chosen === 'delete' ? OFPG_ALL : null,
    type: null,
    commandBucket: null,
    method: '',
    parameter: 0n,
    fields: new Uint8Array(0),
  };
  for (const word of splitWords(head ?? '')) {
    const wrong = takeWord(draft, word);
    if (wrong !== null) return fail(wrong);
  }
  const wrong = missing(draft, bucketTexts.length);
  if (wrong !== null) return fail(wrong);
  if (bucketTexts.length > 0 && (chosen === 'delete' || chosen === 'remove_bucket'))
    return fail('bucket is not needed');
  const buckets: OfBucket[] = [];
  for (const bucketText of bucketTexts) {
    const bucket = parseBucket(bucketText, draft.type ?? 'all', names);
    if (!bucket.ok) return bucket;
    buckets.push(bucket.value);
  }
  const { method, parameter, fields } = draft;
  const selection: GroupSelection | null = method === '' ? null : { method, parameter, fields };
  const value: GroupModMessage = {
    kind: 'group_mod',
    command: chosen,
    group: { id: draft.id!, type: draft.type ?? 'all', buckets, selection },
    commandBucket: draft.commandBucket ?? BUCKET_ALL,
  };
  const needsNew = takesBucketId(chosen) || selection !== null;
  return ok({ value, protocols: needsNew ? P.OF10 | 256 : P.ANY });
}
