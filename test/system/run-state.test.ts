/** What `weft run` reads and plans, and its wheel around a switch that is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadNative } from '../../backends/native/index.ts';
import { Random } from '../../src/lib/random.ts';
import { nothing, planSteps, type Step } from '../../src/vswitchd/desired/plan.ts';
import { readDesired } from '../../src/vswitchd/desired/read.ts';
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
      ...(random.chance(0.3) ? { flows: ['actions=drop'] } : {}),
      ports: names
        .filter((_, n) => n % bridges.length === i)
        .map((port) => ({ name: port, backend: 'tap', ...(random.chance(0.5) ? { tag: random.below(4) } : {}) })),
    })),
    routes: bridges.filter(() => random.chance(0.5)).map((bridge) => ({ to: '10.9.0.0/16', bridge })),
  };
}

/** Carries steps out on plain maps, and refuses what a switch would refuse. */
function carryOut(from: Omit<DesiredState, 'settings'>, steps: readonly Step[]): Omit<DesiredState, 'settings'> {
  const bridges = new Map(from.bridges);
  const ports = new Map(from.ports);
  const flows = new Map(from.flows);
  let routes = [...from.routes];
  for (const step of steps) {
    if (step.does === 'remove-port') assert.ok(ports.delete(step.port.name));
    else if (step.does === 'remove-bridge') {
      assert.ok(bridges.delete(step.bridge.name));
      assert.ok(
        [...ports.values()].every(({ bridge }) => bridge !== step.bridge.name),
        'its ports went before',
      );
      routes = routes.filter(({ bridge }) => bridge !== step.bridge.name);
      flows.delete(step.bridge.name);
    } else if (step.does === 'add-bridge') {
      assert.ok(!bridges.has(step.bridge.name));
      bridges.set(step.bridge.name, step.bridge);
    } else if (step.does === 'add-port') {
      assert.ok(!ports.has(step.port.name) && bridges.has(step.port.bridge));
      ports.set(step.port.name, step.port);
    } else if (step.does === 'set-vlan') {
      assert.ok(ports.has(step.port.name));
      ports.set(step.port.name, step.port);
    } else if (step.does === 'add-route') routes.push(step.route);
    else if (step.does === 'set-flows') {
      if (step.flows) flows.set(step.bridge, step.flows);
      else flows.delete(step.bridge);
    }
  }
  return { bridges, ports, routes, neighbors: [], flows };
}

it('from any state a plan leads to any other, and from a state to itself there is nothing to do', () => {
  const seed = Number(process.env.WEFT_SEED ?? 7);
  const random = new Random(seed);
  let state: Omit<DesiredState, 'settings'> = nothing;
  for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 5000 : 300); i++) {
    const { settings: _, ...to } = read(randomFile(random));
    const reached = carryOut(state, planSteps(state, to));
    const sorted = (routes: typeof to.routes) => routes.map((route) => JSON.stringify(route)).sort();
    const message = `seed ${seed}, round ${i}`;
    assert.deepEqual(new Map([...reached.bridges].sort()), new Map([...to.bridges].sort()), message);
    assert.deepEqual(new Map([...reached.ports].sort()), new Map([...to.ports].sort()), message);
    assert.deepEqual(new Map([...reached.flows].sort()), new Map([...to.flows].sort()), message);
    assert.deepEqual(sorted(reached.routes), sorted(to.routes), message);
    assert.deepEqual(planSteps(to, to), [], message);
    state = to;
  }
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
    assert.ok(ticks > 10, `${ticks} ticks`);
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
