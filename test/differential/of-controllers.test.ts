// Controllers that the switch connects to: what two of them hear from the reference and from Weft as they take roles, go and
// come back, and what the database's columns say of them.
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Bed, messagesIn } from '../unit/transport/bed.ts';
import { Oracle } from './oracle.ts';

class Controller {
  readonly #server: Server;
  #socket: Socket | null = null;
  #got: string[] = [];
  readonly target: string;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.target = target;
  }

  static async listen(): Promise<Controller> {
    const server = createServer((socket) => {
      made.#socket = socket;
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => made.#got.push(...messagesIn(bytes)));
      socket.write(Buffer.from('0600000800000001', 'hex'));
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const made = new Controller(server, `tcp:127.0.0.1:${(server.address() as { port: number }).port}`);
    return made;
  }

  send(hex: string): void {
    this.#socket?.write(Buffer.from(hex, 'hex'));
  }

  drop(): void {
    this.#socket?.destroy();
  }

  take(): string[] {
    return this.#got.splice(0).map((message) => (message.slice(2, 4) === '00' ? message.slice(0, 4) : message));
  }

  close(): void {
    this.drop();
    this.#server.close();
  }
}

interface Side {
  configure(targets: readonly string[]): void;
  warp(ms: number): void;
  settle(): void;
  /** is_connected, role and state of a target. */
  columns(target: string): string;
}

const role = (xid: number, number: number, generation: number): string =>
  `061800180000000${xid}0000000${number}00000000000000000000000${generation}`;

async function play(side: Side): Promise<string[]> {
  const [a, b] = [await Controller.listen(), await Controller.listen()];
  const lines: string[] = [];
  const look = async (what: string): Promise<void> => {
    for (let turn = 0; turn < 4; turn++) {
      await delay(30);
      side.settle();
    }
    // The database is told of controllers every five seconds; one that is lost is back before that
    for (const ms of [1000, 5000]) {
      side.warp(ms);
      for (let turn = 0; turn < 4; turn++) {
        await delay(20);
        side.settle();
      }
    }
    const states = [a, b].map((one) => `${one.take().join(' ')} (${side.columns(one.target)})`);
    lines.push(`${what}: ${states.join(' | ')}`);
  };
  // Keeps both alive, whatever the clock does
  const echo = (): void => [a, b].forEach((one) => void one.send('0603000800000000'));
  try {
    side.configure([a.target, b.target]);
    side.warp(500);
    await look('connected');
    const steps: readonly (readonly [string, () => void])[] = [
      ['a is primary', () => a.send(role(2, 2, 1))],
      ['b is primary', () => b.send(role(3, 2, 2))],
      ['a is stale', () => a.send(role(4, 2, 1))],
      ['a may not write', () => a.send(`060e0038000000050${'0'.repeat(95)}`)],
      ['b has gone', () => b.drop()],
      ['b is back', () => side.warp(1000)],
      ['b has its role no more', () => b.send(role(6, 0, 0))],
    ];
    for (const [what, act] of steps) {
      echo();
      await delay(30);
      side.settle();
      act();
      await look(what);
    }
  } finally {
    side.configure([]);
    a.close();
    b.close();
  }
  return lines;
}

let oracle: Oracle;
let bed: Bed;
before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  bed = new Bed();
});
after(() => {
  oracle?.close();
  bed?.close();
});

test('two controllers: roles, loss, return, and the columns of the database', async () => {
  const reference: Side = {
    configure: (targets) =>
      void (targets.length === 0
        ? oracle.vsctl('del-controller', 'br0')
        : oracle.vsctl('set-controller', 'br0', ...targets)),
    warp: (ms) => oracle.warp(ms),
    settle: () => oracle.settle(),
    columns: (target) => {
      const row = oracle.vsctl('--columns=is_connected,role,status', 'find', 'controller', `target="${target}"`);
      const [, connected] = /is_connected\s*: (\S+)/.exec(row)!;
      const [, name] = /role\s*: (\S+)/.exec(row)!;
      return `${connected} ${name}`;
    },
  };
  const own: Side = {
    configure: (targets) => bed.configure({ controllers: targets.map((target) => ({ target, type: null })) }),
    warp: (ms) => bed.warp(ms),
    settle: () => bed.settle(),
    columns: (target) => {
      const status = bed.connections.status(bed.clock.now()).get(target)!;
      return `${status.isConnected} ${status.role ?? '[]'}`;
    },
  };
  const expected = await play(reference);
  assert.deepEqual(await play(own), expected);
});
