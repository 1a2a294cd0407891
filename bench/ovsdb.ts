/**
 * node bench/ovsdb.ts [--seconds N] [--rows N]: bin/ovsdb-server and Debian's ovsdb-server, side by side in one run.
 *
 * What. Transactions a second, durable and not, from one client that waits for each answer and from many; the memory of the server
 * with a number of rows, and the time to start with them. Rounds alternate between the two servers, which share the machine's
 * moods and the same disk; the figures are medians of ratios.
 *
 * Invariants. The same transactions for both. A refused transaction ends the run.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '100000' },
  },
});
const seconds = Number(options.seconds);
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const TABLE = 'QoS';
const PIPELINED = 64;

/** One JSON-RPC connection: as many requests under way as it is asked for. */
class Client {
  readonly #socket: Socket;
  readonly #waiting: ((answer: unknown) => void)[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => this.#take(text));
  }

  static open(path: string): Promise<Client> {
    const { promise, resolve, reject } = Promise.withResolvers<Client>();
    const socket = connect(path, () => resolve(new Client(socket)));
    socket.once('error', reject);
    return promise;
  }

  /** Answers follow each other without a line end: each is an object, and holds no braces but balanced ones. */
  #take(text: string): void {
    this.#text += text;
    let [depth, start] = [0, 0];
    for (let i = 0; i < this.#text.length; i++) {
      const c = this.#text.charCodeAt(i);
      if (c === 0x7b) depth++;
      if (c !== 0x7d || --depth > 0) continue;
      this.#waiting.shift()!(JSON.parse(this.#text.slice(start, i + 1)));
      start = i + 1;
    }
    this.#text = this.#text.slice(start);
  }

  async transact(operations: readonly unknown[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.push(resolve);
    this.#socket.write(JSON.stringify({ method: 'transact', id: 1, params: ['Open_vSwitch', ...operations] }));
    const answer = (await promise) as { error: unknown; result: readonly { error?: string }[] };
    const failed = answer.error ?? answer.result.find((result) => result?.error);
    if (failed) throw new Error(`refused: ${JSON.stringify(answer)}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

class ServerUnderTest {
  readonly name: string;
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-bench-ovsdb-'));
  readonly #command: readonly string[];
  #child: ChildProcess | null = null;

  constructor(name: string, command: readonly string[]) {
    this.name = name;
    this.#command = command;
    execFileSync('ovsdb-tool', ['create', join(this.dir, 'conf.db'), SCHEMA]);
  }

  get socket(): string {
    return join(this.dir, 'db.sock');
  }

  /** @returns milliseconds until it answers */
  async start(): Promise<number> {
    const begin = performance.now();
    const [program, ...args] = this.#command;
    rmSync(this.socket, { force: true });
    this.#child = spawn(
      program!,
      [...args, `--remote=punix:${this.socket}`, '--unixctl=none', join(this.dir, 'conf.db')],
      {
        stdio: 'ignore',
      },
    );
    for (;;) {
      if (existsSync(this.socket)) {
        const client = await Client.open(this.socket).catch(() => null);
        if (client) {
          await client.transact([{ op: 'comment', comment: 'ready' }]);
          client.close();
          return performance.now() - begin;
        }
      }
      await delay(2);
    }
  }

  get residentMiB(): number {
    const status = readFileSync(`/proc/${this.#child!.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child!.once('exit', resolve));
    this.#child!.kill('SIGTERM');
    await ended;
  }

  /** Transactions a second. */
  async rate(clientCount: number, depth: number, isDurable: boolean): Promise<number> {
    const clients = await Promise.all(Array.from({ length: clientCount }, () => Client.open(this.socket)));
    const end = performance.now() + 1000 * seconds;
    const begin = performance.now();
    let done = 0;
    const work = async (client: Client, i: number): Promise<void> => {
      for (let n = 0; performance.now() < end; n++) {
        await client.transact([
          { op: 'delete', table: TABLE, where: [['type', '==', `bench${i}`]] },
          { op: 'insert', table: TABLE, row: { type: `bench${i}`, external_ids: ['map', [['n', String(n)]]] } },
          ...(isDurable ? [{ op: 'commit', durable: true }] : []),
        ]);
        done++;
      }
    };
    await Promise.all(
      clients.flatMap((client, i) => Array.from({ length: depth }, (_, j) => work(client, i * depth + j))),
    );
    const rate = done / ((performance.now() - begin) / 1000);
    for (const client of clients) client.close();
    return rate;
  }

  async fill(rows: number): Promise<void> {
    const client = await Client.open(this.socket);
    const BATCH = 1000;
    // QoS and Queue are not root tables' children only: rows of Queue and QoS stay though nothing refers to them
    for (let first = 0; first < rows; first += BATCH) {
      const row = (i: number): object => ({
        op: 'insert',
        table: TABLE,
        row: { type: `filled${i}`, external_ids: ['map', [['iface-id', `vif-${i}`]]] },
      });
      await client.transact(Array.from({ length: Math.min(BATCH, rows - first) }, (_, i) => row(first + i)));
    }
    client.close();
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function main(): Promise<void> {
  const ours = new ServerUnderTest('weft', [join(import.meta.dirname, '..', 'bin', 'ovsdb-server')]);
  const theirs = new ServerUnderTest('reference', ['ovsdb-server']);
  const both = [ours, theirs];
  try {
    const starts = [await ours.start(), await theirs.start()];
    console.log(`start, empty: ${starts.map((ms) => ms.toFixed(0)).join(' ms, reference ')} ms`);
    console.log(`memory, empty: ${both.map((s) => s.residentMiB.toFixed(0)).join(' MiB, reference ')} MiB`);
    for (const [label, clients, depth, isDurable] of [
      ['1 client, durable', 1, 1, true],
      ['16 clients, durable', 16, 1, true],
      [`1 client, ${PIPELINED} under way, durable`, 1, PIPELINED, true],
      ['1 client', 1, 1, false],
      [`1 client, ${PIPELINED} under way`, 1, PIPELINED, false],
    ] as const) {
      const rates: [number, number][] = [];
      for (let i = 0; i < Number(options.rounds); i++) {
        rates.push([await ours.rate(clients, depth, isDurable), await theirs.rate(clients, depth, isDurable)]);
      }
      const ratio = median(rates.map(([a, b]) => a / b));
      const [a, b] = [median(rates.map(([x]) => x)), median(rates.map(([, x]) => x))];
      console.log(`${label}: ${a.toFixed(0)}/s, reference ${b.toFixed(0)}/s, ratio ${ratio.toFixed(2)}`);
    }
    for (const server of both) await server.fill(Number(options.rows));
    console.log(
      `memory, ${options.rows} rows: ${both.map((s) => s.residentMiB.toFixed(0)).join(' MiB, reference ')} MiB`,
    );
    for (const server of both) await server.stop();
    const again = [await ours.start(), await theirs.start()];
    console.log(`start, ${options.rows} rows: ${again.map((ms) => ms.toFixed(0)).join(' ms, reference ')} ms`);
    console.log(`memory, started anew: ${both.map((s) => s.residentMiB.toFixed(0)).join(' MiB, reference ')} MiB`);
  } finally {
    for (const server of both) {
      await server.stop().catch(() => undefined);
      rmSync(server.dir, { recursive: true, force: true });
    }
  }
}

await main();
