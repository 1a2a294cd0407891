/**
 * Multipart messages (OpenFlow 1.3 §7.3.5): one request or reply in several messages, each with the flag "more" but the
 * last. Several may be under way at once, told apart by their transaction ids.
 */
import { concatBytes } from '../../lib/bytes.ts';
import type { Micros } from '../../lib/clock.ts';
import { OF_MESSAGE_SIZE_MAX } from '../framing.ts';
import { headersSize, identify, writeMessage } from '../message/header.ts';

const MORE = 1;
const MULTIPART_REQUESTS_SINCE = 4;
/** Bytes of bodies that are kept for messages that are not whole yet. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** The pieces of segmentMultipart(), one by one: a million records do not wait in memory. */
export function* multipartPieces(message: Uint8Array, records: Iterable<Uint8Array>): Generator<Uint8Array> {
  const header = identify(message);
  if (!header.ok) {
    yield message;
    return;
  }
  const { version, spec, xid } = header.value;
  const room = OF_MESSAGE_SIZE_MAX - headersSize(version, spec);
  let body: Uint8Array[] = [];
  let used = 0;
  for (const record of records) {
    if (used + record.length > room && used > 0) {
      yield writeMessage(version, spec, xid, concatBytes(...body), MORE);
      body = [];
      used = 0;
    }
    body.push(record);
    used += record.length;
  }
  yield writeMessage(version, spec, xid, concatBytes(...body), 0);
}

/** One message in as many as its records need: no record is cut. @param message any message of that kind and transaction */
export const segmentMultipart = (message: Uint8Array, records: Iterable<Uint8Array>): Uint8Array[] => [
  ...multipartPieces(message, records),
];

const isRequest = ({ direction }: { readonly direction: string | null }): boolean => direction === 'request';

export type Reassembly =
  /** One whole message, as if it had come in one piece (its length may be more than a header can say). */
  | { readonly kind: 'whole'; readonly message: Uint8Array; readonly body: Uint8Array }
  | { readonly kind: 'waiting' }
  /** A piece of another kind than those before, which are forgotten: answer OFPBRC_BAD_STAT. */
  | { readonly kind: 'mismatch' }
  /** Too much is waiting: answer OFPBRC_MULTIPART_BUFFER_OVERFLOW. */
  | { readonly kind: 'overflow' };

interface Pending {
  readonly raw: string;
  readonly first: Uint8Array;
  readonly parts: Uint8Array[];
  size: number;
  last: Micros;
}

/** Puts pieces together. Pieces of one transaction must be of one kind. */
export class MultipartReassembler {
  readonly #pending = new Map<number, Pending>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax bytes of bodies that may wait */
  constructor(bytesMax = PENDING_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that wait. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  #drop(xid: number): void {
    const entry = this.#pending.get(xid);
    if (entry) this.#bytes -= entry.size;
    this.#pending.delete(xid);
  }

  push(message: Uint8Array, now: Micros = 0): Reassembly {
    const header = identify(message);
    if (!header.ok || header.value.spec.direction === null) return { kind: 'whole', message, body: new Uint8Array(0) };
    const { version, xid, spec, flags, body } = header.value;
    // Requests in several messages came with OpenFlow 1.3; before, the flag says nothing
    if (version < MULTIPART_REQUESTS_SINCE && isRequest(spec)) return { kind: 'whole', message, body };
    const before = this.#pending.get(xid);
    if (before && before.raw !== spec.raw) {
      this.#drop(xid);
      return { kind: 'mismatch' };
    }
    if ((flags & MORE) === 0) {
      const whole = before ? concatBytes(...before.parts, body) : body;
      this.#drop(xid);
      return { kind: 'whole', message, body: whole };
    }
    if (this.#bytes + body.length > this.#bytesMax) {
      this.#drop(xid);
      return { kind: 'overflow' };
    }
    const entry = before ?? { raw: spec.raw, first: message.slice(), parts: [], size: 0, last: now };
    entry.parts.push(body.slice());
    entry.size += body.length;
    entry.last = now;
    this.#bytes += body.length;
    this.#pending.set(xid, entry);
    return { kind: 'waiting' };
  }

  /** Time of the oldest last piece; null when nothing waits. */
  get oldest(): Micros | null {
    let oldest: Micros | null = null;
    for (const { last } of this.#pending.values()) if (oldest === null || last < oldest) oldest = last;
    return oldest;
  }

  /** Forgets what got no piece since then. @returns the first piece of each: answer OFPBRC_MULTIPART_REQUEST_TIMEOUT */
  expire(since: Micros): Uint8Array[] {
    const gone: Uint8Array[] = [];
    for (const [xid, { last, first }] of this.#pending) {
      if (last > since) continue;
      gone.push(first);
      this.#drop(xid);
    }
    return gone;
  }
}
