/** resubmit, set_tunnel, fin_timeout, conjunction, note, sample (ovs-actions(7)). */
import { formatOfPort } from '../../flow/text/ports.ts';
import { fieldOf, fieldOnes } from '../field/index.ts';
import type { Reader } from '../reader.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, type TextContext, variable, wrong } from './codec.ts';
import { putSetField } from './set-field.ts';
import { bigOf, formatHexBytes, hexNumber, numberOf, parseHexBytes, splitActionWords } from './text.ts';
import type { OfSample } from './types.ts';

const IN_PORT = 0xfff8;
const THIS_TABLE = 255;

function parseResubmit(text: string, context: TextContext): Parsed {
  const [portText = '', tableText = '', option = '', ...rest] = text.split(',').map((part) => part.trim());
  if (rest.length > 0 || (option !== '' && option !== 'ct')) return wrong(`${option}: unknown option on resubmit`);
  const port = portText === '' ? IN_PORT : context.port(portText);
  if (port === null) return wrong(`${portText}: resubmit to unknown port`);
  const table = tableText === '' ? THIS_TABLE : context.table(tableText);
  if (table === null) return wrong(`${tableText}: resubmit to unknown table`);
  if (port === IN_PORT && table === THIS_TABLE) {
    return wrong('at least one "in_port" or "table" must be specified on resubmit');
  }
  return { type: 'resubmit', port, table, withCt: option === 'ct', isPlain: false };
}

const resubmitTo =
  (withCt: boolean) =>
  (r: Reader): Decoded =>
    r.isZero(13)
      ? { type: 'resubmit', port: r.u16(10), table: r.u8(12), withCt, isPlain: false }
      : 'OFPBAC_BAD_ARGUMENT';

export const resubmit = kind<'resubmit'>({
  types: ['resubmit'],
  forms: [
    nicira(1, 16, (r) => ({ type: 'resubmit', port: r.u16(10), table: THIS_TABLE, withCt: false, isPlain: true })),
    nicira(14, 16, resubmitTo(false)),
    nicira(44, 16, resubmitTo(true)),
  ],
  encode(out, { port, table, withCt, isPlain }) {
    if (isPlain) putNicira(out, 1, (body) => body.u16(port).zeros(4));
    else putNicira(out, withCt ? 44 : 14, (body) => body.u16(port).u8(table).zeros(3));
  },
  format({ port, table, withCt }) {
    if (table === THIS_TABLE && port !== IN_PORT && !withCt) return `resubmit:${formatOfPort(port)}`;
    const parts = [port === IN_PORT ? '' : formatOfPort(port), table === THIS_TABLE ? '' : String(table)];
    return `resubmit(${parts.join(',')}${withCt ? ',ct' : ''})`;
  },
  words: { resubmit: parseResubmit },
});

function parseTunnel(text: string, isWide: boolean): Parsed {
  const id = bigOf(text, 64);
  return id === null
    ? wrong(`invalid tunnel id "${text}"`)
    : { type: 'set_tunnel', id, isWide: isWide || id > 0xffffffffn };
}

export const setTunnel = kind<'set_tunnel'>({
  types: ['set_tunnel'],
  forms: [
    nicira(2, 16, (r) => ({ type: 'set_tunnel', id: BigInt(r.u32(12)), isWide: false })),
    nicira(9, 24, (r) => ({ type: 'set_tunnel', id: r.u64(16), isWide: true })),
  ],
  encode(out, { id, isWide }, { version }) {
    if (version >= 3) {
      const mask = fieldOnes(fieldOf('tun_id'));
      putSetField(out, version, { type: 'set_field', field: 'tun_id', value: id, mask, isLoad: false });
    } else if (isWide || id > 0xffffffffn) putNicira(out, 9, (body) => body.zeros(6).u64(id));
    else putNicira(out, 2, (body) => body.zeros(2).u32(Number(id)));
  },
  format: ({ id, isWide }) => `${isWide || id > 0xffffffffn ? 'set_tunnel64' : 'set_tunnel'}:${hexNumber(id)}`,
  words: { set_tunnel: (text) => parseTunnel(text, false), set_tunnel64: (text) => parseTunnel(text, true) },
});

function parseFinTimeout(text: string): Parsed {
  const found = { idle_timeout: 0, hard_timeout: 0 };
  for (const { name, value } of splitActionWords(text) ?? []) {
    const seconds = numberOf(value, 16);
    if (!(name in found)) return wrong(`invalid key '${name}' in 'fin_timeout' argument`);
    if (seconds === null) return wrong(`invalid ${name} "${value}"`);
    found[name as keyof typeof found] = seconds;
  }
  return { type: 'fin_timeout', idleTimeout: found.idle_timeout, hardTimeout: found.hard_timeout };
}

export const finTimeout = kind<'fin_timeout'>({
  types: ['fin_timeout'],
  forms: [nicira(19, 16, (r) => ({ type: 'fin_timeout', idleTimeout: r.u16(10), hardTimeout: r.u16(12) }))],
  encode(out, { idleTimeout, hardTimeout }) {
    putNicira(out, 19, (body) => body.u16(idleTimeout).u16(hardTimeout).zeros(2));
  },
  format({ idleTimeout, hardTimeout }) {
    const parts = [];
    if (idleTimeout !== 0) parts.push(`idle_timeout=${idleTimeout}`);
    if (hardTimeout !== 0) parts.push(`hard_timeout=${hardTimeout}`);
    return `fin_timeout(${parts.join(',')})`;
  },
  words: { fin_timeout: parseFinTimeout },
});

const CLAUSES_MAX = 64;

function parseConjunction(text: string): Parsed {
  const found = /^\s*([0-9]+|0x[0-9a-f]+)\s*,\s*([0-9]+)\s*\/\s*([0-9]+)\s*$/i.exec(text);
  if (!found) return wrong('"conjunction" syntax is "conjunction(id,i/n)"');
  const [id, clause, count] = [Number(found[1]), Number(found[2]), Number(found[3])];
  if (count < 2) return wrong('conjunction must have at least 2 clauses');
  if (count > CLAUSES_MAX) return wrong('conjunction must have at most 64 clauses');
  if (clause < 1) return wrong('clause index must be positive');
  if (clause > count) return wrong('clause index must be less than or equal to number of clauses');
  if (id > 0xffffffff) return wrong(`conjunction: invalid id "${found[1]}"`);
  return { type: 'conjunction', id, clause: clause - 1, clauseCount: count };
}

export const conjunction = kind<'conjunction'>({
  types: ['conjunction'],
  forms: [
    nicira(34, 16, (r) => {
      const [clause, clauseCount] = [r.u8(10), r.u8(11)];
      if (clauseCount < 2 || clauseCount > CLAUSES_MAX || clause >= clauseCount) return 'NXBAC_BAD_CONJUNCTION';
      return { type: 'conjunction', id: r.u32(12), clause, clauseCount };
    }),
  ],
  encode(out, { id, clause, clauseCount }) {
    putNicira(out, 34, (body) => body.u8(clause).u8(clauseCount).u32(id));
  },
  format: ({ id, clause, clauseCount }) => `conjunction(${id},${clause + 1}/${clauseCount})`,
  words: { conjunction: parseConjunction },
});

export const note = kind<'note'>({
  types: ['note'],
  forms: [variable(nicira(8, 16, (r) => ({ type: 'note', data: r.slice(10).slice() })))],
  encode(out, { data }) {
    putNicira(out, 8, (body) => body.bytes(data.length === 0 ? new Uint8Array(6) : data));
  },
  format: ({ data }) => `note:${formatHexBytes(data)}`,
  words: {
    note: (text) => {
      const data = parseHexBytes(text);
      return data ? { type: 'note', data } : wrong("bad hex digit in `note' argument");
    },
  },
});

const directions = [null, 'ingress', 'egress'] as const;
type SampleDraft = { -readonly [K in keyof OfSample]: OfSample[K] };

function decodeSample(r: Reader, form: 1 | 2 | 3): Decoded {
  const probability = r.u16(10);
  if (probability === 0) return 'OFPBAC_BAD_ARGUMENT';
  const direction = form === 3 ? directions[r.u8(26)] : null;
  if (direction === undefined) return 'OFPBAC_BAD_ARGUMENT';
  if (form === 3 && !r.isZero(27)) return 'NXBRC_MUST_BE_ZERO';
  return {
    type: 'sample',
    probability,
    collectorSetId: r.u32(12),
    obsDomainId: r.u32(16),
    obsPointId: r.u32(20),
    samplingPort: form === 1 || r.u16(24) === 0xffff ? null : r.u16(24),
    direction,
    form,
  };
}

function readSampleWord(action: SampleDraft, name: string, value: string, context: TextContext): string | null {
  const number = (bits: number, put: (value: number) => void): string | null => {
    const read = numberOf(value, bits);
    if (read !== null) put(read);
    return read === null ? `invalid ${name} "${value}"` : null;
  };
  switch (name) {
    case 'probability': {
      const failed = number(16, (read) => (action.probability = read));
      return failed ?? (action.probability === 0 ? `invalid probability value "${value}"` : null);
    }
    case 'collector_set_id':
      return number(32, (read) => (action.collectorSetId = read));
    case 'obs_domain_id':
      return number(32, (read) => (action.obsDomainId = read));
    case 'obs_point_id':
      return number(32, (read) => (action.obsPointId = read));
    case 'sampling_port':
      action.samplingPort = context.port(value);
      return action.samplingPort === null ? `${value}: unknown port` : null;
    case 'ingress':
    case 'egress':
      action.direction = name;
      return null;
    default:
      return `invalid key "${name}" in "sample" argument`;
  }
}

function parseSample(text: string, context: TextContext): Parsed {
  const action: SampleDraft = {
    type: 'sample',
    probability: 0,
    collectorSetId: 0,
    obsDomainId: 0,
    obsPointId: 0,
    samplingPort: null,
    direction: null,
    form: 1,
  };
  for (const { name, value } of splitActionWords(text) ?? []) {
    const failed = readSampleWord(action, name, value, context);
    if (failed) return wrong(failed);
  }
  if (action.probability === 0) return wrong('non-zero "probability" must be specified on sample');
  action.form = action.direction !== null ? 3 : action.samplingPort !== null ? 2 : 1;
  return action;
}

export const sample = kind<'sample'>({
  types: ['sample'],
  forms: [
    nicira(29, 24, (r) => decodeSample(r, 1)),
    nicira(38, 32, (r) => decodeSample(r, 2)),
    nicira(41, 32, (r) => decodeSample(r, 3)),
  ],
  encode(out, a) {
    const form = a.direction !== null || a.form === 3 ? 3 : a.samplingPort !== null || a.form === 2 ? 2 : 1;
    putNicira(out, [29, 38, 41][form - 1]!, (body) => {
      body.u16(a.probability).u32(a.collectorSetId).u32(a.obsDomainId).u32(a.obsPointId);
      if (form !== 1)
        body
          .u16(a.samplingPort ?? 0xffff)
          .u8(directions.indexOf(a.direction))
          .zeros(5);
    });
  },
  format(a) {
    const parts = [
      `probability=${a.probability}`,
      `collector_set_id=${a.collectorSetId}`,
      `obs_domain_id=${a.obsDomainId}`,
      `obs_point_id=${a.obsPointId}`,
    ];
    if (a.samplingPort !== null) parts.push(`sampling_port=${formatOfPort(a.samplingPort)}`);
    if (a.direction !== null) parts.push(a.direction);
    return `sample(${parts.join(',')})`;
  },
  words: { sample: parseSample },
});
