/** Reading the members of a JSON object, strictly: what is required, of which type, and nothing else. */
import { type OvsdbError, syntaxError } from './error.ts';
import { isArray, isInteger, isObject, type Json, type JsonObject } from './json.ts';

export type MemberType = 'object' | 'array' | 'string' | 'id' | 'integer' | 'number' | 'boolean' | 'any';

interface MemberTypes {
  object: JsonObject;
  array: readonly Json[];
  string: string;
  id: string;
  integer: number | bigint;
  number: number | bigint;
  boolean: boolean;
  any: Json;
}

/** RFC 7047 §3.1 <id>. */
export const isId = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);

function isOfType(json: Json, type: MemberType): boolean {
  switch (type) {
    case 'object':
      return isObject(json);
    case 'array':
      return isArray(json);
    case 'string':
      return typeof json === 'string';
    case 'id':
      return typeof json === 'string' && isId(json);
    case 'integer':
      return isInteger(json);
    case 'number':
      return typeof json === 'number' || typeof json === 'bigint';
    case 'boolean':
      return typeof json === 'boolean';
    case 'any':
      return true;
  }
}

export class ObjectParser {
  readonly json: JsonObject | null;
  readonly #name: string;
  readonly #used = new Set<string>();
  #error: OvsdbError | null = null;

  /** @param name what is parsed, for errors */
  constructor(json: Json, name: string) {
    this.#name = name;
    this.json = isObject(json) ? json : null;
    if (!this.json) this.raise('Object expected.');
  }

  /** A member that has to be there; null when there is an error, which finish() or check() throws. */
  required<T extends MemberType>(name: string, ...types: T[]): MemberTypes[T] | null {
    return this.#member(name, types, false);
  }

  /** A member that may be missing. */
  optional<T extends MemberType>(name: string, ...types: T[]): MemberTypes[T] | null {
    return this.#member(name, types, true);
  }

  #member<T extends MemberType>(name: string, types: readonly T[], isOptional: boolean): MemberTypes[T] | null {
    if (!this.json) return null;
    if (!Object.hasOwn(this.json, name)) {
      if (!isOptional) this.raise(`Required '${name}' member is missing.`);
      return null;
    }
    const value = this.json[name]!;
    if (types.some((type) => isOfType(value, type))) {
      this.#used.add(name);
      return value as MemberTypes[T];
    }
    this.raise(`Type mismatch for member '${name}'.`);
    return null;
  }

  /** Remembers an error; the first one counts. */
  raise(details: string): void {
    this.#error ??= syntaxError(this.json ?? undefined, `Parsing ${this.#name} failed: ${details}`);
  }

  get error(): OvsdbError | null {
    return this.#error;
  }

  /** @throws OvsdbError the first error so far */
  check(): void {
    if (this.#error) throw this.#error;
  }

  /** @throws OvsdbError the first error, or that there are members which nobody asked for */
  finish(): void {
    if (!this.#error) {
      const unused = Object.keys(this.json!).filter((name) => !this.#used.has(name));
      const [first] = unused;
      if (unused.length > 1) {
        const others = `${unused.length - 1} other member${unused.length > 2 ? 's' : ''}`;
        this.raise(`Member '${first}' and ${others} are present but not allowed here.`);
      } else if (unused.length === 1) this.raise(`Member '${first}' is present but not allowed here.`);
    }
    this.check();
  }
}
