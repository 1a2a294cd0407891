/**
 * Remotes: where the server listens (`punix:FILE`, `ptcp:PORT[:IP]`) or connects to (`unix:FILE`, `tcp:IP:PORT`, again and
 * again), and the connections that come of it.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { systemMessage } from './error.ts';
import type { Server } from './server.ts';
import type { Session } from './session.ts';

type Address = { readonly path: string } | { readonly port: number; readonly host: string };

interface RemoteName {
  readonly isPassive: boolean;
  readonly address: Address;
}

/** Longest path of a Unix-domain socket, in bytes. */
const PATH_SIZE_MAX = 107;
const BACKOFF_MIN = 1_000;
const BACKOFF_MAX = 8_000;
const DEFAULT_PORT = 6640;

/** @returns what a remote's name means, or why it means nothing */
export function parseRemote(name: string): RemoteName | string {
  const colon = name.indexOf(':');
  const [method, rest] = colon < 0 ? [name, ''] : [name.slice(0, colon), name.slice(colon + 1)];
  switch (method) {
    case 'punix':
    case 'unix': {
      const path = resolve(rest);
      if (rest === '') return 'missing file name';
      if (Buffer.byteLength(path) > PATH_SIZE_MAX) return 'File name too long';
      return { isPassive: method === 'punix', address: { path } };
    }
    case 'ptcp':
    case 'tcp': {
      const isPassive = method === 'ptcp';
      const parts = isPassive
        ? /^(?<port>\d*)(?::(?:\[(?<v6>[^\]]+)\]|(?<host>[^[\]]+)))?$/.exec(rest)
        : /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+))(?::(?<port>\d+))?$/.exec(rest);
      const { port: portText, v6, host } = parts?.groups ?? {};
      const port = portText ? Number(portText) : DEFAULT_PORT;
      if (!parts || port > 65535) return 'Invalid argument';
      return { isPassive, address: { port, host: v6 ?? host ?? '0.0.0.0' } };
    }
    case 'ssl':
    case 'pssl':
      return 'SSL is not supported';
    default:
      return 'Address family not supported by protocol';
  }
}

export interface RemoteEvents {
  log(level: 'INFO' | 'WARN' | 'ERR', message: string): void;
  /** Milliseconds since any start. */
  now(): number;
}

/** One remote: its listener or its connection. */
export class Remote {
  readonly name: string;
  readonly #parsed: RemoteName;
  readonly #server: Server;
  readonly #events: RemoteEvents;
  readonly #sockets = new Set<Socket>();
  #listener: NetServer | null = null;
  #retry: NodeJS.Timeout | null = null;
  #backoff = BACKOFF_MIN;
  #isClosed = false;

  private constructor(name: string, parsed: RemoteName, server: Server, events: RemoteEvents) {
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
    const listener = createServer((socket) => this.#serve(socket, `${this.name}#`));
    this.#listener = listener;
    const { address } = this.#parsed;
    // A socket that a dead process left behind must not be in the way
    if ('path' in address) rmSync(address.path, { force: true });
    const umask = process.umask(0o027);
    const { promise, resolve: done, reject } = Promise.withResolvers<void>();
    listener.once('error', (error) => reject(new Error(systemMessage(error))));
    listener.listen({ ...address, backlog: 511 }, done);
    try {
      await promise;
    } finally {
      process.umask(umask);
    }
    listener.on('error', (error) => this.#events.log('WARN', `${this.name}: accept failed: ${systemMessage(error)}`));
  }

  #connect(): void {
    if (this.#isClosed) return;
    const socket = connect(this.#parsed.address);
    const again = (): void => {
      if (this.#isClosed) return;
      this.#retry = setTimeout(() => this.#connect(), this.#backoff);
      this.#backoff = Math.min(2 * this.#backoff, BACKOFF_MAX);
    };
    socket.once('connect', () => {
      this.#backoff = BACKOFF_MIN;
      this.#events.log('INFO', `${this.name}: connected`);
    });
    socket.once('error', (error) => {
      this.#events.log('INFO', `${this.name}: connection attempt failed (${systemMessage(error)})`);
    });
    socket.once('close', again);
    this.#serve(socket, this.name);
  }

  #serve(socket: Socket, label: string): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
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
