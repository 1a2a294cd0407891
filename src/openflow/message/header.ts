/** Which message it is: the header, the multipart header and the experimenter's header, and the row of data they lead to. */
import { ok, type Result } from '../../lib/result.ts';
import {
  multipartType,
  NICIRA_EXPERIMENTER,
  OFPMP_EXPERIMENTER,
  OFPT_EXPERIMENTER,
  type OfMessageSpec,
  ONF_EXPERIMENTER,
  ofMessages,
} from '../../spec/of-messages.ts';
import { type OfError, ofFail } from '../error.ts';
import { frame, OF_HEADER_SIZE } from '../framing.ts';
import { u16At, u32At, Writer } from '../wire.ts';

export interface OfHeader {
  /** Wire version; only hello, error and echo are read in versions other than 1 to 6. */
  readonly version: number;
  readonly xid: number;
  readonly spec: OfMessageSpec;
  /** Of a multipart message: bit 0 says that more follow. Else 0. */
  readonly flags: number;
  /** The whole message. */
  readonly bytes: Uint8Array;
  /** What follows the headers. */
  readonly body: Uint8Array;
}

interface Identity {
  readonly direction: 'request' | 'reply' | null;
  readonly experimenter: number;
  readonly number: number;
  /** All headers together. */
  readonly size: number;
  readonly flags: number;
}

const keyOf = (version: number, id: Pick<Identity, 'direction' | 'experimenter' | 'number'>): string =>
  `${version}/${id.direction ?? ''}/${id.experimenter}/${id.number}`;

const specByKey = new Map<string, OfMessageSpec>();
for (const spec of ofMessages) {
  for (let version = spec.first; version <= spec.last; version++) specByKey.set(keyOf(version, spec), spec);
}

/** Messages without experimenter, by version and type: most of all. */
const plainSpecs = Array.from({ length: 256 }, (_, version) =>
  version > 6 ? [] : Array.from({ length: 256 }, (_, number) => findPlain(version, number)),
);

function findPlain(version: number, number: number): OfMessageSpec | null {
  const isMultipart = (['request', 'reply'] as const).some((direction) => number === multipartType(version, direction));
  if (number === OFPT_EXPERIMENTER || isMultipart) return null;
  return specByKey.get(keyOf(version, { direction: null, experimenter: 0, number })) ?? null;
}

const isKnownExperimenter = (id: number): boolean => id === NICIRA_EXPERIMENTER || id === ONF_EXPERIMENTER;

function readExperimenter(bytes: Uint8Array): Result<Identity, OfError> {
  if (bytes.length < 16) return ofFail('OFPBRC_BAD_LEN');
  const experimenter = u32At(bytes, 8);
  if (!isKnownExperimenter(experimenter)) return ofFail('OFPBRC_BAD_VENDOR');
  return ok({ direction: null, experimenter, number: u32At(bytes, 12), size: 16, flags: 0 });
}

function readMultipart(bytes: Uint8Array, direction: 'request' | 'reply'): Result<Identity, OfError> {
  const isOld = bytes[0] === 1;
  const size = isOld ? 12 : 16;
  if (bytes.length < size) return ofFail('OFPBRC_BAD_LEN');
  const number = u16At(bytes, 8);
  const flags = u16At(bytes, 10);
  if (number !== OFPMP_EXPERIMENTER) return ok({ direction, experimenter: 0, number, size, flags });
  const whole = 24;
  if (bytes.length < (isOld ? size + 4 : whole)) return ofFail('OFPBRC_BAD_LEN');
  const experimenter = u32At(bytes, size);
  const isKnown = isOld ? experimenter === NICIRA_EXPERIMENTER : isKnownExperimenter(experimenter);
  if (!isKnown) return ofFail('OFPBRC_BAD_VENDOR');
  if (bytes.length < whole) return ofFail('OFPBRC_BAD_LEN');
  return ok({ direction, experimenter, number: u32At(bytes, size + 4), size: whole, flags });
}

function readIdentity(bytes: Uint8Array): Result<Identity, OfError> {
  const version = bytes[0]!;
  const type = bytes[1]!;
  if (type === OFPT_EXPERIMENTER) return readExperimenter(bytes);
  if (type === multipartType(version, 'request')) return readMultipart(bytes, 'request');
  if (type === multipartType(version, 'reply')) return readMultipart(bytes, 'reply');
  return ok({ direction: null, experimenter: 0, number: type, size: OF_HEADER_SIZE, flags: 0 });
}

const unknown = (id: Identity): { readonly ok: false; readonly error: OfError } =>
  id.experimenter !== 0
    ? ofFail('OFPBRC_BAD_SUBTYPE')
    : ofFail(id.direction === null ? 'OFPBRC_BAD_TYPE' : 'OFPBRC_BAD_STAT');

/** Which message it is, whatever its body holds. @param bytes at least a header */
export function identify(bytes: Uint8Array): Result<OfHeader, OfError> {
  if (bytes.length < OF_HEADER_SIZE) return ofFail('OFPBRC_BAD_LEN');
  const plain = plainSpecs[bytes[0]!]![bytes[1]!];
  if (plain) {
    const body = bytes.subarray(OF_HEADER_SIZE);
    return ok({ version: bytes[0]!, xid: u32At(bytes, 4), spec: plain, flags: 0, bytes, body });
  }
  const id = readIdentity(bytes);
  if (!id.ok) return id;
  const version = bytes[0]!;
  const spec = specByKey.get(keyOf(version, id.value));
  if (!spec) return unknown(id.value);
  const { size, flags } = id.value;
  return ok({ version, xid: u32At(bytes, 4), spec, flags, bytes, body: bytes.subarray(size) });
}

/** Whether a body of this size can be such a message. */
export function fitsSize(spec: OfMessageSpec, size: number): boolean {
  if (size < spec.least) return false;
  return spec.step === 0 ? size === spec.least : (size - spec.least) % spec.step === 0;
}

/** As identify, and the body has a size that such a message can have. */
export function readHeader(bytes: Uint8Array): Result<OfHeader, OfError> {
  const header = identify(bytes);
  if (!header.ok) return header;
  return fitsSize(header.value.spec, header.value.body.length) ? header : ofFail('OFPBRC_BAD_LEN');
}

const specByRaw = new Map(ofMessages.map((spec) => [spec.raw, spec]));

/** The row with this name. @throws when there is none */
export function messageSpec(raw: string): OfMessageSpec {
  const spec = specByRaw.get(raw);
  if (!spec) throw new Error(`no OpenFlow message is called ${raw}`);
  return spec;
}

/** The first of these forms that exists in a version; null when none does. */
export const specIn = (version: number, ...raws: readonly string[]): OfMessageSpec | null =>
  raws.map(messageSpec).find((spec) => spec.first <= version && version <= spec.last) ?? null;

/** The number of bytes before the body. */
export function headersSize(version: number, spec: OfMessageSpec): number {
  if (spec.direction === null) return spec.experimenter === 0 ? 8 : 16;
  if (spec.experimenter !== 0) return 24;
  return version === 1 ? 12 : 16;
}

/** @param flags of a multipart message */
export function writeMessage(
  version: number,
  spec: OfMessageSpec,
  xid: number,
  body: Uint8Array,
  flags = 0,
): Uint8Array {
  const out = new Writer();
  if (spec.direction !== null) {
    out.u16(spec.experimenter === 0 ? spec.number : OFPMP_EXPERIMENTER).u16(flags);
    if (version > 1) out.zeros(4);
  }
  if (spec.experimenter !== 0) {
    out.u32(spec.experimenter).u32(spec.number);
    if (spec.direction !== null && version === 1) out.zeros(4);
  }
  const type =
    spec.direction !== null
      ? multipartType(version, spec.direction)
      : spec.experimenter !== 0
        ? OFPT_EXPERIMENTER
        : spec.number;
  return frame(version, type, xid, out.bytes(body).done());
}
