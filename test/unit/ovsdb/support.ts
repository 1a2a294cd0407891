/** A server in memory with a clock that stands and UUIDs that count, and clients without sockets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Json,
  type JsonObject,
  parseJson,
  Server,
  Storage,
  schemaFromJson,
  stringify,
} from '../../../src/ovsdb/index.ts';

export const schema = schemaFromJson({
  name: 'Db',
  version: '1.0.0',
  tables: {
    Top: {
      isRoot: true,
      indexes: [['name']],
      columns: {
        name: { type: 'string' },
        n: { type: 'integer' },
        fleeting: { type: 'integer', ephemeral: true },
        set: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        map: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        parts: { type: { key: { type: 'uuid', refTable: 'Part' }, min: 0, max: 'unlimited' } },
        likes: { type: { key: { type: 'uuid', refTable: 'Part', refType: 'weak' }, min: 0, max: 'unlimited' } },
      },
    },
    Part: { columns: { name: { type: 'string' } } },
  },
});

export class Bed {
  now = 1_000_000;
  #uuids = 0;
  readonly logged: string[] = [];
  readonly server: Server;
  readonly file: string;
  readonly environment = {
    now: () => this.now,
    uuid: () => `10000000-0000-0000-0000-${String(++this.#uuids).padStart(12, '0')}`,
  };

  /** A server with a new database file; both go at the end of the test. */
  constructor(t: TestContext) {
    const dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    this.file = join(dir, 'db');
    Storage.create(this.file, schema);
    this.server = this.open();
  }

  /** Another server on the same file. @param unsynced called when durable transactions wait for the disk together */
  open(unsynced?: () => void): Server {
    const server = new Server(this.environment, {
      log: (level, message) => void this.logged.push(`${level} ${message}`),
      changed: () => undefined,
      waiting: () => undefined,
      ...(unsynced ? { unsynced } : {}),
    });
    server.add(this.file);
    return server;
  }

  client(server: Server = this.server): Client {
    return new Client(server);
  }
}

/** A session whose messages are kept. */
export class Client {
  readonly messages: JsonObject[] = [];
  closed: string | null = null;
  /** What the session is told of bytes that wait. */
  backlog = 0;
  readonly #session;
  #id = 0;

  constructor(server: Server) {
    const client = this;
    this.#session = server.connect({
      send: (text) => void this.messages.push(parseJson(text) as JsonObject),
      close: (reason) => {
        this.closed = reason;
      },
      get backlog() {
        return client.backlog;
      },
    })!;
  }

  receive(bytes: string | Uint8Array): void {
    this.#session.receive(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  flush(): void {
    this.#session.flush();
  }

  end(): void {
    this.#session.ended();
  }

  notify(method: string, ...params: Json[]): void {
    this.receive(stringify({ id: null, method, params }));
  }

  /** Sends a request and returns its id. */
  ask(method: string, ...params: Json[]): number {
    this.receive(stringify({ id: ++this.#id, method, params }));
    return this.#id;
  }

  /** The answer to a request, taken from the messages; undefined when there is none yet. */
  answer(id: number): JsonObject | undefined {
    const at = this.messages.findIndex((message) => message.id === id);
    return at < 0 ? undefined : this.messages.splice(at, 1)[0];
  }

  /** Sends a request and returns what it answers at once: the result, or the error. */
  call(method: string, ...params: Json[]): Json {
    const { result, error } = this.answer(this.ask(method, ...params))!;
    return error === null ? result! : { error: error! };
  }

  transact(...operations: Json[]): readonly JsonObject[] {
    return this.call('transact', 'Db', ...operations) as readonly JsonObject[];
  }

  /** Names of the messages that came without being asked for, and what they carried. */
  takeNotifications(): Json[] {
    return this.messages.splice(0).map((message) => [message.method!, ...(message.params as readonly Json[])]);
  }
}
