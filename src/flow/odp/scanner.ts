/**
 * Reading text from left to right. The first failure sticks: it is kept with its place, and from then on every call
 * finds nothing, so that a parser may go on without asking after each step and look at `error` once, at its end.
 */
export class Scanner {
  readonly text: string;
  at = 0;
  error: string | null = null;

  constructor(text: string) {
    this.text = text;
  }

  get failed(): boolean {
    return this.error !== null;
  }

  get atEnd(): boolean {
    return this.failed || this.at >= this.text.length;
  }

  /** Keeps the first failure. @param at where; the present place when left out */
  fail(what: string, at: number = this.at): void {
    if (this.failed) return;
    const rest = this.text.slice(at, at + 40);
    const place = rest === '' ? 'at the end' : `at character ${at + 1}: ${rest}`;
    this.error = `${what} ${place}`;
  }

  /** Whether the literal comes next; it is not taken. */
  peek(literal: string): boolean {
    return !this.failed && this.text.startsWith(literal, this.at);
  }

  /** Takes the literal when it comes next. */
  take(literal: string): boolean {
    if (!this.peek(literal)) return false;
    this.at += literal.length;
    return true;
  }

  expect(literal: string): void {
    if (!this.take(literal)) this.fail(`expected "${literal}"`);
  }

  /** What the sticky expression matches here; empty for nothing. */
  match(pattern: RegExp): string {
    if (this.failed) return '';
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  /** Commas and white space, as many as there are. */
  skipSeparators(): void {
    this.match(/[,\s]*/y);
  }

  word(): string {
    return this.match(/[A-Za-z_][A-Za-z0-9_]*/y);
  }

  /** A run of characters that can stand in one value. */
  value(): string {
    return this.match(/[^,()/{}|\s]*/y);
  }

  /** A decimal or hexadecimal number of at most so many bits; fails when there is none. */
  number(bits: number): bigint {
    const start = this.at;
    const value = parseNumber(this.value());
    if (value === null || value >> BigInt(bits) !== 0n) {
      this.fail(`expected a number of ${bits} bits`, start);
      return 0n;
    }
    return value;
  }

  u32(): number {
    return Number(this.number(32));
  }
}

/** Decimal, or hexadecimal after 0x. Null for anything else, also for a leading zero, which C would read as octal. */
export function parseNumber(text: string): bigint | null {
  return /^(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)$/.test(text) ? BigInt(text) : null;
}
