/** The remotes that a server has, by name, among them those whose names are in a database: `db:DB,TABLE,COLUMN`. */
import { Remote, type Server } from '../../ovsdb/index.ts';
import type { SslConfig } from '../../stream/socket.ts';
import type { Vlog } from '../daemon/vlog.ts';
import type { SslOptions } from './options.ts';

export class Remotes {
  readonly #server: Server;
  readonly #log: Vlog;
  readonly #ssl: SslOptions;
  readonly #configured = new Set<string>();
  readonly #open = new Map<string, Remote | null>();
  #work: Promise<void> = Promise.resolve();
  #sslInUse = 'null';

  constructor(server: Server, log: Vlog, ssl: SslOptions) {
    this.#server = server;
    this.#log = log;
    this.#ssl = ssl;
  }

  /** The files of TLS as options or database name them now; null while one is not named. */
  #sslFiles(): SslConfig | null {
    const { bootstrapCaCert: bootstrap } = this.#ssl;
    const [privateKey, certificate, caCert] = [
      this.#ssl.privateKey,
      this.#ssl.certificate,
      bootstrap ?? this.#ssl.caCert,
    ].map((name) => (name?.startsWith('db:') ? this.#textIn(name) : name));
    if (!privateKey || !certificate || !caCert) return null;
    return { privateKey, certificate, caCert, bootstrapCaCert: bootstrap !== null };
  }

  /** The one string that a column of a table with one row has. */
  #textIn(name: string): string | null {
    if (this.problem(name) !== null) return null;
    const [databaseName, tableName, columnName] = name.slice('db:'.length).split(',') as [string, string, string];
    const table = this.#server.database(databaseName)!.table(tableName);
    const { index } = table.schema.byName.get(columnName)!;
    const [row] = table.rows.values();
    const text = row?.fields[index]?.keys[0];
    return typeof text === 'string' && text !== '' ? text : null;
  }

  get configured(): string[] {
    return [...this.#configured].sort();
  }

  add(name: string): void {
    this.#configured.add(name);
  }

  remove(name: string): boolean {
    return this.#configured.delete(name);
  }

  /** @returns why a name of a column is none; null when there is such a column */
  problem(name: string): string | null {
    if (!name.startsWith('db:')) return null;
    const parts = name.slice('db:'.length).split(',');
    const [databaseName, tableName, columnName] = parts;
    if (parts.length !== 3) return `"${name}": invalid syntax`;
    const database = this.#server.database(databaseName!);
    if (!database) return `"${name}": no database named ${databaseName}`;
    const table = database.tables.get(tableName!);
    if (!table) return `"${name}": no table named ${tableName}`;
    const column = table.schema.byName.get(columnName!);
    if (!column) return `"${name}": table "${tableName}" has no column "${columnName}"`;
    return null;
  }

  #namesIn(name: string): string[] {
    if (!name.startsWith('db:')) return [name];
    if (this.problem(name) !== null) return [];
    const [databaseName, tableName, columnName] = name.slice('db:'.length).split(',') as [string, string, string];
    const database = this.#server.database(databaseName)!;
    const table = database.table(tableName);
    const { index, type } = table.schema.byName.get(columnName)!;
    const atoms = [...table.rows.values()].flatMap((row) => row.fields[index]!.keys as string[]);
    if (type.key.type === 'string' && !type.value) return atoms;
    if (type.key.refTable === null) {
      const what = `"${name}": table "${tableName}" column "${columnName}" is not string or set of strings`;
      this.#log.log('ovsdb_server', 'ERR', what);
      return [];
    }
    const target = database.table(type.key.refTable);
    const place = target.schema.byName.get('target')?.index;
    if (place === undefined) return [];
    return atoms.flatMap((uuid) => (target.rows.get(uuid)?.fields[place]?.keys ?? []) as string[]);
  }

  /** Opens what is wanted and not there, closes what is there and not wanted. Resolves when that is done. */
  update(): Promise<void> {
    this.#work = this.#work.then(() => this.#update());
    return this.#work;
  }

  async #update(): Promise<void> {
    this.#forgetOldCertificates();
    const wanted = new Set([...this.#configured].flatMap((name) => this.#namesIn(name)));
    for (const [name, remote] of this.#open) {
      if (wanted.has(name)) continue;
      remote?.close();
      this.#open.delete(name);
      this.#log.log('ovsdb_jsonrpc_server', 'INFO', `${name}: remote deconfigured`);
    }
    for (const name of wanted) {
      if (this.#open.has(name)) continue;
      // Also what fails is remembered, so that it is said once
      this.#open.set(name, await this.#tryOpen(name));
    }
  }

  /** Remotes that speak TLS are opened anew with other files. */
  #forgetOldCertificates(): void {
    const now = JSON.stringify(this.#sslFiles());
    if (now === this.#sslInUse) return;
    this.#sslInUse = now;
    for (const [name, remote] of this.#open) {
      if (!/^p?ssl:/.test(name)) continue;
      remote?.close();
      this.#open.delete(name);
    }
  }

  async #tryOpen(name: string): Promise<Remote | null> {
    const events = {
      log: (level: 'INFO' | 'WARN' | 'ERR', message: string) => this.#log.log('ovsdb_jsonrpc_server', level, message),
      now: () => performance.now(),
      ssl: () => this.#sslFiles(),
    };
    try {
      return await Remote.open(name, this.#server, events);
    } catch (error) {
      this.#log.log('ovsdb_jsonrpc_server', 'ERR', `${name}: listen failed: ${(error as Error).message}`);
      return null;
    }
  }

  disconnect(): void {
    for (const remote of this.#open.values()) remote?.disconnect();
  }

  close(): void {
    for (const remote of this.#open.values()) remote?.close();
  }
}
