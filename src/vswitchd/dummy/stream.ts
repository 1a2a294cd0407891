/** A dummy device's byte stream: frames behind their length, two bytes in network order, both ways. */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { parseRemote } from '../../ovsdb/remote.ts';

/** Bytes that may wait for a peer that does not read. */
const BACKLOG_MAX = 100 * 65_537;
const RETRY = 1000;
const NOTHING = Buffer.alloc(0);

export class DummyStream {
  readonly #onFrame: (frame: Uint8Array) => boolean;
  readonly #sockets = new Map<Socket, Buffer>();
  #listener: Server | null = null;
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;
  #isConnected = false;
  readonly #isPassive: boolean;

  /**
   * @param name `tcp:IP:PORT`, `unix:FILE` to connect to, `ptcp:PORT[:IP]`, `punix:FILE` to listen at; others do nothing
   * @param onFrame false when there is no room: the frame and what follows it wait
   */
  constructor(name: string, onFrame: (frame: Uint8Array) => boolean) {
    this.#onFrame = onFrame;
    const parsed = parseRemote(name);
    this.#isPassive = typeof parsed !== 'string' && parsed.isPassive;
    if (typeof parsed === 'string') return;
    const { address } = parsed;
    if (!parsed.isPassive) {
      this.#connect(address);
      return;
    }
    if ('path' in address) rmSync(address.path, { force: true });
    this.#listener = createServer((socket) => this.#serve(socket)).on('error', () => undefined);
    this.#listener.listen(address);
    this.#listener.unref();
  }

  get state(): 'connected' | 'disconnected' | 'unknown' {
    if (this.#isPassive) return this.#sockets.size > 0 ? 'connected' : 'disconnected';
    return this.#isConnected ? 'connected' : 'disconnected';
  }

  #connect(address: { readonly path: string } | { readonly port: number; readonly host: string }): void {
    if (this.#isClosed) return;
    const socket = connect(address);
    socket.once('connect', () => {
      this.#isConnected = true;
    });
    socket.once('close', () => {
      this.#isConnected = false;
      if (!this.#isClosed) this.#retry = setTimeout(() => this.#connect(address), RETRY).unref();
    });
    this.#serve(socket);
  }

  #serve(socket: Socket): void {
    socket.setNoDelay(true);
    this.#sockets.set(socket, Buffer.alloc(0));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes) => this.#data(socket, bytes as Buffer));
  }

  #data(socket: Socket, bytes: Buffer): void {
    let rest = Buffer.concat([this.#sockets.get(socket) ?? Buffer.alloc(0), bytes]);
    while (rest.length >= 2) {
      const size = rest.readUInt16BE(0);
      if (rest.length < 2 + size) break;
      if (size >= 14 && !this.#onFrame(Uint8Array.from(rest.subarray(2, 2 + size)))) {
        this.#waitForRoom(socket);
        break;
      }
      rest = rest.subarray(2 + size);
    }
    this.#sockets.set(socket, rest);
  }

  /** The peer's frames stay in the socket, as in the reference, which takes one in a turn. */
  #waitForRoom(socket: Socket): void {
    socket.pause();
    setImmediate(() => {
      if (!this.#sockets.has(socket)) return;
      socket.resume();
      this.#data(socket, NOTHING);
    });
  }

  send(frame: Uint8Array): void {
    for (const socket of this.#sockets.keys()) {
      if (socket.writableLength > BACKLOG_MAX) continue;
      const head = Buffer.alloc(2);
      head.writeUInt16BE(frame.length);
      socket.write(Buffer.concat([head, frame]));
    }
  }

  close(): void {
    this.#isClosed = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#listener?.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}
