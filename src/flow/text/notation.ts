/** How OpenFlow flow text writes values where it differs from the datapath's: prefix lengths, hexadecimal under a mask. */
import {
  decimal,
  hex,
  hex4,
  hexPrefixed,
  type Notation,
  ones,
  ipv4 as plainIpv4,
  ipv6 as plainIpv6,
  mac as plainMac,
} from '../odp/number.ts';

export interface Masking {
  readonly value: bigint;
  readonly mask: bigint;
}

export interface TextNotation {
  /** Null when the text is not a value, or a value and a mask, of so many bits. */
  parse(text: string, width: number): Masking | null;
  format(value: bigint, mask: bigint, width: number): string;
}

const fits = (value: bigint | null, width: number): value is bigint => value !== null && value >> BigInt(width) === 0n;

function parseParts(text: string, width: number, value: Notation, mask: Notation): Masking | null {
  const slash = text.indexOf('/');
  const left = value.parse(slash < 0 ? text : text.slice(0, slash));
  const right = slash < 0 ? ones(width) : mask.parse(text.slice(slash + 1));
  return fits(left, width) && fits(right, width) ? { value: left & right, mask: right } : null;
}

/** One way to write a value whose bits all count, another one for a value with a mask. */
const either = (whole: Notation, masked: Notation = whole): TextNotation => ({
  parse: (text, width) => parseParts(text, width, whole, masked),
  format: (value, mask, width) =>
    mask === ones(width) ? whole.format(value) : `${masked.format(value)}/${masked.formatMask(mask)}`,
});

export const mac = either(plainMac);
/** 5, or 0x5/0xf */
export const number = either(decimal, hexPrefixed);
/** 0x5, 0, or 0x5/0xf */
export const hexNumber = either(hex);
/** 0x0800 */
export const hexWord = either(hex4);
const label: Notation = {
  ...hexPrefixed,
  format: (value) => `0x${value.toString(16).padStart(5, '0')}`,
  formatMask: (mask) => `0x${mask.toString(16).padStart(5, '0')}`,
};
export const flowLabel = either(label);
/** A value that is shown without its mask. */
export const unmasked = (notation: Notation): TextNotation => ({
  parse: (text, width) => parseParts(text, width, notation, hex),
  format: (value) => notation.format(value),
});

/** Length of a mask that is ones and then zeros; null for another one. */
function prefixLength(mask: bigint, width: number): number | null {
  const inverse = ones(width) ^ mask;
  if ((inverse & (inverse + 1n)) !== 0n) return null;
  return width - (inverse === 0n ? 0 : inverse.toString(2).length);
}

const prefixed = (notation: Notation, width: number): TextNotation => {
  const maskOf: Notation = {
    ...notation,
    parse(text) {
      if (!/^[0-9]{1,3}$/.test(text)) return notation.parse(text);
      const length = Number(text);
      return length > width ? null : ones(width) ^ ones(width - length);
    },
    formatMask: (mask) => String(prefixLength(mask, width) ?? notation.format(mask)),
  };
  return either(notation, maskOf);
};

/** 10.0.0.0/8, 1.0.3.0/255.0.255.0 */
export const ipv4 = prefixed(plainIpv4, 32);
/** fe80::/10, 1::2/ffff::ffff */
export const ipv6 = prefixed(plainIpv6, 128);
