/** Changes that become visible together (bundles), and requests told to other controllers (requestforward). */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, u32At, Writer } from '../wire.ts';
import { bitNames, type Decoded, type DecodeInput, type Encoded, type Family, hexNumber } from './codec.ts';
import { readHeader, specIn } from './header.ts';

export interface BundleControlMessage {
  readonly kind: 'bundle_control';
  readonly bundle: number;
  readonly type: BundleControlType | null;
  /** Bits: 0 atomic, 1 ordered. */
  readonly flags: number;
}

export interface BundleAddMessage {
  readonly kind: 'bundle_add';
  readonly bundle: number;
  readonly flags: number;
  /** A whole message, in the version and with the transaction of the one around it. */
  readonly inner: Uint8Array;
}

export interface RequestForwardMessage {
  readonly kind: 'requestforward';
  /** A group-mod or meter-mod, whole. */
  readonly inner: Uint8Array;
}

export type BundleMessage = BundleControlMessage | BundleAddMessage | RequestForwardMessage;

export type BundleControlType = (typeof controlTypes)[number];

const controlTypes = [
  'open_request',
  'open_reply',
  'close_request',
  'close_reply',
  'commit_request',
  'commit_reply',
  'discard_request',
  'discard_reply',
] as const;

const flagNames = [
  [1, 'atomic'],
  [2, 'ordered'],
] as const;

const idAndFlags = (bundle: number, flags: number, between = ''): string =>
  `\n bundle_id=${bundle === 0 ? '0' : hexNumber(bundle)}${between} flags=${bitNames(flags, flagNames)}\n`;

/** What may be in a bundle (OpenFlow 1.5 §7.3.9.4 lets a switch choose). */
const BUNDLED = /^(OFPT1[0-9]_(PORT_MOD|FLOW_MOD|GROUP_MOD|PACKET_OUT)|NXT_(FLOW_MOD|GROUP_MOD))$/;

const isBundled = new Map<string, boolean>();

function mayBeBundled(raw: string): boolean {
  let may = isBundled.get(raw);
  if (may === undefined) isBundled.set(raw, (may = BUNDLED.test(raw)));
  return may;
}

function decodeAdd(input: DecodeInput): Decoded<BundleAddMessage> {
  const { body, version, xid } = input;
  const inner = body.subarray(8);
  if (inner.length < 8) return ofFail('OFPBFC_MSG_BAD_LEN');
  const size = u16At(inner, 2);
  if (inner[0] !== version) return ofFail('OFPBFC_BAD_VERSION');
  if (u32At(inner, 4) !== xid) return ofFail('OFPBFC_MSG_BAD_XID');
  if (size < 8 || size > inner.length) return ofFail('OFPBFC_MSG_BAD_LEN');
  const whole = inner.slice(0, size);
  const header = readHeader(whole);
  if (!header.ok || !mayBeBundled(header.value.spec.raw)) return ofFail('OFPBFC_MSG_UNSUP');
  return ok({ kind: 'bundle_add', bundle: u32At(body, 0), flags: u16At(body, 6), inner: whole });
}

const FORWARDED = /_(GROUP|METER)_MOD$/;

function decodeForward({ body, version }: DecodeInput): Decoded<RequestForwardMessage> {
  if (body[0] !== version) return ofFail('OFPBRC_BAD_VERSION');
  const size = u16At(body, 2);
  if (size < 8 || size > body.length) return ofFail('OFPBFC_MSG_BAD_LEN');
  const inner = body.slice(0, size);
  const header = readHeader(inner);
  if (!header.ok) return header;
  return FORWARDED.test(header.value.spec.raw) ? ok({ kind: 'requestforward', inner }) : ofFail('OFPBFC_MSG_UNSUP');
}

/** What the inner message says, without its name. */
const afterName = (text: string): string => text.slice(text.indexOf(':') + 1);

const formatForward = (inner: string): string =>
  ` reason=${inner.includes('_METER_MOD') ? 'meter_mod' : 'group_mod'}${afterName(inner)}`;

const decodeControl = ({ body }: DecodeInput): Decoded<BundleControlMessage> =>
  ok({
    kind: 'bundle_control',
    bundle: u32At(body, 0),
    type: controlTypes[u16At(body, 4)] ?? null,
    flags: u16At(body, 6),
  });

function encodeControl(message: BundleControlMessage, version: number): Encoded | null {
  const spec = specIn(version, 'ONFT13_BUNDLE_CONTROL', 'OFPT14_BUNDLE_CONTROL');
  const type = message.type === null ? 0xffff : controlTypes.indexOf(message.type);
  return spec && { spec, body: new Writer().u32(message.bundle).u16(type).u16(message.flags).done() };
}

export const bundleFamily: Family<BundleMessage> = {
  decode: {
    OFPT14_BUNDLE_CONTROL: decodeControl,
    ONFT13_BUNDLE_CONTROL: decodeControl,
    OFPT14_BUNDLE_ADD_MESSAGE: decodeAdd,
    ONFT13_BUNDLE_ADD_MESSAGE: decodeAdd,
    OFPT14_REQUESTFORWARD: decodeForward,
    ONFT13_REQUESTFORWARD: decodeForward,
    NXT_REQUESTFORWARD: decodeForward,
  },
  encode: {
    bundle_control: encodeControl,
    bundle_add: (message, version) => {
      const spec = specIn(version, 'ONFT13_BUNDLE_ADD_MESSAGE', 'OFPT14_BUNDLE_ADD_MESSAGE');
      const out = new Writer().u32(message.bundle).zeros(2).u16(message.flags).bytes(message.inner);
      return spec && { spec, body: out.done() };
    },
    requestforward: (message, version) => {
      const spec = specIn(version, 'NXT_REQUESTFORWARD', 'ONFT13_REQUESTFORWARD', 'OFPT14_REQUESTFORWARD');
      return spec && { spec, body: message.inner };
    },
  },
  format: {
    bundle_control: ({ bundle, type, flags }) => idAndFlags(bundle, flags, ` type=${type?.toUpperCase() ?? ''}`),
    bundle_add: ({ bundle, flags, inner }, { formatInner, verbosity }) =>
      idAndFlags(bundle, flags) + formatInner(inner, verbosity),
    requestforward: ({ inner }, { formatInner, verbosity }) => formatForward(formatInner(inner, verbosity)),
  },
};
