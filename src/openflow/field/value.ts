/** Values of match fields as text, in actions: `10.0.0.1/255.0.0.0`, `0x5/0xf`, `+trk`. */

import { ctStateSet, type FlagSet, formatFlags, parseFlags, tcpFlagSet } from '../../flow/odp/flags.ts';
import { hexOf, ipv4, ipv6, mac, type Notation, ones } from '../../flow/odp/number.ts';
import { parseNumber, Scanner } from '../../flow/odp/scanner.ts';
import { formatOfPort, parseOfPort } from '../../flow/text/ports.ts';
import { fromPort32, toPort32 } from '../action/codec.ts';
import { fieldOnes, type OfFieldSpec } from './index.ts';

export interface MaskedValue {
  readonly value: bigint;
  readonly mask: bigint;
}

type Reading = MaskedValue | null;

const addresses: Readonly<Record<string, { readonly notation: Notation; readonly bits: number }>> = {
  mac: { notation: mac, bits: 48 },
  ipv4: { notation: ipv4, bits: 32 },
  ipv6: { notation: ipv6, bits: 128 },
};
const flagSets: Readonly<Record<string, FlagSet>> = {
  ct_state: ctStateSet,
  tcp_flags: tcpFlagSet,
  tunnel_flags: { width: 1, names: [['oam', 1n]] },
};
/** ip_frag: words for a value and a mask of its two bits (ovs-fields(7)). */
const fragments: Readonly<Record<string, readonly [bigint, bigint]>> = {
  no: [0n, 3n],
  yes: [1n, 1n],
  first: [1n, 3n],
  later: [3n, 3n],
  not_later: [0n, 2n],
};

function parseAddress(text: string, notation: Notation, bits: number): Reading {
  const [left, right, ...rest] = text.split('/');
  const value = notation.parse(left!);
  if (value === null || rest.length > 0) return null;
  if (right === undefined) return { value, mask: ones(bits) };
  const isPrefix = bits !== 48 && /^[0-9]{1,3}$/.test(right) && Number(right) <= bits;
  const mask = isPrefix ? ones(bits) ^ ones(bits - Number(right)) : notation.parse(right);
  return mask === null ? null : { value, mask };
}

function parseNumeric(text: string, field: OfFieldSpec): Reading {
  const [left, right, ...rest] = text.split('/');
  const value = parseNumber(left!);
  const mask = right === undefined ? fieldOnes(field) : right === '-1' ? fieldOnes(field) : parseNumber(right);
  return value === null || mask === null || rest.length > 0 ? null : { value, mask };
}

function parseFlagText(text: string, set: FlagSet, field: OfFieldSpec): Reading {
  const s = new Scanner(text);
  const { value, mask } = parseFlags(s, set);
  if (s.failed || s.at !== text.length || text === '') return null;
  return { value, mask: mask === ones(set.width) ? fieldOnes(field) : mask };
}

function parsePortText(text: string, field: OfFieldSpec): Reading {
  const port = parseOfPort(text);
  if (port === null) return null;
  return { value: BigInt(field.notation === 'port11' ? toPort32(port) : port), mask: fieldOnes(field) };
}

function parsePacketType(text: string): Reading {
  const found = /^\(([0-9a-fx]+),([0-9a-fx]+)\)$/i.exec(text);
  const [ns, id] = [parseNumber(found?.[1] ?? ''), parseNumber(found?.[2] ?? '')];
  if (ns === null || id === null || ns > 0xffffn || id > 0xffffn) return null;
  return { value: (ns << 16n) | id, mask: 0xffffffffn };
}

/** Null when the text is no value of the field. The mask has all bits of the field's bytes when the text has none. */
export function parseFieldValue(field: OfFieldSpec, text: string): Reading {
  if (text === '*' || text.toUpperCase() === 'ANY') return { value: 0n, mask: 0n };
  const address = addresses[field.notation];
  if (address) return parseAddress(text, address.notation, address.bits);
  const set = flagSets[field.notation];
  if (set) return parseFlagText(text, set, field);
  if (field.notation === 'frag') {
    const known = fragments[text];
    return known ? { value: known[0], mask: known[1] } : null;
  }
  if (field.notation === 'packet_type') return parsePacketType(text);
  if (field.notation === 'port10' || field.notation === 'port11') return parsePortText(text, field);
  const read = parseNumeric(text, field);
  return read && read.value <= fieldOnes(field) && read.mask <= fieldOnes(field) ? read : null;
}

function formatNumeric(field: OfFieldSpec, value: bigint, mask: bigint): string {
  const text = field.notation === 'hex' ? hexOf(value) : String(value);
  return mask === fieldOnes(field) ? text : `${text}/${hexOf(mask)}`;
}

function formatAddress(notation: Notation, bits: number, value: bigint, mask: bigint): string {
  if (mask === ones(bits)) return notation.format(value);
  const inverse = ones(bits) ^ mask;
  const isPrefix = bits !== 48 && (inverse & (inverse + 1n)) === 0n;
  const length = inverse === 0n ? bits : bits - inverse.toString(2).length;
  return `${notation.format(value)}/${isPrefix ? String(length) : notation.format(mask)}`;
}

/** A value as set_field and learn write it. @param mask all bits of the field's bytes when left out */
export function formatFieldValue(field: OfFieldSpec, value: bigint, mask: bigint = fieldOnes(field)): string {
  if (mask === 0n) return 'ANY';
  const address = addresses[field.notation];
  if (address) return formatAddress(address.notation, address.bits, value, mask);
  const set = flagSets[field.notation];
  if (set) return formatFlags(set, value & ones(set.width), mask === fieldOnes(field) ? ones(set.width) : mask);
  if (field.notation === 'frag') {
    const word = Object.entries(fragments).find(([, [v, m]]) => v === value && m === (mask & 3n))?.[0];
    return word ?? '<error>';
  }
  if (field.notation === 'packet_type') return `(${value >> 16n},0x${(value & 0xffffn).toString(16)})`;
  if (field.notation === 'port10') return formatOfPort(Number(value));
  if (field.notation === 'port11') {
    const port = fromPort32(Number(value));
    return port === null ? String(value) : formatOfPort(port);
  }
  return formatNumeric(field, value, mask);
}
