/**
 * Reading values that a person wrote: each reader says what is wrong and where, and goes on, so that one run shows every
 * mistake. A path is as JavaScript would say it: bridges[0].ports[1].tag.
 */
import { parseIpv4, parseIpv6, parseMac } from '../../lib/addresses.ts';
import type { InterfaceAddress } from '../types.ts';

const MISTAKES_MAX = 50;

/** What was wrong so far, a line each. */
export class Mistakes {
  readonly lines: string[] = [];

  add(path: string, message: string): void {
    if (this.lines.length < MISTAKES_MAX) this.lines.push(`${path || 'the file'}: ${message}`);
  }
}

/** The value, or undefined when it was wrong (and was said to be). */
export type Reader<T> = (value: unknown, path: string, mistakes: Mistakes) => T | undefined;

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const reader =
  <T>(expected: string, convert: (value: unknown) => T | null): Reader<T> =>
  (value, path, mistakes) => {
    const converted = convert(value);
    if (converted !== null) return converted;
    mistakes.add(path, `should be ${expected}, not ${show(value)}`);
    return undefined;
  };

export const text: Reader<string> = reader('text', (value) =>
  typeof value === 'string' && value !== '' ? value : null,
);
export const flag: Reader<boolean> = reader('true or false', (value) => (typeof value === 'boolean' ? value : null));

export const integer = (min: number, max: number): Reader<number> =>
  reader(`a number from ${min} to ${max}`, (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : null,
  );

export const powerOfTwo = (min: number, max: number): Reader<number> =>
  reader(`a power of two from ${min} to ${max}`, (value) =>
    Number.isInteger(value) &&
    Math.log2(value as number) % 1 === 0 &&
    (value as number) >= min &&
    (value as number) <= max
      ? (value as number)
      : null,
  );

export const oneOf = <T extends string>(...words: readonly T[]): Reader<T> =>
  reader(words.join(', '), (value) => (words.includes(value as T) ? (value as T) : null));

export const mac: Reader<Uint8Array> = reader('a MAC address', (value) =>
  typeof value === 'string' ? parseMac(value) : null,
);

const parseAddress = (value: string): Uint8Array | null => parseIpv4(value) ?? parseIpv6(value);

export const address: Reader<Uint8Array> = reader('an IP address', (value) =>
  typeof value === 'string' ? parseAddress(value) : null,
);

export const network: Reader<InterfaceAddress> = reader('an address with a prefix length (10.0.0.1/24)', (value) => {
  const [, ip = '', length = ''] = typeof value === 'string' ? (/^([^/]+)\/(\d{1,3})$/.exec(value) ?? []) : [];
  const bytes = parseAddress(ip);
  return bytes && Number(length) <= 8 * bytes.length ? { address: bytes, prefixLength: Number(length) } : null;
});

/** `flow` beside what another reader takes. */
export const orFlow =
  <T>(other: Reader<T>): Reader<T | 'flow'> =>
  (value, path, mistakes) =>
    value === 'flow' ? 'flow' : other(value, path, mistakes);

export const list =
  <T>(element: Reader<T>, max: number): Reader<readonly T[]> =>
  (value, path, mistakes) => {
    if (!Array.isArray(value)) {
      mistakes.add(path, `should be a list, not ${show(value)}`);
      return undefined;
    }
    if (value.length > max) mistakes.add(path, `has ${value.length} entries, and may have ${max}`);
    const read = value.slice(0, max).map((entry, i) => element(entry, `${path}[${i}]`, mistakes));
    return read.filter((entry) => entry !== undefined);
  };

type Fields = Readonly<Record<string, Reader<unknown>>>;
type Values<F extends Fields> = { readonly [K in keyof F]?: F[K] extends Reader<infer T> ? T : never };

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** A record of known settings: the ones that are there and right. `required` ones must be there. */
export function record<F extends Fields>(fields: F, required: readonly (keyof F & string)[] = []): Reader<Values<F>> {
  return (value, path, mistakes) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      mistakes.add(path, `should have settings (${Object.keys(fields).join(', ')}), and is ${show(value)}`);
      return undefined;
    }
    const values: Record<string, unknown> = {};
    for (const [name, entry] of Object.entries(value)) {
      const read = Object.hasOwn(fields, name) ? fields[name] : undefined;
      // YAML's empty value is as if the setting were not there
      if (read && entry !== null) values[name] = read(entry, join(path, name), mistakes);
      if (!read) mistakes.add(join(path, name), `is no setting here (there are: ${Object.keys(fields).join(', ')})`);
    }
    for (const name of required)
      if ((value as Record<string, unknown>)[name] == null) mistakes.add(join(path, name), 'is missing');
    return values as Values<F>;
  };
}
