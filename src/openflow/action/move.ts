/** move, push and pop of the stack, delete_field (OpenFlow 1.5 §7.2.4.2 copy-field, ovs-actions(7)). */
import { fieldOf, headerOf, oxmVersion } from '../field/index.ts';
import { formatSubfield, misreads, miswrites, parseSubfield } from '../field/subfield.ts';
import { readFieldHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import type { OfVersion } from '../version.ts';
import type { Writer } from '../wire.ts';
import {
  type ActionKind,
  type Decoded,
  kind,
  nicira,
  ONF,
  type Parsed,
  putNicira,
  putStandard,
  standard,
  variable,
  type WireForm,
  wrong,
} from './codec.ts';
import { splitArrow } from './text.ts';
import type { Subfield } from './types.ts';

const putHeader = (out: Writer, { field }: Subfield, version: number): void => {
  const spec = fieldOf(field);
  writeOxmHeader(out, headerOf(spec, version)!, false, spec.size);
};

/** Offsets and bits at `at`, two headers from `headersAt` on, nothing but zeros behind. */
function decodeMove(r: Reader, at: number, headersAt: number): Decoded {
  const [width, from, to] = [r.u16(at), r.u16(at + 2), r.u16(at + 4)];
  const source = readFieldHeader(r.bytes, headersAt);
  if (!source) return 'OFPBMC_BAD_LEN';
  if (!source.field) return 'OFPBMC_BAD_FIELD';
  const target = readFieldHeader(r.bytes, headersAt + source.size);
  if (!target) return 'OFPBMC_BAD_LEN';
  if (!target.field) return 'OFPBMC_BAD_FIELD';
  if (!r.isZero(headersAt + source.size + target.size)) return 'NXBRC_MUST_BE_ZERO';
  const action = {
    type: 'move',
    source: { field: source.field.name, offset: from, width },
    target: { field: target.field.name, offset: to, width },
  } as const;
  return misreads(action.source) ?? miswrites(action.target) ?? action;
}

function parseMove(text: string): Parsed {
  const parts = splitArrow(text);
  if (!parts) return wrong(`${text}: missing \`->'`);
  const [source, target] = [parseSubfield(parts.source), parseSubfield(parts.target)];
  if ('wrong' in source) return source;
  if ('wrong' in target) return target;
  if (source.width !== target.width) {
    return wrong(`${text}: source field is ${source.width} bits wide but destination is ${target.width} bits wide`);
  }
  if (!fieldOf(target.field).isWritable) return wrong(`${text}: ${target.field} is read-only`);
  return { type: 'move', source, target };
}

const copyField = (r: Reader): Decoded => decodeMove(r, 4, 12);
const experimenterCopyField: WireForm = {
  ...nicira(3200, 24, (r) => decodeMove(r, 10, 18)),
  vendor: ONF,
  first: 4,
  last: 4,
  isVariable: true,
};

function putMove(out: Writer, version: OfVersion, source: Subfield, target: Subfield): void {
  const body = (w: Writer): void => {
    w.u16(source.width).u16(source.offset).u16(target.offset);
    if (version === 6) w.zeros(2);
    putHeader(w, source, version === 6 ? 6 : 1);
    putHeader(w, target, version === 6 ? 6 : 1);
  };
  if (version === 6) putStandard(out, 28, body);
  else putNicira(out, 6, body);
}

export const move = kind<'move'>({
  types: ['move'],
  forms: [
    variable(nicira(6, 24, (r) => decodeMove(r, 10, 16))),
    experimenterCopyField,
    variable(standard(28, [6, 6], 16, copyField)),
  ],
  encode: (out, { source, target }, { version }) => putMove(out, version, source, target),
  format: ({ source, target }) => `move:${formatSubfield(source)}->${formatSubfield(target)}`,
  words: { move: parseMove },
});

function stack(type: 'push' | 'pop', code: number): ActionKind {
  return kind<typeof type>({
    types: [type],
    forms: [
      variable(
        nicira(code, 24, (r) => {
          const header = readFieldHeader(r.bytes, 12);
          if (!header) return 'OFPBMC_BAD_LEN';
          if (!header.field) return 'OFPBMC_BAD_FIELD';
          const widthAt = 12 + header.size;
          const subfield = { field: header.field.name, offset: r.u16(10), width: r.u16(widthAt) };
          if (!r.isZero(widthAt + 2)) return 'NXBRC_MUST_BE_ZERO';
          const error = type === 'push' ? misreads(subfield) : miswrites(subfield);
          return error ?? { type, subfield };
        }),
      ),
    ],
    encode(out, { subfield }) {
      putNicira(out, code, (body) => {
        const start = body.size - 10;
        body.u16(subfield.offset);
        putHeader(body, subfield, 1);
        body.u16(subfield.width).zeros(24 - (body.size - start));
      });
    },
    format: ({ subfield }) => `${type}:${formatSubfield(subfield)}`,
    words: {
      [type]: (text): Parsed => {
        const subfield = parseSubfield(text);
        if ('wrong' in subfield) return subfield;
        if (type === 'pop' && !fieldOf(subfield.field).isWritable)
          return wrong(`${text}: ${subfield.field} is read-only`);
        return { type, subfield };
      },
    },
  });
}

export const push = stack('push', 27);
export const pop = stack('pop', 28);

const isTunMetadata = (field: string): boolean => field.startsWith('tun_metadata');

export const deleteField = kind<'delete_field'>({
  types: ['delete_field'],
  forms: [
    nicira(50, 24, (r) => {
      const header = readFieldHeader(r.bytes, 10);
      if (!header?.field) return 'OFPBMC_BAD_FIELD';
      if (!isTunMetadata(header.field.name)) return 'OFPBAC_BAD_ARGUMENT';
      return { type: 'delete_field', field: header.field.name };
    }),
  ],
  encode(out, { field }, { version }) {
    putNicira(out, 50, (body) => {
      putHeader(body, { field, offset: 0, width: 0 }, oxmVersion(version));
      body.zeros(10);
    });
  },
  format: ({ field }) => `delete_field:${field}`,
  words: {
    delete_field: (text): Parsed =>
      isTunMetadata(text) && parseSubfield(text) && !('wrong' in parseSubfield(text))
        ? { type: 'delete_field', field: text }
        : wrong(`${text}: is not a valid field to delete`),
  },
});

export const checkPktLarger = kind<'check_pkt_larger'>({
  types: ['check_pkt_larger'],
  forms: [
    nicira(49, 24, (r) => {
      const header = readFieldHeader(r.bytes, 14);
      if (!header?.field) return 'OFPBMC_BAD_FIELD';
      if (!r.isZero(14 + header.size)) return 'NXBRC_MUST_BE_ZERO';
      const target = { field: header.field.name, offset: r.u16(12), width: 1 };
      return miswrites(target) ?? { type: 'check_pkt_larger', size: r.u16(10), target };
    }),
  ],
  encode(out, { size, target }) {
    putNicira(out, 49, (body) => {
      const start = body.size - 10;
      body.u16(size).u16(target.offset);
      putHeader(body, target, 1);
      body.zeros(24 - (body.size - start));
    });
  },
  format: ({ size, target }) => `check_pkt_larger(${size})->${formatSubfield(target)}`,
  words: {
    check_pkt_larger: (text): Parsed => {
      const found = /^([0-9]+|0x[0-9a-f]+)\)?->(.*)$/i.exec(text);
      const target = found ? parseSubfield(found[2]!) : null;
      if (!found || !target) return wrong(`${text}: missing \`->'`);
      if ('wrong' in target) return target;
      if (target.width !== 1) return wrong(`${text}: destination must be 1 bit wide`);
      if (Number(found[1]) > 0xffff) return wrong(`check_pkt_larger: invalid length "${found[1]}"`);
      return { type: 'check_pkt_larger', size: Number(found[1]), target };
    },
  },
});
