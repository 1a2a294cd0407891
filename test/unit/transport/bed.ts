/** A bridge with its requests and connections on real sockets and a clock that the test moves. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ManualClock, MILLISECOND } from '../../../src/lib/clock.ts';
import { Bridge } from '../../../src/ofproto/bridge.ts';
import { OfRequests } from '../../../src/ofproto/requests/index.ts';
import { BridgeConnections } from '../../../src/vswitchd/transport/bridge-connections.ts';
import type { BridgeConnectionsConfig } from '../../../src/vswitchd/transport/types.ts';

export class Bed {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-of-'));
  /** Starts away from zero, as every clock of a machine does. */
  readonly clock = new ManualClock(1_000_000_000);
  readonly bridge: Bridge;
  readonly connections: BridgeConnections;
  readonly logged: string[] = [];
  readonly failOpens: boolean[] = [];
  config: BridgeConnectionsConfig;

  constructor(config: Partial<BridgeConnectionsConfig> = {}) {
    const mac = Uint8Array.of(0xaa, 0x55, 0xaa, 0x55, 0, 0);
    this.bridge = new Bridge({ name: 'br0', mac, failMode: 'secure' });
    this.bridge.addPort({ name: 'br0', kind: 'local', dpPort: 0, mac });
    const { bridge } = this;
    this.connections = new BridgeConnections({
      bridge: 'br0',
      handler: new OfRequests(bridge, {
        portTraffic: () => null,
        packetOut: () => null,
        resume: () => null,
      }),
      tables: bridge.ofproto.tables,
      now: () => this.clock.now(),
      log: (level, text) => this.logged.push(`${level} ${text}`),
      failOpenChanged: (isOpen) => this.failOpens.push(isOpen),
    });
    bridge.ofproto.events = this.connections.events;
    this.config = {
      controllers: [],
      versions: 0x7e,
      managementPath: join(this.dir, 'br0.mgmt'),
      snoopPath: join(this.dir, 'br0.snoop'),
      failMode: 'secure',
      ...config,
    };
    this.connections.configure(this.config);
  }

  configure(config: Partial<BridgeConnectionsConfig>): void {
    this.config = { ...this.config, ...config };
    this.connections.configure(this.config);
  }

  /** Moves the clock, in one step, by so many milliseconds. */
  warp(ms: number): void {
    this.clock.advance(ms * MILLISECOND);
    this.settle();
  }

  settle(): void {
    this.bridge.run(this.clock.now());
    this.connections.run(this.clock.now());
  }

  close(): void {
    this.connections.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const HEADER = 8;

/** The OpenFlow messages that are whole, in hexadecimal digits, and how many bytes they took. */
function readMessages(bytes: Buffer): { readonly messages: string[]; readonly size: number } {
  const messages: string[] = [];
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const size = bytes.readUInt16BE(at + 2);
    if (size < HEADER || at + size > bytes.length) break;
    messages.push(bytes.toString('hex', at, at + size));
    at += size;
  }
  return { messages, size: at };
}

export const messagesIn = (bytes: Buffer): string[] => readMessages(bytes).messages;

/** A client of raw bytes. */
export class RawClient {
  readonly #socket: Socket;
  #got: Buffer[] = [];
  isClosed = false;

  constructor(address: string | { readonly port: number; readonly host: string }) {
    this.#socket = typeof address === 'string' ? connect(address) : connect(address);
    this.#socket.on('data', (bytes) => this.#got.push(bytes));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(hex: string): void {
    this.#socket.write(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  }

  /** Messages since the last call. */
  take(): string[] {
    const all = Buffer.concat(this.#got);
    const { messages, size } = readMessages(all);
    this.#got = size < all.length ? [all.subarray(size)] : [];
    return messages;
  }

  /** The next messages: as many, or what has come in two seconds. */
  async next(count = 1): Promise<string[]> {
    for (let waited = 0; waited < 2000; waited += 5) {
      if (messagesIn(Buffer.concat(this.#got)).length >= count) break;
      await delay(5);
    }
    return this.take();
  }

  async closed(): Promise<boolean> {
    for (let waited = 0; waited < 2000 && !this.isClosed; waited += 5) await delay(5);
    return this.isClosed;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}

export const until = async (isTrue: () => boolean): Promise<boolean> => {
  for (let waited = 0; waited < 3000 && !isTrue(); waited += 5) await delay(5);
  return isTrue();
};
