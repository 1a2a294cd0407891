/** What `weft run` reads and plans, and its wheel around a switch that is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadNative } from '../../backends/native/index.ts';
import { Random } from '../../src/lib/random.ts';
import {
  type Json,
  type JsonObject,
  parseJson,
  Replica,
  Server,
  Storage,
  schemaFromJson,
  stringify,
} from '../../src/ovsdb/index.ts';
import { vswitchSchema } from '../../src/spec/vswitch-schema.ts';
import { planChanges } from '../../src/vswitchd/desired/changes.ts';
import { readDesired } from '../../src/vswitchd/desired/read.ts';
import { takeSnapshot, undoOperations } from '../../src/vswitchd/desired/rollback.ts';
import { wantedRows } from '../../src/vswitchd/desired/rows.ts';
import type { DesiredState } from '../../src/vswitchd/desired/types.ts';
import { openDevice } from '../../src/vswitchd/devices.ts';
import { Runner, type Turnable } from '../../src/vswitchd/runner.ts';

const read = (value: object | string): DesiredState => {
  const state = readDesired(typeof value === 'string' ? value : JSON.stringify(value), 'machine', () => null);
  assert.ok(state.ok, state.ok ? '' : state.error.join('\n'));
  return state.value;
};
const wrong = (value: object | string): readonly string[] => {
  const state = readDesired(typeof value === 'string' ? value : JSON.stringify(value), 'machine', () => null);
  assert.ok(!state.ok);
  return state.error;
};

describe('files', () => {
  it('nothing, or next to nothing, is a switch without bridges', () => {
    for (const source of ['', '{}', 'bridges:\n', 'bridges: []\n# a remark\n'])
      assert.equal(read(source).bridges.size, 0);
  });

  it('defaults are filled in', () => {
    const { bridges, ports, settings } = read(
      'bridges: [{ name: b, addresses: [10.0.0.1/8], ports: [{name: p, backend: tap}] }]',
    );
    assert.deepEqual(settings.options, { ringSize: 1024, frameCount: 8192 });
    assert.equal(bridges.get('b')!.local, 'embedded');
    assert.deepEqual(ports.get('p')!.target, { kind: 'device', backend: 'tap', interface: 'p', options: {} });
  });

  it('a MAC that is left out follows from machine and name', () => {
    const source = 'bridges: [{ name: a }, { name: b }]';
    const macs = ['one', 'two'].flatMap((machine) => {
      const state = readDesired(source, machine, () => null);
      return state.ok ? [...state.value.bridges.values()].map(({ mac }) => `${mac}`) : [];
    });
    assert.equal(new Set(macs).size, 4);
    assert.ok(macs.every((mac) => (Number(mac.split(',')[0]) & 3) === 2));
  });

  it('every kind of mistake has its path', () => {
    const bridge = (rest: object): object => ({ bridges: [{ name: 'b', ...rest }] });
    const port = (rest: object): object => bridge({ ports: [{ name: 'p', ...rest }] });
    for (const [value, expected] of [
      ['- a', 'the file: should have settings'],
      [{ bridgs: [] }, 'bridgs: is no setting here'],
      [{ ring_size: 1000 }, 'ring_size: should be a power of two'],
      [{ bridges: [{}] }, 'bridges[0].name: is missing'],
      [bridge({ mtu: 1400 }), 'bridges[0].mtu: is for bridges with'],
      [bridge({ addresses: ['10.0.0.1'] }), 'bridges[0].addresses[0]: should be an address'],
      [{ bridges: [{ name: 'a/b', local: 'internal' }] }, 'bridges[0].name: "a/b" is no interface name'],
      [port({ backend: 'tap', patch: 'q' }), 'bridges[0].ports[0]: should have one of'],
      [
        port({ backend: 'tap', options: { mac: 'x' } }),
        'bridges[0].ports[0].options.mac: should be a MAC address, not "x"',
      ],
      [port({ patch: 'q', options: {} }), 'bridges[0].ports[0].options: is for ports with a backend'],
      [port({ backend: 'tap', vlan_mode: 'access' }), 'bridges[0].ports[0].tag: access needs a tag'],
      [port({ backend: 'tap', tag: 1, trunks: [2] }), 'bridges[0].ports[0].trunks: an access port'],
      [port({ backend: 'packet', interface: 'way-too-long-a-name' }), 'bridges[0].ports[0].interface: "way-too'],
      [
        port({ tunnel: { type: 'gre', remote: '::1', local: '1.1.1.1' } }),
        'bridges[0].ports[0].tunnel.local: has another',
      ],
      [{ routes: [{ to: '10.0.0.0/8', bridge: 'b' }] }, 'routes[0].bridge: there is no bridge "b"'],
    ] as const)
      assert.ok(
        wrong(value).some((line) => line.startsWith(expected)),
        `${expected}: ${wrong(value).join('; ')}`,
      );
  });

  it('what is no device is refused with one line', () => {
    for (const [request, message] of [
      [{ type: 'dpdk', name: 'p' }, '"dpdk" is no type of device (there are: afxdp, packet, tap, internal, memory)'],
      [{ type: 'tap', name: 'a b' }, '"a b" is no interface name'],
      [{ type: 'memory', name: 'p', options: { mtu: 1 } }, 'p: mtu: should be 68 to 65535, not 1'],
    ] as const) {
      const opened = openDevice(request);
      assert.deepEqual(opened, { ok: false, error: message });
    }
    const opened = openDevice({ type: 'memory', name: 'p', options: { mac: '02:00:00:00:00:09' } });
    assert.equal(opened.ok && opened.value.mac[5], 9);
  });
});

/** A random file: few names, so that two of them have much in common. */
function randomFile(random: Random): object {
  const names = ['p', 'q', 'r', 's', 't'].filter(() => random.chance(0.7));
  const bridges = ['a', 'b', 'c'].filter(() => random.chance(0.8));
  return {
    bridges: bridges.map((name, i) => ({
      name,
      ...(random.chance(0.3) ? { fail_mode: 'secure' } : {}),
      addresses: [`10.0.${i}.1/24`],
      ...(random.chance(0.3)
        ? { flows: ['actions=drop'] }
        : random.chance(0.4)
          ? { controllers: [`tcp:127.0.0.1:${random.below(2)}`] }
          : {}),
      ports: names
        .filter((_, n) => n % bridges.length === i)
        .map((port) => ({ name: port, backend: 'tap', ...(random.chance(0.5) ? { tag: random.below(4) } : {}) })),
    })),
    routes: bridges.filter(() => random.chance(0.5)).map((bridge) => ({ to: '10.9.0.0/16', bridge })),
  };
}

/** A database server in this process, with one client's replica of its content. */
class Bed {
  readonly folder = mkdtempSync(join(tmpdir(), 'weft-state-'));
  readonly replica = new Replica(schemaFromJson(vswitchSchema as unknown as JsonObject));
  readonly #server: Server;
  readonly #session;
  readonly #answers: JsonObject[] = [];

  constructor() {
    let count = 0;
    const uuid = (): string => `00000000-0000-4000-8000-${(++count).toString(16).padStart(12, '0')}`;
    const silent = { log: () => undefined, changed: () => undefined, waiting: () => undefined };
    this.#server = new Server({ now: () => 0, uuid }, silent);
    const file = join(this.folder, 'conf.db');
    Storage.create(file, this.replica.schema);
    this.#server.add(file);
    this.#session = this.#server.connect({ send: (text) => this.#heard(text), close: () => undefined, backlog: 0 })!;
    const tables = [...this.replica.schema.tables.values()].map(({ name, columns }) => [
      name,
      [{ columns: columns.map((column) => column.name).filter((column) => !column.startsWith('_')) }],
    ]);
    this.replica.apply(this.#ask('monitor_cond', ['Open_vSwitch', 'bed', Object.fromEntries(tables)]));
    this.transact([{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
  }

  #heard(text: string): void {
    const message = parseJson(text) as JsonObject;
    if (message.method === 'update2') this.replica.apply((message.params as readonly Json[])[1]!);
    else this.#answers.push(message);
  }

  #ask(method: string, params: Json): Json {
    this.#session.receive(Buffer.from(stringify({ id: 0, method, params })));
    return this.#answers.pop()!.result!;
  }

  /** Fails the test when the server refuses it. */
  transact(operations: readonly JsonObject[]): readonly Json[] {
    const results = this.#ask('transact', ['Open_vSwitch', ...operations]) as readonly (JsonObject | null)[];
    const error = results.find((result) => result?.error !== undefined);
    assert.equal(error, undefined, JSON.stringify([error, operations]));
    return results as readonly Json[];
  }

  /** What is configured, without UUIDs: rows by name, with what they refer to. */
  content(): object {
    const { replica } = this;
    const shown = (table: string, uuid: string): object => {
      const row = replica.row(table, uuid)!;
      const names = row.table.columns
        .map(({ name }) => name)
        .filter((name) => !/^(_.*|ports|interfaces|controller)$/.test(name));
      const own = names.map((name) => [name, row.datum(name)] as const);
      const lists = (['ports', 'interfaces', 'controller'] as const).filter((column) => row.table.byName.has(column));
      const tables = { ports: 'Port', interfaces: 'Interface', controller: 'Controller' } as const;
      const inside = lists.flatMap((column) => row.refs(column).map((ref) => shown(tables[column], ref)));
      const rank = (one: object): string => JSON.stringify(one);
      return { own, inside: inside.sort((a, b) => (rank(a) < rank(b) ? -1 : 1)) };
    };
    const [root] = replica.table('Open_vSwitch').values();
    const names = root!.refs('bridges').map((uuid) => [replica.row('Bridge', uuid)!.string('name'), uuid] as const);
    return names.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, uuid]) => shown('Bridge', uuid));
  }

  close(): void {
    this.#server.remove('Open_vSwitch');
    rmSync(this.folder, { recursive: true });
  }
}

const plan = (bed: Bed, state: DesiredState) => planChanges(bed.replica, wantedRows(state, 'file'), 'file');

describe('from a file to a database', () => {
  it('from any state a plan leads to any other, back again, and from a state to itself there is nothing to do', () => {
    const seed = Number(process.env.WEFT_SEED ?? 7);
    const random = new Random(seed);
    const bed = new Bed();
    try {
      for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 1000 : 60); i++) {
        const message = `seed ${seed}, round ${i}`;
        const to = read(randomFile(random));
        const fresh = new Bed();
        const before = [takeSnapshot(bed.replica), JSON.stringify(bed.content())] as const;
        const { changes, problems } = plan(bed, to);
        assert.deepEqual(problems, [], message);
        const operations = changes.flatMap((change) => change.operations);
        const results = bed.transact(operations);
        assert.deepEqual(plan(bed, to).changes, [], message);
        fresh.transact(plan(fresh, to).changes.flatMap((change) => change.operations));
        assert.deepEqual(bed.content(), fresh.content(), message);
        fresh.close();
        if (random.chance(0.5)) continue;
        bed.transact(undoOperations(operations, results, before[0], bed.replica));
        assert.equal(JSON.stringify(bed.content()), before[1], message);
      }
    } finally {
      bed.close();
    }
  });

  it('what others configured is left alone, and their names are respected', () => {
    const bed = new Bed();
    try {
      const state = read(
        'bridges: [{ name: ours, ports: [{ name: p, backend: tap }, { name: q, backend: tap, tag: 4 }] }]',
      );
      bed.transact(plan(bed, state).changes.flatMap((change) => change.operations));
      const insert = (table: string, row: JsonObject, name: string): JsonObject => ({
        ...{ op: 'insert', table, row },
        'uuid-name': name,
      });
      const port = (name: string): JsonObject[] => [
        insert('Interface', { name }, `i${name}`),
        insert('Port', { name, interfaces: ['named-uuid', `i${name}`] }, `p${name}`),
      ];
      const [ours] = bed.replica.table('Bridge').values();
      bed.transact([
        ...port('theirs'),
        insert('Bridge', { name: 'theirs', ports: ['named-uuid', 'ptheirs'] }, 'b'),
        { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['bridges', 'insert', ['named-uuid', 'b']]] },
        ...port('guest'),
        {
          ...{ op: 'mutate', table: 'Bridge', where: [['_uuid', '==', ['uuid', ours!.uuid]]] },
          mutations: [
            ['ports', 'insert', ['named-uuid', 'pguest']],
            ['other_config', 'insert', ['map', [['disable-in-band', 'true']]]],
          ],
        },
      ]);
      const less = read('bridges: [{ name: ours, mac_aging: 20, ports: [{ name: q, backend: tap }] }]');
      const { changes } = plan(bed, less);
      assert.deepEqual(
        changes.map(({ text }) => text),
        ['- port p of ours', '~ bridge ours: other_config:mac-aging-time=20', '~ port q of ours: tag=[]'],
      );
      bed.transact(changes.flatMap((change) => change.operations));
      const names = [...bed.replica.table('Port').values()].map((row) => row.string('name'));
      assert.deepEqual(names.sort(), ['guest', 'ours', 'q', 'theirs']);
      assert.equal([...bed.replica.table('Bridge').values()][0]!.map('other_config').get('disable-in-band'), 'true');
      const taken = read('bridges: [{ name: theirs }, { name: ours, ports: [{ name: guest, backend: tap }] }]');
      assert.deepEqual(plan(bed, taken).problems, [
        "there is a bridge theirs already, which is not this file's",
        "there is a port guest already, which is not this file's",
      ]);
    } finally {
      bed.close();
    }
  });
});

describe('the wheel', () => {
  const now = (): number => performance.now() * 1000;
  const onError = (error: unknown): void => assert.fail(String(error));
  const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

  it('under load it turns without end, and timers are served', async () => {
    const busy: Turnable = { poll: () => 1, nextWake: () => null };
    const runner = new Runner(busy, { now, onError });
    runner.start();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    await wait(200);
    clearInterval(timer);
    runner.close();
    assert.ok(runner.counters.turns > 500 && runner.counters.sleeps === 0, JSON.stringify(runner.counters));
    assert.ok(ticks > 3, `${ticks} ticks`);
    const { turns } = runner.counters;
    await wait(20);
    assert.equal(runner.counters.turns, turns, 'closed is closed');
  });

  it('without work it sleeps longer and longer, and wakes when there is something to do', async () => {
    let due = Number.POSITIVE_INFINITY;
    const polls: number[] = [];
    const idle: Turnable = {
      poll(time) {
        polls.push(time);
        return 0;
      },
      nextWake: () => (due === Number.POSITIVE_INFINITY ? null : due),
    };
    const runner = new Runner(idle, { now, onError });
    runner.start();
    await wait(400);
    assert.ok(polls.length < 20, `${polls.length} turns`);
    due = now() + 10_000;
    runner.wake();
    await wait(40);
    runner.close();
    const [first = 0] = polls.filter((time) => time >= due);
    assert.ok(first - due < 10_000, `it turned ${first - due} µs after it was due`);
  });

  it('what a turn throws is reported once, and the wheel stands', async () => {
    const errors: unknown[] = [];
    const broken: Turnable = {
      poll() {
        throw new Error('broken');
      },
      nextWake: () => null,
    };
    const runner = new Runner(broken, { now, onError: (error) => errors.push(error) });
    runner.start();
    await wait(30);
    runner.close();
    assert.equal(errors.length, 1);
  });

  it('a descriptor that is always ready but brings nothing does not keep it busy', {
    skip: !loadNative().ok && 'needs the addon',
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-wheel-'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const fd = openSync(join(folder, 'pipe'), 'r+');
    writeSync(fd, 'nobody reads this');
    const idle: Turnable = { poll: () => 0, nextWake: () => null };
    const runner = new Runner(idle, { now, onError });
    runner.watch({ fd });
    runner.start();
    await wait(300);
    runner.close();
    closeSync(fd);
    rmSync(folder, { recursive: true });
    const { wakes, turns, pauses } = runner.counters;
    assert.ok(wakes >= 64 && pauses > 10 && turns < 1000, JSON.stringify(runner.counters));
  });
});
