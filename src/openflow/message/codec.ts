/** What every family of messages gives to message/index.ts, and what they all need: properties, ports, names of bits. */
import { ok, type Result } from '../../lib/result.ts';
import type { OfMessageSpec } from '../../spec/of-messages.ts';
import { type OfError, ofFail } from '../error.ts';
import type { MatchScratch } from '../oxm/types.ts';
import type { OfVersion } from '../version.ts';
import { roundUp8, u16At, u32At, type Writer } from '../wire.ts';
import type { OfHeader } from './header.ts';

export type Decoded<T> = Result<T, OfError>;

/** A message that is to be decoded. */
export interface DecodeInput extends OfHeader {
  /** Whether properties that nobody knows are passed over, as one does who only prints. */
  readonly isLoose: boolean;
  /** Whether a flow-mod of OpenFlow 1.0 has its table in the high byte of its command (NXT_FLOW_MOD_TABLE_ID). */
  readonly hasTableId: boolean;
  /** What the match of a flow-mod is made of; the message is good until it is used again. New keys when left out. */
  readonly scratch?: MatchScratch;
}

/** What OpenFlow 1.0 leaves to the two ends: in which form flows are spoken of (ovs-ofctl's -F). */
export interface FlowForm {
  /** Nicira's messages, whose matches are NXM. */
  readonly isNxm: boolean;
  readonly hasTableId: boolean;
}

export const STANDARD_FORM: FlowForm = { isNxm: false, hasTableId: false };

/** A message without its headers. */
export interface Encoded {
  readonly spec: OfMessageSpec;
  readonly body: Uint8Array;
}

export interface TextContext {
  readonly version: number;
  /** 0 to 4 and more, as ovs-ofctl has it: 2 is its default. */
  readonly verbosity: number;
  /** Of the message: the multipart flags. */
  readonly flags: number;
  /** A table's name, or its number. */
  readonly table: (table: number) => string;
  /** A whole message that lies within this one, as text. */
  readonly formatInner: (bytes: Uint8Array, verbosity: number) => string;
}

type OfKind<M, K> = M extends { readonly kind: infer X } ? (K extends X ? M : never) : never;

/** The codec of some kinds of message. Encoders answer null for what their version cannot say. */
export interface Family<M extends { readonly kind: string }> {
  /** By the row's raw name. */
  readonly decode: Readonly<Record<string, (input: DecodeInput) => Decoded<M>>>;
  readonly encode: {
    readonly [K in M['kind']]: (message: OfKind<M, K>, version: OfVersion, form: FlowForm) => Encoded | null;
  };
  /** What follows `OFPT_X (xid=0x1):`. */
  readonly format: { readonly [K in M['kind']]: (message: OfKind<M, K>, context: TextContext) => string };
}

// Properties: type, length without padding, content, padded to eight bytes (OpenFlow 1.4 and later)

export interface OfProperty {
  /** Below 0xfffe. For experimenter properties: null. */
  readonly type: number | null;
  readonly experimenter: number;
  readonly experimenterType: number;
  /** With its header. */
  readonly bytes: Uint8Array;
}

const isExperimenterProperty = (type: number): boolean => type >= 0xfffe;

/** All properties of a list. */
export function readProperties(bytes: Uint8Array): Decoded<OfProperty[]> {
  const list: OfProperty[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < 4) return ofFail('OFPBPC_BAD_LEN');
    const type = u16At(bytes, at);
    const size = u16At(bytes, at + 2);
    if (size < 4 || roundUp8(size) > left) return ofFail('OFPBPC_BAD_LEN');
    const property = bytes.subarray(at, at + size);
    at += roundUp8(size);
    if (!isExperimenterProperty(type)) {
      list.push({ type, experimenter: 0, experimenterType: 0, bytes: property });
      continue;
    }
    if (size < 12) return ofFail('OFPBPC_BAD_LEN');
    const experimenter = u32At(property, 4);
    list.push({ type: null, experimenter, experimenterType: u32At(property, 8), bytes: property });
  }
  return ok(list);
}

/** What a property that nobody knows leads to: null when it may be passed over. */
export function unknownProperty(property: OfProperty, isLoose: boolean): { ok: false; error: OfError } | null {
  if (isLoose) return null;
  if (property.type !== null) return ofFail('OFPBPC_BAD_TYPE');
  const isKnown = property.experimenter === 0x2320 || property.experimenter === 0x4f4e4600;
  return ofFail(isKnown ? 'OFPBPC_BAD_EXP_TYPE' : 'OFPBPC_BAD_EXPERIMENTER');
}

/** Writes a property: its header, what `write` adds, and the padding. */
export function writeProperty(out: Writer, type: number, write: (out: Writer) => void): void {
  const start = out.size;
  out.u16(type).zeros(2);
  write(out);
  out.putU16(start + 2, out.size - start).pad8(start);
}

// Ports: 16 bits inside; from OpenFlow 1.1 on 32 on the wire, where the reserved ones have 16 more bits set

const PORT_MAX = 0xff00;
const PORT32_RESERVED = 0xffffff00;

export const OFPP_ANY = 0xffff;

/** Null for a number between the two ranges, which no port here can have. */
export function portFrom32(port: number): number | null {
  if (port >= PORT32_RESERVED) return port - 0xffff0000;
  return port < PORT_MAX ? port : null;
}

export const portTo32 = (port: number): number => (port < PORT_MAX ? port : port + 0xffff0000);

/** The port at this place: 16 bits in OpenFlow 1.0, else 32. */
export function portAt(version: number, bytes: Uint8Array, at: number): Decoded<number> {
  if (version === 1) return ok(u16At(bytes, at));
  const port = portFrom32(u32At(bytes, at));
  return port === null ? ofFail('OFPBAC_BAD_OUT_PORT') : ok(port);
}

// Text

export const hexNumber = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Names of the bits that are set, in order; what has no name in hexadecimal; `0` when none is. */
export function bitNames(
  bits: number,
  names: readonly (readonly [bit: number, name: string])[],
  separator = ' ',
): string {
  if (bits === 0) return '0';
  const words = names.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name);
  const rest = names.reduce((left, [bit]) => left & ~bit, bits) >>> 0;
  if (rest !== 0) words.push(hexNumber(rest));
  return words.join(separator);
}

/** Seconds and nanoseconds as a decimal fraction without the zeros at its end. */
export function durationText(seconds: number, nanoseconds: number): string {
  if (nanoseconds === 0) return `${seconds}s`;
  const fraction = String(nanoseconds).padStart(9, '0');
  return `${seconds}.${fraction.replace(/0+$/, '')}s`;
}
