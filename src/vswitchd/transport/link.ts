/**
 * A socket and its connection: bytes go in and out as fast as either can.
 *
 * Invariants. After every slice of requests the switch gets its turn, and forwards: a controller that sends a million flow-mods
 * at once does not stop traffic.
 */
import type { Socket } from 'node:net';
import { concatBytes } from '../../lib/bytes.ts';
import type { Micros } from '../../lib/clock.ts';
import type { Connection } from '../../ofproto/connections/connection.ts';

/** Bytes that are written at once. */
const WRITE_SIZE = 64 * 1024;
/** Requests between two turns of the switch: less than a millisecond of flow-mods. */
const SLICE = 64;

export class Link {
  readonly connection: Connection;
  readonly #socket: Socket;
  readonly #now: () => Micros;
  readonly #wake: () => void;
  #immediate: NodeJS.Immediate | null = null;
  #isEnding = false;
  #isScheduled = false;

  constructor(socket: Socket, connection: Connection, now: () => Micros, wake: () => void) {
    this.#socket = socket;
    this.connection = connection;
    this.#now = now;
    this.#wake = wake;
    connection.slice = SLICE;
    socket.on('data', (bytes: Uint8Array) => {
      connection.receive(bytes, now());
      this.pump();
      wake();
    });
    socket.on('end', () => this.#finish());
    socket.on('drain', () => {
      this.pump();
      wake();
    });
  }

  /** There is output: it is written when whoever made it has done. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.pump();
    });
  }

  /** The peer says no more: what it has said is done, answers or not. */
  #finish(): void {
    this.connection.slice = Number.POSITIVE_INFINITY;
    for (let waiting = true; waiting && this.connection.hasInput; waiting = this.connection.hasOutput) {
      this.connection.process(this.#now());
      this.#write();
    }
    this.#wake();
  }

  /** Goes on behind the switch's turn. */
  #continueLater(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = null;
      this.pump();
      this.#wake();
    });
  }

  #write(): void {
    while (!this.#socket.writableNeedDrain && !this.#socket.destroyed) {
      const messages: Uint8Array[] = [];
      for (let size = 0; size < WRITE_SIZE; size += messages.at(-1)!.length) {
        const message = this.connection.takeOutput();
        if (!message) break;
        messages.push(message);
      }
      if (messages.length === 0) return;
      this.#socket.write(messages.length === 1 ? messages[0]! : concatBytes(...messages));
    }
  }

  /** Writes what can be written, and reads on as far as answers find room. */
  pump(): void {
    const { connection } = this;
    if (this.#isEnding) return;
    this.#write();
    if (this.#immediate === null) connection.process(this.#now());
    this.#write();
    if (connection.hasInput) this.#continueLater();
    if (connection.wantsInput && !connection.hasInput) this.#socket.resume();
    else this.#socket.pause();
    if (connection.closedBy === null) return;
    this.#isEnding = true;
    this.#socket.end();
    this.#socket.destroySoon();
  }
}
