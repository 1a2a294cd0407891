/** ct (ovs-actions(7)): its actions are nat and, of exec, what sets ct_mark and ct_label. */
import { fieldOf, headerOf, oxmVersion } from '../field/index.ts';
import { formatSubfield, misreads, packBits, parseSubfield } from '../field/subfield.ts';
import { readFieldHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import {
  type Codec,
  type Decoded,
  kind,
  nicira,
  type Parsed,
  putNicira,
  type TextContext,
  variable,
  wrong,
} from './codec.ts';
import { numberOf, splitActionWords } from './text.ts';
import type { OfAction, OfCt, Subfield } from './types.ts';

const FLAG = { COMMIT: 1, FORCE: 2 } as const;
const NO_TABLE = 255;
/** Application layer gateways by their well-known ports. */
const algPorts: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 };

/** A number, the bits of a field, or the error. */
function readZone(r: Reader): number | Subfield | { error: Decoded } {
  if (r.u32(12) === 0) return r.u16(16);
  const header = readFieldHeader(r.bytes, 12);
  if (!header?.field) return { error: 'OFPBAC_BAD_SET_TYPE' };
  const bits = r.u16(16);
  const zone = { field: header.field.name, offset: bits >> 6, width: (bits & 0x3f) + 1 };
  const error = misreads(zone) ?? (zone.width === 16 ? null : 'OFPBAC_BAD_SET_LEN');
  return error ? { error } : zone;
}

const mayExecute = (action: OfAction): boolean =>
  action.type === 'nat' ||
  (action.type === 'set_field' && (action.field === 'ct_mark' || action.field === 'ct_label')) ||
  (action.type === 'move' && (action.target.field === 'ct_mark' || action.target.field === 'ct_label'));

function decodeCt(r: Reader, codec: Codec): Decoded {
  const zone = readZone(r);
  if (typeof zone === 'object' && 'error' in zone) return zone.error;
  const flags = r.u16(10);
  const actions = codec.decodeAll(r.slice(24));
  if (typeof actions === 'string') return actions;
  if (!actions.every(mayExecute)) return 'OFPBAC_BAD_ARGUMENT';
  const isCommit = (flags & FLAG.COMMIT) !== 0;
  const isForce = (flags & FLAG.FORCE) !== 0;
  // Only a connection that is committed gets a translation of its own.
  if (!isCommit && actions.some((action) => action.type === 'nat' && action.direction !== null))
    return 'OFPBAC_BAD_ARGUMENT';
  if (isForce && !isCommit) return 'OFPBAC_BAD_ARGUMENT';
  const table = r.u8(18);
  return { type: 'ct', isCommit, isForce, zone, table: table === NO_TABLE ? null : table, alg: r.u16(22), actions };
}

type Draft = { -readonly [K in keyof OfCt]: OfCt[K] };

function readZoneText(value: string): number | Subfield | null {
  const number = numberOf(value, 16);
  if (number !== null) return number;
  const field = parseSubfield(value);
  return 'wrong' in field || field.width !== 16 ? null : field;
}

/** Null, or what is wrong. */
function readCtWord(action: Draft, name: string, value: string, context: TextContext): string | null {
  switch (name) {
    case 'commit':
      action.isCommit = true;
      return null;
    case 'force':
      action.isForce = true;
      return null;
    case 'table':
      action.table = context.table(value);
      if (action.table === NO_TABLE) return `invalid table 0xff`;
      return action.table === null ? `unknown table ${value}` : null;
    case 'zone': {
      const zone = readZoneText(value);
      if (zone !== null) action.zone = zone;
      return zone === null ? `invalid zone "${value}"` : null;
    }
    case 'alg': {
      const port = algPorts[value] ?? numberOf(value, 16);
      if (port !== null) action.alg = port;
      return port === null ? `invalid alg "${value}"` : null;
    }
    case 'nat':
    case 'exec': {
      const nested = context.parseAll(name === 'nat' ? (value === '' ? 'nat' : `nat(${value})`) : value);
      if ('wrong' in nested) return nested.wrong;
      if (name === 'exec' && !nested.every((a) => a.type !== 'nat' && mayExecute(a))) {
        return "ct action doesn't allow other actions than those that set ct_mark or ct_label";
      }
      action.actions = name === 'nat' ? [...nested, ...action.actions] : [...action.actions, ...nested];
      return null;
    }
    default:
      return `invalid argument to "ct" action: \`${name}'`;
  }
}

function parseCt(text: string, context: TextContext): Parsed {
  const action: Draft = { type: 'ct', isCommit: false, isForce: false, zone: 0, table: null, alg: 0, actions: [] };
  const words = splitActionWords(text);
  if (!words) return wrong(`ct(${text}): brackets do not match`);
  for (const { name, value } of words) {
    const failed = readCtWord(action, name, value, context);
    if (failed) return wrong(failed);
  }
  if (action.isForce && !action.isCommit) return wrong('"force" flag requires "commit" flag.');
  return action;
}

function formatCt(a: OfCt, formatAll: (actions: readonly OfAction[]) => string): string {
  const parts: string[] = [];
  if (a.isCommit) parts.push('commit');
  if (a.isForce) parts.push('force');
  if (a.table !== null) parts.push(`table=${a.table}`);
  if (typeof a.zone !== 'number') parts.push(`zone=${formatSubfield(a.zone)}`);
  else if (a.zone !== 0) parts.push(`zone=${a.zone}`);
  const nats = a.actions.filter(({ type }) => type === 'nat');
  if (nats.length > 0) parts.push(formatAll(nats));
  const executed = a.actions.filter(({ type }) => type !== 'nat');
  if (executed.length > 0) parts.push(`exec(${formatAll(executed)})`);
  const alg = Object.keys(algPorts).find((name) => algPorts[name] === a.alg);
  if (a.alg !== 0) parts.push(`alg=${alg ?? a.alg}`);
  return `ct(${parts.join(',')})`;
}

export const ct = kind<'ct'>({
  types: ['ct'],
  forms: [variable(nicira(35, 24, decodeCt))],
  encode(out, a, codec) {
    putNicira(out, 35, (body) => {
      body.u16((a.isCommit ? FLAG.COMMIT : 0) | (a.isForce ? FLAG.FORCE : 0));
      if (typeof a.zone === 'number') body.u32(0).u16(a.zone);
      else {
        const field = fieldOf(a.zone.field);
        writeOxmHeader(body, headerOf(field, oxmVersion(codec.version))!, false, field.size);
        body.u16(packBits(a.zone));
      }
      body
        .u8(a.table ?? NO_TABLE)
        .zeros(3)
        .u16(a.alg);
      codec.encodeAll(body, a.actions);
    });
  },
  format: formatCt,
  words: { ct: parseCt },
});
