/** JSON from users, with the place of the first mistake in the reference's words. */
import { readFileSync } from 'node:fs';
import { type Json, parseJson } from '../../ovsdb/json.ts';
import { Fatal } from './io.ts';
import { reasonOf } from './reasons.ts';

/** What kind of token it is: punctuation stands for itself. */
type Token = '[' | ']' | '{' | '}' | ':' | ',' | 'string' | 'plain' | 'end';

/** What is wrong with the digits of a number; null when nothing is. */
function mistakeInNumber(text: string): string | null {
  const parts = /^(-?)(\d*)(\.?)(\d*)([eE]?)([-+]?)(\d*)/.exec(text)!;
  const [all, , whole, point, fraction, exponent, , digits] = parts;
  if (whole === '') return "'-' must be followed by digit";
  if (whole!.length > 1 && whole!.startsWith('0')) return 'leading zeros not allowed';
  if (point !== '' && fraction === '') return 'decimal point must be followed by digit';
  if (exponent !== '' && digits === '') return 'exponent must contain at least one digit';
  if (all.length < text.length) return 'syntax error in number';
  return Number.isFinite(Number(text)) ? null : 'number outside valid range';
}

/** What is wrong with the inside of a string; null when nothing is. */
function mistakeInString(text: string): string | null {
  for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', at + 2)) {
    const next = text[at + 1]!;
    if ('"\\/bfnrt'.includes(next)) continue;
    if (next !== 'u') return `bad escape \\${next}`;
    if (at + 6 > text.length) return 'quoted string ends within \\u escape';
    if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) return 'malformed \\u escape';
  }
  return null;
}

/** Reads JSON text token by token until something is wrong with it. */
class Locator {
  readonly #text: string;
  #at = 0;
  #line = 0;
  #column = 0;
  #last: Token = 'end';

  constructor(text: string) {
    this.#text = text;
  }

  #say(what: string, back: number): string {
    return `line ${this.#line}, column ${this.#column - back}, byte ${this.#at - back}: ${what}`;
  }

  /** A mistake at the last token: where that ends, but for a closing quote and punctuation, which do not count. */
  fail(what: string): string {
    return this.#say(what, this.#last === 'plain' || this.#last === 'end' ? 0 : 1);
  }

  #step(): string {
    const character = this.#text[this.#at++]!;
    if (character === '\n') {
      this.#line++;
      this.#column = 0;
    } else this.#column++;
    return character;
  }

  #while(pattern: RegExp): string {
    const from = this.#at;
    while (pattern.test(this.#text[this.#at] ?? '')) this.#step();
    return this.#text.slice(from, this.#at);
  }

  /** The next token. @throws string the mistake */
  next(): Token {
    this.#while(/\s/);
    const first = this.#text[this.#at];
    // The end of a number is found by the character behind it, which counts
    if (first === undefined) {
      if (this.#last === 'plain' && !/\s$/.test(this.#text)) this.#step();
      this.#last = 'end';
    } else if ('[]{}:,'.includes(first)) this.#last = this.#step() as Token;
    else if (first === '"') this.#string();
    else if (/[a-z]/.test(first))
      this.#plain(/[a-z]/, (word) => (KEYWORDS.has(word) ? null : `invalid keyword '${word}'`));
    else if (/[-0-9]/.test(first)) this.#plain(/[-+.0-9a-zA-Z]/, mistakeInNumber);
    else throw this.#say(`invalid character '${first}'`, 0);
    return this.#last;
  }

  #plain(pattern: RegExp, mistakeIn: (text: string) => string | null): void {
    this.#last = 'plain';
    const mistake = mistakeIn(this.#while(pattern));
    if (mistake !== null) throw this.fail(mistake);
  }

  #string(): void {
    this.#last = 'string';
    this.#step();
    const from = this.#at;
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length) throw this.#say('unexpected end of input in quoted string', 0);
      if (this.#step() === '\\' && this.#at < this.#text.length) this.#step();
    }
    this.#step();
    const mistake = mistakeInString(this.#text.slice(from, this.#at - 1));
    if (mistake !== null) throw this.fail(mistake);
  }
}

const KEYWORDS: ReadonlySet<string> = new Set(['true', 'false', 'null']);

type State = 'first name' | 'name' | 'colon' | 'first value' | 'value' | 'after';

/** What the parser says of a token that may not stand there. */
function complaint(state: State, opener: '{' | '['): string {
  switch (state) {
    case 'first name':
    case 'name':
      return 'syntax error parsing object expecting string';
    case 'colon':
      return "syntax error parsing object expecting ':'";
    case 'after':
      return `syntax error expecting '${opener === '{' ? '}' : ']'}' or ','`;
    default:
      return 'syntax error expecting value';
  }
}

/** The state after a token that stands for no other array or object; null when the token may not stand there. */
function follow(state: State, token: Token, opener: '{' | '['): State | null {
  if (state === 'after') return token !== ',' ? null : opener === '{' ? 'name' : 'value';
  if (state === 'colon') return token === ':' ? 'value' : null;
  if (state === 'name' || state === 'first name') return token === 'string' ? 'colon' : null;
  return token === 'string' || token === 'plain' ? 'after' : null;
}

const isOpener = (token: Token): token is '{' | '[' => token === '{' || token === '[';

/** Whether the token ends what is open. */
function closes(state: State, token: Token, opener: '{' | '['): boolean {
  if (opener === '{') return token === '}' && (state === 'after' || state === 'first name');
  return token === ']' && (state === 'after' || state === 'first value');
}

function findMistake(locator: Locator): string {
  const open: ('{' | '[')[] = [];
  const first = locator.next();
  if (first === 'end') return locator.fail('empty input stream');
  if (!isOpener(first)) return locator.fail('syntax error at beginning of input');
  open.push(first);
  let state: State = first === '{' ? 'first name' : 'first value';
  for (;;) {
    const token = locator.next();
    const opener = open.at(-1);
    if (opener === undefined) return locator.fail('trailing garbage at end of input');
    if (token === 'end') return locator.fail('unexpected end of input');
    if (closes(state, token, opener)) {
      open.pop();
      state = 'after';
    } else if (isOpener(token) && (state === 'value' || state === 'first value')) {
      open.push(token);
      state = token === '{' ? 'first name' : 'first value';
    } else {
      const after = follow(state, token, opener);
      if (after === null) return locator.fail(complaint(state, opener));
      state = after;
    }
  }
}

/** What is wrong with text that is not a JSON object or array. */
function mistakeIn(text: string): string {
  try {
    return findMistake(new Locator(text));
  } catch (mistake) {
    if (typeof mistake === 'string') return mistake;
    throw mistake;
  }
}

function parse(text: string): { readonly json: Json } | { readonly mistake: string } {
  try {
    const json = parseJson(text);
    if (typeof json === 'object' && json !== null) return { json };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { mistake: mistakeIn(text) };
}

/** An argument that is JSON: an object or an array. @throws Fatal */
export function jsonArgument(text: string): Json {
  const parsed = parse(text);
  if ('json' in parsed) return parsed.json;
  throw new Fatal(`"${text}": ${parsed.mistake}`);
}

/** A schema's file. @throws Fatal */
export function readSchemaJson(file: string): Json {
  const wrong = (why: string): Fatal =>
    new Fatal(`failed to read schema: "${file}" could not be read as JSON (${why})`);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw wrong(`error opening "${file}": ${reasonOf(error)}`);
  }
  const parsed = parse(text);
  if ('json' in parsed) return parsed.json;
  throw wrong(parsed.mistake);
}
