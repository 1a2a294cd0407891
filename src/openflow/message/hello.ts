/** Hello, error, echo, barrier: what every connection speaks, whatever its version. */
import { concatBytes } from '../../lib/bytes.ts';
import { ok } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { errorName, errorNumber, ofFail } from '../error.ts';
import { u16At, u32At, Writer } from '../wire.ts';
import type { Decoded, DecodeInput, Encoded, Family } from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import { hexDump } from './hex-dump.ts';

/** Versions that the sender speaks. */
export interface HelloMessage {
  readonly kind: 'hello';
  /** Bit n: wire version n. */
  readonly versions: number;
  /** Elements that are not known, or not well formed. */
  readonly unknown: boolean;
  /** The whole message as it came, for who prints it; empty when it was made here. */
  readonly bytes: Uint8Array;
}

export interface ErrorMessage {
  readonly kind: 'error';
  readonly error: OfErrorName;
  /** What was wrong: at least the first 64 bytes of it; for hello_failed text. */
  readonly data: Uint8Array;
}

export interface EchoMessage {
  readonly kind: 'echo_request' | 'echo_reply';
  readonly data: Uint8Array;
}

export interface EmptyMessage {
  readonly kind: 'barrier_request' | 'barrier_reply' | 'features_request' | 'get_config_request' | 'get_async_request';
}

export type SymmetricMessage = HelloMessage | ErrorMessage | EchoMessage | EmptyMessage;

const BITMAP_ELEMENT = 1;

/** Bits 0 to n. */
const upTo = (version: number): number => (version >= 31 ? -1 : (1 << (version + 1)) - 1) >>> 0;

function decodeHello({ body, bytes, version }: DecodeInput): Decoded<HelloMessage> {
  let versions = 0;
  let isKnown = true;
  let at = 0;
  while (at < body.length) {
    const left = body.length - at;
    if (left < 4) {
      isKnown = false;
      break;
    }
    const size = u16At(body, at + 2);
    if (size < 4 || ((size + 7) & ~7) > left) {
      isKnown = false;
      break;
    }
    const bitmap = u16At(body, at) === BITMAP_ELEMENT && size >= 8 ? (u32At(body, at + 4) & ~1) >>> 0 : 0;
    if (bitmap === 0) isKnown = false;
    else versions = bitmap;
    at += (size + 7) & ~7;
  }
  return ok({
    kind: 'hello',
    versions: versions === 0 ? (upTo(version) & ~1) >>> 0 : versions,
    unknown: !isKnown,
    bytes,
  });
}

function encodeHello(message: HelloMessage, version: number): Encoded {
  const out = new Writer();
  // A sender whose versions are all those up to its highest need not list them; one before 1.3 could not
  if (version >= 4 || (upTo(version) & ~1) >>> 0 !== message.versions)
    out.u16(BITMAP_ELEMENT).u16(8).u32(message.versions);
  return { spec: messageSpec('OFPT_HELLO'), body: out.done() };
}

function formatHello(message: HelloMessage): string {
  const list = Array.from({ length: 32 }, (_, n) => n).filter((n) => (message.versions & (1 << n)) !== 0);
  const text = `\n version bitmap: ${list.map((n) => `0x${n.toString(16).padStart(2, '0')}`).join(', ')}\n`;
  return message.unknown ? `${text} unknown data in hello:\n${hexDump(message.bytes)}` : text;
}

const EXPERIMENTER_ERROR = 0xffff;
/** Experimenter errors in OpenFlow 1.0 and 1.1: a type and code that say so, then experimenter, type and code. */
const NX_VENDOR_ERROR_TYPE = 0xb0c2;

function decodeError({ body, version }: DecodeInput): Decoded<ErrorMessage> {
  let [experimenter, type, code, size] = [0, u16At(body, 0), u16At(body, 2), 4];
  if (type === NX_VENDOR_ERROR_TYPE && code === 0) {
    if (body.length < 12) return ofFail('OFPBRC_BAD_LEN');
    [experimenter, type, code, size] = [u32At(body, 4), u16At(body, 8), u16At(body, 10), 12];
  } else if (type === EXPERIMENTER_ERROR && version >= 3) {
    if (body.length < 8) return ofFail('OFPBRC_BAD_LEN');
    [experimenter, type, code, size] = [u32At(body, 4), code, 0, 8];
  }
  const name = errorName(version, { experimenter, type, code });
  return name === null ? ofFail('OFPBRC_BAD_LEN') : ok({ kind: 'error', error: name, data: body.slice(size) });
}

/** An error that a version has no number for is told as the Nicira error that stands for it. */
function encodeError(message: ErrorMessage, version: number): Encoded {
  const number = errorNumber(version, message.error) ?? errorNumber(version, 'NXBRC_UNENCODABLE_ERROR')!;
  const out = new Writer();
  if (number.experimenter === 0) out.u16(number.type).u16(number.code);
  else if (version >= 3) out.u16(EXPERIMENTER_ERROR).u16(number.type).u32(number.experimenter);
  else out.u16(NX_VENDOR_ERROR_TYPE).u16(0).u32(number.experimenter).u16(number.type).u16(number.code);
  return { spec: messageSpec('OFPT_ERROR'), body: out.bytes(message.data).done() };
}

const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/** Text between quotes, with what cannot be printed escaped. */
function quoted(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    if (isPrintable(byte) && byte !== 0x5c && byte !== 0x22) return String.fromCharCode(byte);
    return `\\${byte.toString(8).padStart(3, '0')}`;
  }).join('');
}

const echo = (kind: EchoMessage['kind']) => ({
  decode: ({ body }: DecodeInput): Decoded<SymmetricMessage> => ok({ kind, data: body.slice() }),
});
const empty = (kind: EmptyMessage['kind']) => (): Decoded<SymmetricMessage> => ok({ kind });
const encodeEmpty =
  (...raws: string[]) =>
  (_: SymmetricMessage, version: number): Encoded | null => {
    const spec = specIn(version, ...raws);
    return spec && { spec, body: new Uint8Array(0) };
  };
const formatEcho = (message: EchoMessage, verbosity: number): string =>
  ` ${message.data.length} bytes of payload\n${verbosity > 1 ? hexDump(message.data) : ''}`;
const formatNothing = (): string => '';

export const symmetricFamily: Family<SymmetricMessage> = {
  decode: {
    OFPT_HELLO: decodeHello,
    OFPT_ERROR: decodeError,
    OFPT_ECHO_REQUEST: echo('echo_request').decode,
    OFPT_ECHO_REPLY: echo('echo_reply').decode,
    OFPT10_BARRIER_REQUEST: empty('barrier_request'),
    OFPT11_BARRIER_REQUEST: empty('barrier_request'),
    OFPT10_BARRIER_REPLY: empty('barrier_reply'),
    OFPT11_BARRIER_REPLY: empty('barrier_reply'),
    OFPT_FEATURES_REQUEST: empty('features_request'),
    OFPT_GET_CONFIG_REQUEST: empty('get_config_request'),
    OFPT13_GET_ASYNC_REQUEST: empty('get_async_request'),
  },
  encode: {
    hello: encodeHello,
    error: encodeError,
    echo_request: ({ data }) => ({ spec: messageSpec('OFPT_ECHO_REQUEST'), body: concatBytes(data) }),
    echo_reply: ({ data }) => ({ spec: messageSpec('OFPT_ECHO_REPLY'), body: concatBytes(data) }),
    barrier_request: encodeEmpty('OFPT10_BARRIER_REQUEST', 'OFPT11_BARRIER_REQUEST'),
    barrier_reply: encodeEmpty('OFPT10_BARRIER_REPLY', 'OFPT11_BARRIER_REPLY'),
    features_request: encodeEmpty('OFPT_FEATURES_REQUEST'),
    get_config_request: encodeEmpty('OFPT_GET_CONFIG_REQUEST'),
    get_async_request: encodeEmpty('OFPT13_GET_ASYNC_REQUEST'),
  },
  format: {
    hello: formatHello,
    error: (message, context) => {
      const head = ` ${message.error}\n`;
      const isText = message.error === 'OFPHFC_INCOMPATIBLE' || message.error === 'OFPHFC_EPERM';
      if (isText) return message.data.length === 0 ? head : `${head}${quoted(message.data)}\n`;
      return head + context.formatInner(message.data, 1);
    },
    echo_request: (message, { verbosity }) => formatEcho(message, verbosity),
    echo_reply: (message, { verbosity }) => formatEcho(message, verbosity),
    barrier_request: formatNothing,
    barrier_reply: formatNothing,
    features_request: formatNothing,
    get_config_request: formatNothing,
    get_async_request: formatNothing,
  },
};
