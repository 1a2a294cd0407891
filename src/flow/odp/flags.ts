/** Sets of named bits: `+syn-ack` says each bit that counts, `syn|ack` says that all count, a number does either. */
import { hexOf, ones } from './number.ts';
import { parseNumber, type Scanner } from './scanner.ts';

export interface FlagSet {
  /** Bits of the whole set. */
  readonly width: number;
  /** Lowest bit first, in the order of the text. */
  readonly names: readonly (readonly [name: string, bit: bigint])[];
}

const fromLowest = (...names: string[]): FlagSet => ({
  width: names.length,
  names: names.map((name, i) => [name, 1n << BigInt(i)] as const),
});

/** RFC 9293 §3.1; the three bits without a name are reserved. */
export const tcpFlagSet = fromLowest(
  'fin',
  'syn',
  'rst',
  'psh',
  'ack',
  'urg',
  'ece',
  'cwr',
  'ns',
  '[200]',
  '[400]',
  '[800]',
);
/** ovs-fields(7), ct_state. */
export const ctStateSet = fromLowest('new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat');
/** Bits of tun_flags. */
export const tunnelFlagSet = fromLowest('oam', 'df', 'csum', 'key');

const flagName = /[a-z0-9[\]]+/y;

function bitOf(s: Scanner, set: FlagSet): bigint {
  const start = s.at;
  const name = s.match(flagName);
  const found = set.names.find(([known]) => known === name);
  if (!found) s.fail(`unknown flag "${name}"`, start);
  return found?.[1] ?? 0n;
}

function parseSigned(s: Scanner, set: FlagSet): { value: bigint; mask: bigint } {
  let value = 0n;
  let mask = 0n;
  while (s.peek('+') || s.peek('-')) {
    const start = s.at;
    const isSet = s.take('+') || !s.take('-');
    const bit = bitOf(s, set);
    if ((mask & bit) !== 0n) s.fail('flag named twice', start);
    mask |= bit;
    if (isSet) value |= bit;
  }
  return { value, mask };
}

function parseNumeric(s: Scanner, set: FlagSet): { value: bigint; mask: bigint } {
  const value = s.number(set.width);
  return { value, mask: s.take('/') ? s.number(set.width) : ones(set.width) };
}

/** Stops before whatever is not a flag; text without any flag is an empty set, all of whose bits count. */
export function parseFlags(s: Scanner, set: FlagSet): { value: bigint; mask: bigint } {
  if (s.peek('+') || s.peek('-')) return parseSigned(s, set);
  const start = s.at;
  if (parseNumber(s.value()) !== null) {
    s.at = start;
    return parseNumeric(s, set);
  }
  s.at = start;
  let value = 0n;
  if (!s.peek(')')) {
    do value |= bitOf(s, set);
    while (s.take('|'));
  }
  return { value, mask: ones(set.width) };
}

export function formatSigned(set: FlagSet, value: bigint, mask: bigint): string {
  return set.names
    .filter(([, bit]) => (mask & bit) !== 0n)
    .map(([name, bit]) => `${(value & bit) === 0n ? '-' : '+'}${name}`)
    .join('');
}

const formatNames = (set: FlagSet, value: bigint): string =>
  set.names
    .filter(([, bit]) => (value & bit) !== 0n)
    .map(([name]) => name)
    .join('|');

/** Names when all bits count, signs otherwise; `empty` stands for no flag at all. */
export function formatFlags(set: FlagSet, value: bigint, mask: bigint, empty: string = hexOf(0)): string {
  if (mask !== ones(set.width)) return formatSigned(set, value, mask);
  return value === 0n ? empty : formatNames(set, value);
}
