/** Changing flows. */
import { formatOfPort } from '../../flow/text.ts';
import { ok, type Result } from '../../lib/result.ts';
import { encodeActions, formatActions, type OfAction } from '../action/index.ts';
import { type OfError, ofFail } from '../error.ts';
import { encodeInstructions } from '../instruction/index.ts';
import { knownActions, knownInstructions } from '../instruction/memo.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm, type OfMatch } from '../match.ts';
import type { OfVersion } from '../version.ts';
import { roundUp8, u16At, u32At, u64At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  type Encoded,
  type Family,
  type FlowForm,
  hexNumber,
  OFPP_ANY,
  portAt,
  portTo32,
} from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import { matchText } from './match-text.ts';
import { NO_BUFFER } from './packet-out.ts';

export const OFPG_ANY = 0xffffffff;
/** All tables, or none in particular. */
export const ANY_TABLE = 0xff;

export type FlowModCommand = (typeof commands)[number];
export type FlowFlag = (typeof flagRows)[number][1];

export interface FlowModMessage {
  readonly kind: 'flow_mod';
  readonly command: FlowModCommand;
  /** ANY_TABLE where the version does not say. */
  readonly table: number;
  readonly match: OfMatch;
  readonly priority: number;
  /** Flows to change: those whose cookie equals this in the bits of the mask. */
  readonly cookie: bigint;
  readonly cookieMask: bigint;
  /** The cookie that flows get; all bits set leaves it. */
  readonly newCookie: bigint;
  /** Seconds; 0 for ever. */
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly buffer: number;
  readonly outPort: number;
  readonly outGroup: number;
  readonly flags: readonly FlowFlag[];
  readonly actions: readonly OfAction[];
}

const commands = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict'] as const;
const commandWords = ['ADD', 'MOD', 'MOD_STRICT', 'DEL', 'DEL_STRICT'];
const KEEP_COOKIE = 0xffffffffffffffffn;
const EMERGENCY = 4;

/** Bit, name, first version. */
const flagRows = [
  [1, 'send_flow_rem', 1],
  [2, 'check_overlap', 1],
  [4, 'reset_counts', 3],
  [8, 'no_packet_counts', 4],
  [16, 'no_byte_counts', 4],
] as const;

/** By their bits: few of them, asked for a million times. */
const flagLists = Array.from({ length: 32 }, (_, bits) =>
  flagRows.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name),
);
export const flowFlags = (bits: number): readonly FlowFlag[] => flagLists[bits & 31]!;
export const flowFlagBits = (flags: readonly FlowFlag[], version: number): number =>
  flagRows.filter(([, name, first]) => version >= first && flags.includes(name)).reduce((all, [bit]) => all | bit, 0);

/** By version. */
const allowedFlags = Array.from({ length: 7 }, (_, version) =>
  flagRows.filter(([, , first]) => version >= first).reduce((all, [bit]) => all | bit, 0),
);

function readFlags(version: number, bits: number): Decoded<readonly FlowFlag[]> {
  return (bits & ~allowedFlags[version]!) === 0 ? ok(flowFlags(bits)) : ofFail('OFPFMFC_BAD_FLAGS');
}

interface Fixed {
  readonly command: number;
  readonly flags: number;
  readonly message: Omit<FlowModMessage, 'kind' | 'command' | 'flags' | 'match' | 'actions'>;
}

/** What all forms end with. */
function finish(
  version: number,
  { command: code, flags: bits, message }: Fixed,
  match: Result<OfMatch, OfError>,
  actions: () => Result<OfAction[], OfError>,
): Decoded<FlowModMessage> {
  if (!match.ok) return match;
  const flags = readFlags(version, bits);
  const command = commands[code];
  const list: Result<OfAction[], OfError> = actions();
  if (!list.ok) return list;
  if (!flags.ok) return flags;
  if (!command) return ofFail('OFPFMFC_BAD_COMMAND');
  const { table, priority, cookie, cookieMask, newCookie, idleTimeout, hardTimeout } = message;
  const { importance, buffer, outPort, outGroup } = message;
  // Spelled out: a spread costs more than all the rest
  return ok({
    kind: 'flow_mod',
    table,
    priority,
    cookie,
    cookieMask,
    newCookie,
    idleTimeout,
    hardTimeout,
    importance,
    buffer,
    outPort,
    outGroup,
    command,
    flags: flags.value,
    match: match.value,
    actions: list.value,
  });
}

/** The table stands in the high byte of the command when the connection agreed on that. */
const splitCommand = (code: number, hasTableId: boolean): { command: number; table: number } =>
  hasTableId ? { command: code & 0xff, table: code >> 8 } : { command: code, table: ANY_TABLE };

function decode10({ body, hasTableId }: DecodeInput): Decoded<FlowModMessage> {
  const match = decodeMatch(1, body);
  const { command, table } = splitCommand(u16At(body, 48), hasTableId);
  const bits = u16At(body, 62);
  const actions = knownActions(1, body, 64);
  if (actions.ok && (bits & EMERGENCY) !== 0) {
    const hasTimeout = u16At(body, 50) !== 0 || u16At(body, 52) !== 0;
    return ofFail(hasTimeout ? 'OFPFMFC_BAD_EMERG_TIMEOUT' : 'OFPFMFC_TABLE_FULL');
  }
  const message: Fixed['message'] = {
    table,
    priority: u16At(body, 54),
    cookie: 0n,
    cookieMask: 0n,
    newCookie: u64At(body, 40),
    idleTimeout: u16At(body, 50),
    hardTimeout: u16At(body, 52),
    importance: 0,
    buffer: u32At(body, 56),
    outPort: u16At(body, 60),
    outGroup: OFPG_ANY,
  };
  const fixed = { command, flags: bits, message };
  const found = match.ok ? ok(match.value.match) : match;
  return finish(1, fixed, found, () => actions);
}

function decode11({ version, body, scratch }: DecodeInput): Decoded<FlowModMessage> {
  const match = decodeMatch(version as OfVersion, body.subarray(40), scratch ? { scratch } : {});
  const port = portAt(version, body, 28);
  if (!port.ok) return port;
  const code = body[17]!;
  const cookie = u64At(body, 0);
  const cookieMask = u64At(body, 8);
  const isAdd = code === 0;
  if (isAdd && body[16] === ANY_TABLE) return ofFail('OFPFMFC_BAD_TABLE_ID');
  const message: Fixed['message'] = {
    table: body[16]!,
    priority: u16At(body, 22),
    cookie: isAdd ? 0n : cookie,
    cookieMask: isAdd ? 0n : cookieMask,
    newCookie: isAdd ? cookie : KEEP_COOKIE,
    idleTimeout: u16At(body, 18),
    hardTimeout: u16At(body, 20),
    importance: version >= 5 ? u16At(body, 38) : 0,
    buffer: u32At(body, 24),
    outPort: port.value,
    outGroup: u32At(body, 32),
  };
  const found = match.ok ? ok(match.value.match) : match;
  const at = 40 + (match.ok ? match.value.size : 0);
  return finish(version, { command: code, flags: u16At(body, 36), message }, found, () =>
    knownInstructions(version as OfVersion, body, at),
  );
}

function decodeNicira({ version, body, hasTableId, scratch }: DecodeInput): Decoded<FlowModMessage> {
  const matchSize = u16At(body, 24);
  const at = 32 + roundUp8(matchSize);
  if (at > body.length) return ofFail('OFPBMC_BAD_LEN');
  const read = decodeNxm(body.subarray(32, 32 + matchSize), scratch ? { scratch } : {});
  if (!read.ok) return read;
  const { match, cookie } = read.value;
  const { command, table } = splitCommand(u16At(body, 8), hasTableId);
  const message: Fixed['message'] = {
    table,
    priority: u16At(body, 14),
    cookie: cookie?.value ?? 0n,
    cookieMask: cookie?.mask ?? 0n,
    newCookie: u64At(body, 0),
    idleTimeout: u16At(body, 10),
    hardTimeout: u16At(body, 12),
    importance: 0,
    buffer: u32At(body, 16),
    outPort: u16At(body, 20),
    outGroup: OFPG_ANY,
  };
  return finish(version, { command, flags: u16At(body, 22), message }, ok(match), () =>
    knownActions(version as OfVersion, body, at),
  );
}

const codeOf = (m: FlowModMessage, { hasTableId }: FlowForm): number =>
  commands.indexOf(m.command) | (hasTableId ? m.table << 8 : 0);

function encodeNicira(m: FlowModMessage, version: OfVersion, form: FlowForm): Encoded {
  const isAdd = m.command === 'add';
  const match = encodeNxm(m.match, isAdd ? null : { value: m.cookie, mask: m.cookieMask });
  const out = new Writer().u64(m.newCookie).u16(codeOf(m, form)).u16(m.idleTimeout).u16(m.hardTimeout);
  out.u16(m.priority).u32(m.buffer).u16(m.outPort).u16(flowFlagBits(m.flags, version)).u16(match.length).zeros(6);
  out.bytes(match).pad8().bytes(encodeActions(version, m.actions));
  return { spec: messageSpec('NXT_FLOW_MOD'), body: out.done() };
}

function encode(m: FlowModMessage, version: OfVersion, form: FlowForm): Encoded {
  if (version === 1 && form.isNxm) return encodeNicira(m, version, form);
  const code = commands.indexOf(m.command);
  const flags = flowFlagBits(m.flags, version);
  const spec = specIn(version, 'OFPT10_FLOW_MOD', 'OFPT11_FLOW_MOD')!;
  const out = new Writer();
  if (version === 1) {
    out.bytes(encodeMatch(1, m.match)).u64(m.newCookie).u16(codeOf(m, form));
    out
      .u16(m.idleTimeout)
      .u16(m.hardTimeout)
      .u16(m.priority)
      .u32(m.buffer)
      .u16(m.outPort)
      .u16(flags)
      .bytes(encodeActions(1, m.actions));
    return { spec, body: out.done() };
  }
  const isAdd = m.command === 'add';
  out
    .u64(isAdd ? m.newCookie : m.cookie)
    .u64(isAdd ? 0n : m.cookieMask)
    .u8(isAdd && m.table === ANY_TABLE ? 0 : m.table)
    .u8(code);
  out.u16(m.idleTimeout).u16(m.hardTimeout).u16(m.priority).u32(m.buffer).u32(portTo32(m.outPort)).u32(m.outGroup);
  out
    .u16(flags)
    .u16(version >= 5 ? m.importance : 0)
    .bytes(encodeMatch(version, m.match));
  return { spec, body: out.bytes(encodeInstructions(version, m.actions)).done() };
}

/** The parts between match and actions, each with a space after it. */
function optionsText(m: FlowModMessage): string {
  let text = '';
  if (m.newCookie !== 0n && m.newCookie !== KEEP_COOKIE) text += `cookie:${hexNumber(m.newCookie)} `;
  if (m.cookieMask !== 0n) text += `cookie:${hexNumber(m.cookie)}/${hexNumber(m.cookieMask)} `;
  if (m.idleTimeout !== 0) text += `idle:${m.idleTimeout} `;
  if (m.hardTimeout !== 0) text += `hard:${m.hardTimeout} `;
  if (m.importance !== 0) text += `importance:${m.importance} `;
  if (m.buffer !== NO_BUFFER) text += `buf:${hexNumber(m.buffer)} `;
  if (m.outPort !== OFPP_ANY) text += `out_port:${formatOfPort(m.outPort)} `;
  for (const [, name] of flagRows) if (m.flags.includes(name)) text += `${name} `;
  return text;
}

function format(m: FlowModMessage, version: number): string {
  const table =
    m.table === 0 || (m.table === ANY_TABLE && (version === 1 || m.command === 'add')) ? '' : ` table:${m.table}`;
  const match = matchText(m.match, m.priority);
  const head = ` ${commandWords[commands.indexOf(m.command)]}${table} ${match}${match === '' ? '' : ' '}`;
  return `${head}${optionsText(m)}actions=${formatActions(m.actions)}\n`;
}

export const flowModFamily: Family<FlowModMessage> = {
  decode: { OFPT10_FLOW_MOD: decode10, OFPT11_FLOW_MOD: decode11, NXT_FLOW_MOD: decodeNicira },
  encode: { flow_mod: encode },
  format: { flow_mod: (message, { version }) => format(message, version) },
};
