/**
 * One OpenFlow connection after its transport is up, without I/O: hello and the choice of a version, echo, inactivity.
 *
 * What: bytes in and time in; messages for the owner and bytes for the peer out.
 * Terms: *hello*, the first message of both sides, with the versions each speaks; *negotiated*, the highest of both; *probe*,
 * an echo request after silence: when it is not answered in as long again, the connection is dead.
 * Invariants: nothing but hello and error is read before a version is agreed on; a message in another version afterwards is
 * answered by OFPBRC_BAD_VERSION; malformed messages are answered and never end the connection, but a broken frame does.
 * Not supported: TLS and sockets (the owner's), and the owner's replies to what is no hello or echo.
 */
import type { Micros } from '../../lib/clock.ts';
import { FrameSplitter } from '../framing.ts';
import { decodeMessage, encodeError, encodeMessage, type OfEnvelope } from '../message/message.ts';
import type { OfVersion } from '../version.ts';

export interface SessionOptions {
  /** Bit n: wire version n. */
  readonly versions: number;
  /** Silence after which the peer is asked whether it lives; 0 for never. */
  readonly probeInterval: Micros;
}

export type SessionEvent =
  | { readonly kind: 'negotiated'; readonly version: OfVersion }
  | { readonly kind: 'message'; readonly envelope: OfEnvelope; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly why: string };

const highest = (versions: number): number => 31 - Math.clz32(versions & 0x7e);

export class Session {
  readonly #options: SessionOptions;
  readonly #splitter = new FrameSplitter();
  readonly #out: Uint8Array[] = [];
  #version: OfVersion | null = null;
  #isClosed = false;
  #lastReceived: Micros;
  #probedAt: Micros | null = null;
  #xid = 1;

  constructor(now: Micros, options: SessionOptions) {
    this.#options = options;
    this.#lastReceived = now;
    const version = highest(options.versions) as OfVersion;
    this.#out.push(
      encodeMessage(
        { kind: 'hello', versions: options.versions, unknown: false, bytes: new Uint8Array(0) },
        version,
        this.#xid++,
      )!,
    );
  }

  /** Null before the peer's hello. */
  get version(): OfVersion | null {
    return this.#version;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What is to be sent, once. */
  takeOutput(): Uint8Array[] {
    return this.#out.splice(0);
  }

  send(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#out.push(bytes);
  }

  #close(why: string): SessionEvent[] {
    this.#isClosed = true;
    return [{ kind: 'closed', why }];
  }

  #negotiate(bytes: Uint8Array): SessionEvent[] {
    const envelope = decodeMessage(bytes);
    if (!envelope.ok || envelope.value.message.kind !== 'hello')
      return this.#close('the peer did not begin with hello');
    const version = highest(this.#options.versions & envelope.value.message.versions);
    if (version < 1) {
      const answered = Math.min(highest(this.#options.versions), Math.max(1, bytes[0]!)) as OfVersion;
      const data = new TextEncoder().encode('no version of OpenFlow that both sides speak');
      this.#out.push(encodeMessage({ kind: 'error', error: 'OFPHFC_INCOMPATIBLE', data }, answered, 0)!);
      return this.#close('no version of OpenFlow in common');
    }
    this.#version = version as OfVersion;
    return [{ kind: 'negotiated', version: this.#version }];
  }

  #take(bytes: Uint8Array): SessionEvent[] {
    if (this.#version === null) return this.#negotiate(bytes);
    if (bytes[0] !== this.#version && bytes[1] !== 0 && bytes[1] !== 1) {
      this.#out.push(encodeError('OFPBRC_BAD_VERSION', bytes, this.#version));
      return [];
    }
    const envelope = decodeMessage(bytes);
    if (!envelope.ok) {
      // An error that cannot be read is not answered by another
      if (bytes[1] !== 1) this.#out.push(encodeError(envelope.error, bytes, this.#version));
      return [];
    }
    const { message, header } = envelope.value;
    if (message.kind === 'echo_request') {
      this.#out.push(encodeMessage({ kind: 'echo_reply', data: message.data }, this.#version, header.xid)!);
      return [];
    }
    if (message.kind === 'echo_reply' || message.kind === 'hello') return [];
    return [{ kind: 'message', envelope: envelope.value, bytes }];
  }

  receive(bytes: Uint8Array, now: Micros): SessionEvent[] {
    if (this.#isClosed) return [];
    this.#lastReceived = now;
    this.#probedAt = null;
    const events: SessionEvent[] = [];
    for (const message of this.#splitter.push(bytes)) {
      if (this.#isClosed) break;
      events.push(...this.#take(message));
    }
    if (this.#splitter.isBroken && !this.#isClosed) events.push(...this.#close('a header claims less than a header'));
    return events;
  }

  /** When run() has something to do; null for never. */
  wakeAt(): Micros | null {
    if (this.#isClosed || this.#options.probeInterval === 0) return null;
    return (this.#probedAt ?? this.#lastReceived) + this.#options.probeInterval;
  }

  run(now: Micros): SessionEvent[] {
    const at = this.wakeAt();
    if (at === null || now < at) return [];
    if (this.#probedAt !== null || this.#version === null) return this.#close('no answer to an inactivity probe');
    this.#probedAt = now;
    this.#out.push(encodeMessage({ kind: 'echo_request', data: new Uint8Array(0) }, this.#version, this.#xid++)!);
    return [];
  }
}
