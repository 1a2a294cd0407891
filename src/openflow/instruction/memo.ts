/**
 * Instructions and actions that were decoded before: equal bytes are one list. Flow tables of a million flows have few
 * different ones, and a rule holds no list of its own.
 *
 * Invariants. Decoded lists are never changed. What is kept is limited: when it is full, all is forgotten.
 */
import { ok, type Result } from '../../lib/result.ts';
import { decodeActions } from '../action/index.ts';
import type { OfAction } from '../action/types.ts';
import type { OfError } from '../error.ts';
import type { OfVersion } from '../version.ts';
import { decodeInstructions, encodeInstructions } from './index.ts';

const LISTS_MAX = 4096;
/** Longer ones are seldom, and dear to compare. */
const BYTES_MAX = 128;

interface Known {
  readonly bytes: Uint8Array;
  readonly list: Result<OfAction[], OfError>;
  readonly next: Known | null;
}

function isEqual(a: Uint8Array, b: Uint8Array, from: number): boolean {
  if (a.length !== b.length - from) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[from + i]) return false;
  return true;
}

class Memo {
  readonly #decode: (version: OfVersion, bytes: Uint8Array) => Result<OfAction[], OfError>;
  readonly #known = new Map<number, Known>();
  #count = 0;

  constructor(decode: (version: OfVersion, bytes: Uint8Array) => Result<OfAction[], OfError>) {
    this.#decode = decode;
  }

  get(version: OfVersion, bytes: Uint8Array, from: number): Result<OfAction[], OfError> {
    const size = bytes.length - from;
    if (size <= 0) return ok([]);
    if (size > BYTES_MAX) return this.#decode(version, bytes.subarray(from));
    let hash: number = version;
    for (let i = from; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const first = this.#known.get(hash) ?? null;
    for (let known = first; known; known = known.next) if (isEqual(known.bytes, bytes, from)) return known.list;
    return this.#learn(version, bytes.subarray(from), hash, first);
  }

  #learn(version: OfVersion, bytes: Uint8Array, hash: number, next: Known | null): Result<OfAction[], OfError> {
    // Actions may hold views of what they were read from: that must not be a whole chunk of a socket
    const own = Uint8Array.from(bytes);
    const list = this.#decode(version, own);
    if (!list.ok) return list;
    if (this.#count >= LISTS_MAX) {
      this.#known.clear();
      this.#count = 0;
    }
    this.#count++;
    this.#known.set(hash, { bytes: own, list, next: this.#count === 1 ? null : next });
    return list;
  }
}

const versions = [1, 2, 3, 4, 5, 6] as const;
const instructions = versions.map(() => new Memo(decodeInstructions));
const actions = versions.map(() => new Memo(decodeActions));

/** As decodeInstructions of the bytes from there on; equal bytes may get the same list. */
export const knownInstructions = (version: OfVersion, bytes: Uint8Array, from: number): Result<OfAction[], OfError> =>
  instructions[version - 1]!.get(version, bytes, from);

/** As decodeActions of the bytes from there on; equal bytes may get the same list. */
export const knownActions = (version: OfVersion, bytes: Uint8Array, from: number): Result<OfAction[], OfError> =>
  actions[version - 1]!.get(version, bytes, from);

/** Lists that a million rules share are written once. */
const written = versions.map(() => new WeakMap<readonly OfAction[], Uint8Array>());

/** As encodeInstructions; the bytes are not to be changed. */
export function encodedInstructions(version: OfVersion, list: readonly OfAction[]): Uint8Array {
  const known = written[version - 1]!;
  let bytes = known.get(list);
  if (!bytes) known.set(list, (bytes = encodeInstructions(version, list)));
  return bytes;
}
