/** A bridge's connections without sockets: peers are pairs of byte queues, the handler of requests is the bridge's own. */
import { ManualClock, MILLISECOND, SECOND } from '../../../src/lib/clock.ts';
import { must } from '../../../src/lib/result.ts';
import { Bridge } from '../../../src/ofproto/bridge.ts';
import type { Connection, ConnectionSettings } from '../../../src/ofproto/connections/connection.ts';
import { ConnectionManager } from '../../../src/ofproto/connections/manager.ts';
import type { OfRequestHandler } from '../../../src/ofproto/connections/types.ts';
import { OfRequests } from '../../../src/ofproto/requests/index.ts';
import type { OfMessage } from '../../../src/openflow/message/families.ts';
import { decodeMessage, encodeMessage } from '../../../src/openflow/message/message.ts';
import type { OfVersion } from '../../../src/openflow/version.ts';

const defaults: ConnectionSettings = {
  kind: 'primary',
  probeInterval: 5 * SECOND,
  rateLimit: 0,
  burstLimit: 0,
  queueSize: 100,
  asyncMessages: true,
};

/** One end of a connection, on the controller's side. */
export class Peer {
  readonly connection: Connection;
  readonly version: OfVersion;
  readonly #clock: ManualClock;
  #xid = 100;

  constructor(connection: Connection, version: OfVersion, clock: ManualClock) {
    this.connection = connection;
    this.version = version;
    this.#clock = clock;
  }

  receive(bytes: Uint8Array): void {
    this.connection.receive(bytes, this.#clock.now());
  }

  /** @returns its transaction */
  send(message: OfMessage): number {
    const xid = this.#xid++;
    this.receive(encodeMessage(message, this.version, xid)!);
    return xid;
  }

  /** What has come since the last call, as bytes. */
  bytes(): Uint8Array[] {
    const all: Uint8Array[] = [];
    for (let bytes = this.connection.takeOutput(); bytes; bytes = this.connection.takeOutput()) all.push(bytes);
    this.connection.process(this.#clock.now());
    return all;
  }

  messages(): OfMessage[] {
    return this.bytes().map((bytes) => must(decodeMessage(bytes)).message);
  }

  /** Errors by name, other messages by kind. */
  kinds(): string[] {
    return this.messages().map((message) => (message.kind === 'error' ? message.error : message.kind));
  }

  /** Sends and looks at what comes back. */
  ask(message: OfMessage): string[] {
    this.send(message);
    return this.kinds();
  }
}

export class TestSwitch {
  readonly clock = new ManualClock(1000 * SECOND);
  readonly bridge: Bridge;
  readonly manager: ConnectionManager;

  /** @param handler null for the bridge's own */
  constructor(handler: OfRequestHandler | null = null) {
    const mac = Uint8Array.of(0xaa, 0x55, 0xaa, 0x55, 0, 0);
    this.bridge = new Bridge({ name: 'br0', mac, failMode: 'secure' });
    const own = new OfRequests(this.bridge, { portTraffic: () => null, packetOut: () => null, resume: () => null });
    this.manager = new ConnectionManager({ handler: handler ?? own, tables: this.bridge.ofproto.tables });
    this.bridge.ofproto.events = this.manager;
  }

  connect(version: OfVersion, settings: Partial<ConnectionSettings> = {}): Peer {
    const connection = this.manager.open(this.clock.now(), {
      name: `peer${version}`,
      versions: 0x7e,
      helloTimeout: SECOND,
      settings: { ...defaults, ...settings },
    });
    const peer = new Peer(connection, version, this.clock);
    const hello = { kind: 'hello', versions: 1 << version, unknown: false, bytes: new Uint8Array(0) } as const;
    peer.receive(encodeMessage(hello, version, 1)!);
    peer.bytes();
    return peer;
  }

  warp(ms: number): void {
    this.clock.advance(ms * MILLISECOND);
    this.run();
  }

  run(): void {
    this.bridge.run(this.clock.now());
    this.manager.run(this.clock.now());
  }
}
