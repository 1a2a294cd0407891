/**
 * `weft run` as a process: the database server, the switch daemon and their sockets, in one state folder:
 *
 *   conf.db                     the database
 *   run/db.sock                 its clients: ovs-vsctl
 *   run/BRIDGE.mgmt             OpenFlow: ovs-ofctl
 *   run/ovs-vswitchd.pid, .ctl  ovs-appctl
 *
 * With a file, the rows that it asks for are put into the database, and flows into the bridges, at the start and whenever it is
 * read again; rows that others put there stay.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadNative } from '../../../backends/native/index.ts';
import type { WorkerLoss } from '../../datapath/team.ts';
import { CommandError, ControlSocket } from '../../ovsdb/index.ts';
import { SwitchDaemon } from '../../vswitchd/database/daemon.ts';
import { cpusOfMask } from '../../vswitchd/database/workers.ts';
import type { DesiredSettings, DesiredState } from '../../vswitchd/desired/types.ts';
import type { SwitchOptions } from '../../vswitchd/types.ts';
import { registerCommands } from '../../vswitchd/unixctl/index.ts';
import { workerThreads } from '../../vswitchd/worker-threads.ts';
import { type LockedFile, writePidfile } from '../daemon/process.ts';
import { Vlog } from '../daemon/vlog.ts';
import { registerLogCommands } from '../daemon/vlog-commands.ts';
import { versionText } from '../vswitchd/options.ts';
import { Applier } from './applier.ts';
import { LiveDatabase } from './database.ts';
import { EmbeddedDatabase } from './embedded.ts';
import { ownerOf, readStateFile } from './state-file.ts';
import { statusOf } from './status.ts';

export interface EngineOptions {
  /** Null: the database alone says what there is. */
  readonly file: string | null;
  readonly state: DesiredState | null;
  /** The state folder. */
  readonly folder: string;
  /** Whether the folder goes with the process. */
  readonly isTemporary: boolean;
  /** Null for the usual place. */
  readonly control: string | null;
  /** Null: as the file says, or the database. */
  readonly workers: number | null;
  readonly log: (line: string) => void;
  /** The switch broke; the engine is to be stopped. */
  readonly onError: (error: unknown) => void;
}

const now = (): number => performance.now() * 1000;

const defaultSettings: DesiredSettings = {
  options: { frameCount: 16_384 },
  spinMax: null,
  cpus: [],
  workers: null,
};

export class Engine {
  readonly control: string;
  readonly runFolder: string;
  readonly #options: EngineOptions;
  readonly #settings: DesiredSettings;
  readonly #vlog = new Vlog();
  readonly #end = Promise.withResolvers<void>();
  readonly #deaths: number[] = [];
  #pidfile: LockedFile | null = null;
  #database: EmbeddedDatabase | null = null;
  #daemon: SwitchDaemon | null = null;
  #socket: ControlSocket | null = null;
  #client: LiveDatabase | null = null;
  #applier: Applier | null = null;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#settings = options.state?.settings ?? defaultSettings;
    this.runFolder = join(options.folder, 'run');
    this.control = options.control ?? join(this.runFolder, `ovs-vswitchd.${process.pid}.ctl`);
    for (const spec of ['any:console:warn', 'bridge:console:info']) this.#vlog.configure(spec);
  }

  /** Resolves when somebody asked on the control socket for the end. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  /** @throws Error with words for the user */
  async start(): Promise<void> {
    const { folder, file } = this.#options;
    mkdirSync(this.runFolder, { recursive: true });
    mkdirSync(dirname(this.control), { recursive: true });
    this.#pidfile = writePidfile(join(this.runFolder, 'ovs-vswitchd.pid'));
    const database = await EmbeddedDatabase.open(join(folder, 'conf.db'), this.runFolder, this.#vlog);
    this.#database = database;
    const ready = Promise.withResolvers<void>();
    const daemon = this.#makeDaemon(database, ready.resolve);
    this.#daemon = daemon;
    daemon.start();
    await ready.promise;
    if (file !== null) {
      this.#client = await LiveDatabase.open(database.remote);
      const { log } = this.#options;
      this.#applier = new Applier({ database: this.#client, runFolder: this.runFolder, owner: ownerOf(file), log });
      await this.#applier.apply(this.#options.state!);
    }
    this.#socket = new ControlSocket(this.control);
    this.#register(this.#socket, daemon);
    await this.#socket.open();
  }

  #makeDaemon(database: EmbeddedDatabase, ready: () => void): SwitchDaemon {
    const { onError } = this.#options;
    const { cpus, spinMax } = this.#settings;
    const masked = cpusOfMask(database.setting('pmd-cpu-mask') ?? '');
    const workers = this.#options.workers ?? this.#settings.workers ?? Math.max(1, masked.length);
    const workerCpus = workers > 1 ? (masked.length > 0 ? masked : cpus) : [];
    const addon = loadNative();
    const own = workers === 1 && masked.length === 1 ? masked : cpus;
    if (addon.ok && own.length > 0) addon.value.setAffinity(own);
    return new SwitchDaemon({
      remote: database.remote,
      folder: this.runFolder,
      dummies: 'none',
      random: (size) => Uint8Array.from(randomBytes(size)),
      log: (module, level, text) => this.#vlog.log(module, level, text),
      version: versionText,
      ready,
      failed: onError,
      switchOptions: { ...this.#settings.options, ...this.#workerOptions(workers, workerCpus) },
      workerCpus,
      ...(spinMax === null ? {} : { spinMax }),
      bridgeMade: (name) => this.#do(async () => this.#applier?.restore(name)),
      configured: () => {
        if (this.#applier?.isWaiting) this.#do(async () => this.#applier?.retry());
      },
    });
  }

  #workerOptions(workers: number, cpus: readonly number[]): SwitchOptions {
    if (workers === 1) return {};
    return {
      workers,
      threads: workerThreads({ clock: { now }, cpus }),
      onWorkerLost: (loss) => this.#workerLost(loss),
    };
  }

  #workerLost({ worker, reason, frames, isBack, lostPorts }: WorkerLoss): void {
    this.#deaths[worker] = (this.#deaths[worker] ?? 0) + 1;
    const what = `worker ${worker} died (${reason}), and ${frames} frames with it`;
    this.#vlog.log('dpif_netdev', 'ERR', `${what}; ${isBack ? 'it is back' : 'it is given up'}`);
    this.#daemon?.workerLost(lostPorts.map(({ number }) => number));
    for (const { number, reason: why } of lostPorts)
      this.#vlog.log('dpif_netdev', 'ERR', `datapath port ${number} was lost with it: ${why}`);
  }

  /** One thing after the other. */
  #do<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** Reads the file again. @returns what was done @throws Error with words for the user; nothing has changed then */
  reload(): Promise<string> {
    return this.#do(async () => {
      const { file, log } = this.#options;
      if (file === null || !this.#applier) throw new Error('there is no file: the database says what there is');
      const state = readStateFile(file);
      const done = await this.#applier.apply(state);
      if (JSON.stringify(state.settings) !== JSON.stringify(this.#settings))
        log('! the settings of the switch itself take effect at the next start');
      return `${done.length} changes\n`;
    });
  }

  #register(socket: ControlSocket, daemon: SwitchDaemon): void {
    registerCommands(socket, daemon, versionText);
    registerLogCommands(socket, this.#vlog);
    socket.register('exit', '[--cleanup]', 0, 1, () => {
      this.#end.resolve();
      return '';
    });
    socket.register('weft/status', '', 0, 0, () => JSON.stringify(statusOf(daemon, this.#options.file, this.#deaths)));
    socket.register('weft/restart-worker', 'index', 1, 1, ([text = '']) => {
      const { datapath } = daemon.target;
      const index = Number(text);
      if (
        !daemon.options.switchOptions?.threads ||
        !(Number.isInteger(index) && index >= 0 && index < datapath.workerCount)
      )
        throw new CommandError(`there is no worker ${text} in a thread`);
      datapath.failWorker(index, 'kill');
      return '';
    });
    socket.register('weft/reload', '', 0, 0, async () => {
      this.#options.log('reading the file again');
      try {
        return await this.reload();
      } catch (error) {
        throw new CommandError((error as Error).message);
      }
    });
  }

  get counts(): string {
    const bridges = [...(this.#daemon?.config.bridges.values() ?? [])];
    const ports = bridges.reduce((sum, { interfaces }) => sum + interfaces.size - 1, 0);
    return `${bridges.length} bridges, ${ports} ports`;
  }

  /** Takes everything apart; the machine is as it was found. */
  async stop(): Promise<void> {
    await this.#work;
    this.#client?.close();
    this.#daemon?.close();
    await this.#socket?.close();
    this.#database?.close();
    this.#pidfile?.remove();
    if (this.#options.isTemporary) rmSync(this.#options.folder, { recursive: true, force: true });
  }
}
