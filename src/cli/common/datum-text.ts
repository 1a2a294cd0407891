/** Data of columns as users read and write them: ovs-vsctl(8), "Database Values". */
import { checkAtom, parseUuid, sortedDatum } from '../../ovsdb/data.ts';
import { OvsdbError } from '../../ovsdb/error.ts';
import { formatReal, INTEGER_MAX, INTEGER_MIN, narrow } from '../../ovsdb/json.ts';
import { atomText } from '../../ovsdb/text.ts';
import { type Atom, type BaseType, type ColumnType, type Datum, isMap, typeToEnglish } from '../../ovsdb/types.ts';
import { Fatal } from './io.ts';

/** What `@name` stands for. */
export interface RowNames {
  resolve(name: string, isStrong: boolean): string;
}

const bareAtom = (atom: Atom, base: BaseType): string =>
  base.type === 'real' ? formatReal(Number(atom)) : String(atom);

export const bareDatum = ({ keys, values }: Datum, type: ColumnType): string =>
  keys
    .map((key, i) => bareAtom(key, type.key) + (values && type.value ? `=${bareAtom(values[i]!, type.value)}` : ''))
    .join(' ');

const DELIMITERS = ':=, []{}!<>';

/** Cuts one token from the text. @returns the token and where it ends @throws Fatal */
export function takeToken(text: string, from: number): { readonly token: string; readonly end: number } {
  let token = '';
  let isQuoted = false;
  let at = from;
  while (at < text.length) {
    const character = text[at++]!;
    if (character === '\\') {
      if (isQuoted) token += '\\';
      if (at >= text.length) throw new Fatal(`${text.slice(from)}: backslash at end of argument`);
      token += text[at++]!;
    } else if (!isQuoted && DELIMITERS.includes(character)) {
      at--;
      break;
    } else {
      token += character;
      if (character === '"') isQuoted = !isQuoted;
    }
  }
  if (isQuoted) throw new Fatal(`${text.slice(from)}: quoted string extends past end of argument`);
  return { token, end: at };
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** The inside of a JSON string. @throws Fatal */
function unescapeJson(text: string, whole: string): string {
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character !== '\\') {
      result += character;
      continue;
    }
    const next = text[++at];
    if (next === 'u') {
      const digits = text.slice(at + 1, at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new Fatal(`${whole}: malformed \\u escape`);
      result += String.fromCharCode(Number.parseInt(digits, 16));
      at += 4;
      continue;
    }
    const plain = next === undefined ? undefined : escapes[next];
    if (plain === undefined) throw new Fatal(`${whole}: bad escape \\${next ?? ''}`);
    result += plain;
  }
  return result;
}

function parseString(token: string): string {
  if (token === '') throw new Fatal('An empty string is not valid as input; use "" to represent the empty string');
  if (token[0] !== '"') return token;
  if (token.length < 2 || !token.endsWith('"')) throw new Fatal(`${token}: missing quote at end of quoted string`);
  return unescapeJson(token.slice(1, -1), token);
}

function parseInteger(text: string): Atom | null {
  if (!/^\s*[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.trim().replace(/^\+/, ''));
  return value >= INTEGER_MIN && value <= INTEGER_MAX ? narrow(value) : null;
}

/** One integer, or the first and last of a range. */
function parseIntegers(token: string): readonly [Atom, Atom] {
  const single = parseInteger(token);
  if (single !== null) return [single, single];
  const range = /^(-?\d+)-(-?\d+)$/.exec(token);
  const [low, high] = range ? [parseInteger(range[1]!), parseInteger(range[2]!)] : [null, null];
  if (low === null || high === null) throw new Fatal(`"${token}" is not a valid integer or range`);
  if (high <= low) throw new Fatal(`"${token}" is not a valid range. Range end cannot be before start.`);
  return [low, high];
}

function parsePlain(token: string, base: BaseType, names: RowNames | null): Atom {
  switch (base.type) {
    case 'integer':
      return parseIntegers(token)[0];
    case 'real': {
      const value = token.trim() === '' ? Number.NaN : Number(token);
      if (!Number.isFinite(value)) throw new Fatal(`"${token}" is not a valid real number`);
      return value;
    }
    case 'boolean':
      if (['true', 'yes', 'on', '1'].includes(token)) return true;
      if (['false', 'no', 'off', '0'].includes(token)) return false;
      throw new Fatal(`"${token}" is not a valid boolean (use "true" or "false")`);
    case 'string':
      return parseString(token);
    case 'uuid': {
      if (token.startsWith('@') && names) return names.resolve(token, base.refType === 'strong');
      const uuid = parseUuid(token);
      if (uuid === null) throw new Fatal(`"${token}" is not a valid UUID`);
      return uuid;
    }
  }
}

function check(atom: Atom, base: BaseType): void {
  if (base.enum) {
    if (base.enum.keys.includes(atom)) return;
    const allowed = base.enum.keys.map((key) => atomText(key, base.type)).join(', ');
    const list = base.enum.keys.length === 1 ? allowed : `[${allowed}]`;
    throw new Fatal(`constraint violation: ${atomText(atom, base.type)} is not one of the allowed values (${list})`);
  }
  try {
    checkAtom(atom, base);
  } catch (error) {
    throw error instanceof OvsdbError ? new Fatal(error.toString()) : error;
  }
}

/** @throws Fatal for what is no atom of this type, or is not allowed */
export function atomFromText(token: string, base: BaseType, names: RowNames | null = null): Atom {
  const atom = parsePlain(token, base, names);
  check(atom, base);
  return atom;
}

/** A range is taken apart when it is this long at most. */
const RANGE_MAX = 4096;

function atomsFromText(token: string, base: BaseType, names: RowNames | null): Atom[] {
  if (base.type !== 'integer') return [atomFromText(token, base, names)];
  const [low, high] = parseIntegers(token);
  check(low, base);
  check(high, base);
  if (Number(high) - Number(low) >= RANGE_MAX) throw new Fatal(`"${token}" is not a valid range`);
  const atoms: Atom[] = [];
  for (let value = BigInt(low as number); value <= BigInt(high as number); value++) atoms.push(narrow(value));
  return atoms;
}

/** Reads the text of a set or a map, element by element. */
class DatumReader {
  readonly #text: string;
  readonly #type: ColumnType;
  readonly #names: RowNames | null;
  readonly keys: Atom[] = [];
  readonly values: Atom[] | null;
  #at = 0;

  constructor(text: string, type: ColumnType, names: RowNames | null) {
    this.#text = text;
    this.#type = type;
    this.#names = names;
    this.values = isMap(type) ? [] : null;
  }

  #skipSpaces(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #token(): string {
    const { token, end } = takeToken(this.#text, this.#at);
    this.#at = end;
    return token;
  }

  #element(): void {
    const { key, value } = this.#type;
    const first = this.#text[this.#at]!;
    if (DELIMITERS.includes(first)) {
      throw new Fatal(`${this.#text}: unexpected "${first}" parsing ${typeToEnglish(this.#type)}`);
    }
    const keys = atomsFromText(this.#token(), key, this.#names);
    if (!value) {
      this.keys.push(...keys);
      return;
    }
    this.#skipSpaces();
    const next = this.#text[this.#at];
    // The reference's text ends where the character it quotes is the end of the argument
    if (next === undefined) throw new Fatal(`${this.#text}: syntax error at "`);
    if (next !== '=') throw new Fatal(`${this.#text}: syntax error at "${next}" expecting "="`);
    this.#at++;
    this.#skipSpaces();
    const atom = atomFromText(this.#token(), value, this.#names);
    for (const one of keys) {
      this.keys.push(one);
      this.values!.push(atom);
    }
  }

  read(): void {
    const text = this.#text;
    const [opener, closer] = isMap(this.#type) ? ['{', '}'] : ['[', ']'];
    this.#skipSpaces();
    const isBracketed = text[this.#at] === opener;
    if (isBracketed) {
      this.#at++;
      this.#skipSpaces();
    } else if (this.#at >= text.length) {
      throw new Fatal(`use "${opener}${closer}" to specify the empty ${isMap(this.#type) ? 'map' : 'set'}`);
    }
    while (this.#at < text.length && !(isBracketed && text[this.#at] === closer)) {
      this.#element();
      this.#skipSpaces();
      if (text[this.#at] === ',') {
        this.#at++;
        this.#skipSpaces();
      }
    }
    if (!isBracketed) return;
    if (this.#at >= text.length) throw new Fatal(`${text}: missing "${closer}" at end of data`);
    this.#at++;
    this.#skipSpaces();
    if (this.#at < text.length) throw new Fatal(`${text}: trailing garbage after "${closer}"`);
  }
}

/** @throws Fatal for what is no datum of this type */
export function datumFromText(text: string, type: ColumnType, names: RowNames | null = null): Datum {
  const reader = new DatumReader(text, type, names);
  reader.read();
  const { keys, values } = reader;
  const what = `${keys.length} ${isMap(type) ? 'pair(s)' : 'value(s)'} specified`;
  if (keys.length < type.min) throw new Fatal(`${text}: ${what} but the minimum number is ${type.min}`);
  if (keys.length > type.max) throw new Fatal(`${text}: ${what} but the maximum number is ${type.max}`);
  try {
    return sortedDatum(keys, values);
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    throw new Fatal(`${text}: ${isMap(type) ? 'map contains duplicate key' : 'set contains duplicate value'}`);
  }
}
