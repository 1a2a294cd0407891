/** Words `key=value` between commas and white space, as ovs-ofctl's syntaxes have them; numbers in them. */
export interface Word {
  readonly key: string;
  /** Empty when there is none. */
  readonly value: string;
}

const isSpace = (c: string | undefined): boolean => c === ' ' || c === ',' || c === '\t' || c === '\r' || c === '\n';

/** The end of the brackets that open at `at`; the end of the text when they do not close. */
function closing(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i;
  }
  return text.length;
}

/** Brackets hold a value: `key(value)`; within a value they keep commas together. */
export function splitWords(text: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < text.length; ) {
    if (isSpace(text[at])) {
      at++;
      continue;
    }
    const start = at;
    while (at < text.length && !isSpace(text[at]) && !'=:('.includes(text[at]!)) at++;
    const key = text.slice(start, at);
    if (text[at] === '(') {
      const end = closing(text, at);
      words.push({ key, value: text.slice(at + 1, end) });
      at = end + 1;
      continue;
    }
    if (text[at] !== '=' && text[at] !== ':') {
      words.push({ key, value: '' });
      continue;
    }
    const from = ++at;
    while (at < text.length && !isSpace(text[at])) at = text[at] === '(' ? closing(text, at) + 1 : at + 1;
    words.push({ key, value: text.slice(from, at) });
  }
  return words;
}

/** C's strtoull with base 0; null for anything else. */
export function parseInteger(text: string): bigint | null {
  const found = /^(-?)(0x[0-9a-f]+|[0-9]+)$/i.exec(text);
  if (!found) return null;
  const isOctal = /^0[0-7]+$/.test(found[2]!);
  const value = BigInt(isOctal ? `0o${found[2]!.slice(1)}` : found[2]!);
  return found[1] === '-' ? BigInt.asUintN(64, -value) : value;
}

/** A number of at most so many bits; null for another one. */
export function parseUint(text: string, bits: number): number | null {
  const value = parseInteger(text);
  return value === null || value >= 1n << BigInt(bits) ? null : Number(value);
}
