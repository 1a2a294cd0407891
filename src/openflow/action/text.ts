/** The syntax that actions share: `word`, `word:value`, `word(value)`, `word(value)->target`, lists of `key=value`. */
import { parseNumber } from '../../flow/odp/scanner.ts';
import type { Parsed } from './codec.ts';
import { wrong } from './codec.ts';

export interface ActionWord {
  readonly name: string;
  /** What stands behind the first `:` or `=`, or between the parentheses; empty when there is neither. */
  readonly value: string;
  /** What stands behind the closing parenthesis. */
  readonly rest: string;
}

/** Index behind the bracket that closes the one at `at`; -1 when none does. */
function closing(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i + 1;
  }
  return -1;
}

const isSeparator = (c: string | undefined): boolean =>
  c === ',' || c === ' ' || c === '\t' || c === '\n' || c === '\r';

/** Index where the word that begins at `at` ends; -1 when brackets do not match. */
function endOfWord(text: string, at: number): number {
  let i = at;
  while (i < text.length && !isSeparator(text[i])) {
    if (text[i] === '(') {
      i = closing(text, i);
      if (i < 0) return -1;
    } else if (text[i] === ')') return -1;
    else i++;
  }
  return i;
}

function readWord(text: string): ActionWord {
  const at = text.search(/[:=(]/);
  if (at < 0) return { name: text, value: '', rest: '' };
  const name = text.slice(0, at);
  if (text[at] !== '(') return { name, value: text.slice(at + 1), rest: '' };
  const end = closing(text, at);
  return { name, value: text.slice(at + 1, end - 1), rest: text.slice(end) };
}

/** Words between commas and white space; null when brackets do not match. */
export function splitActionWords(text: string): ActionWord[] | null {
  const found: ActionWord[] = [];
  for (let at = 0; at < text.length; ) {
    if (isSeparator(text[at])) {
      at++;
      continue;
    }
    const end = endOfWord(text, at);
    if (end < 0) return null;
    found.push(readWord(text.slice(at, end)));
    at = end;
  }
  return found;
}

/** A decimal or hexadecimal number of at most so many bits. */
export function numberOf(text: string, bits: number): number | null {
  const value = parseNumber(text.trim());
  return value === null || value >> BigInt(bits) !== 0n ? null : Number(value);
}

export function bigOf(text: string, bits: number): bigint | null {
  const value = parseNumber(text.trim());
  return value === null || value >> BigInt(bits) !== 0n ? null : value;
}

/** A word with one number. @param make the action */
export const oneNumber =
  (name: string, bits: number, make: (value: number) => Parsed) =>
  (text: string): Parsed => {
    const value = numberOf(text, bits);
    return value === null ? wrong(`${name}: invalid number "${text}"`) : make(value);
  };

/** `load:value->target` and its like. Null when there is no arrow, or a value is missing. */
export function splitArrow(text: string): { readonly source: string; readonly target: string } | null {
  const at = text.indexOf('->');
  return at < 0 ? null : { source: text.slice(0, at).trim(), target: text.slice(at + 2).trim() };
}

/** 01.02.03 or 010203 */
export function parseHexBytes(text: string): Uint8Array | null {
  const digits = text.replaceAll('.', '');
  return /^([0-9a-fA-F]{2})*$/.test(digits) ? Uint8Array.from(Buffer.from(digits, 'hex')) : null;
}

export const formatHexBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('.');

export const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
/** C's %#x: no prefix for zero. */
export const hexNumber = (value: number | bigint): string => (BigInt(value) === 0n ? '0' : `0x${value.toString(16)}`);
