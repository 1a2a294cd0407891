/** The database server as a process: files, remotes, control socket, clock, signals. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { CommandError, ControlSocket, OvsdbError, Server } from '../../ovsdb/index.ts';
import { isDetachedChild, LockedFile, lockFileOf, sayReady, writePidfile } from '../daemon/process.ts';
import { Vlog } from '../daemon/vlog.ts';
import { registerLogCommands } from '../daemon/vlog-commands.ts';
import { databaseModules } from '../daemon/vlog-modules.ts';
import { UsageError } from '../failure.ts';
import { type Options, versionText } from './options.ts';
import { logFileOf, type Places } from './places.ts';
import { Remotes } from './remotes.ts';

const TIMER_MAX = 2 ** 31 - 1;

export class Daemon {
  readonly #options: Options;
  readonly #places: Places;
  readonly #log = new Vlog(databaseModules);
  readonly #server: Server;
  readonly #remotes: Remotes;
  readonly #control: ControlSocket | null;
  readonly #locks = new Map<string, LockedFile>();
  /** Kept for its lock, which would go with it. */
  #pidfile: LockedFile | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isUpdating = false;

  constructor(options: Options, places: Places) {
    this.#options = options;
    this.#places = places;
    this.#server = new Server(
      { now: () => Date.now(), uuid: () => randomUUID() },
      {
        log: (level, message) => this.#log.log('ovsdb_server', level, message),
        changed: () => this.#changed(),
        waiting: () => this.#schedule(),
        unsynced: () => void setImmediate(() => this.#server.sync()),
      },
    );
    this.#remotes = new Remotes(this.#server, this.#log, options.ssl);
    const path = options.unixctl ?? `${places.run}/ovsdb-server.${process.pid}.ctl`;
    this.#control = path === 'none' ? null : new ControlSocket(resolve(places.run, path));
  }

  /** @throws UsageError when it cannot start */
  async start(): Promise<void> {
    const o = this.#options;
    for (const spec of o.levels) {
      const problem = this.#log.configure(spec);
      if (problem !== null) throw new UsageError(problem);
    }
    if (o.logFile !== null) this.#openLog(logFileOf(o.logFile, this.#places));
    if (o.pidfile !== null) this.#writePidfile(resolve(this.#places.run, o.pidfile || 'ovsdb-server.pid'));
    this.#log.log('ovsdb_server', 'INFO', versionText.trimEnd());
    if (o.mustMonitor && !o.mustDetach) this.#log.log('daemon', 'WARN', '--monitor has no effect without --detach');
    const files = o.databases.length > 0 ? o.databases : [`${this.#places.database}/conf.db`];
    for (const file of files) this.#orUsage(() => this.#addDatabase(file));
    for (const remote of o.remotes) {
      const problem = this.#remotes.problem(remote);
      if (problem !== null) throw new UsageError(problem);
      this.#remotes.add(remote);
    }
    await this.#remotes.update();
    await this.#openControl();
    this.#handleSignals();
    if (!isDetachedChild()) return;
    if (o.mustChangeFolder) process.chdir('/');
    this.#log.configure('console:off');
    sayReady();
  }

  #orUsage<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof OvsdbError) throw new UsageError(error.toString());
      throw error;
    }
  }

  #openLog(path: string): void {
    try {
      this.#log.open(path);
      this.#log.log('vlog', 'INFO', `opened log file ${path}`);
    } catch (error) {
      throw new UsageError(`failed to open ${path} for logging (${(error as Error).message})`);
    }
  }

  #writePidfile(path: string): void {
    try {
      this.#pidfile = writePidfile(path);
    } catch (error) {
      throw new UsageError(`${path}: ${(error as Error).message}`);
    }
  }

  async #openControl(): Promise<void> {
    if (!this.#control) return;
    this.#registerCommands(this.#control);
    try {
      await this.#control.open();
    } catch (error) {
      throw new UsageError(`could not initialize control socket (${(error as Error).message})`);
    }
  }

  /** @throws OvsdbError */
  #addDatabase(name: string): void {
    const file = resolve(name);
    if (this.#server.databaseNames().some((known) => this.#server.fileOf(known) === file)) {
      throw new OvsdbError('ovsdb error', `${file}: already open`);
    }
    const lock = this.#lockDatabase(file);
    try {
      this.#locks.set(this.#server.add(file), lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  #lockDatabase(file: string): LockedFile {
    let lock: LockedFile | null = null;
    let reason = 'Resource temporarily unavailable';
    try {
      lock = LockedFile.lock(lockFileOf(file), 0o600);
    } catch (error) {
      reason = (error as Error).message;
    }
    if (lock) return lock;
    throw new OvsdbError('I/O error', `${file}: failed to lock lockfile`, { ioError: reason });
  }

  /** After a change: remotes may be configured in it, and what waits may wait until another time. */
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

  #handleSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.once(signal, () => {
        this.#log.log('fatal_signal', 'WARN', `terminating with signal (${signal})`);
        void this.#stop().then(() => {
          process.kill(process.pid, signal);
        });
      });
    }
    process.on('SIGPIPE', () => undefined);
    process.stderr.on('error', () => undefined);
  }

  async #stop(): Promise<void> {
    this.#server.sync();
    this.#remotes.close();
    await this.#control?.close();
    this.#pidfile?.remove();
  }

  #registerCommands(control: ControlSocket): void {
    control.register('exit', '', 0, 1, () => {
      setImmediate(() => void this.#stop().then(() => process.exit(0)));
      return '';
    });
    control.register('version', '', 0, 0, () => versionText);
    control.register('memory/show', '', 0, 0, () =>
      Object.entries(this.#server.usage())
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, count]) => `${name}:${count}`)
        .join(' '),
    );
    registerLogCommands(control, this.#log);
    this.#registerDatabaseCommands(control);
    this.#registerRemoteCommands(control);
  }

  #registerDatabaseCommands(control: ControlSocket): void {
    const own = (name: string): boolean => name.startsWith('_');
    control.register('ovsdb-server/list-dbs', '', 0, 0, () => this.#server.databaseNames().join('\n'));
    control.register('ovsdb-server/compact', '', 0, 1, ([only]) => {
      if (only !== undefined && own(only)) throw new CommandError('cannot compact built-in databases');
      const names = this.#server.databaseNames().filter((name) => !own(name) && (only ?? name) === name);
      if (names.length === 0) throw new CommandError('no database by that name');
      for (const name of names) {
        this.#log.log('ovsdb_server', 'INFO', `compacting ${name} database by user request`);
        this.#orCommandError(() => this.#server.compact(name));
      }
      return '';
    });
    control.register('ovsdb-server/add-db', 'DB', 1, 1, async ([file]) => {
      this.#orCommandError(() => this.#addDatabase(file!));
      await this.#remotes.update();
      return '';
    });
    control.register('ovsdb-server/remove-db', 'DB', 1, 1, async ([name]) => {
      if (own(name!)) throw new CommandError('Cannot remove reserved database.');
      if (!this.#server.remove(name!)) throw new CommandError('Failed to find the database.');
      this.#log.log('ovsdb_server', 'INFO', `removing ${name} database by user request`);
      this.#locks.get(name!)?.close();
      this.#locks.delete(name!);
      await this.#remotes.update();
      return '';
    });
    control.register('ovsdb-server/get-db-storage-status', 'DB', 1, 1, ([name]) => {
      if (!this.#server.database(name!)) throw new CommandError('Failed to find the database.');
      return 'status: ok';
    });
    control.register('ovsdb-server/sync-status', '', 0, 0, () => 'state: active');
  }

  #registerRemoteCommands(control: ControlSocket): void {
    control.register('ovsdb-server/list-remotes', '', 0, 0, () => this.#remotes.configured.join('\n'));
    control.register('ovsdb-server/add-remote', 'REMOTE', 1, 1, async ([name]) => {
      const problem = this.#remotes.problem(name!);
      if (problem !== null) throw new CommandError(problem);
      this.#remotes.add(name!);
      await this.#remotes.update();
      return '';
    });
    control.register('ovsdb-server/remove-remote', 'REMOTE', 1, 1, async ([name]) => {
      if (!this.#remotes.remove(name!)) throw new CommandError('no such remote');
      await this.#remotes.update();
      return '';
    });
    control.register('ovsdb-server/reconnect', '', 0, 0, () => {
      this.#remotes.disconnect();
      return '';
    });
  }

  #orCommandError(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw error instanceof OvsdbError ? new CommandError(error.toString()) : error;
    }
  }
}
