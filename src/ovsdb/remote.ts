/**
 * Remotes: where the server listens (`punix:FILE`, `ptcp:PORT[:IP]`, `pssl:PORT[:IP]`) or connects to (`unix:FILE`,
 * `tcp:IP:PORT`, `ssl:IP:PORT`, again and again), and the connections that come of it.
 */
import type { Server as NetServer, Socket } from 'node:net';
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { openListener, openSocket, type SslConfig } from '../stream/socket.ts';
import { OVSDB_PORT, parseTarget, type Target } from '../stream/target.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';

const BACKOFF_MIN = 1_000;
const BACKOFF_MAX = 8_000;

/** @returns what a remote's name means, or why it means nothing */
export function parseRemote(name: string): Target | string {
  const parsed = parseTarget(name, OVSDB_PORT);
  return parsed.ok ? parsed.value : parsed.error;
}

export interface RemoteEvents {
  log(level: 'INFO' | 'WARN' | 'ERR', message: string): void;
  /** Milliseconds since any start. */
  now(): number;
  /** The files of TLS as they are configured now; null for none. */
  ssl(): SslConfig | null;
}

/** One remote: its listener or its connection. */
export class Remote {
  readonly name: string;
  readonly #parsed: Target;
  readonly #server: Server;
  readonly #events: RemoteEvents;
  readonly #sockets = new Set<Socket>();
  #listener: NetServer | null = null;
  #retry: NodeJS.Timeout | null = null;
  #backoff = BACKOFF_MIN;
  #isClosed = false;

  private constructor(name: string, parsed: Target, server: Server, events: RemoteEvents) {
    this.name = name;
    this.#parsed = parsed;
    this.#server = server;
    this.#events = events;
  }

  /**
   * @returns the remote; when it listens, after it has begun to
   * @throws Error with words for the user
   */
  static async open(name: string, server: Server, events: RemoteEvents): Promise<Remote> {
    const parsed = parseRemote(name);
    if (typeof parsed === 'string') throw new Error(parsed);
    const remote = new Remote(name, parsed, server, events);
    if (parsed.isPassive) await remote.#listen();
    else remote.#connect();
    return remote;
  }

  async #listen(): Promise<void> {
    const { promise, resolve: done, reject } = Promise.withResolvers<void>();
    let isListening = false;
    const failed = (error: string): void => {
      if (isListening) this.#events.log('WARN', `${this.name}: accept failed: ${error}`);
      else reject(new Error(error));
    };
    const accepted = (socket: Socket): void => this.#serve(socket, `${this.name}#`);
    this.#listener = openListener(this.#parsed, this.#events.ssl(), accepted, failed);
    this.#listener?.once('listening', () => {
      isListening = true;
      done();
    });
    await promise;
  }

  #connect(): void {
    if (this.#isClosed) return;
    let isOpen = false;
    openSocket(this.#parsed, this.#events.ssl(), {
      opened: (socket) => {
        isOpen = true;
        this.#backoff = BACKOFF_MIN;
        this.#events.log('INFO', `${this.name}: connected`);
        this.#serve(socket, this.name);
      },
      closed: (error) => {
        if (!isOpen) this.#events.log('INFO', `${this.name}: connection attempt failed (${error})`);
        if (this.#isClosed) return;
        this.#retry = setTimeout(() => this.#connect(), this.#backoff);
        this.#backoff = Math.min(2 * this.#backoff, BACKOFF_MAX);
      },
      log: (text) => this.#events.log('INFO', `${this.name}: ${text}`),
    });
  }

  #serve(socket: Socket, label: string): void {
    this.#sockets.add(socket);
    const session = this.#server.connect({
      send: (text) => void socket.write(text),
      close: (reason) => {
        this.#events.log('INFO', `${label}: disconnecting (${reason})`);
        socket.end();
        socket.destroySoon();
      },
      get backlog() {
        return socket.writableLength;
      },
    });
    socket.on('error', () => undefined);
    if (!session) return;
    let heard = this.#events.now();
    socket.on('data', (bytes) => {
      heard = this.#events.now();
      session.receive(bytes as Buffer);
    });
    socket.on('drain', () => session.flush());
    const probe = 'path' in this.#parsed.address ? null : this.#probe(session, () => heard);
    socket.on('close', () => {
      if (probe) clearInterval(probe);
      this.#sockets.delete(socket);
      session.ended();
    });
  }

  /** A peer behind a network may vanish without a word: one that is silent is asked, and dropped when it stays so. */
  #probe(session: Session, heard: () => number): NodeJS.Timeout {
    const interval = ovsdbLimits.PROBE_INTERVAL;
    return setInterval(() => {
      const silence = this.#events.now() - heard();
      if (silence >= 2 * interval) session.close(`no response to inactivity probe after ${interval / 1000} seconds`);
      else if (silence >= interval) session.probe();
    }, interval).unref();
  }

  /** Ends the remote and all its sessions. */
  close(): void {
    this.#isClosed = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#listener?.close();
    this.disconnect();
  }

  /** Ends its sessions; clients may come again. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
