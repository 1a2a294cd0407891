/** A connection to a running database, for those who change its content: what it says now, transactions, waiting. */
import { DatabaseClient, type Json, type JsonObject, type Replica } from '../../ovsdb/index.ts';

const DATABASE = 'Open_vSwitch';
const OPEN_MS_MAX = 10_000;

export class LiveDatabase {
  readonly remote: string;
  readonly #client: DatabaseClient;
  readonly #waiting = new Set<() => void>();
  /** What the connection said last: the reason when something fails. */
  #said = '';
  #isClosed = false;

  private constructor(remote: string) {
    this.remote = remote;
    this.#client = new DatabaseClient({
      remote,
      database: DATABASE,
      lock: null,
      log: (_module, level, text) => {
        if (level === 'WARN' || level === 'ERR') this.#said = text;
        for (const look of [...this.#waiting]) look();
      },
      changed: () => {
        for (const look of [...this.#waiting]) look();
      },
    });
  }

  /** @throws Error with words for the user */
  static async open(remote: string): Promise<LiveDatabase> {
    const database = new LiveDatabase(remote);
    database.#client.start();
    await database.until(() => database.#client.isReady || database.#said !== '', OPEN_MS_MAX);
    if (database.#client.isReady) return database;
    database.close();
    throw new Error(database.#said || `${remote}: no answer`);
  }

  get replica(): Replica {
    return this.#client.replica!;
  }

  /** @returns results of the operations @throws Error with words for the user; nothing has changed then */
  async transact(operations: readonly JsonObject[]): Promise<readonly Json[]> {
    this.#said = '';
    const results = await this.#client.transact(operations);
    if (results) return results;
    throw new Error(this.#said || `${this.remote}: the connection was lost`);
  }

  /** Resolves when something holds, with true, or with false when the time is over. */
  async until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    if (holds()) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const look = (): void => {
      if (this.#isClosed) resolve(false);
      else if (holds()) resolve(true);
    };
    this.#waiting.add(look);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  /** What waits here ends. */
  close(): void {
    this.#isClosed = true;
    this.#client.close();
    for (const look of [...this.#waiting]) look();
  }
}
