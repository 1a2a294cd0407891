/**
 * Frames in and out of dummy devices by their streams (two bytes of length before each frame), with a number of frames under way:
 * neither switch is sent more than it takes, and every frame is seen again.
 */
import { createServer, type Server, type Socket } from 'node:net';

const STALL_MS = 20_000;

class Port {
  readonly #server: Server;
  readonly connected: Promise<void>;
  #socket: Socket | null = null;
  #rest: Buffer = Buffer.alloc(0);
  received = 0;
  onReceived: (count: number) => void = () => undefined;

  constructor(path: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.connected = promise;
    this.#server = createServer((socket) => {
      this.#socket = socket;
      socket.on('data', (bytes: Buffer) => this.#take(bytes));
      socket.on('error', () => undefined);
      resolve();
    }).listen(path);
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let [at, count] = [0, 0];
    while (at + 2 <= all.length) {
      const size = all.readUInt16BE(at);
      if (at + 2 + size > all.length) break;
      at += 2 + size;
      count++;
    }
    this.#rest = all.subarray(at);
    this.received += count;
    this.onReceived(count);
  }

  /** @param frames each behind its length */
  send(frames: readonly Buffer[]): void {
    this.#socket!.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}

export class Streams {
  readonly #ports: readonly Port[];

  /** Listens on these paths: the devices connect. */
  constructor(paths: readonly string[]) {
    this.#ports = paths.map((path) => new Port(path));
  }

  async connected(): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.connected));
  }

  /**
   * Sends frames, in turn to each port, and waits until all have come back by the port that they went in by.
   * @param window frames under way at a port
   * @returns seconds
   */
  async exchange(frames: readonly Buffer[], window: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ports = this.#ports;
    let back = 0;
    let before = -1;
    const watch = setInterval(() => {
      if (back === before) reject(new Error(`frames are lost: ${back} of ${frames.length} came back`));
      before = back;
    }, STALL_MS);
    const begin = performance.now();
    for (const [i, port] of ports.entries()) {
      let next = i;
      const send = (count: number): void => {
        const some: Buffer[] = [];
        for (; some.length < count && next < frames.length; next += ports.length) some.push(frames[next]!);
        if (some.length > 0) port.send(some);
      };
      port.onReceived = (count) => {
        back += count;
        if (back === frames.length) resolve();
        send(count);
      };
      send(window);
    }
    try {
      await promise;
    } finally {
      clearInterval(watch);
    }
    return (performance.now() - begin) / 1000;
  }

  /** Sends a frame by every port, whatever is under way. */
  offer(frame: Buffer): void {
    for (const port of this.#ports) port.send([frame]);
  }

  /** Frames that have come back so far. */
  get received(): number {
    return this.#ports.reduce((sum, { received }) => sum + received, 0);
  }

  get portCount(): number {
    return this.#ports.length;
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }
}
