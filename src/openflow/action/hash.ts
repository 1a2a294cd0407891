/** bundle, bundle_load, multipath: a hash of the packet chooses a port or a number (ovs-actions(7)). */
import { formatOfPort } from '../../flow/text/ports.ts';
import { fieldOf, headerOf } from '../field/index.ts';
import { formatSubfield, miswrites, packBits, parseSubfield } from '../field/subfield.ts';
import { readFieldHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, type TextContext, variable, wrong } from './codec.ts';
import { numberOf } from './text.ts';
import type { HashFields, Subfield } from './types.ts';

/** By code. */
export const hashFields: readonly HashFields[] = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
];
const bundleAlgorithms = ['active_backup', 'hrw'] as const;
const multipathAlgorithms = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const;
/** NXM_OF_IN_PORT's header: what bundle says its members are. */
const MEMBER_TYPE = 0x00000002;
const MEMBER_COUNT_MAX = 2048;

function readTarget(r: Reader, bitsAt: number, headerAt: number): Subfield | null {
  const header = readFieldHeader(r.bytes, headerAt);
  const bits = r.u16(bitsAt);
  return header?.field ? { field: header.field.name, offset: bits >> 6, width: (bits & 0x3f) + 1 } : null;
}

function decodeBundle(r: Reader, withTarget: boolean): Decoded {
  const algorithm = bundleAlgorithms[r.u16(10)];
  const fields = hashFields[r.u16(12)];
  const count = r.u16(20);
  if (!fields || !algorithm || r.u32(16) !== MEMBER_TYPE || count > MEMBER_COUNT_MAX) return 'OFPBAC_BAD_ARGUMENT';
  if (!r.isZero(28, 32)) return 'OFPBAC_BAD_ARGUMENT';
  let target: Subfield | null = null;
  if (withTarget) {
    target = readTarget(r, 22, 24);
    if (!target) return 'OFPBAC_BAD_SET_TYPE';
    const error = miswrites(target);
    if (error) return error;
    if (target.width < 16) return 'OFPBAC_BAD_ARGUMENT';
  } else if (r.u16(22) !== 0 || r.u32(24) !== 0) return 'OFPBAC_BAD_ARGUMENT';
  if (r.size - 32 < 2 * count) return 'OFPBAC_BAD_LEN';
  const members = Array.from({ length: count }, (_, i) => r.u16(32 + 2 * i));
  if (members.some((port) => port >= 0xff00 && port < 0xfff8)) return 'OFPBAC_BAD_OUT_PORT';
  return { type: 'bundle', fields, basis: r.u16(14), algorithm, members, target };
}

function parseBundle(text: string, withTarget: boolean, context: TextContext): Parsed {
  const parts = text.split(/[,\s]+/).filter((part) => part !== '');
  const [fieldsText, basisText, algorithmText, memberType] = parts;
  const rest = parts.slice(4);
  const fields = hashFields.find((known) => known === fieldsText);
  const algorithm = bundleAlgorithms.find((known) => known === algorithmText);
  const basis = numberOf(basisText ?? '', 16);
  if (parts.length < 5) return wrong(`${text}: not enough arguments to bundle action`);
  if (!fields) return wrong(`${text}: unknown fields \`${fieldsText}'`);
  if (!algorithm) return wrong(`${text}: unknown algorithm \`${algorithmText}'`);
  if (basis === null) return wrong(`${text}: bad basis \`${basisText}'`);
  if (memberType !== 'ofport') return wrong(`${text}: unknown member_type \`${memberType}'`);
  let target: Subfield | null = null;
  if (withTarget) {
    const read = parseSubfield(rest.shift() ?? '');
    if ('wrong' in read) return read;
    if (!fieldOf(read.field).isWritable) return wrong(`${text}: experimental OXM field '${read.field}' not supported`);
    if (read.width < 16) return wrong(`${text}: destination field is too narrow for a port`);
    target = read;
  }
  const first = rest.shift();
  const found = /^(?:members|slaves):(.*)$/.exec(first ?? '');
  if (!found) return wrong(`${text}: missing member delimiter, expected \`members', got \`${first}'`);
  const members: number[] = [];
  for (const member of [found[1]!, ...rest].filter((part) => part !== '')) {
    const port = context.port(member);
    if (port === null) return wrong(`${text}: bad port number`);
    members.push(port);
  }
  return { type: 'bundle', fields, basis, algorithm, members, target };
}

export const bundle = kind<'bundle'>({
  types: ['bundle'],
  forms: [
    variable(nicira(12, 32, (r) => decodeBundle(r, false))),
    variable(nicira(13, 32, (r) => decodeBundle(r, true))),
  ],
  encode(out, { fields, basis, algorithm, members, target }) {
    putNicira(out, target ? 13 : 12, (body) => {
      body.u16(bundleAlgorithms.indexOf(algorithm)).u16(hashFields.indexOf(fields)).u16(basis);
      body.u32(MEMBER_TYPE).u16(members.length);
      if (target) {
        const field = fieldOf(target.field);
        body.u16(packBits(target));
        writeOxmHeader(body, headerOf(field, 1)!, false, field.size);
      } else body.u16(0).u32(0);
      body.zeros(4);
      for (const port of members) body.u16(port);
    });
  },
  format({ fields, basis, algorithm, members, target }) {
    const ports = members.map(formatOfPort).join(',');
    const load = target ? `${formatSubfield(target)},` : '';
    return `bundle${target ? '_load' : ''}(${fields},${basis},${algorithm},ofport,${load}members:${ports})`;
  },
  words: {
    bundle: (text, context) => parseBundle(text, false, context),
    bundle_load: (text, context) => parseBundle(text, true, context),
  },
});

function decodeMultipath(r: Reader): Decoded {
  const target = readTarget(r, 26, 28);
  if (!target) return 'OFPBAC_BAD_SET_TYPE';
  const linkCount = r.u16(18) + 1;
  const [fields, algorithm] = [hashFields[r.u16(10)], multipathAlgorithms[r.u16(16)]];
  if (!fields || !algorithm) return 'OFPBAC_BAD_ARGUMENT';
  if (target.width < 16 && linkCount > 1 << target.width) return 'OFPBAC_BAD_ARGUMENT';
  const error = miswrites(target);
  return error ?? { type: 'multipath', fields, basis: r.u16(12), algorithm, linkCount, arg: r.u32(20), target };
}

function parseMultipath(text: string): Parsed {
  const parts = text.split(/[,\s]+/).filter((part) => part !== '');
  if (parts.length < 6) return wrong(`${text}: not enough arguments to multipath action`);
  const [fieldsText, basisText, algorithmText, countText, argText, targetText] = parts as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const fields = hashFields.find((known) => known === fieldsText);
  const algorithm = multipathAlgorithms.find((known) => known === algorithmText);
  const [basis, linkCount, arg] = [numberOf(basisText, 16), numberOf(countText, 32), numberOf(argText, 32)];
  if (!fields) return wrong(`${text}: unknown fields \`${fieldsText}'`);
  if (!algorithm) return wrong(`${text}: unknown algorithm \`${algorithmText}'`);
  if (basis === null || arg === null) return wrong(`${text}: bad number`);
  if (linkCount === null || linkCount < 1 || linkCount > 65536)
    return wrong(`${text}: n_links ${countText} is not in valid range 1 to 65536`);
  const target = parseSubfield(targetText);
  if ('wrong' in target) return target;
  if (!fieldOf(target.field).isWritable) return wrong(`${text}: ${target.field} is read-only`);
  if (target.width < 16 && linkCount > 1 << target.width) {
    return wrong(
      `${text}: ${target.width}-bit destination field has ${1 << target.width} possible values, less than specified n_links ${linkCount}`,
    );
  }
  return { type: 'multipath', fields, basis, algorithm, linkCount, arg, target };
}

export const multipath = kind<'multipath'>({
  types: ['multipath'],
  forms: [nicira(10, 32, decodeMultipath)],
  encode(out, { fields, basis, algorithm, linkCount, arg, target }) {
    putNicira(out, 10, (body) => {
      body.u16(hashFields.indexOf(fields)).u16(basis).zeros(2);
      body
        .u16(multipathAlgorithms.indexOf(algorithm))
        .u16(linkCount - 1)
        .u32(arg)
        .zeros(2);
      const field = fieldOf(target.field);
      body.u16(packBits(target));
      writeOxmHeader(body, headerOf(field, 1)!, false, field.size);
    });
  },
  format: ({ fields, basis, algorithm, linkCount, arg, target }) =>
    `multipath(${fields},${basis},${algorithm},${linkCount},${arg},${formatSubfield(target)})`,
  words: { multipath: parseMultipath },
});
