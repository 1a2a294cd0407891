/**
 * OpenFlow messages: bytes to one abstract set of messages, that set to the bytes of any version, and text.
 *
 * What: header.ts says which message it is (rows of src/spec/of-messages.ts); each family's file has its abstract types, a
 * decoder for each form on the wire, an encoder by kind and version, and the text; families.ts puts them together.
 * Terms: *kind*, the abstract message; *form* or *raw*, a row of the table; *loose*, reading for print, when properties that
 * nobody knows are passed over; *envelope*, header and message.
 * Invariants: nothing here throws on what came from outside; a refusal is the reference's error by name. The version is
 * forgotten: no decoded message holds it. An encoder answers null for what its version cannot say.
 * Flows in OpenFlow 1.0 are written in the form that the caller says (FlowForm): Open vSwitch's ends agree on one.
 * Not supported: controller-status: its row is there, and decoding answers OFPBRC_BAD_TYPE, as Open vSwitch 3.1 does, which
 * knows nothing of it. A continuation is kept as bytes. Of a list that turns bad midway
 * nothing is printed but the error (the reference prints what it had read). A message with two errors may be refused for
 * the other one. The fields of a group's selection method are not printed.
 */
import { ok } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { type OfError, ofFail } from '../error.ts';
import type { MatchScratch } from '../oxm/types.ts';
import type { OfVersion } from '../version.ts';
import { type Decoded, type DecodeInput, type Encoded, type FlowForm, STANDARD_FORM } from './codec.ts';
import { families, type OfMessage } from './families.ts';
import { type OfHeader, readHeader, writeMessage } from './header.ts';

export interface OfEnvelope {
  readonly header: OfHeader;
  readonly message: OfMessage;
}

type Decoder = (input: DecodeInput) => Decoded<OfMessage>;
type Encoder = (message: OfMessage, version: OfVersion, form: FlowForm) => Encoded | null;

const decoders = new Map<string, Decoder>(families.flatMap((family) => Object.entries(family.decode)));
const encoders = new Map<string, Encoder>(
  families.flatMap((family) => Object.entries(family.encode) as [string, Encoder][]),
);

export interface DecodeOptions {
  /** Passes unknown properties over, as for printing. */
  readonly isLoose?: boolean;
  /** Of the connection: the table of a flow-mod of OpenFlow 1.0 stands in its command. */
  readonly hasTableId?: boolean;
  /** What the match of a flow-mod is made of; the message is good until it is used again. */
  readonly scratch?: MatchScratch;
}

/** The body of a message whose header has been read. */
export function decodeBody(header: OfHeader, options: DecodeOptions = {}): Decoded<OfMessage> {
  const decode = decoders.get(header.spec.raw);
  if (decode) {
    const { version, xid, spec, flags, bytes, body } = header;
    const { isLoose = false, hasTableId = false, scratch } = options;
    const input = { version, xid, spec, flags, bytes, body, isLoose, hasTableId };
    return decode(scratch ? { ...input, scratch } : input);
  }
  return ofFail(header.spec.direction === null ? 'OFPBRC_BAD_TYPE' : 'OFPBRC_BAD_STAT');
}

/** One whole message, as long as its header says. Never throws. */
export function decodeMessage(bytes: Uint8Array, options: DecodeOptions = {}): Decoded<OfEnvelope> {
  const header = readHeader(bytes);
  if (!header.ok) return header;
  const message = decodeBody(header.value, options);
  return message.ok ? ok({ header: header.value, message: message.value }) : message;
}

/** A message without its headers; null when this version has none of that kind. */
export const encodeBody = (message: OfMessage, version: OfVersion, form: FlowForm): Encoded | null =>
  encoders.get(message.kind)!(message, version, form);

/**
 * Null when this version has no such message.
 * @param flags of a multipart message
 * @param form of OpenFlow 1.0's messages about flows
 */
export function encodeMessage(
  message: OfMessage,
  version: OfVersion,
  xid: number,
  flags = 0,
  form: FlowForm = STANDARD_FORM,
): Uint8Array | null {
  const encoded = encodeBody(message, version, form);
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
