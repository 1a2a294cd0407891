/**
 * One client of the server: JSON-RPC messages in, messages out (RFC 7047 §4.1). It does no input or output of its own: who has
 * the connection feeds it bytes, carries away what it sends, and says how much of that still waits.
 */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { parseUuid, ZERO_UUID } from './data.ts';
import type { Database } from './database.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isArray, isObject, type Json, JsonStream, stringify } from './json.ts';
import type { Locks } from './locks.ts';
import { Monitor, type MonitorVersion } from './monitor.ts';
import { isId } from './parser.ts';
import type { RowChange } from './row-change.ts';
import { schemaToJson } from './schema.ts';

/** The connection behind a session. */
export interface Transport {
  send(text: string): void;
  close(reason: string): void;
  /** Bytes that were handed to send() and have not left yet. */
  readonly backlog: number;
}

/** What a session needs of its server. */
export interface SessionHost {
  /** The server's own UUID. */
  readonly id: string;
  readonly locks: Locks<Session>;
  databaseNames(): string[];
  database(name: string): Database | undefined;
  /** Runs a transaction, now or when it can; answers by session.reply(). */
  transact(session: Session, database: Database, id: Json, params: readonly Json[]): void;
  /** Takes back a transaction that waits. */
  cancel(session: Session, id: Json): void;
  /** @throws OvsdbError */
  convert(session: Session, database: Database, params: readonly Json[], reply: () => void): void;
  closed(session: Session): void;
}

/** An answer that is an error, in whatever form. */
class Refusal extends Error {
  readonly json: Json;

  constructor(json: Json) {
    super('refused');
    this.json = json;
  }
}

interface Request {
  readonly method: string;
  readonly params: readonly Json[];
  readonly id: Json;
}

/** Answers a request; undefined when the answer comes later. */
type Handler = (session: Session, request: Request) => Json | undefined;

const handlers: Readonly<Record<string, Handler>> = {
  echo: (_session, { params }) => params,
  list_dbs: (session) => session.host.databaseNames(),
  get_server_id: (session) => session.host.id,
  get_schema: (session, request) => schemaToJson(session.lookUp(request).schema),
  transact: (session, request) => {
    session.host.transact(session, session.lookUp(request), request.id, request.params);
    return undefined;
  },
  convert: (session, request) => {
    const reply = (): void => session.reply(request.id, {});
    session.host.convert(session, session.lookUp(request), request.params, reply);
    return undefined;
  },
  monitor: (session, request) => session.monitor(request, 1),
  monitor_cond: (session, request) => session.monitor(request, 2),
  monitor_cond_since: (session, request) => session.monitor(request, 3),
  monitor_cond_change: (session, request) => session.changeMonitor(request),
  monitor_cancel: (session, request) => session.cancelMonitor(request),
  lock: (session, request) => session.lock(request),
  steal: (session, request) => session.lock(request),
  unlock: (session, request) => session.unlock(request),
  set_db_change_aware: (session, request) => session.setChangeAware(request),
};

export class Session {
  readonly host: SessionHost;
  readonly #transport: Transport;
  readonly #stream = new JsonStream();
  readonly #monitors = new Map<string, Monitor>();
  #isChangeAware = false;
  #isClosed = false;

  constructor(host: SessionHost, transport: Transport) {
    this.host = host;
    this.#transport = transport;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isChangeAware(): boolean {
    return this.#isChangeAware;
  }

  get monitors(): Iterable<Monitor> {
    return this.#monitors.values();
  }

  /** Bytes that the client sent. What is no JSON-RPC ends the session. */
  receive(bytes: Uint8Array): void {
    try {
      for (const json of this.#stream.feed(bytes)) {
        this.#message(json);
        if (this.#isClosed) return;
      }
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) this.close(`Protocol error: ${error.message}`);
      else throw error;
    }
  }

  #message(json: Json): void {
    const problem = messageProblem(json);
    if (problem !== null) {
      this.close(`Protocol error: ${problem}`);
      return;
    }
    const { method, params, id = null } = json as { method?: string; params?: readonly Json[]; id?: Json };
    if (method === undefined) return;
    if (id === null) {
      if (method === 'cancel' && params!.length === 1) this.host.cancel(this, params![0]!);
      return;
    }
    this.#request({ method, params: params!, id });
  }

  #request(request: Request): void {
    try {
      const handler = Object.hasOwn(handlers, request.method) ? handlers[request.method]! : null;
      if (!handler) throw new Refusal('unknown method');
      const result = handler(this, request);
      if (result !== undefined) this.reply(request.id, result);
    } catch (error) {
      if (error instanceof Refusal) this.refuse(request.id, error.json);
      else if (error instanceof OvsdbError) this.refuse(request.id, error.toJson());
      else throw error;
    }
  }

  reply(id: Json, result: Json): void {
    this.#answer(id, result, null);
  }

  refuse(id: Json, error: Json): void {
    this.#answer(id, null, error);
  }

  #answer(id: Json, result: Json, error: Json): void {
    // A client hears of what its own request has changed before it hears that the request is done
    this.#flush();
    this.#send({ id, result, error });
  }

  notify(method: string, params: Json): void {
    this.#send({ id: null, method, params });
  }

  #send(message: Json): void {
    if (this.#isClosed) return;
    this.#transport.send(stringify(message));
    if (this.#transport.backlog > ovsdbLimits.BACKLOG_MAX) this.close('too much unread data');
  }

  /** Asks the client whether it is there. */
  probe(): void {
    this.#send({ id: 'echo', method: 'echo', params: [] });
  }

  /** Notes what a transaction has changed, for notify() or for later. */
  record(database: Database, changes: readonly RowChange[]): void {
    for (const monitor of this.#monitors.values()) {
      if (monitor.database !== database) continue;
      for (const change of changes) monitor.record(change);
    }
  }

  /** Sends what monitors have to tell, unless the client is far behind with reading. */
  flush(): void {
    if (this.#transport.backlog <= ovsdbLimits.BACKLOG_HELD_BACK) this.#flush();
  }

  #flush(): void {
    for (const monitor of this.#monitors.values()) {
      const notification = monitor.takeNotification();
      if (notification) this.notify(notification.method, notification.params);
    }
  }

  /** The database that a request is about. */
  lookUp({ method, params }: Request): Database {
    const [name] = params;
    if (typeof name !== 'string') throw syntaxError(params, `${method} request params must begin with <db-name>`);
    const database = this.host.database(name);
    if (database) return database;
    throw syntaxError(params, `${method} request specifies unknown database ${name}`, 'unknown database');
  }

  monitor(request: Request, version: MonitorVersion): Json {
    const database = this.lookUp(request);
    const { params } = request;
    if (params.length !== (version === 3 ? 4 : 3)) throw syntaxError(params, 'invalid parameters');
    const [, id, requests, last] = params as readonly [Json, Json, Json, Json];
    if (!isObject(requests)) throw syntaxError(requests, 'monitor-requests must be object');
    if (this.#monitors.has(stringify(id, true))) throw syntaxError(id, 'duplicate monitor ID');
    if (version === 3 && (typeof last !== 'string' || parseUuid(last) === null)) {
      throw syntaxError(last, 'last-txn-id must be UUID format.');
    }
    const monitor = new Monitor(database, version, id, requests);
    const initial = monitor.initial();
    this.#monitors.set(stringify(id, true), monitor);
    // A database in a file of its own keeps no history, as with the reference
    return version === 3 ? [false, ZERO_UUID, initial] : initial;
  }

  changeMonitor({ params, id: requestId }: Request): Json {
    if (params.length !== 3) throw syntaxError(params, 'invalid parameters');
    const [oldId, newId, requests] = params as readonly [Json, Json, Json];
    const key = stringify(oldId, true);
    const monitor = this.#monitors.get(key);
    if (!monitor) throw syntaxError(requestId, 'unknown monitor session');
    const newKey = stringify(newId, true);
    if (newKey !== key && this.#monitors.has(newKey)) throw syntaxError(newId, 'duplicate monitor ID');
    this.#flush();
    const notification = monitor.changeConditions(newId, requests);
    this.#monitors.delete(key);
    this.#monitors.set(newKey, monitor);
    if (notification) this.notify(notification.method, notification.params);
    return {};
  }

  cancelMonitor({ params }: Request): Json {
    if (params.length !== 1) throw new Refusal('invalid parameters');
    if (!this.#monitors.delete(stringify(params[0]!, true))) throw new Refusal('unknown monitor');
    return {};
  }

  /** Ends what the session knows of a database that goes away or changes its schema. */
  dropMonitors(database: Database): void {
    for (const [key, monitor] of [...this.#monitors]) {
      if (monitor.database !== database) continue;
      this.#monitors.delete(key);
      if (this.#isChangeAware) this.notify('monitor_canceled', [monitor.id]);
    }
  }

  #lockName({ method, params }: Request): string {
    const [name] = params;
    if (params.length === 1 && typeof name === 'string' && isId(name)) return name;
    throw syntaxError(params, `${method} request params must be <id>`);
  }

  lock(request: Request): Json {
    const name = this.#lockName(request);
    const { locks } = this.host;
    if (locks.hasAsked(name, this)) {
      throw syntaxError(request.params, `must issue "unlock" before new "${request.method}"`);
    }
    if (request.method === 'lock') return { locked: locks.lock(name, this) };
    locks.steal(name, this)?.notify('stolen', [name]);
    return { locked: true };
  }

  unlock(request: Request): Json {
    const name = this.#lockName(request);
    if (!this.host.locks.hasAsked(name, this)) {
      throw syntaxError(request.params, '"unlock" without "lock" or "steal"');
    }
    this.host.locks.unlock(name, this)?.notify('locked', [name]);
    return {};
  }

  setChangeAware({ params }: Request): Json {
    if (params.length !== 1 || typeof params[0] !== 'boolean') {
      throw syntaxError(params, 'true or false parameter expected');
    }
    this.#isChangeAware = params[0];
    return {};
  }

  /** Ends the session from this side. */
  close(reason: string): void {
    if (this.#isClosed) return;
    this.#transport.close(reason);
    this.ended();
  }

  /** The connection is gone: locks, monitors and waiting transactions go with it. */
  ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#monitors.clear();
    const { locks } = this.host;
    for (const name of locks.of(this)) locks.unlock(name, this)?.notify('locked', [name]);
    this.host.closed(this);
  }
}

const memberNames: ReadonlySet<string> = new Set(['id', 'method', 'params', 'result', 'error']);

/** Why a JSON value is no JSON-RPC 1.0 message; null when it is one. */
function messageProblem(json: Json): string | null {
  if (!isObject(json)) return 'message is not a JSON object';
  const stranger = Object.keys(json).find((name) => !memberNames.has(name));
  if (stranger !== undefined) return `message has unexpected member "${stranger}"`;
  if (!Object.hasOwn(json, 'method')) {
    return Object.hasOwn(json, 'result') || Object.hasOwn(json, 'error')
      ? null
      : 'message is neither request nor reply';
  }
  if (typeof json.method !== 'string') return 'method is not a JSON string';
  return isArray(json.params) ? null : '"params" must be JSON array';
}
