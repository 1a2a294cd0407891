/**
 * A database client: connects, and connects again; holds a lock; keeps a replica; carries transactions (RFC 7047 §4).
 *
 * Terms. *ready*: the replica has the whole content. *locked*: the lock that was asked for is ours.
 *
 * Invariants. After a lost connection the replica stays as it was until the new one is whole: who configures something by it
 * is not disturbed. A transaction that is lost with its connection is answered with null.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemMessage } from '../error.ts';
import { isArray, isObject, type Json, JsonStream, stringify } from '../json.ts';
import { parseRemote } from '../remote.ts';
import { schemaFromJson } from '../schema.ts';
import { Replica } from './replica.ts';

export interface ClientOptions {
  /** `unix:FILE`, `tcp:IP:PORT` or `ssl:IP:PORT`. */
  readonly remote: string;
  readonly database: string;
  /** Name of the lock that is asked for at every connection; null for none. */
  readonly lock: string | null;
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer; readonly ca: Buffer } | null;
  readonly log: (module: string, level: 'INFO' | 'WARN' | 'ERR' | 'DBG', text: string) => void;
  /** The replica or the lock changed. */
  readonly changed: () => void;
}

const BACKOFF_MIN = 1_000;
const BACKOFF_MAX = 8_000;
/** Silence after which the server is asked whether it is there, on connections by a network. */
const PROBE_INTERVAL = 5_000;

type Answer = (result: Json, error: Json) => void;

export class DatabaseClient {
  readonly #options: ClientOptions;
  readonly #pending = new Map<number, Answer>();
  #socket: Socket | null = null;
  #stream = new JsonStream();
  #nextId = 0;
  #backoff = 0;
  #retry: NodeJS.Timeout | null = null;
  #probe: NodeJS.Timeout | null = null;
  #heard = false;
  #isLocked = false;
  #isContended = false;
  #isClosed = false;
  #isReady = false;
  #replica: Replica | null = null;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** The last whole content; null before the first. */
  get replica(): Replica | null {
    return this.#replica;
  }

  /** Connected, with the whole content. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Somebody else holds the lock. */
  get isContended(): boolean {
    return this.#isContended;
  }

  /** @throws Error with words for the user, when the remote's name is none */
  start(): void {
    const { remote } = this.#options;
    const problem = parseRemote(remote.replace(/^ssl:/, 'tcp:'));
    if (typeof problem === 'string') throw new Error(problem);
    this.#connect();
  }

  #connect(): void {
    if (this.#isClosed) return;
    const { remote, log, tls } = this.#options;
    const parsed = parseRemote(remote.replace(/^ssl:/, 'tcp:'));
    if (typeof parsed === 'string') return;
    log('reconnect', 'INFO', `${remote}: connecting...`);
    const isTls = remote.startsWith('ssl:');
    const socket: Socket =
      isTls && 'port' in parsed.address
        ? connectTls({ ...parsed.address, ...(tls ?? {}), checkServerIdentity: () => undefined })
        : connect(parsed.address);
    this.#socket = socket;
    this.#stream = new JsonStream();
    let isConnected = false;
    socket.setNoDelay(true);
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      isConnected = true;
      this.#backoff = 0;
      log('reconnect', 'INFO', `${remote}: connected`);
      this.#begin();
      if ('port' in parsed.address) this.#probe = setInterval(() => this.#probePeer(), PROBE_INTERVAL);
    });
    socket.once('error', (error) => {
      if (isConnected) log('jsonrpc', 'WARN', `${remote}: receive error: ${systemMessage(error)}`);
      else log('reconnect', 'WARN', `${remote}: connection attempt failed (${systemMessage(error)})`);
    });
    socket.once('close', () => this.#lost(isConnected));
    socket.on('data', (bytes) => this.#receive(bytes as Buffer));
  }

  #probePeer(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#send({ id: 'echo', method: 'echo', params: [] });
      return;
    }
    this.#options.log('reconnect', 'ERR', `${this.#options.remote}: no response to inactivity probe after 5 seconds`);
    this.#socket?.destroy();
  }

  #lost(wasConnected: boolean): void {
    const { remote, log, changed } = this.#options;
    if (this.#probe) clearInterval(this.#probe);
    this.#probe = null;
    this.#socket = null;
    this.#isReady = false;
    this.#isLocked = false;
    for (const answer of this.#pending.values()) answer(null, 'connection closed');
    this.#pending.clear();
    if (this.#isClosed) return;
    if (wasConnected) log('reconnect', 'INFO', `${remote}: connection closed by peer`);
    changed();
    this.#backoff = Math.min(Math.max(BACKOFF_MIN, 2 * this.#backoff), BACKOFF_MAX);
    log('reconnect', 'INFO', `${remote}: waiting ${this.#backoff / 1000} seconds before reconnect`);
    this.#retry = setTimeout(() => this.#connect(), this.#backoff);
  }

  /**
   * Lock, schema, content: each is asked for when the one before it is answered. Answers are taken up where they stand in the
   * stream: a notification right behind one of them, in the same bytes, counts for what that answer said.
   */
  #begin(): void {
    const { database, lock } = this.#options;
    const getSchema = (): void => this.#ask('get_schema', [database], (json) => this.#monitor(json));
    if (lock === null) getSchema();
    else {
      this.#ask('lock', [lock], (answer) => {
        this.#setLocked(isObject(answer) && answer.locked === true);
        getSchema();
      });
    }
  }

  #monitor(schemaJson: Json): void {
    const { database } = this.#options;
    if (schemaJson === null) return;
    this.#guard(() => {
      const schema = schemaFromJson(schemaJson);
      const requests = Object.fromEntries(
        [...schema.tables.values()].map((table) => [
          table.name,
          [{ columns: table.columns.map(({ name }) => name).filter((name) => !name.startsWith('_')) }],
        ]),
      );
      this.#ask('monitor_cond', [database, 'weft', requests], (initial) => {
        if (initial !== null) this.#guard(() => this.#begun(new Replica(schema), initial));
      });
    });
  }

  #begun(replica: Replica, initial: Json): void {
    replica.apply(initial);
    this.#replica = replica;
    this.#isReady = true;
    this.#options.changed();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log('ovsdb_idl', 'WARN', `${this.#options.database}: ${String(error)}`);
      this.#socket?.destroy();
    }
  }

  #setLocked(isLocked: boolean): void {
    this.#isLocked = isLocked;
    this.#isContended = !isLocked;
    this.#options.changed();
  }

  #receive(bytes: Uint8Array): void {
    this.#heard = true;
    try {
      for (const message of this.#stream.feed(bytes)) this.#message(message);
    } catch (error) {
      this.#options.log('jsonrpc', 'WARN', `${this.#options.remote}: ${String(error)}`);
      this.#socket?.destroy();
    }
  }

  #message(json: Json): void {
    if (!isObject(json)) return;
    const { id = null, method, params = [], result = null, error = null } = json;
    if (typeof method !== 'string') {
      const answer = typeof id === 'number' ? this.#pending.get(id) : undefined;
      this.#pending.delete(id as number);
      answer?.(result, error);
      return;
    }
    if (method === 'echo' && id !== null) this.#send({ id, result: params, error: null });
    else if (method === 'update2' && isArray(params)) {
      this.#replica?.apply(params[1] ?? null);
      this.#options.changed();
    } else if (method === 'locked') this.#setLocked(true);
    else if (method === 'stolen') this.#setLocked(false);
  }

  #send(message: Json): void {
    this.#socket?.write(stringify(message));
  }

  /** @param answered called with the result; with null when it is an error or the connection is lost */
  #ask(method: string, params: Json, answered: (result: Json) => void): void {
    if (!this.#socket) {
      answered(null);
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, (result, error) => {
      if (error !== null && this.#socket)
        this.#options.log('ovsdb_idl', 'WARN', `${method} request failed: ${stringify(error)}`);
      answered(error === null ? result : null);
    });
    this.#send({ id, method, params });
  }

  /** Results of the operations; null when they have not been carried out. */
  async transact(operations: readonly Json[]): Promise<readonly Json[] | null> {
    const { promise, resolve } = Promise.withResolvers<Json>();
    this.#ask('transact', [this.#options.database, ...operations], resolve);
    const result = await promise;
    if (!isArray(result)) return null;
    const failed = result.find((one) => isObject(one) && one.error !== undefined);
    if (failed === undefined) return result;
    this.#options.log('ovsdb_idl', 'WARN', `transaction error: ${stringify(failed)}`);
    return null;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#socket?.destroy();
  }
}
