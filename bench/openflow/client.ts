/** An OpenFlow 1.4 client that costs little: messages go out as bytes that the caller made, answers are counted. */
import { connect, type Socket } from 'node:net';

const VERSION = 5;
const HELLO = 0;
const ERROR = 1;
const ECHO_REQUEST = 2;
const ECHO_REPLY = 3;
const PACKET_IN = 10;
const PACKET_OUT = 13;
const MULTIPART_REQUEST = 18;
const MULTIPART_REPLY = 19;
const BARRIER_REQUEST = 20;
const BARRIER_REPLY = 21;
const BUNDLE_CONTROL = 33;
const BUNDLE_ADD = 34;
const ORDERED_ATOMIC = 3;

export const bundleStep = { open: 0, close: 2, commit: 4 } as const;

/** A message of a type with a body of so many bytes, made to be filled. */
export function message(type: number, size: number, xid: number): Buffer {
  const bytes = Buffer.alloc(8 + size);
  bytes[0] = VERSION;
  bytes[1] = type;
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt32BE(xid, 4);
  return bytes;
}

/** A bundle's message around another one. */
export function inBundle(bundle: number, inner: Buffer): Buffer {
  const bytes = message(BUNDLE_ADD, 8 + inner.length, inner.readUInt32BE(4));
  bytes.writeUInt32BE(bundle, 8);
  bytes.writeUInt16BE(ORDERED_ATOMIC, 14);
  inner.copy(bytes, 16);
  return bytes;
}

/** A packet that the switch is to send back as packet-in: output to the controller. */
export function packetOut(xid: number, frame: Buffer): Buffer {
  const bytes = message(PACKET_OUT, 32 + frame.length, xid);
  bytes.writeUInt32BE(0xffffffff, 8);
  bytes.writeUInt32BE(0xfffffffd, 12);
  bytes.writeUInt16BE(16, 16);
  bytes.writeUInt16BE(16, 26);
  bytes.writeUInt32BE(0xfffffffd, 28);
  bytes.writeUInt16BE(0xffff, 32);
  frame.copy(bytes, 40);
  return bytes;
}

export class OfClient {
  readonly #socket: Socket;
  readonly #barriers: (() => void)[] = [];
  readonly #controls: (() => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #dumped: ((size: number) => void) | null = null;
  #dumpBytes = 0;
  #packetIn: (() => void) | null = null;
  /** What was refused. */
  failure: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', (error) => {
      this.failure = error;
    });
  }

  static async open(path: string): Promise<OfClient> {
    const { promise, resolve, reject } = Promise.withResolvers<OfClient>();
    const socket = connect(path, () => resolve(new OfClient(socket)));
    socket.once('error', reject);
    const client = await promise;
    socket.write(message(HELLO, 0, 1));
    await client.barrier();
    return client;
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (at + 8 <= all.length) {
      const size = all.readUInt16BE(at + 2);
      if (at + size > all.length) break;
      this.#message(all, at, size);
      at += size;
    }
    this.#rest = all.subarray(at);
  }

  #message(bytes: Buffer, at: number, size: number): void {
    switch (bytes[at + 1]) {
      case ERROR:
        this.failure = new Error(`refused: ${bytes.subarray(at, at + Math.min(size, 32)).toString('hex')}`);
        this.#barriers.shift()?.();
        return;
      case ECHO_REQUEST: {
        const reply = Buffer.from(bytes.subarray(at, at + size));
        reply[1] = ECHO_REPLY;
        this.#socket.write(reply);
        return;
      }
      case BARRIER_REPLY:
        this.#barriers.shift()!();
        return;
      case BUNDLE_CONTROL:
        this.#controls.shift()!();
        return;
      case PACKET_IN:
        this.#packetIn?.();
        return;
      case MULTIPART_REPLY:
        this.#dumpBytes += size;
        if ((bytes.readUInt16BE(at + 10) & 1) === 0) this.#dumped!(this.#dumpBytes);
        return;
      default:
    }
  }

  /** Resolves when the socket has room again. */
  send(bytes: Uint8Array): Promise<void> | null {
    if (this.#socket.write(bytes)) return null;
    return new Promise((resolve) => this.#socket.once('drain', resolve));
  }

  async barrier(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barriers.push(resolve);
    this.#socket.write(message(BARRIER_REQUEST, 0, 0));
    await promise;
    if (this.failure) throw this.failure;
  }

  /** A message and a barrier behind it, in one write. */
  async sendAndWait(bytes: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barriers.push(resolve);
    this.#socket.write(Buffer.concat([bytes, message(BARRIER_REQUEST, 0, 0)]));
    await promise;
    if (this.failure) throw this.failure;
  }

  async bundleControl(bundle: number, step: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#controls.push(resolve);
    const bytes = message(BUNDLE_CONTROL, 8, 0);
    bytes.writeUInt32BE(bundle, 8);
    bytes.writeUInt16BE(step, 12);
    bytes.writeUInt16BE(ORDERED_ATOMIC, 14);
    this.#socket.write(bytes);
    await promise;
    if (this.failure) throw this.failure;
  }

  /** All flows of all tables. @returns bytes of the answer */
  async dump(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#dumped = resolve;
    this.#dumpBytes = 0;
    const bytes = message(MULTIPART_REQUEST, 48, 9);
    bytes.writeUInt16BE(1, 8);
    bytes[16] = 0xff;
    bytes.writeUInt32BE(0xffffffff, 20);
    bytes.writeUInt32BE(0xffffffff, 24);
    // An empty match: OXM, four bytes
    bytes.writeUInt16BE(1, 48);
    bytes.writeUInt16BE(4, 50);
    this.#socket.write(bytes);
    return promise;
  }

  /** Packet-out and packet-in, so many round trips with so many under way. */
  async roundTrips(count: number, depth: number, frame: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let [sent, received] = [0, 0];
    const next = (): void => {
      if (sent < count) this.#socket.write(packetOut(++sent, frame));
    };
    this.#packetIn = () => {
      if (++received === count) resolve();
      else next();
    };
    for (let i = 0; i < depth; i++) next();
    await promise;
    this.#packetIn = null;
  }

  /** Wants packet-ins: a connection of a management socket has none by default. */
  wantPacketIns(): void {
    const bytes = message(9, 4, 0);
    bytes.writeUInt16BE(0xffff, 10);
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}
