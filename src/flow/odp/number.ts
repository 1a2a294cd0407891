/** How the values of fields are written: numbers, addresses. Every value is an unsigned bigint, whatever its width. */
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../../lib/addresses.ts';
import { parseNumber } from './scanner.ts';

export interface Notation {
  /** Null when the text is not a value of this kind. */
  parse(text: string): bigint | null;
  format(value: bigint): string;
  formatMask(mask: bigint): string;
}

export function bytesToBig(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

export function bigToBytes(value: bigint, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let rest = value;
  for (let i = size - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return out;
}

export const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** C's %#x: no prefix for zero. */
export const hexOf = (value: bigint | number): string =>
  BigInt(value) === 0n ? '0' : `0x${BigInt(value).toString(16)}`;
const hexAlways = (value: bigint): string => `0x${value.toString(16)}`;
const hexPadded =
  (digits: number) =>
  (value: bigint): string =>
    `0x${value.toString(16).padStart(digits, '0')}`;

const address = (
  size: number,
  parse: (text: string) => Uint8Array | null,
  format: (bytes: Uint8Array) => string,
): Notation => {
  const write = (value: bigint): string => format(bigToBytes(value, size));
  return {
    parse: (text) => {
      const bytes = parse(text);
      return bytes && bytesToBig(bytes);
    },
    format: write,
    formatMask: write,
  };
};

const numeric = (format: (value: bigint) => string, formatMask: (mask: bigint) => string): Notation => ({
  parse: parseNumber,
  format,
  formatMask,
});

export const mac = address(6, parseMac, formatMac);
export const ipv4 = address(4, parseIpv4, formatIpv4);
export const ipv6 = address(16, parseIpv6, formatIpv6);
export const decimal = numeric(String, hexOf);
/** As decimal, but a mask of nothing is 0x0. */
export const decimalHexMask = numeric(String, hexAlways);
export const decimalBoth = numeric(String, String);
export const hex = numeric(hexOf, hexOf);
export const hexPrefixed = numeric(hexAlways, hexAlways);
export const hex4 = numeric(hexPadded(4), hexPadded(4));
/** An NSH context header. */
export const hexMask8 = numeric(hexAlways, hexPadded(8));
