/** A database server, the reference's or ours, in a folder of its own, and the reference's clients against it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const vswitchSchema = '/usr/share/openvswitch/vswitch.ovsschema';
const root = join(import.meta.dirname, '..', '..');
const programs = { reference: 'ovsdb-server', ours: join(root, 'bin', 'ovsdb-server') } as const;
export type Side = keyof typeof programs;

const START_MS_MAX = 20_000;

export class DatabaseServer {
  readonly dir: string;
  readonly side: Side;
  readonly #env: NodeJS.ProcessEnv;
  readonly #ownsDir: boolean;
  #child: ChildProcess | null = null;
  readonly #onExit = (): void => void this.#child?.kill('SIGKILL');

  private constructor(side: Side, dir: string | null) {
    this.side = side;
    this.#ownsDir = dir === null;
    this.dir = dir ?? mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
    this.#env = { ...process.env, OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir };
    process.setMaxListeners(0);
    process.once('exit', this.#onExit);
  }

  /**
   * @param schema file of the schema for conf.db; null when the folder given has a conf.db
   * @param dir a folder that stays; without, one is made and removed at the end
   */
  static async start(
    side: Side,
    schema: string | null = vswitchSchema,
    dir: string | null = null,
    options: readonly string[] = [],
  ): Promise<DatabaseServer> {
    const server = new DatabaseServer(side, dir);
    try {
      if (schema !== null) await server.run('ovsdb-tool', ['create', join(server.dir, 'conf.db'), schema]);
      await server.boot(options);
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  get socket(): string {
    return `unix:${join(this.dir, 'db.sock')}`;
  }

  async boot(options: readonly string[] = []): Promise<void> {
    const args = [
      `--remote=punix:${join(this.dir, 'db.sock')}`,
      `--unixctl=${join(this.dir, 'db.ctl')}`,
      '-vconsole:off',
      ...options,
      join(this.dir, 'conf.db'),
    ];
    const child = spawn(programs[this.side], args, { env: this.#env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    child.stderr!.on('data', (text: Buffer) => {
      said += text;
    });
    for (let waited = 0; !existsSync(join(this.dir, 'db.ctl')); waited += 10) {
      if (child.exitCode !== null || waited > START_MS_MAX) throw new Error(`${this.side} did not start: ${said}`);
      await delay(10);
    }
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Ends the server, as a crash does or politely; the folder stays. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    for (const name of ['db.sock', 'db.ctl']) rmSync(join(this.dir, name), { force: true });
  }

  async close(): Promise<void> {
    await this.stop('SIGKILL');
    process.removeListener('exit', this.#onExit);
    if (this.#ownsDir) rmSync(this.dir, { recursive: true, force: true });
  }

  /** A program's output, both kinds, and its status if that is not 0. */
  run(program: string, args: readonly string[]): Promise<string> {
    const options = { env: this.#env, encoding: 'utf8', timeout: 20_000, cwd: this.dir, maxBuffer: 1 << 28 } as const;
    return new Promise((resolve, reject) => {
      execFile(program, args, options, (error, stdout, stderr) => {
        if (error?.code === 'ENOENT') reject(error);
        else resolve(stdout + stderr + (error ? `status ${error.code}\n` : ''));
      });
    });
  }

  vsctl(...args: readonly string[]): Promise<string> {
    return this.run('ovs-vsctl', ['--timeout=10', '--no-wait', `--db=${this.socket}`, ...args]);
  }

  /** A command of ovsdb-client: `dump`, `list-tables` … and what follows the server's name. */
  client(command: string, ...args: readonly string[]): Promise<string> {
    const options = args.filter((arg) => arg.startsWith('--'));
    const rest = args.filter((arg) => !arg.startsWith('--'));
    return this.run('ovsdb-client', ['--timeout=10', ...options, command, this.socket, ...rest]);
  }

  transact(...operations: readonly unknown[]): Promise<string> {
    return this.client('transact', JSON.stringify(operations));
  }

  tool(...args: readonly string[]): Promise<string> {
    return this.run('ovsdb-tool', args);
  }

  appctl(...args: readonly string[]): Promise<string> {
    return this.run('ovs-appctl', ['--timeout=10', `--target=${join(this.dir, 'db.ctl')}`, ...args]);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.dir, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.dir, name), 'utf8');
  }

  /** Text without what differs from run to run: UUIDs, times and the folder. */
  mask(text: string): string {
    return text
      .replaceAll(this.dir, 'DIR')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (uuid) =>
        /^[0-]+$/.test(uuid) ? uuid : '<uuid>',
      )
      .replaceAll(/.*\|fatal_signal\|.*\n?/g, '')
      .replaceAll(/\b[0-9a-f]{8}\b(?=[ \n])/g, '<id>')
      .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?/g, '<time>')
      .replaceAll(/(after|timed out after) \d+ ms/g, '$1 <n> ms');
  }

  /** One line of a scenario: a program's short name and its arguments, quoted as in a shell. */
  async step(line: string): Promise<string> {
    const words = splitWords(line.replaceAll('$DIR', this.dir).replaceAll('$DB', this.socket));
    const [command, ...args] = words as [string, ...string[]];
    switch (command) {
      case 'vsctl':
        return this.vsctl(...args);
      case 'client':
        return this.client(args[0]!, ...args.slice(1));
      case 'transact':
        return `${await this.client('transact', line.slice('transact '.length))}\n`;
      case 'tool':
        return this.tool(...args);
      case 'appctl':
        return this.appctl(...args);
      case 'sh':
        return this.run('sh', [
          '-c',
          line.slice('sh '.length).replaceAll('$DIR', this.dir).replaceAll('$DB', this.socket),
        ]);
      default:
        throw new Error(`no such step: ${line}`);
    }
  }
}

/** Words of a line; single and double quotes keep blanks together. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_all, single?: string, double?: string) => single ?? double ?? ''),
  );
}

export interface ScenarioStep {
  readonly line: string;
  readonly reference: string;
  readonly ours: string;
}

/** Runs the lines of a scenario on both servers; lines that begin with # are comments. */
export async function compare(text: string, schema: string = vswitchSchema): Promise<ScenarioStep[]> {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const reference = await DatabaseServer.start('reference', schema);
  try {
    const ours = await DatabaseServer.start('ours', schema);
    try {
      const steps: ScenarioStep[] = [];
      for (const line of lines) {
        const isSorted = line.startsWith('sorted ');
        const step = line.slice(isSorted ? 'sorted '.length : 0);
        const [theirs, own] = await Promise.all([reference.step(step), ours.step(step)]);
        const normal = isSorted ? sortLines : (text: string): string => text;
        steps.push({ line, reference: normal(reference.mask(theirs)), ours: normal(ours.mask(own)) });
      }
      return steps;
    } finally {
      await ours.close();
    }
  } finally {
    await reference.close();
  }
}

/** The order of rows, tables and columns is that of hash tables: where it shows, lines are compared as sets. */
const sortLines = (text: string): string => text.split('\n').sort().join('\n');
