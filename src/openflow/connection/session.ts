/**
 * One OpenFlow connection after its transport is up, without I/O: hello and the choice of a version, echo, inactivity.
 *
 * What: bytes in and time in; messages for the owner and bytes for the peer out.
 * Terms: *hello*, the first message of both sides, with the versions each speaks; *negotiated*, the highest of both; *probe*,
 * an echo request after silence: when it is not answered in as long again, the connection is dead; *raw*, the way of a switch:
 * the owner gets every message but echo replies as bytes, in order, and answers them itself.
 * Invariants: nothing but hello is read before a version is agreed on, anything else ends the connection; a message in another
 * version afterwards is answered by OFPBRC_BAD_VERSION, in that version; malformed messages are answered and never end the
 * connection, but a broken frame does.
 * Not supported: TLS and sockets (the owner's), and the owner's replies to what is no hello or echo.
 */
import type { Micros } from '../../lib/clock.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { OfError } from '../error.ts';
import { FrameSplitter, OF_MESSAGE_SIZE_MAX } from '../framing.ts';
import { messageSpec, readHeader, writeMessage } from '../message/header.ts';
import { decodeMessage, encodeMessage, type OfEnvelope } from '../message/message.ts';
import type { OfVersion } from '../version.ts';
import { u32At, Writer } from '../wire.ts';

export interface SessionOptions {
  /** Bit n: wire version n. */
  readonly versions: number;
  /** Silence after which the peer is asked whether it lives; 0 for never. */
  readonly probeInterval: Micros;
  /** How long the peer's hello may take; 0 (or left out) for as long as a probe. */
  readonly helloTimeout?: Micros;
  /** Hand over bytes and answer nothing. */
  readonly isRaw?: boolean;
  /** Transaction of the hello (1 when left out). */
  readonly helloXid?: number;
}

export type SessionEvent =
  | { readonly kind: 'negotiated'; readonly version: OfVersion }
  | { readonly kind: 'message'; readonly envelope: OfEnvelope; readonly bytes: Uint8Array }
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** @param error what the system would call it */
  | { readonly kind: 'closed'; readonly why: string; readonly error: 'Protocol error' | 'Connection timed out' };

const HELLO = 0;
const ERROR = 1;
const ECHO_REPLY = 3;

const highest = (versions: number): number => 31 - Math.clz32(versions);

/** A bitmap, when the versions are not all those up to the highest one. */
const helloBody = (versions: number): Uint8Array =>
  versions === (1 << (highest(versions) + 1)) - 2 ? new Uint8Array(0) : new Writer().u16(1).u16(8).u32(versions).done();

/** As the reference tells the peer: `version 0x01`, `version 0x04 and earlier`, `versions 0x01, 0x04`. */
export function versionsText(versions: number): string {
  const hex = (n: number): string => `0x${n.toString(16).padStart(2, '0')}`;
  const list = Array.from({ length: 32 }, (_, n) => n).filter((n) => ((versions >>> n) & 1) === 1);
  if (list.length === 0) return 'no versions';
  if (list.length === 1) return `version ${hex(list[0]!)}`;
  const last = list.at(-1)!;
  if (list[0] === 1 && list.length === last) return `version ${hex(last)} and earlier`;
  return `versions ${list.map(hex).join(', ')}`;
}

/** A version that nobody knows is answered as OpenFlow 1.0. */
const knownVersion = (version: number): OfVersion => (version >= 1 && version <= 6 ? (version as OfVersion) : 1);

/** The most that an error can give back of what was wrong. */
const ERROR_DATA_MAX = OF_MESSAGE_SIZE_MAX - 32;

/** The error that answers a message, in the version that the message has, and with all of it. */
export function errorInVersionOf(error: OfError | OfErrorName, request: Uint8Array): Uint8Array {
  const name = typeof error === 'string' ? error : error.name;
  const data = request.subarray(0, ERROR_DATA_MAX);
  return encodeMessage({ kind: 'error', error: name, data }, knownVersion(request[0]!), u32At(request, 4))!;
}

/** Hello, error and echo may come in any version. */
const isAnyVersion = (bytes: Uint8Array): boolean => {
  const header = readHeader(bytes);
  return header.ok && bytes[1]! <= ECHO_REPLY;
};

/** Whether a message must be refused with OFPBRC_BAD_VERSION. */
export const isBadVersion = (bytes: Uint8Array, version: OfVersion): boolean =>
  bytes[0] !== version && !isAnyVersion(bytes);

export class Session {
  #options: SessionOptions;
  readonly #splitter = new FrameSplitter();
  readonly #out: Uint8Array[] = [];
  #version: OfVersion | null = null;
  #isClosed = false;
  readonly #opened: Micros;
  #lastReceived: Micros;
  #probedAt: Micros | null = null;

  constructor(now: Micros, options: SessionOptions) {
    this.#options = options;
    this.#opened = now;
    this.#lastReceived = now;
    const version = highest(options.versions & 0x7e) as OfVersion;
    this.#out.push(
      writeMessage(version, messageSpec('OFPT_HELLO'), options.helloXid ?? 1, helloBody(options.versions)),
    );
  }

  /** Null before the peer's hello. */
  get version(): OfVersion | null {
    return this.#version;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A probe is out and not answered yet. */
  get isIdle(): boolean {
    return this.#probedAt !== null;
  }

  setProbeInterval(probeInterval: Micros): void {
    this.#options = { ...this.#options, probeInterval };
  }

  /** What is to be sent, once. */
  takeOutput(): Uint8Array[] {
    return this.#out.splice(0);
  }

  send(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#out.push(bytes);
  }

  #close(why: string, error: 'Protocol error' | 'Connection timed out'): SessionEvent[] {
    this.#isClosed = true;
    return [{ kind: 'closed', why, error }];
  }

  #negotiate(bytes: Uint8Array): SessionEvent[] {
    const envelope = decodeMessage(bytes);
    // Version 0 is no version: the reference does not know a hello of it
    if (!envelope.ok || envelope.value.message.kind !== 'hello' || bytes[0] === 0)
      return this.#close('received message while expecting hello', 'Protocol error');
    const { versions } = envelope.value.message;
    const common = this.#options.versions & versions & 0x7e;
    if (common === 0) {
      const [ours, theirs] = [versionsText(this.#options.versions), versionsText(versions)];
      const data = new TextEncoder().encode(`We support ${ours}, you support ${theirs}, no common versions.`);
      const answered = knownVersion(highest(versions));
      this.#out.push(encodeMessage({ kind: 'error', error: 'OFPHFC_INCOMPATIBLE', data }, answered, 0)!);
      return this.#close(`version negotiation failed (we support ${ours}, peer supports ${theirs})`, 'Protocol error');
    }
    this.#version = highest(common) as OfVersion;
    return [{ kind: 'negotiated', version: this.#version }];
  }

  #take(bytes: Uint8Array): SessionEvent[] {
    if (this.#version === null) return this.#negotiate(bytes);
    if (this.#options.isRaw) return bytes[1] === ECHO_REPLY ? [] : [{ kind: 'raw', bytes }];
    if (isBadVersion(bytes, this.#version)) {
      this.#out.push(errorInVersionOf('OFPBRC_BAD_VERSION', bytes));
      return [];
    }
    const envelope = decodeMessage(bytes);
    if (!envelope.ok) {
      // An error that cannot be read is not answered by another
      if (bytes[1] !== ERROR) this.#out.push(errorInVersionOf(envelope.error, bytes));
      return [];
    }
    const { message, header } = envelope.value;
    if (message.kind === 'echo_request') {
      this.#out.push(encodeMessage({ kind: 'echo_reply', data: message.data }, bytes[0] as OfVersion, header.xid)!);
      return [];
    }
    if (bytes[1] === ECHO_REPLY || bytes[1] === HELLO) return [];
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
    if (this.#splitter.isBroken && !this.#isClosed)
      events.push(...this.#close('received too-short ofp_header', 'Protocol error'));
    return events;
  }

  /** When run() has something to do; null for never. */
  wakeAt(): Micros | null {
    const { helloTimeout = 0, probeInterval } = this.#options;
    if (this.#isClosed) return null;
    if (this.#version === null && helloTimeout > 0) return this.#opened + helloTimeout;
    if (probeInterval === 0) return null;
    return (this.#probedAt ?? this.#lastReceived) + probeInterval;
  }

  run(now: Micros): SessionEvent[] {
    const at = this.wakeAt();
    if (at === null || now < at) return [];
    if (this.#version === null) return this.#close('connection timed out', 'Connection timed out');
    if (this.#probedAt !== null) {
      const seconds = Math.floor(this.#options.probeInterval / 1e6);
      return this.#close(
        `no response to inactivity probe after ${seconds} seconds, disconnecting`,
        'Connection timed out',
      );
    }
    this.#probedAt = now;
    this.#out.push(encodeMessage({ kind: 'echo_request', data: new Uint8Array(0) }, this.#version, 0)!);
    return [];
  }
}
