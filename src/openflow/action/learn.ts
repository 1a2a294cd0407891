/** learn (ovs-actions(7)): a flow that makes flows. Its specs stand on the wire as sixteen bits of kind and width, then operands. */
import { bigToBytes, bytesToBig, hexOf, ones } from '../../flow/odp/number.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { fieldOf, fieldOnes, headerOf } from '../field/index.ts';
import { formatSubfield, miswrites, parseSubfield } from '../field/subfield.ts';
import { formatFieldValue, parseFieldValue } from '../field/value.ts';
import { readFieldHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import type { Writer } from '../wire.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, type TextContext, variable, wrong } from './codec.ts';
import { literalNotation } from './set-field.ts';
import { bigOf, hexNumber, numberOf, splitActionWords, splitArrow } from './text.ts';
import type { LearnSpec, OfLearn, Subfield } from './types.ts';

const FLAG = { SEND_FLOW_REM: 1, DELETE_LEARNED: 2, WRITE_RESULT: 4 } as const;
/** Bits of a spec's head. */
const SOURCE_IS_LITERAL = 1 << 13;
const WIDTH = 0x7ff;
const kinds = ['match', 'load', 'output'] as const;

interface Operand {
  readonly subfield: Subfield;
  readonly end: number;
}

/** A header and the lowest bit; null for what nobody knows. */
function readOperand(r: Reader, at: number, width: number): Operand | null {
  const header = readFieldHeader(r.bytes, at);
  if (!header?.field || at + header.size + 2 > r.size) return null;
  const end = at + header.size + 2;
  return { subfield: { field: header.field.name, offset: r.u16(end - 2), width }, end };
}

/** The next spec and where it ends; the name of an error. */
function readSpec(r: Reader, at: number): { spec: LearnSpec; end: number } | OfErrorName {
  const head = r.u16(at);
  const width = head & WIDTH;
  const specKind = kinds[(head >> 11) & 3];
  if (!specKind || (head & 0xc000) !== 0) return 'OFPBAC_BAD_ARGUMENT';
  let end = at + 2;
  let source: LearnSpec['source'];
  if ((head & SOURCE_IS_LITERAL) !== 0) {
    if (specKind === 'output') return 'OFPBAC_BAD_ARGUMENT';
    const size = 2 * Math.ceil(width / 16);
    if (end + size > r.size) return 'OFPBAC_BAD_LEN';
    source = { value: bytesToBig(r.slice(end, end + size)) & ones(width) };
    end += size;
  } else {
    const operand = readOperand(r, end, width);
    if (!operand) return r.size - end < 6 ? 'OFPBAC_BAD_LEN' : 'OFPBAC_BAD_SET_TYPE';
    source = operand.subfield;
    end = operand.end;
  }
  if (specKind === 'output') return { spec: { kind: specKind, width, source, target: null }, end };
  const target = readOperand(r, end, width);
  if (!target) return r.size - end < 6 ? 'OFPBAC_BAD_LEN' : 'OFPBAC_BAD_SET_TYPE';
  return { spec: { kind: specKind, width, source, target: target.subfield }, end: target.end };
}

function readSpecs(r: Reader, from: number): LearnSpec[] | OfErrorName {
  const specs: LearnSpec[] = [];
  let at = from;
  while (at + 2 <= r.size && r.u16(at) !== 0) {
    const read = readSpec(r, at);
    if (typeof read === 'string') return read;
    specs.push(read.spec);
    at = read.end;
  }
  return r.isZero(at) ? specs : 'OFPBAC_BAD_ARGUMENT';
}

function readResult(r: Reader): Operand | OfErrorName {
  const header = readFieldHeader(r.bytes, 40);
  if (!header?.field) return 'OFPBAC_BAD_SET_TYPE';
  const subfield = { field: header.field.name, offset: r.u16(36), width: 1 };
  return miswrites(subfield) ?? { subfield, end: 40 + header.size };
}

function decodeLearn(r: Reader, isSecond: boolean): Decoded {
  const flags = r.u16(24);
  const known = FLAG.SEND_FLOW_REM | FLAG.DELETE_LEARNED | (isSecond ? FLAG.WRITE_RESULT : 0);
  if ((flags & ~known) !== 0 || r.u8(26) === 0xff) return 'OFPBAC_BAD_ARGUMENT';
  if (!isSecond && r.u8(27) !== 0) return 'OFPBAC_BAD_ARGUMENT';
  let specsAt = isSecond ? 40 : 32;
  let resultTarget: Subfield | null = null;
  if ((flags & FLAG.WRITE_RESULT) !== 0) {
    const result = readResult(r);
    if (typeof result === 'string') return result;
    resultTarget = result.subfield;
    specsAt = result.end;
  } else if (isSecond && !r.isZero(36, 38)) return 'OFPBAC_BAD_ARGUMENT';
  const specs = readSpecs(r, specsAt);
  if (!Array.isArray(specs)) return specs;
  return {
    type: 'learn',
    idleTimeout: r.u16(10),
    hardTimeout: r.u16(12),
    priority: r.u16(14),
    cookie: r.u64(16),
    sendFlowRemoved: (flags & FLAG.SEND_FLOW_REM) !== 0,
    deleteLearned: (flags & FLAG.DELETE_LEARNED) !== 0,
    table: r.u8(26),
    finIdleTimeout: r.u16(28),
    finHardTimeout: r.u16(30),
    limit: isSecond ? r.u32(32) : 0,
    resultTarget,
    specs,
  };
}

function putOperand(out: Writer, subfield: Subfield): void {
  const field = fieldOf(subfield.field);
  writeOxmHeader(out, headerOf(field, 1)!, false, field.size);
  out.u16(subfield.offset);
}

function putSpec(out: Writer, { kind: specKind, width, source, target }: LearnSpec): void {
  const isLiteral = 'value' in source;
  out.u16(width | (kinds.indexOf(specKind) << 11) | (isLiteral ? SOURCE_IS_LITERAL : 0));
  if (isLiteral) out.bytes(bigToBytes(source.value, 2 * Math.ceil(width / 16)));
  else putOperand(out, source);
  if (target) putOperand(out, target);
}

function putLearn(out: Writer, a: OfLearn): void {
  const isSecond = a.limit !== 0 || a.resultTarget !== null;
  putNicira(out, isSecond ? 45 : 16, (body) => {
    body.u16(a.idleTimeout).u16(a.hardTimeout).u16(a.priority).u64(a.cookie);
    const flags = (a.sendFlowRemoved ? FLAG.SEND_FLOW_REM : 0) | (a.deleteLearned ? FLAG.DELETE_LEARNED : 0);
    body
      .u16(flags | (a.resultTarget ? FLAG.WRITE_RESULT : 0))
      .u8(a.table)
      .zeros(1);
    body.u16(a.finIdleTimeout).u16(a.finHardTimeout);
    if (isSecond) {
      body
        .u32(a.limit)
        .u16(a.resultTarget?.offset ?? 0)
        .zeros(2);
      if (a.resultTarget) {
        const field = fieldOf(a.resultTarget.field);
        writeOxmHeader(body, headerOf(field, 1)!, false, field.size);
      }
    }
    for (const spec of a.specs) putSpec(body, spec);
  });
}

type Draft = { -readonly [K in keyof OfLearn]: OfLearn[K] };

const emptyLearn = (): Draft => ({
  type: 'learn',
  idleTimeout: 0,
  hardTimeout: 0,
  priority: 0x8000,
  cookie: 0n,
  table: 1,
  finIdleTimeout: 0,
  finHardTimeout: 0,
  sendFlowRemoved: false,
  deleteLearned: false,
  limit: 0,
  resultTarget: null,
  specs: [],
});

const timeouts = {
  idle_timeout: 'idleTimeout',
  hard_timeout: 'hardTimeout',
  priority: 'priority',
  fin_idle_timeout: 'finIdleTimeout',
  fin_hard_timeout: 'finHardTimeout',
} as const;

/** A literal for a subfield; null when the text is none. */
function parseLiteral(text: string, target: Subfield): bigint | null {
  const field = fieldOf(target.field);
  const read = parseFieldValue({ ...field, notation: literalNotation(field, text) }, text);
  if (!read || read.mask !== fieldOnes(field)) {
    const isAll = read && (read.mask === fieldOnes(field) || read.mask === ones(field.bits));
    if (!isAll) return null;
  }
  return read!.value >> BigInt(target.width) === 0n ? read!.value : null;
}

function parseMatchSpec(name: string, value: string): LearnSpec | { wrong: string } {
  const target = parseSubfield(name);
  if ('wrong' in target) return target;
  if (value === '') return { kind: 'match', width: target.width, source: target, target };
  const literal = parseLiteral(value, target);
  if (literal !== null) return { kind: 'match', width: target.width, source: { value: literal }, target };
  const source = parseSubfield(value);
  if ('wrong' in source) return wrong(`${name}=${value}: ${value} value not valid for field`);
  if (source.width !== target.width) {
    return wrong(`${name}=${value}: bit widths of ${name} (${target.width}) and ${value} (${source.width}) differ`);
  }
  return { kind: 'match', width: target.width, source, target };
}

function parseLoadSpec(text: string): LearnSpec | { wrong: string } {
  const parts = splitArrow(text);
  if (!parts) return wrong(`${text}: missing \`->'`);
  const target = parseSubfield(parts.target);
  if ('wrong' in target) return target;
  if (!fieldOf(target.field).isWritable) return wrong(`${text}: ${target.field} is read-only`);
  if (/^[0-9:]/.test(parts.source)) {
    const value = parseLiteral(parts.source, target);
    return value === null
      ? wrong(`${parts.source}: value does not fit into ${target.width} bits`)
      : { kind: 'load', width: target.width, source: { value }, target };
  }
  const source = parseSubfield(parts.source);
  if ('wrong' in source) return source;
  if (source.width !== target.width) {
    return wrong(`${text}: source field is ${source.width} bits wide but destination is ${target.width} bits wide`);
  }
  return { kind: 'load', width: target.width, source, target };
}

function parseSpec(name: string, value: string): LearnSpec | { wrong: string } {
  if (name === 'load') return parseLoadSpec(value);
  if (name !== 'output') return parseMatchSpec(name, value);
  const source = parseSubfield(value);
  return 'wrong' in source ? source : { kind: 'output', width: source.width, source, target: null };
}

/** Null, or what is wrong. */
function readLearnWord(a: Draft, name: string, value: string, context: TextContext): string | null {
  const simple = timeouts[name as keyof typeof timeouts];
  if (simple) {
    const number = numberOf(value, 16);
    if (number !== null) a[simple] = number;
    return number === null ? `invalid ${name} "${value}"` : null;
  }
  switch (name) {
    case 'table':
      a.table = context.table(value) ?? 0xff;
      return a.table === 0xff ? `learn: unknown table ${value}` : null;
    case 'cookie':
      a.cookie = bigOf(value, 64) ?? 0n;
      return bigOf(value, 64) === null ? `invalid cookie "${value}"` : null;
    case 'send_flow_rem':
      a.sendFlowRemoved = true;
      return null;
    case 'delete_learned':
      a.deleteLearned = true;
      return null;
    case 'limit':
      a.limit = numberOf(value, 32) ?? 0;
      return numberOf(value, 32) === null ? `invalid limit "${value}"` : null;
    case 'result_dst': {
      const target = parseSubfield(value);
      if ('wrong' in target) return target.wrong;
      a.resultTarget = target;
      return target.width === 1 ? null : `result_dst in 'learn' action must be a single bit`;
    }
    default: {
      const spec = parseSpec(name, value);
      if ('wrong' in spec) return spec.wrong;
      a.specs = [...a.specs, spec];
      return null;
    }
  }
}

function parseLearn(text: string, context: TextContext): Parsed {
  const action = emptyLearn();
  for (const { name, value } of splitActionWords(text) ?? []) {
    const failed = readLearnWord(action, name, value, context);
    if (failed) return wrong(failed);
  }
  return action;
}

function formatSpec({ kind: specKind, width, source, target }: LearnSpec): string {
  if (specKind === 'output') return `output:${formatSubfield(source as Subfield)}`;
  if (specKind === 'load') {
    const left = 'value' in source ? hexOf(source.value) : formatSubfield(source);
    return `load:${left}->${formatSubfield(target!)}`;
  }
  const field = fieldOf(target!.field);
  if ('value' in source) {
    const isWhole = target!.offset === 0 && width === field.bits;
    return isWhole
      ? `${field.name}=${formatFieldValue(field, source.value)}`
      : `${formatSubfield(target!)}=${hexOf(source.value)}`;
  }
  const same = source.field === target!.field && source.offset === target!.offset;
  return same ? formatSubfield(target!) : `${formatSubfield(target!)}=${formatSubfield(source)}`;
}

function formatLearn(a: OfLearn): string {
  const parts = [`table=${a.table}`];
  if (a.idleTimeout !== 0) parts.push(`idle_timeout=${a.idleTimeout}`);
  if (a.hardTimeout !== 0) parts.push(`hard_timeout=${a.hardTimeout}`);
  if (a.finIdleTimeout !== 0) parts.push(`fin_idle_timeout=${a.finIdleTimeout}`);
  if (a.finHardTimeout !== 0) parts.push(`fin_hard_timeout=${a.finHardTimeout}`);
  if (a.priority !== 0x8000) parts.push(`priority=${a.priority}`);
  if (a.sendFlowRemoved) parts.push('send_flow_rem');
  if (a.deleteLearned) parts.push('delete_learned');
  if (a.cookie !== 0n) parts.push(`cookie=${hexNumber(a.cookie)}`);
  if (a.limit !== 0) parts.push(`limit=${a.limit}`);
  if (a.resultTarget) parts.push(`result_dst=${formatSubfield(a.resultTarget)}`);
  parts.push(...a.specs.map(formatSpec));
  return `learn(${parts.join(',')})`;
}

export const learn = kind<'learn'>({
  types: ['learn'],
  forms: [
    variable(nicira(16, 32, (r) => decodeLearn(r, false))),
    variable(nicira(45, 40, (r) => decodeLearn(r, true))),
  ],
  encode: putLearn,
  format: formatLearn,
  words: { learn: parseLearn },
});
