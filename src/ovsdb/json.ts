/**
 * JSON as the database protocol needs it: integers are exact to 64 bits, reals are printed with 15 digits, and a stream of
 * messages has no separator but the end of an object.
 *
 * An integer outside of ±2^53 is a bigint; every other number is a number. A number that is whole and fits into 64 bits is an
 * integer, however it was written (`1.0`, `1e3`).
 */
import { ovsdbLimits } from '../spec/ovsdb.ts';

export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);
export const isArray = (json: Json | undefined): json is readonly Json[] => Array.isArray(json);

export const INTEGER_MIN = -(2n ** 63n);
export const INTEGER_MAX = 2n ** 63n - 1n;

/** True for what the reference calls an integer: bigint, or a number that is whole and in the exact range. */
export const isInteger = (json: Json | undefined): json is number | bigint =>
  typeof json === 'bigint' || (typeof json === 'number' && Number.isSafeInteger(json));

/** The one representation of a 64-bit integer, so that equal integers are identical. */
export const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

/** C's `%.15g`. */
export function formatReal(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa, exponentText] = value.toExponential(14).split('e');
  const exponent = Number(exponentText);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent >= -4 && exponent < 15) return trim(value.toFixed(14 - exponent));
  const digits = String(Math.abs(exponent)).padStart(2, '0');
  return `${trim(mantissa!)}e${exponent < 0 ? '-' : '+'}${digits}`;
}

/** Text of a value, as short as possible. With `sorted`, the members of objects come in the order of their names. */
export function stringify(json: Json, sorted = false): string {
  switch (typeof json) {
    case 'string':
      return JSON.stringify(json);
    case 'number':
      return Number.isSafeInteger(json) && !Object.is(json, -0) ? String(json) : formatReal(json);
    case 'bigint':
    case 'boolean':
      return String(json);
    default:
      break;
  }
  if (json === null) return 'null';
  if (isArray(json)) {
    let text = '[';
    for (let i = 0; i < json.length; i++) text += (i === 0 ? '' : ',') + stringify(json[i]!, sorted);
    return `${text}]`;
  }
  const names = Object.keys(json);
  if (sorted) names.sort();
  let text = '{';
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    text += `${i === 0 ? '' : ','}${JSON.stringify(name)}:${stringify((json as JsonObject)[name]!, sorted)}`;
  }
  return `${text}}`;
}

/** A number from its text: an integer when it is whole and fits into 64 bits. */
function exactNumber(source: string): number | bigint {
  const value = Number(source);
  if (Number.isSafeInteger(value)) {
    // 9007199254740993.4 rounds into the exact range or out of it, but is no integer
    if (/^-?\d{1,15}$/.test(source)) return value === 0 ? 0 : value;
  }
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (!parts) return value;
  const [, sign, whole, fraction = '', exponentText = '0'] = parts;
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > 400) return value;
  const shift = exponent - fraction.length;
  let digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, '');
  if (/^0+$/.test(digits)) return 0;
  if (shift >= 0) digits += '0'.repeat(shift);
  else {
    const cut = digits.slice(shift);
    if (!/^0*$/.test(cut)) return value;
    digits = digits.slice(0, shift) || '0';
  }
  if (digits.length > 20) return value;
  const integer = BigInt(`${sign}${digits}`);
  return integer >= INTEGER_MIN && integer <= INTEGER_MAX ? narrow(integer) : value;
}

type Reviver = (name: string, value: unknown, context: { readonly source?: string }) => unknown;
const revive: Reviver = (_name, value, context) => (typeof value === 'number' ? exactNumber(context.source!) : value);
const parseSlowly = JSON.parse as (text: string, reviver: Reviver) => Json;

/**
 * Numbers that JSON.parse does not give exactly, or that need to be looked at: many digits, a point or an exponent, a negative
 * zero. Strings that hold such things cost time, no more.
 */
const ODD_NUMBER = /(?:^|[[,:\s])(?:-0|-?\d{16}|-?\d+[.eE])/;

/** @throws SyntaxError for text that is not JSON, or that overflows a double */
export function parseJson(text: string): Json {
  return checked(ODD_NUMBER.test(text) ? parseSlowly(text, revive) : (JSON.parse(text) as Json));
}

/** Refuses what the reference refuses and JSON.parse does not: numbers out of range, NUL, lone surrogates. */
function checked(json: Json): Json {
  if (typeof json === 'number') {
    if (!Number.isFinite(json)) throw new SyntaxError('number outside valid range');
  } else if (typeof json === 'string') checkString(json);
  else if (isArray(json)) for (const item of json) checked(item);
  else if (isObject(json)) {
    for (const name of Object.keys(json)) {
      checkString(name);
      checked(json[name]!);
    }
  }
  return json;
}

function checkString(text: string): void {
  if (text.includes('\0')) throw new SyntaxError('null bytes not supported in quoted strings');
  if (!text.isWellFormed()) throw new SyntaxError('malformed \\u escape');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const isOpener = (byte: number): boolean => byte === 0x7b || byte === 0x5b;
const isCloser = (byte: number): boolean => byte === 0x7d || byte === 0x5d;

/** Cuts a stream of bytes into JSON values, each an object or an array. */
export class JsonStream {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #sizeMax: number;
  #parts: Uint8Array[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** @param sizeMax bytes that one message may have */
  constructor(sizeMax: number = ovsdbLimits.MESSAGE_SIZE_MAX) {
    this.#sizeMax = sizeMax;
  }

  /** Bytes of a message that has not ended yet. */
  get pending(): number {
    return this.#size;
  }

  /**
   * The values that end in these bytes.
   * @throws SyntaxError for what cannot be, or become, JSON: the stream is of no use after that
   */
  *feed(bytes: Uint8Array): Generator<Json> {
    let start = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (this.#depth === 0) {
        if (isSpace(byte)) {
          start = i + 1;
          continue;
        }
        if (!isOpener(byte)) throw new SyntaxError('syntax error at beginning of input');
      }
      if (byte === QUOTE) this.#inString = true;
      else if (isOpener(byte)) {
        if (++this.#depth > ovsdbLimits.JSON_DEPTH_MAX)
          throw new SyntaxError(`input exceeds maximum nesting depth ${ovsdbLimits.JSON_DEPTH_MAX}`);
      } else if (isCloser(byte) && --this.#depth === 0) {
        this.#keep(bytes.subarray(start, i + 1));
        start = i + 1;
        yield this.#take();
      }
    }
    if (start < bytes.length) this.#keep(bytes.slice(start));
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#sizeMax) throw new SyntaxError(`message of more than ${this.#sizeMax} bytes`);
    this.#parts.push(part);
  }

  #take(): Json {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return parseJson(this.#decoder.decode(whole));
  }
}
