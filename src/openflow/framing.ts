/** OpenFlow's frame: the eight-byte header before every message, and cutting a byte stream into messages. */
import { concatBytes, u16At } from '../lib/bytes.ts';
import { Writer } from './wire.ts';

/** Version, type, length of the whole message (16 bits), transaction id (32 bits). */
export const OF_HEADER_SIZE = 8;
/** The length has sixteen bits. */
export const OF_MESSAGE_SIZE_MAX = 0xffff;

/** A message of these parts. @throws when it is longer than a header can say */
export function frame(version: number, type: number, xid: number, body: Uint8Array): Uint8Array {
  const size = OF_HEADER_SIZE + body.length;
  if (size > OF_MESSAGE_SIZE_MAX) throw new Error(`an OpenFlow message of ${size} bytes cannot be sent`);
  return new Writer().u8(version).u8(type).u16(size).u32(xid).bytes(body).done();
}

/** Cuts a stream into whole messages. A header that claims less than itself cannot be followed: the stream is broken. */
export class FrameSplitter {
  #rest = new Uint8Array(0);
  #isBroken = false;

  /** A length below eight was seen: nothing after it can be read, and the connection must end. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Bytes that wait for the rest of their message. */
  get pending(): number {
    return this.#rest.length;
  }

  /** The messages that are whole now, each in memory of its own. */
  push(bytes: Uint8Array): Uint8Array[] {
    if (this.#isBroken) return [];
    const all = this.#rest.length === 0 ? bytes : concatBytes(this.#rest, bytes);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (all.length - at >= OF_HEADER_SIZE) {
      const size = u16At(all, at + 2);
      if (size < OF_HEADER_SIZE) {
        this.#isBroken = true;
        break;
      }
      if (all.length - at < size) break;
      messages.push(all.slice(at, at + size));
      at += size;
    }
    this.#rest = this.#isBroken ? new Uint8Array(0) : all.slice(at);
    return messages;
  }
}
