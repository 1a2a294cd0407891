/** Flows as ovs-ofctl reads them (ovs-ofctl(8), Flow Syntax), and the flow protocols that can say them. */

import { KEY } from '../../flow/key.ts';
import { protocols } from '../../flow/text/protocols.ts';
import { parseOfPort } from '../../flow/text.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import { type OfAction, parseActions } from '../../openflow/action/index.ts';
import { findField } from '../../openflow/field/index.ts';
import { parseFieldValue } from '../../openflow/field/value.ts';
import { decodeMatch, encodeMatch, encodeNxm, type OfMatch } from '../../openflow/match.ts';
import { parseMatch } from '../../openflow/match-text.ts';
import type { FlowFlag, FlowModCommand, FlowModMessage } from '../../openflow/message/flow-mod.ts';
import type { FlowStatsRequestMessage } from '../../openflow/message/flow-stats.ts';
import { parseInteger, parseUint, splitWords, type Word } from './key-value.ts';
import { P } from './protocols.ts';

const OFPP_ANY = 0xffff;
const OFPG_ANY = 0xffffffff;
const ANY_TABLE = 0xff;
const NO_BUFFER = 0xffffffff;
const DEFAULT_PRIORITY = 0x8000;
const KEEP_COOKIE = 0xffffffffffffffffn;

/** Names of ports and tables that text may use. */
export interface Names {
  readonly port: (name: string) => number | null;
  readonly table: (name: string) => number | null;
}

export const noNames: Names = { port: () => null, table: () => null };

/** What a text says, and the protocols (bits) that can say it. */
export interface Usable<T> {
  readonly value: T;
  readonly protocols: number;
}

/** Which words a command takes. */
interface Accepts {
  readonly outPort: boolean;
  readonly actions: boolean;
  readonly timeouts: boolean;
  readonly priority: boolean;
  readonly flags: boolean;
}

interface Draft {
  readonly command: FlowModCommand;
  readonly matchWords: string[];
  readonly flags: FlowFlag[];
  table: number;
  priority: number;
  idleTimeout: number;
  hardTimeout: number;
  importance: number;
  cookie: bigint;
  cookieMask: bigint;
  newCookie: bigint;
  outPort: number;
  outGroup: number;
  protocols: number;
}

const flagWords: Readonly<Record<string, readonly [FlowFlag, number]>> = {
  send_flow_rem: ['send_flow_rem', P.ANY],
  check_overlap: ['check_overlap', P.ANY],
  reset_counts: ['reset_counts', P.OF12_UP],
  no_packet_counts: ['no_packet_counts', P.OF13_UP],
  no_byte_counts: ['no_byte_counts', P.OF13_UP],
};
const ignored = new Set(['duration', 'n_packets', 'n_bytes', 'idle_age', 'hard_age']);

export function parseTable(text: string, names: Names): number | null {
  if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) return Number(text) <= 255 ? Number(text) : null;
  return names.table(text.replace(/^"(.*)"$/, '$1'));
}

export const parsePort = (text: string, names: Names): number | null =>
  parseOfPort(text.replace(/^"(.*)"$/, '$1'), names.port);

function takeCookie(draft: Draft, value: string): string | null {
  const [left, right] = value.split('/') as [string, string | undefined];
  const cookie = parseInteger(left);
  if (cookie === null) return `invalid numeric format ${left}`;
  if (right === undefined) {
    if (draft.command === 'delete' || draft.command === 'delete_strict') {
      return 'cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=5/-1)';
    }
    draft.newCookie = cookie;
    return null;
  }
  if (draft.command === 'add') return 'flow additions cannot use a cookie mask';
  const mask = parseInteger(right);
  if (mask === null) return `invalid numeric format ${right}`;
  [draft.cookie, draft.cookieMask] = [cookie & mask, mask];
  draft.protocols &= P.NXM_OF11_UP;
  return null;
}

function takeNumber(
  draft: Draft,
  key: 'priority' | 'idleTimeout' | 'hardTimeout' | 'importance',
  word: Word,
): string | null {
  const value = parseUint(word.value, 16);
  if (value === null) return `invalid ${word.key} "${word.value}"`;
  draft[key] = value;
  return null;
}

/** A word with a value that is no match field. Null, or what is wrong. */
function takeOption(draft: Draft, word: Word, accepts: Accepts, names: Names): string | null {
  const { key, value } = word;
  if (value === '') return `field ${key} missing value`;
  if (key === 'table') {
    const table = parseTable(value, names);
    if (table === null) return `unknown table "${value}"`;
    draft.table = table;
    // Requests have room for a table in every form, changes do not
    if (table !== ANY_TABLE && accepts !== requestAccepts) draft.protocols &= P.TABLE_ID;
    return null;
  }
  if (key === 'out_port' && accepts.outPort) {
    const port = parsePort(value, names);
    if (port === null) return `${value} is not a valid OpenFlow port`;
    draft.outPort = port;
    return null;
  }
  if (key === 'out_group' && accepts.outPort) {
    draft.protocols &= P.OF11_UP;
    const group = parseUint(value, 32);
    if (group === null) return `invalid out_group "${value}"`;
    draft.outGroup = group;
    return null;
  }
  if (key === 'priority' && accepts.priority) return takeNumber(draft, 'priority', word);
  if (key === 'idle_timeout' && accepts.timeouts) return takeNumber(draft, 'idleTimeout', word);
  if (key === 'hard_timeout' && accepts.timeouts) return takeNumber(draft, 'hardTimeout', word);
  if (key === 'importance' && accepts.timeouts) return takeNumber(draft, 'importance', word);
  if (key === 'cookie') return takeCookie(draft, value);
  return ignored.has(key) ? null : `unknown keyword ${key}`;
}

const addressErrors: Readonly<Record<string, string>> = {
  mac: 'invalid Ethernet address',
  ipv4: 'invalid IP address',
  ipv6: 'invalid IPv6 address',
};

/** What is wrong with a field's value; null when nothing is. */
function wrongValue(word: Word, names: Names): string | null {
  const field = findField(word.key)!;
  if (word.value === '' && !word.key.startsWith('tun_metadata')) return `field ${word.key} missing value`;
  if (field.notation === 'port10' || field.notation === 'port11') {
    return parsePort(word.value, names) === null ? `${word.value}: invalid or unknown port for ${field.name}` : null;
  }
  const problem = addressErrors[field.notation];
  if (problem === undefined || parseFieldValue(field, word.value) !== null) return null;
  return `${word.value}: ${problem}`;
}

function takeWord(draft: Draft, word: Word, accepts: Accepts, names: Names): string | null {
  const { key, value } = word;
  if (value === '' && (key === 'eth' || protocols.some((p) => p.name === key))) {
    draft.matchWords.push(key);
    return null;
  }
  const flag = accepts.flags ? flagWords[key] : undefined;
  if (flag) {
    draft.flags.push(flag[0]);
    draft.protocols &= flag[1];
    return null;
  }
  if (key === 'allow_hidden_fields' || key === 'no_readonly_table') return null;
  if (findField(key)) {
    const wrong = wrongValue(word, names);
    if (wrong !== null) return wrong;
    draft.matchWords.push(value === '' ? key : `${key}=${key === 'in_port' ? String(parsePort(value, names)) : value}`);
    return null;
  }
  return takeOption(draft, word, accepts, names);
}

/** A match of these words; what its other fields do not allow for is left out, as ovs-ofctl normalizes it. */
function matchOf(words: readonly string[]): Result<OfMatch> {
  let left = words;
  for (;;) {
    const read = parseMatch(left.join(','));
    if (read.ok) return read;
    const lacking = /^prerequisites not met for ([A-Za-z0-9_]+)/.exec(read.error)?.[1];
    const rest = lacking === undefined ? left : left.filter((word) => word.split('=')[0] !== lacking);
    if (rest.length === left.length) return fail(read.error);
    left = rest;
  }
}

const isSaidBy = (match: OfMatch, version: 1 | 2): boolean => {
  const again = decodeMatch(version, encodeMatch(version, match));
  if (match.key.get(KEY.packet_type) !== 0) return false;
  // The fixed structs are of Ethernet packets without saying so
  if (again.ok) again.value.match.mask.copyField(match.mask, KEY.packet_type);
  return again.ok && Buffer.compare(encodeNxm(again.value.match), encodeNxm(match)) === 0;
};

/** Protocols whose form of a match can say it. */
export function matchProtocols(match: OfMatch): number {
  let bits = P.NXM_OXM as number;
  if (isSaidBy(match, 1)) bits |= P.OF10_ANY_STD;
  if (isSaidBy(match, 2)) bits |= P.OF11;
  return bits;
}

/** Actions that some protocols lack, wherever they stand. */
const actionProtocols: Readonly<Record<string, number>> = {
  push_vlan: P.OF11_UP,
  encap: 0x1e0,
  meter: P.OF13_UP,
  write_metadata: P.NXM_OF11_UP,
};

function protocolsOfAction(action: OfAction): number {
  const own = actionProtocols[action.type] ?? P.ANY;
  if (!('actions' in action)) return own;
  return (action.actions as readonly OfAction[]).reduce((all, inner) => all & protocolsOfAction(inner), own);
}

const everything: Accepts = { outPort: true, actions: true, timeouts: true, priority: true, flags: true };
const acceptsOf: Readonly<Record<FlowModCommand, Accepts>> = {
  add: { ...everything, outPort: false },
  modify: { ...everything, outPort: false, priority: false },
  modify_strict: { ...everything, outPort: false },
  delete: { outPort: true, actions: false, timeouts: false, priority: false, flags: false },
  delete_strict: { outPort: true, actions: false, timeouts: false, priority: true, flags: false },
};
const newDraft = (command: FlowModCommand): Draft => ({
  command,
  matchWords: [],
  flags: [],
  table: ANY_TABLE,
  priority: DEFAULT_PRIORITY,
  idleTimeout: 0,
  hardTimeout: 0,
  importance: 0,
  cookie: 0n,
  cookieMask: 0n,
  newCookie: command === 'add' ? 0n : KEEP_COOKIE,
  outPort: OFPP_ANY,
  outGroup: OFPG_ANY,
  protocols: P.ANY,
});

/** A draft's match, and the protocols that it leaves. */
function finishMatch(draft: Draft): Result<OfMatch> {
  const match = matchOf(draft.matchWords);
  if (match.ok) draft.protocols &= matchProtocols(match.value);
  return match;
}

/** The text before `actions=`, and that behind it; null when it does not say what to do. */
function cutActions(text: string): { match: string; actions: string } | null {
  const at = text.indexOf('action');
  if (at < 0) return null;
  const value = text.indexOf('=', at);
  if (value < 0) return null;
  return { match: text.slice(0, at), actions: text.slice(value + 1).trim() };
}

const commandWord = /^\s*(add|modify_strict|modify|delete_strict|delete)\b\s*/;

/**
 * A flow-mod. @param command null: the text may begin with one, and adds when it does not
 * @param strict of modify and delete
 */
export function parseFlowMod(
  text: string,
  command: FlowModCommand | null,
  names: Names,
): Result<Usable<FlowModMessage>> {
  const named = command === null ? commandWord.exec(text) : null;
  const chosen: FlowModCommand = command ?? (named?.[1] as FlowModCommand | undefined) ?? 'add';
  const body = named ? text.slice(named[0].length) : text;
  const draft = newDraft(chosen);
  const accepts = acceptsOf[chosen];
  const cut = accepts.actions ? cutActions(body) : { match: body, actions: '' };
  if (!cut) return fail('must specify an action');
  for (const word of splitWords(cut.match)) {
    const wrong = takeWord(draft, word, accepts, names);
    if (wrong !== null) return fail(wrong);
  }
  if (chosen.startsWith('modify') && draft.cookieMask === 0n && draft.newCookie === KEEP_COOKIE) draft.newCookie = 0n;
  const match = finishMatch(draft);
  if (!match.ok) return match;
  const actions = parseActions(cut.actions, names);
  if (!actions.ok) return actions;
  const { matchWords: _, protocols: bits, command: __, ...rest } = draft;
  const usable = actions.value.reduce((all, action) => all & protocolsOfAction(action), bits);
  const message: FlowModMessage = {
    kind: 'flow_mod',
    command: chosen,
    ...rest,
    buffer: NO_BUFFER,
    match: match.value,
    actions: actions.value,
  };
  return ok({ value: message, protocols: usable });
}

const requestAccepts: Accepts = { outPort: true, actions: false, timeouts: false, priority: false, flags: false };

/** What dump-flows and dump-aggregate ask for. */
export function parseFlowRequest(
  text: string,
  kind: FlowStatsRequestMessage['kind'],
  names: Names,
): Result<Usable<FlowStatsRequestMessage>> {
  const draft = newDraft('delete');
  for (const word of splitWords(text)) {
    const wrong = takeWord(draft, word, requestAccepts, names);
    if (wrong !== null) return fail(wrong);
  }
  const match = finishMatch(draft);
  if (!match.ok) return match;
  const { table, outPort, outGroup, cookie, cookieMask } = draft;
  const message: FlowStatsRequestMessage = { kind, table, match: match.value, outPort, outGroup, cookie, cookieMask };
  return ok({ value: message, protocols: draft.protocols });
}
