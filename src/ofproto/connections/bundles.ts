/**
 * Bundles of one connection (OpenFlow 1.4 §6.8, ONF extension 230): requests that are kept and then carried out whole or not
 * at all.
 *
 * Invariants. An error of control ends the bundle, as in the reference, but for a bundle that is not known. A message that is
 * refused is not in the bundle, which goes on. A bundle may be committed without having been closed.
 */
import type { Micros } from '../../lib/clock.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { OfRequest } from './types.ts';

type BundleError = Extract<OfErrorName, `OFPBFC_${string}`>;

interface Bundle {
  readonly flags: number;
  readonly requests: OfRequest[];
  /** The message that opened it: errors of time-outs are about it. */
  readonly opened: Uint8Array;
  isClosed: boolean;
  used: Micros;
  size: number;
}

/** Bytes of messages in all bundles of a connection. */
const BUNDLE_BYTES_MAX = 512 * 1024 * 1024;
const BUNDLES_MAX = 1024;

export class Bundles {
  readonly #idleMax: Micros;
  readonly #bundles = new Map<number, Bundle>();
  #bytes = 0;

  /** @param idleMax how long a bundle may be left alone */
  constructor(idleMax: Micros) {
    this.#idleMax = idleMax;
  }

  get count(): number {
    return this.#bundles.size;
  }

  #remove(id: number): void {
    this.#bytes -= this.#bundles.get(id)?.size ?? 0;
    this.#bundles.delete(id);
  }

  #refuse(id: number, error: BundleError): BundleError {
    this.#remove(id);
    return error;
  }

  #create(id: number, flags: number, opened: Uint8Array, now: Micros): Bundle | null {
    if (this.#bundles.size >= BUNDLES_MAX) return null;
    const bundle: Bundle = { flags, requests: [], opened: opened.slice(), isClosed: false, used: now, size: 0 };
    this.#bundles.set(id, bundle);
    return bundle;
  }

  /** Null when all is well, in this and the methods that follow. @param message the request */
  open(id: number, flags: number, message: Uint8Array, now: Micros): BundleError | null {
    if (this.#bundles.has(id)) return this.#refuse(id, 'OFPBFC_BAD_ID');
    return this.#create(id, flags, message, now) ? null : 'OFPBFC_OUT_OF_BUNDLES';
  }

  /** Puts a request in; a bundle that is not there is opened by it. @param message the request around it */
  add(id: number, flags: number, request: OfRequest, message: Uint8Array, now: Micros): BundleError | null {
    const bundle = this.#bundles.get(id) ?? this.#create(id, flags, message, now);
    if (!bundle) return 'OFPBFC_OUT_OF_BUNDLES';
    if (bundle.isClosed) return this.#refuse(id, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) return this.#refuse(id, 'OFPBFC_BAD_FLAGS');
    if (this.#bytes + request.bytes.length > BUNDLE_BYTES_MAX) return 'OFPBFC_MSG_TOO_MANY';
    bundle.requests.push(request);
    bundle.size += request.bytes.length;
    this.#bytes += request.bytes.length;
    bundle.used = now;
    return null;
  }

  close(id: number, flags: number, now: Micros): BundleError | null {
    const bundle = this.#bundles.get(id);
    if (!bundle) return 'OFPBFC_BAD_ID';
    if (bundle.isClosed) return this.#refuse(id, 'OFPBFC_BUNDLE_CLOSED');
    if (bundle.flags !== flags) return this.#refuse(id, 'OFPBFC_BAD_FLAGS');
    bundle.isClosed = true;
    bundle.used = now;
    return null;
  }

  /** Its requests; the bundle is gone, whatever comes of them. */
  take(id: number, flags: number): readonly OfRequest[] | BundleError {
    const bundle = this.#bundles.get(id);
    if (!bundle) return 'OFPBFC_BAD_ID';
    this.#remove(id);
    return bundle.flags === flags ? bundle.requests : 'OFPBFC_BAD_FLAGS';
  }

  discard(id: number): BundleError | null {
    if (!this.#bundles.has(id)) return 'OFPBFC_BAD_ID';
    this.#remove(id);
    return null;
  }

  /** When expire() has something to do; null for never. */
  wakeAt(): Micros | null {
    let oldest: Micros | null = null;
    for (const { used } of this.#bundles.values()) if (oldest === null || used < oldest) oldest = used;
    return oldest === null ? null : oldest + this.#idleMax;
  }

  /** Drops bundles that nobody has used for long. @returns the messages that opened them */
  expire(now: Micros): Uint8Array[] {
    const gone: Uint8Array[] = [];
    for (const [id, { used, opened }] of this.#bundles) {
      if (now < used + this.#idleMax) continue;
      gone.push(opened);
      this.#remove(id);
    }
    return gone;
  }
}
