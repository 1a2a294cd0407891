/**
 * OpenFlow messages: bytes to one abstract set of messages, that set to the bytes of any version, and text.
 *
 * What: header.ts says which message it is (rows of src/spec/of-messages.ts); each family's file has its abstract types, a
 * decoder for each form on the wire, an encoder by kind and version, and the text; families.ts puts them together.
 * Terms: *kind*, the abstract message; *form* or *raw*, a row of the table; *loose*, reading for print, when properties that
 * nobody knows are passed over; *envelope*, header and message.
 * Invariants: nothing here throws on what came from outside; a refusal is the reference's error by name. The version is
 * forgotten: no decoded message holds it. An encoder answers null for what its version cannot say.
 * Not supported: table statistics and table features, flow monitor requests and replies, group features,
 * NXT_CT_FLUSH (the zone form is), controller-status: their rows are there, decoding answers OFPBRC_BAD_TYPE (BAD_STAT for
 * multiparts), and there are no abstract types yet. Flow-mods and statistics are written in the standard forms, never in
 * Nicira's NXT_FLOW_MOD, NXT_FLOW_REMOVED and NXST_FLOW. A continuation is kept as bytes. Of a list that turns bad midway
 * nothing is printed but the error (the reference prints what it had read). A message with two errors may be refused for
 * the other one. The fields of a group's selection method are not printed.
 */
import { ok } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { type OfError, ofFail } from '../error.ts';
import type { OfVersion } from '../version.ts';
import type { Decoded, DecodeInput, Encoded } from './codec.ts';
import { families, type OfMessage } from './families.ts';
import { type OfHeader, readHeader, writeMessage } from './header.ts';

export interface OfEnvelope {
  readonly header: OfHeader;
  readonly message: OfMessage;
}

type Decoder = (input: DecodeInput) => Decoded<OfMessage>;
type Encoder = (message: OfMessage, version: OfVersion) => Encoded | null;

const decoders = new Map<string, Decoder>(families.flatMap((family) => Object.entries(family.decode)));
const encoders = new Map<string, Encoder>(
  families.flatMap((family) => Object.entries(family.encode) as [string, Encoder][]),
);

/** The body of a message whose header has been read. @param isLoose passes unknown properties over, as for printing */
export function decodeBody(header: OfHeader, isLoose = false): Decoded<OfMessage> {
  const decode = decoders.get(header.spec.raw);
  if (decode) return decode({ ...header, isLoose });
  return ofFail(header.spec.direction === null ? 'OFPBRC_BAD_TYPE' : 'OFPBRC_BAD_STAT');
}

/** One whole message, as long as its header says. Never throws. */
export function decodeMessage(bytes: Uint8Array): Decoded<OfEnvelope> {
  const header = readHeader(bytes);
  if (!header.ok) return header;
  const message = decodeBody(header.value);
  return message.ok ? ok({ header: header.value, message: message.value }) : message;
}

/** Null when this version has no such message. @param flags of a multipart message */
export function encodeMessage(message: OfMessage, version: OfVersion, xid: number, flags = 0): Uint8Array | null {
  const encoded = encoders.get(message.kind)!(message, version);
  return encoded && writeMessage(version, encoded.spec, xid, encoded.body, flags);
}

/** Bytes of a refused message that go back in the error. */
const ERROR_DATA = 64;

/** The error that answers a message: same transaction, first 64 bytes of what was wrong. */
export function encodeError(error: OfError | OfErrorName, request: Uint8Array, version: OfVersion): Uint8Array {
  const name = typeof error === 'string' ? error : error.name;
  const xid = ((request[4]! << 24) | (request[5]! << 16) | (request[6]! << 8) | request[7]!) >>> 0;
  return encodeMessage({ kind: 'error', error: name, data: request.slice(0, ERROR_DATA) }, version, xid)!;
}
