/** output, output_reg, output_trunc (OpenFlow 1.0 §5.2.4, ovs-actions(7)). */
import { formatOfPort } from '../../flow/text/ports.ts';
import { fieldOf, headerOf } from '../field/index.ts';
import { formatSubfield, misreads, packBits, parseSubfield } from '../field/subfield.ts';
import { readFieldHeader, writeOxmHeader } from '../oxm/header.ts';
import type { Reader } from '../reader.ts';
import {
  type Decoded,
  fromPort32,
  kind,
  nicira,
  type Parsed,
  putNicira,
  putStandard,
  standard,
  type TextContext,
  toPort32,
  wrong,
} from './codec.ts';
import { numberOf, splitActionWords } from './text.ts';

const OFPP_CONTROLLER = 0xfffd;
const OFPP_NONE = 0xffff;
const OFPP_FIRST_RESERVED = 0xff00;

/** Ports that a packet can be sent to: numbers, and the reserved ones that mean something. */
export const isOutputPort = (port: number): boolean =>
  port < OFPP_FIRST_RESERVED || (port >= 0xfff8 && port !== OFPP_NONE);

function makeOutput(port: number | null, maxLen: number): Decoded {
  if (port === null || !isOutputPort(port)) return 'OFPBAC_BAD_OUT_PORT';
  return { type: 'output', port, maxLen };
}

const isSpecial = (port: number): boolean => port >= 0xfff8 && port <= 0xfffe;

export const output = kind<'output'>({
  types: ['output'],
  forms: [
    standard(0, [1, 1], 8, (r) => makeOutput(r.u16(4), r.u16(6))),
    standard(0, [2, 6], 16, (r) => makeOutput(fromPort32(r.u32(4)), r.u16(8))),
  ],
  encode(out, { port, maxLen }, { version }) {
    putStandard(out, 0, (body) => {
      if (version === 1) body.u16(port).u16(maxLen);
      else body.u32(toPort32(port)).u16(maxLen).zeros(6);
    });
  },
  format: ({ port, maxLen }) => {
    if (port === OFPP_CONTROLLER) return `CONTROLLER:${maxLen}`;
    return isSpecial(port) ? formatOfPort(port) : `output:${formatOfPort(port)}`;
  },
  words: { output: parseOutput },
});

/** What ovs-ofctl takes behind `output:`, or as a word of its own. */
export function parseOutput(text: string, context: TextContext): Parsed {
  if (/[=]/.test(text)) return parseTruncated(text, context);
  const port = context.port(text);
  if (port !== null) {
    return { type: 'output', port, maxLen: port === OFPP_CONTROLLER ? 0xffff : 0 };
  }
  const source = parseSubfield(text);
  if ('wrong' in source) return wrong(`${text}: output to unknown port`);
  return { type: 'output_reg', source, maxLen: 0xffff };
}

function parseTruncated(text: string, context: TextContext): Parsed {
  let port: number | null = null;
  let maxLen: number | null = null;
  for (const { name, value } of splitActionWords(text) ?? []) {
    if (name === 'port') {
      port = context.port(value);
      if (port === null) return wrong(`output to unknown truncate port: ${value}`);
      if (port > 0xff00 && port !== 0xfffe && port !== 0xfff8 && port !== 0xffff) {
        return wrong(`output to unsupported truncate port: ${value}`);
      }
    } else if (name === 'max_len') {
      maxLen = numberOf(value, 32);
      if (maxLen === null) return wrong(`invalid max_len "${value}"`);
    } else return wrong(`invalid key '${name}' in output_trunc argument`);
  }
  if (port === null) return wrong("'port' must be specified");
  if (maxLen === null) return wrong("'max_len' must be specified");
  if (maxLen < 14) return wrong(`max_len ${maxLen} is less than the minimum value 14`);
  return { type: 'output_trunc', port, maxLen };
}

/** A header without a value, somewhere in an action; the rest of the action must be zero. */
function decodeRegister(r: Reader, maxLen: number, headerAt: number, bits: number, zeroFrom: number | null): Decoded {
  if (zeroFrom !== null && !r.isZero(zeroFrom)) return 'OFPBAC_BAD_ARGUMENT';
  const header = readFieldHeader(r.bytes, headerAt);
  if (!header?.field) return zeroFrom === null ? 'OFPBMC_BAD_FIELD' : 'OFPBAC_BAD_SET_TYPE';
  const source = { field: header.field.name, offset: bits >> 6, width: (bits & 0x3f) + 1 };
  if (zeroFrom === null && !r.isZero(headerAt + header.size)) return 'NXBRC_MUST_BE_ZERO';
  const error = misreads(source);
  return error ?? { type: 'output_reg', source, maxLen };
}

export const outputReg = kind<'output_reg'>({
  types: ['output_reg'],
  forms: [
    nicira(15, 24, (r) => decodeRegister(r, r.u16(16), 12, r.u16(10), 18)),
    nicira(32, 24, (r) => decodeRegister(r, r.u16(12), 14, r.u16(10), null)),
  ],
  encode(out, { source, maxLen }) {
    const header = headerOf(fieldOf(source.field), 1)!;
    if (header.experimenter !== 0) {
      putNicira(out, 32, (body) => {
        body.u16(packBits(source)).u16(maxLen);
        writeOxmHeader(body, header, false, fieldOf(source.field).size);
      });
      return;
    }
    putNicira(out, 15, (body) => {
      body.u16(packBits(source));
      writeOxmHeader(body, header, false, fieldOf(source.field).size);
      body.u16(maxLen).zeros(6);
    });
  },
  format: ({ source }) => `output:${formatSubfield(source)}`,
  words: {},
});

export const outputTrunc = kind<'output_trunc'>({
  types: ['output_trunc'],
  forms: [
    nicira(39, 16, (r) => {
      const [port, maxLen] = [r.u16(10), r.u32(12)];
      if (maxLen < 14) return 'OFPBAC_BAD_ARGUMENT';
      return { type: 'output_trunc', port, maxLen };
    }),
  ],
  encode(out, { port, maxLen }) {
    putNicira(out, 39, (body) => body.u16(port).u32(maxLen));
  },
  format: ({ port, maxLen }) => `output(port=${formatOfPort(port)},max_len=${maxLen})`,
  words: {},
});
