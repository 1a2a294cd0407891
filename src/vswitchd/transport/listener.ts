/** Where clients come to: BR.mgmt, passive controllers; and BR.snoop, whose clients get copies. */
import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { type Micros, SECOND } from '../../lib/clock.ts';
import type { Connection, ConnectionSettings } from '../../ofproto/connections/connection.ts';
import { Session } from '../../openflow/connection/session.ts';
import type { SslConfig } from '../../stream/socket.ts';
import { openListener } from '../../stream/socket.ts';
import type { Target } from '../../stream/target.ts';
import type { ControllerHost } from './active-controller.ts';
import { Link } from './link.ts';

/** A client must say hello within this time. */
const HELLO_MAX: Micros = SECOND;
/** Clients of one listener at a time. */
const CLIENTS_MAX = 1024;
/** Versions that snooping clients may speak: all. */
const ALL_VERSIONS = 0x7e;
/** Clients that may look at one connection. */
const SNOOPS_MAX = 8;

let clients = 0;

/** As the reference's log calls a client. */
function clientName({ remoteAddress, remotePort, remoteFamily }: Socket, isTls: boolean): string {
  if (remoteAddress === undefined) return `unix#${++clients}`;
  const host = remoteFamily === 'IPv6' ? `[${remoteAddress}]` : remoteAddress;
  return `${isTls ? 'ssl' : 'tcp'}:${host}:${remotePort}`;
}

/** A server that can be closed with all its clients. */
class Sockets {
  readonly #server: Server | null;
  readonly #sockets = new Set<Socket>();
  readonly #target: Target;
  isListening = true;

  constructor(name: string, target: Target, ssl: SslConfig | null, host: ControllerHost, take: (s: Socket) => void) {
    this.#target = target;
    const accepted = (socket: Socket): void => {
      socket.on('error', () => undefined);
      if (this.#sockets.size >= CLIENTS_MAX) {
        host.log('warn', `${name}: too many clients`);
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      take(socket);
    };
    this.#server = openListener(target, ssl, accepted, (error) => {
      this.isListening = false;
      host.log('error', `failed to listen on ${name}: ${error}`);
    });
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroySoon();
    if (this.isListening && 'path' in this.#target.address) rmSync(this.#target.address.path, { force: true });
  }
}

export interface ListenerSettings {
  readonly versions: number;
  readonly connection: ConnectionSettings;
  readonly ssl: SslConfig | null;
}

export class Listener {
  readonly #target: Target;
  readonly #host: ControllerHost;
  readonly #sockets: Sockets;
  readonly #links = new Set<Link>();
  #settings: ListenerSettings;

  constructor(name: string, target: Target, settings: ListenerSettings, host: ControllerHost) {
    this.#target = target;
    this.#settings = settings;
    this.#host = host;
    this.#sockets = new Sockets(name, target, settings.ssl, host, (socket) => this.#accept(socket));
  }

  get settings(): ListenerSettings {
    return this.#settings;
  }

  get isListening(): boolean {
    return this.#sockets.isListening;
  }

  configure(settings: ListenerSettings): void {
    this.#settings = settings;
    for (const { connection } of this.#links) connection.configure(settings.connection);
  }

  #accept(socket: Socket): void {
    const { manager, now, wake, log, bridge } = this.#host;
    let link: Link | null = null;
    const connection = manager.open(now(), {
      name: `${bridge}<->${clientName(socket, this.#target.isTls)}`,
      versions: this.#settings.versions,
      helloTimeout: HELLO_MAX,
      settings: this.#settings.connection,
      outputReady: () => link?.schedule(),
    });
    link = new Link(socket, connection, now, wake);
    const own = link;
    this.#links.add(own);
    socket.once('close', () => {
      if (connection.closedBy !== null && connection.closedWhy !== '')
        log('info', `${connection.name}: ${connection.closedWhy}`);
      this.#links.delete(own);
      manager.remove(connection);
    });
    link.pump();
    wake();
  }

  run(): void {
    for (const link of this.#links) link.pump();
  }

  close(): void {
    for (const { connection } of this.#links) this.#host.manager.remove(connection);
    this.#links.clear();
    this.#sockets.close();
  }
}

/** The more a controller has to say, the more it is worth to listen. */
const worth = { primary: 3, equal: 2, secondary: 1 } as const;

/** The controller whose messages a snooping client sees. */
export function snooped(connections: Iterable<Connection>): Connection | null {
  let best: Connection | null = null;
  for (const connection of connections)
    if (connection.kind === 'primary' && (!best || worth[connection.role] > worth[best.role])) best = connection;
  return best;
}

export class SnoopListener {
  readonly #host: ControllerHost;
  readonly #sockets: Sockets;

  constructor(name: string, target: Target, host: ControllerHost) {
    this.#host = host;
    this.#sockets = new Sockets(name, target, null, host, (socket) => this.#accept(socket));
  }

  get isListening(): boolean {
    return this.#sockets.isListening;
  }

  #accept(socket: Socket): void {
    const { manager, log, now } = this.#host;
    const best = snooped(manager.connections);
    if (!best || best.snoops.length >= SNOOPS_MAX) {
      log('info', 'no controller connection to snoop');
      socket.destroy();
      return;
    }
    const session = new Session(now(), { versions: ALL_VERSIONS, probeInterval: 0, isRaw: true });
    const flush = (): void => {
      for (const bytes of session.takeOutput()) socket.write(bytes);
      if (session.isClosed) socket.destroySoon();
    };
    // A client that does not keep up misses messages: the switch does not wait for it
    const copy = (bytes: Uint8Array): void => {
      if (session.version !== null && !socket.writableNeedDrain) socket.write(bytes);
    };
    best.snoops.push(copy);
    socket.on('data', (bytes: Uint8Array) => {
      session.receive(bytes, now());
      flush();
    });
    socket.once('close', () => {
      for (const connection of manager.connections)
        connection.snoops = connection.snoops.filter((snoop) => snoop !== copy);
    });
    flush();
  }

  close(): void {
    this.#sockets.close();
  }
}
