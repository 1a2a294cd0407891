/**
 * The database server of `weft run`, in its process: a file in the state folder, which is made when it is not there, and a socket
 * that ovs-vsctl and other clients find. Managers that the database names are served too.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, Server, Storage, schemaFromJson, stringify } from '../../ovsdb/index.ts';
import { vswitchSchema } from '../../spec/vswitch-schema.ts';
import { LockedFile, lockFileOf } from '../daemon/process.ts';
import type { Vlog } from '../daemon/vlog.ts';
import { Remotes } from '../ovsdb/remotes.ts';

const DATABASE = 'Open_vSwitch';
const TIMER_MAX = 2 ** 31 - 1;

const ssl = {
  privateKey: `db:${DATABASE},SSL,private_key`,
  certificate: `db:${DATABASE},SSL,certificate`,
  caCert: `db:${DATABASE},SSL,ca_cert`,
  bootstrapCaCert: null,
};

export class EmbeddedDatabase {
  /** How clients name it. */
  readonly remote: string;
  readonly #server: Server;
  readonly #remotes: Remotes;
  readonly #lock: LockedFile;
  readonly #socket: string;
  #timer: NodeJS.Timeout | null = null;
  #isUpdating = false;

  /** @throws Error with words for the user */
  static async open(file: string, runFolder: string, log: Vlog): Promise<EmbeddedDatabase> {
    const lock = LockedFile.lock(lockFileOf(file), 0o600);
    if (!lock) throw new Error(`${file}: another process has this database open`);
    try {
      if (!existsSync(file)) Storage.create(file, schemaFromJson(vswitchSchema as unknown as JsonObject));
      const database = new EmbeddedDatabase(file, runFolder, lock, log);
      await database.#remotes.update();
      return database;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  private constructor(file: string, runFolder: string, lock: LockedFile, log: Vlog) {
    this.#lock = lock;
    this.#socket = join(runFolder, 'db.sock');
    this.remote = `unix:${this.#socket}`;
    this.#server = new Server(
      { now: () => Date.now(), uuid: () => randomUUID() },
      {
        log: (level, message) => log.log('ovsdb_server', level, message),
        changed: () => this.#changed(),
        waiting: () => this.#schedule(),
        unsynced: () => void setImmediate(() => this.#server.sync()),
      },
    );
    this.#remotes = new Remotes(this.#server, log, ssl);
    this.#server.add(file);
    this.#remotes.add(`punix:${this.#socket}`);
    this.#remotes.add(`db:${DATABASE},${DATABASE},manager_options`);
    if (this.#server.database(DATABASE)!.table(DATABASE).rows.size === 0)
      this.#run({ op: 'insert', table: DATABASE, row: {} });
  }

  #run(operation: JsonObject): void {
    const session = this.#server.connect({ send: () => undefined, close: () => undefined, backlog: 0 });
    session?.receive(Buffer.from(stringify({ id: 0, method: 'transact', params: [DATABASE, operation] })));
    session?.ended();
  }

  /** A key of other_config of the table Open_vSwitch. */
  setting(key: string): string | null {
    const table = this.#server.database(DATABASE)!.table(DATABASE);
    const { index } = table.schema.byName.get('other_config')!;
    const [row] = table.rows.values();
    const { keys, values } = row?.fields[index] ?? { keys: [], values: [] };
    const at = keys.indexOf(key);
    return at < 0 ? null : String(values![at]);
  }

  #changed(): void {
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    setImmediate(() => {
      this.#isUpdating = false;
      void this.#remotes.update();
    });
  }

  #schedule(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const at = this.#server.wakeAt();
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#server.run();
        this.#schedule();
      },
      Math.min(Math.max(at - Date.now(), 0), TIMER_MAX),
    );
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#remotes.close();
    this.#server.remove(DATABASE);
    this.#lock.close();
    rmSync(this.#socket, { force: true });
  }
}
