/**
 * The server: databases, sessions, locks, transactions that wait. It does no input or output but that of the database files, and
 * reads no clock: `now` and UUIDs come from its environment, and whoever runs it calls run() when wakeAt() has come.
 */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { datumFromJson, scalar } from './data.ts';
import { Database, Row } from './database.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { execute } from './execution.ts';
import { type Json, stringify } from './json.ts';
import { Locks } from './locks.ts';
import { schemaFromJson, schemaText } from './schema.ts';
import { serverSchema } from './server-schema.ts';
import { Session, type SessionHost, type Transport } from './session.ts';
import { convert, type Environment, Storage } from './storage.ts';
import { Transaction } from './transaction.ts';

const SERVER_DATABASE = '_Server';

interface Served {
  database: Database;
  readonly storage: Storage;
}

/** A transaction that has not been answered. */
interface Trigger {
  readonly session: Session;
  readonly served: Served;
  readonly id: Json;
  readonly params: readonly Json[];
  /** Milliseconds. */
  readonly created: number;
  timeout: number;
}

export interface ServerEvents {
  /** Something that an operator should read. */
  log(level: 'INFO' | 'WARN' | 'ERR', message: string): void;
  /** A transaction has changed a database. */
  changed(database: Database): void;
  /** A transaction waits: wakeAt() has changed. */
  waiting(): void;
  /**
   * Durable transactions wait for the disk, and all answers with them: sync() is to be called soon, when what other clients have
   * sent by now has been taken in as well. Left out, each transaction waits for the disk by itself.
   */
  unsynced?(): void;
}

/** An answer that must not leave before the disk has what it speaks of. */
interface HeldText {
  readonly session: Session;
  readonly transport: Transport;
  readonly text: string;
}

export class Server implements SessionHost {
  readonly id: string;
  readonly locks = new Locks<Session>();
  readonly #environment: Environment;
  readonly #events: ServerEvents;
  readonly #served = new Map<string, Served>();
  readonly #sessions = new Set<Session>();
  readonly #triggers = new Set<Trigger>();
  /** Storages with durable transactions that are not on the disk yet. */
  readonly #unsynced = new Set<Storage>();
  #held: HeldText[] = [];
  #heldSize = 0;
  #mustRunTriggers = false;
  #isRunning = false;

  constructor(environment: Environment, events: ServerEvents) {
    this.id = environment.uuid();
    this.#environment = environment;
    this.#events = events;
    const database = new Database(schemaFromJson(serverSchema));
    this.#served.set(SERVER_DATABASE, { database, storage: Storage.inMemory(environment) });
    this.#describe();
  }

  // Databases

  /**
   * Opens a database file and serves it.
   * @returns the database's name
   * @throws OvsdbError
   */
  add(fileName: string): string {
    const { storage, database, warning } = Storage.open(fileName, this.#environment);
    if (this.#served.has(database.name)) {
      storage.close();
      throw new OvsdbError('ovsdb error', `${fileName}: duplicate database name`);
    }
    if (warning !== null) this.#events.log('ERR', warning);
    this.#served.set(database.name, { database, storage });
    this.#describe();
    return database.name;
  }

  /** Stops to serve a database. False when there is none of that name, or it is built in. */
  remove(name: string): boolean {
    const served = this.#served.get(name);
    if (!served || name === SERVER_DATABASE) return false;
    this.sync();
    this.#cancelTriggers(served);
    this.#served.delete(name);
    for (const session of this.#sessions) session.dropMonitors(served.database);
    this.#describe();
    served.storage.close();
    this.#disconnectUnaware(`removing ${name} database`);
    return true;
  }

  databaseNames(): string[] {
    return [...this.#served.keys()].sort();
  }

  database(name: string): Database | undefined {
    return this.#served.get(name)?.database;
  }

  fileOf(name: string): string | null {
    return this.#served.get(name)?.storage.fileName ?? null;
  }

  /** Makes a database's file small. @throws OvsdbError */
  compact(name: string): void {
    const served = this.#served.get(name)!;
    served.storage.compact(served.database);
  }

  /** What memory/show tells. */
  usage(): Record<string, number> {
    const usage: Record<string, number> = { atoms: 0, cells: 0, monitors: 0, 'n-weak-refs': 0 };
    for (const { database } of this.#served.values()) {
      usage.atoms! += database.atoms;
      usage.cells! += database.cells;
      usage['n-weak-refs']! += database.weakReferences;
    }
    for (const session of this.#sessions) for (const _ of session.monitors) usage.monitors!++;
    if (this.#sessions.size > 0) usage.sessions = this.#sessions.size;
    if (this.#triggers.size > 0) usage.triggers = this.#triggers.size;
    return usage;
  }

  /** Brings the `_Server` database up to date. */
  #describe(): void {
    const own = this.#served.get(SERVER_DATABASE)!;
    const transaction = new Transaction(own.database, () => this.#environment.uuid());
    const table = own.database.table('Database');
    const rows = new Map(
      [...table.rows.values()].map((row) => [row.fields[table.schema.byName.get('name')!.index]!.keys[0], row]),
    );
    for (const [name, row] of rows) if (!this.#served.has(name as string)) transaction.delete(row);
    for (const [name, { database }] of this.#served) {
      const known = rows.get(name);
      const row = known ? transaction.modify(known) : Row.withDefaults(table, this.#environment.uuid());
      const values: Record<string, Json> = {
        name,
        model: 'standalone',
        connected: true,
        leader: true,
        schema: schemaText(database.schema),
      };
      for (const [key, value] of Object.entries(values)) {
        const { index, type } = table.schema.byName.get(key)!;
        row.fields[index] = typeof value === 'string' ? scalar(value) : datumFromJson(type, value, null);
      }
      if (!known) transaction.insert(row);
    }
    this.#commit(own, transaction, false);
  }

  // Sessions

  /** A new client. Null when there are too many; the connection has been closed then. */
  connect(transport: Transport): Session | null {
    if (this.#sessions.size >= ovsdbLimits.SESSIONS_MAX) {
      transport.close('too many sessions');
      return null;
    }
    const session: Session = new Session(this, {
      send: (text) => {
        if (this.#unsynced.size > 0) this.#hold({ session, transport, text });
        else transport.send(text);
      },
      close: (reason) => transport.close(reason),
      // What is held counts for everybody: it leaves within a turn
      get backlog() {
        return transport.backlog;
      },
    });
    this.#sessions.add(session);
    return session;
  }

  #hold(held: HeldText): void {
    this.#held.push(held);
    this.#heldSize += held.text.length;
    if (this.#heldSize > ovsdbLimits.HELD_MAX) this.sync();
  }

  /** Brings durable transactions to the disk, all with one call, and lets their answers go. */
  sync(): void {
    const storages = [...this.#unsynced];
    const held = this.#held;
    this.#unsynced.clear();
    this.#held = [];
    this.#heldSize = 0;
    let error: unknown = null;
    for (const storage of storages) {
      try {
        storage.sync();
      } catch (failure) {
        error = failure;
        this.#events.log('ERR', `${storage.fileName}: ${failure}`);
      }
    }
    for (const { session, transport, text } of held) {
      if (session.isClosed) continue;
      // Nobody knows what the disk has: an answer would say more than that
      if (error) session.close('the database file cannot be written');
      else transport.send(text);
    }
  }

  closed(session: Session): void {
    this.#sessions.delete(session);
    for (const trigger of this.#triggers) if (trigger.session === session) this.#triggers.delete(trigger);
  }

  get sessions(): Iterable<Session> {
    return this.#sessions;
  }

  #disconnectUnaware(reason: string): void {
    for (const session of [...this.#sessions]) if (!session.isChangeAware) session.close(reason);
  }

  // Transactions

  transact(session: Session, database: Database, id: Json, params: readonly Json[]): void {
    const key = stringify(id, true);
    let waiting = 0;
    for (const trigger of this.#triggers) {
      if (trigger.session !== session) continue;
      waiting++;
      if (stringify(trigger.id, true) !== key) continue;
      session.refuse(id, 'duplicate request ID');
      return;
    }
    if (waiting >= ovsdbLimits.TRIGGERS_MAX) {
      session.refuse(id, 'too many transactions wait');
      return;
    }
    const served = this.#served.get(database.name)!;
    const created = this.#environment.now();
    this.#try({ session, served, id, params, created, timeout: Number.POSITIVE_INFINITY });
    this.run();
  }

  #try(trigger: Trigger): void {
    const { session, served, id, params, created } = trigger;
    const execution = execute(served.database, params, {
      uuid: () => this.#environment.uuid(),
      ownsLock: (name) => this.locks.isOwner(name, session),
      isReadOnly: false,
      elapsed: this.#environment.now() - created,
    });
    if (execution.kind === 'waiting') {
      trigger.timeout = execution.timeout;
      this.#triggers.add(trigger);
      this.#events.waiting();
      return;
    }
    this.#triggers.delete(trigger);
    const { results } = execution;
    if (execution.kind === 'composed') {
      const error = this.#commit(served, execution.transaction, execution.isDurable);
      if (error) results.push(error.toJson());
    }
    session.reply(id, results);
  }

  /** Checks, writes and completes a transaction, and tells the monitors. @returns why it was aborted, or null */
  #commit(served: Served, transaction: Transaction, isDurable: boolean): OvsdbError | null {
    try {
      transaction.precommit();
      if (served.storage.write(transaction) && isDurable) this.#awaitDisk(served.storage);
    } catch (error) {
      transaction.abort();
      if (error instanceof OvsdbError) return error;
      throw error;
    }
    transaction.complete();
    if (transaction.isEmpty) return null;
    const changes = [...transaction.changes()].filter((change) => change.isChanged);
    for (const session of this.#sessions) {
      session.record(served.database, changes);
      session.flush();
    }
    this.#mustRunTriggers = true;
    this.#events.changed(served.database);
    this.#compactIfDue(served);
    return null;
  }

  /** @throws OvsdbError when the disk is not to be waited for later, and refuses */
  #awaitDisk(storage: Storage): void {
    if (!this.#events.unsynced) {
      storage.sync();
      return;
    }
    const isFirst = this.#unsynced.size === 0;
    this.#unsynced.add(storage);
    if (isFirst) this.#events.unsynced();
  }

  #compactIfDue({ storage, database }: Served): void {
    if (!storage.isDue) return;
    try {
      storage.compact(database);
    } catch (error) {
      this.#events.log('WARN', String(error));
    }
  }

  /** Tries again what waits: all of it after a change, else what has waited long enough. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      do {
        const isAll = this.#mustRunTriggers;
        this.#mustRunTriggers = false;
        const now = this.#environment.now();
        for (const trigger of [...this.#triggers]) {
          if (this.#triggers.has(trigger) && (isAll || now - trigger.created >= trigger.timeout)) this.#try(trigger);
        }
      } while (this.#mustRunTriggers);
    } finally {
      this.#isRunning = false;
    }
  }

  /** When run() has to be called at the latest, in milliseconds since 1970; infinity when nothing waits for time. */
  wakeAt(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { created, timeout } of this.#triggers) at = Math.min(at, created + timeout);
    return at;
  }

  cancel(session: Session, id: Json): void {
    const key = stringify(id, true);
    for (const trigger of this.#triggers) {
      if (trigger.session !== session || stringify(trigger.id, true) !== key) continue;
      this.#triggers.delete(trigger);
      session.refuse(trigger.id, 'canceled');
      return;
    }
  }

  #cancelTriggers(served: Served): void {
    for (const trigger of [...this.#triggers]) {
      if (trigger.served !== served) continue;
      this.#triggers.delete(trigger);
      trigger.session.refuse(trigger.id, 'canceled');
    }
  }

  convert(_session: Session, database: Database, params: readonly Json[], reply: () => void): void {
    const served = this.#served.get(database.name)!;
    if (params.length !== 2) throw syntaxError(params, 'array expected');
    const schema = schemaFromJson(params[1]!);
    if (schema.name !== database.name) {
      const what = `new schema name (${schema.name}) does not match database name (${database.name})`;
      throw new OvsdbError('invalid parameters', what);
    }
    if (database.name === SERVER_DATABASE) {
      throw new OvsdbError('not allowed', `convert not allowed on reserved database ${SERVER_DATABASE}`);
    }
    const converted = convert(database, schema, this.#environment);
    served.storage.compact(converted, 'converted by ovsdb-server');
    this.#cancelTriggers(served);
    for (const each of this.#sessions) each.dropMonitors(database);
    served.database = converted;
    this.#describe();
    reply();
    this.#events.changed(converted);
    this.#disconnectUnaware(`committed ${database.name} database schema conversion`);
    this.run();
  }
}
