/**
 * Multipart messages (OpenFlow 1.3 §7.3.5): one request or reply in several messages, each with the flag "more" but the
 * last. Several may be under way at once, told apart by their transaction ids.
 */
import { concatBytes } from '../../lib/bytes.ts';
import { OF_MESSAGE_SIZE_MAX } from '../framing.ts';
import { headersSize, identify, writeMessage } from '../message/header.ts';

const MORE = 1;
/** Bytes of bodies that are kept for messages that are not whole yet. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024;

/** One message in as many as its records need: no record is cut. @param message any message of that kind and transaction */
export function segmentMultipart(message: Uint8Array, records: readonly Uint8Array[]): Uint8Array[] {
  const header = identify(message);
  if (!header.ok) return [message];
  const { version, spec, xid } = header.value;
  const room = OF_MESSAGE_SIZE_MAX - headersSize(version, spec);
  const bodies: Uint8Array[][] = [[]];
  let used = 0;
  for (const record of records) {
    if (used + record.length > room && used > 0) {
      bodies.push([]);
      used = 0;
    }
    bodies.at(-1)!.push(record);
    used += record.length;
  }
  return bodies.map((body, i) =>
    writeMessage(version, spec, xid, concatBytes(...body), i < bodies.length - 1 ? MORE : 0),
  );
}

export type Reassembly =
  /** One whole message, as if it had come in one piece (its length may be more than a header can say). */
  | { readonly kind: 'whole'; readonly message: Uint8Array; readonly body: Uint8Array }
  | { readonly kind: 'waiting' }
  /** Too much is waiting: answer OFPBRC_MULTIPART_BUFFER_OVERFLOW. */
  | { readonly kind: 'overflow' };

/** Puts pieces together. Pieces of one transaction must be of one kind; another kind begins anew. */
export class MultipartReassembler {
  readonly #pending = new Map<number, { readonly raw: string; readonly parts: Uint8Array[]; size: number }>();
  #bytes = 0;

  /** Bytes that wait. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  #drop(xid: number): void {
    const entry = this.#pending.get(xid);
    if (entry) this.#bytes -= entry.size;
    this.#pending.delete(xid);
  }

  push(message: Uint8Array): Reassembly {
    const header = identify(message);
    if (!header.ok || header.value.spec.direction === null) return { kind: 'whole', message, body: new Uint8Array(0) };
    const { xid, spec, flags, body } = header.value;
    if (this.#pending.get(xid)?.raw !== spec.raw) this.#drop(xid);
    const entry = this.#pending.get(xid) ?? { raw: spec.raw, parts: [], size: 0 };
    if ((flags & MORE) === 0) {
      const whole = concatBytes(...entry.parts, body);
      this.#drop(xid);
      return { kind: 'whole', message, body: whole };
    }
    if (this.#bytes + body.length > PENDING_BYTES_MAX) {
      this.#drop(xid);
      return { kind: 'overflow' };
    }
    entry.parts.push(body.slice());
    entry.size += body.length;
    this.#bytes += body.length;
    this.#pending.set(xid, entry);
    return { kind: 'waiting' };
  }
}
