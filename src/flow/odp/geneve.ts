/** Geneve options (RFC 8926 §3.5) as `{class=0x102,type=0x80,len=4,0xa/0xf}`, one behind the other. */
import { limits } from '../../spec/limits.ts';
import { bigToBytes, bytesToBig, hex, ones } from './number.ts';
import { formatMasked, parseMaskedValue } from './row.ts';
import type { Scanner } from './scanner.ts';

export interface OptionBytes {
  readonly value: Uint8Array;
  /** As long as `value`. */
  readonly mask: Uint8Array;
}

const OPTION_DATA_SIZE_MAX = 124;

interface Header {
  classValue: bigint;
  classMask: bigint;
  typeValue: bigint;
  typeMask: bigint;
}

function parseNamed(s: Scanner, name: string, width: number): { value: bigint; mask: bigint } {
  if (!s.take(`${name}=`)) return { value: 0n, mask: 0n };
  const read = parseMaskedValue(s, hex, width);
  s.expect(',');
  return read;
}

function parseHeader(s: Scanner): Header {
  const { value: classValue, mask: classMask } = parseNamed(s, 'class', 16);
  const { value: typeValue, mask: typeMask } = parseNamed(s, 'type', 8);
  return { classValue: classValue & classMask, classMask, typeValue: typeValue & typeMask, typeMask };
}

function parseOption(s: Scanner): OptionBytes {
  const header = parseHeader(s);
  s.expect('len=');
  const start = s.at;
  const length = Number(s.number(8));
  if (length % 4 !== 0 || length > OPTION_DATA_SIZE_MAX)
    s.fail('option length is not a multiple of 4 up to 124', start);
  if (s.failed) return { value: new Uint8Array(), mask: new Uint8Array() };
  let data = { value: 0n, mask: ones(length * 8) };
  if (length > 0 && s.take(',')) data = parseMaskedValue(s, hex, length * 8);
  s.expect('}');
  const value = new Uint8Array(4 + length);
  const mask = new Uint8Array(4 + length);
  value.set(bigToBytes((header.classValue << 16n) | (header.typeValue << 8n) | BigInt(length / 4), 4));
  mask.set(bigToBytes((header.classMask << 16n) | (header.typeMask << 8n) | 0x1fn, 4));
  value.set(bigToBytes(data.value & data.mask, length), 4);
  mask.set(bigToBytes(data.mask, length), 4);
  return { value, mask };
}

/** Reads options up to the closing parenthesis, which stays. */
export function parseGeneveOptions(s: Scanner): OptionBytes {
  const value: number[] = [];
  const mask: number[] = [];
  const start = s.at;
  while (s.take('{')) {
    const option = parseOption(s);
    value.push(...option.value);
    mask.push(...option.mask);
  }
  if (value.length > limits.TUNNEL_OPTIONS_SIZE_MAX)
    s.fail(`more than ${limits.TUNNEL_OPTIONS_SIZE_MAX} bytes of options`, start);
  return { value: Uint8Array.from(value), mask: Uint8Array.from(mask) };
}

function formatOption({ value, mask }: OptionBytes): string {
  const parts: string[] = [];
  const classMask = bytesToBig(mask.subarray(0, 2));
  if (classMask !== 0n) parts.push(`class=${formatMasked(hex, bytesToBig(value.subarray(0, 2)), classMask, 16)}`);
  const typeMask = BigInt(mask[2]!);
  if (typeMask !== 0n) parts.push(`type=${formatMasked(hex, BigInt(value[2]!), typeMask, 8)}`);
  parts.push(`len=${value.length - 4}`);
  const dataMask = bytesToBig(mask.subarray(4));
  if (dataMask !== 0n) parts.push(formatMasked(hex, bytesToBig(value.subarray(4)), dataMask, (value.length - 4) * 8));
  return `{${parts.join(',')}}`;
}

/** @param mask as long as value; all bits count when left out */
export function formatGeneveOptions(
  value: Uint8Array,
  mask: Uint8Array = new Uint8Array(value.length).fill(0xff),
): string {
  let text = '';
  for (let at = 0; at + 4 <= value.length; ) {
    const end = Math.min(value.length, at + 4 + (value[at + 3]! & 0x1f) * 4);
    text += formatOption({ value: value.subarray(at, end), mask: mask.subarray(at, end) });
    at = end;
  }
  return text;
}
