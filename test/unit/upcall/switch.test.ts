/** Whole switches on the real datapath, their devices in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { parseIpv4, parseIpv6 } from '../../../src/lib/addresses.ts';
import { type Micros, SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { buildEthernet } from '../../../src/packet/index.ts';
import type { TunnelConfig } from '../../../src/translate/types.ts';
import { createSwitch, type Switch } from '../../../src/vswitchd/switch.ts';

const SMALL = { frameCount: 512, ringSize: 64, memorySize: 4 << 20, flowLimit: 4096 };
const mac = (...low: number[]): Uint8Array => Uint8Array.from([2, 0, 0, 0, ...(low.length === 1 ? [0] : []), ...low]);
const ip = (text: string): Uint8Array => parseIpv4(text) ?? parseIpv6(text)!;

function frame(dst: Uint8Array, src: Uint8Array, tag?: number): Uint8Array {
  const tags = tag === undefined ? [] : [{ tpid: 0x8100, tci: tag }];
  return buildEthernet({ dst, src, tags, ethType: 0x1234 }, new Uint8Array(46));
}

function plug(
  sw: Switch,
  name: string,
  options: { readonly tag?: number; readonly bridge?: string } = {},
): MemoryNetdev {
  const netdev = new MemoryNetdev(name);
  const vlan = options.tag === undefined ? {} : { vlan: { mode: 'access' as const, tag: options.tag } };
  sw.addPort(options.bridge ?? 'br0', { name, netdev, ...vlan });
  return netdev;
}

function assertConserved(sw: Switch): void {
  const { difference, problems } = sw.audit();
  assert.deepEqual([difference, problems], [0, []]);
}

test('floods what it does not know, and then knows', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => plug(sw, name)) as [MemoryNetdev, MemoryNetdev, MemoryNetdev];
  a.send(frame(mac(2), mac(1)));
  sw.poll(10);
  assert.deepEqual([b.takeSent().length, c.takeSent().length], [1, 1]);
  b.send(frame(mac(1), mac(2)));
  sw.poll(20);
  a.send(frame(mac(2), mac(1)));
  sw.poll(30);
  assert.deepEqual([a.takeSent().length, b.takeSent().length, c.takeSent().length], [1, 1, 0]);
  assert.equal(sw.macTable('br0', 30).length, 2);
  assertConserved(sw);
  sw.close();
  assertConserved(sw);
});

test('VLANs keep tenants apart, and a change of them takes effect', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  const [a, b] = [plug(sw, 'a', { tag: 10 }), plug(sw, 'b', { tag: 20 })];
  const trunk = plug(sw, 'trunk');
  a.send(frame(mac(2), mac(1)));
  sw.poll(10);
  assert.deepEqual([b.takeSent().length, trunk.takeSent()[0]?.[15]], [0, 10]);
  sw.setPortVlan('br0', 'b', { mode: 'access', tag: 10 });
  a.send(frame(mac(2), mac(1)));
  sw.poll(SECOND);
  assert.equal(b.takeSent().length, 1);
  assertConserved(sw);
  sw.close();
});

test('a port that goes takes its flows and addresses with it', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  const a = plug(sw, 'a');
  plug(sw, 'b').send(frame(mac(1), mac(2)));
  sw.poll(10);
  a.send(frame(mac(2), mac(1)));
  sw.poll(20);
  sw.removePort('br0', 'b');
  assert.deepEqual(sw.dumpFlows(20), []);
  assert.deepEqual(
    sw.macTable('br0', 20).map(({ port }) => port),
    ['a'],
  );
  const again = plug(sw, 'b2');
  a.send(frame(mac(2), mac(1)));
  sw.poll(30);
  assert.equal(again.takeSent().length, 1);
  assertConserved(sw);
  sw.close();
});

test('wrong configuration throws and changes nothing', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  plug(sw, 'a');
  assert.throws(() => sw.addBridge({ name: 'br0', mac: mac(9) }), /already/);
  assert.throws(() => plug(sw, 'a'), /already/);
  assert.throws(() => plug(sw, 'x', { bridge: 'br7' }), /no bridge br7/);
  assert.throws(() => sw.removePort('br0', 'nope'), /no port nope/);
  assert.throws(() => sw.removePort('br0', 'br0'), /own port/);
  assert.throws(() => sw.addRoute(ip('10.0.0.0'), 8, 'br0', null), /no address/);
  assert.throws(() => sw.addRoute(ip('10.0.0.0'), 33, 'br0', null), /prefix is 0 to 32/);
  assert.throws(() => sw.setNeighbor('br0', ip('10.0.0.1'), new Uint8Array(5)), /six bytes/);
  assert.throws(() => plug(sw, 'x', { tag: 4096 }), /VLAN is 0 to 4095/);
  assert.throws(() => sw.setPortVlan('br0', 'a', { trunks: new Set([-1]) }), /VLAN is 0 to 4095/);
  assert.throws(() => sw.addBridge({ name: 'br1', mac: new Uint8Array(7) }), /six bytes/);
  const bad: readonly (readonly [Partial<TunnelConfig>, RegExp])[] = [
    [{ outKey: 1n << 24n }, /24 bits/],
    [{ inKey: -1n }, /24 bits/],
    [{ remoteIp: new Uint8Array(5) }, /4 or 16 bytes/],
    [{ localIp: ip('fd00::1') }, /one address family/],
    [{ dstPort: 65536 }, /UDP port/],
    [{ ttl: 256 }, /TTL/],
  ];
  for (const [change, reason] of bad)
    assert.throws(() => sw.addPort('br0', { name: 't', tunnel: { ...vxlan('10.0.0.2'), ...change } }), reason);
  assert.throws(() => sw.trace('br0', { flow: 'in_port=1,nonsense=1' }, 0), /nonsense/);
  assert.equal(sw.port('br0', 'a')?.ofport, 1);
  assert.equal(sw.port('br0', 'x'), null);
  assert.equal(sw.datapath.portNumbers().length, 2);
  sw.close();
});

const vxlan = (remoteIp: string): TunnelConfig => ({
  type: 'vxlan',
  remoteIp: ip(remoteIp),
  localIp: null,
  inKey: 42n,
  outKey: 42n,
  dstPort: 4789,
  tos: 0,
  ttl: 64,
  dontFragment: true,
  csum: false,
});

/** A hypervisor: a bridge for machines and one for the underlay, which it has an address in. */
function hypervisor(index: number, own: string, other: string): { sw: Switch; vm: MemoryNetdev; wire: MemoryNetdev } {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(index, 1) });
  const prefixLength = own.includes(':') ? 64 : 24;
  const addresses = [{ address: ip(own), prefixLength }];
  sw.addBridge({ name: 'phy', mac: mac(index, 2), local: 'embedded', addresses });
  const vm = plug(sw, 'vm');
  sw.addPort('br0', { name: 'tun', tunnel: vxlan(other) });
  return { sw, vm, wire: plug(sw, 'wire', { bridge: 'phy' }) };
}

for (const [left, right] of [
  ['172.16.0.1', '172.16.0.2'],
  ['fd00::1', 'fd00::2'],
] as const) {
  test(`two hypervisors find each other and tunnel, ${left} and ${right}`, () => {
    const one = hypervisor(1, left, right);
    const two = hypervisor(2, right, left);
    let now: Micros = 0;
    const settle = (): void => {
      for (let quiet = 0; quiet < 2; quiet++) {
        now += 10;
        one.sw.poll(now);
        two.sw.poll(now);
        const crossing = [one.wire.takeSent(), two.wire.takeSent()] as const;
        for (const sent of crossing[0]) two.wire.send(sent);
        for (const sent of crossing[1]) one.wire.send(sent);
        if (crossing.flat().length > 0) quiet = -1;
      }
    };
    // The first one is lost to the question for the next hop, as in Open vSwitch
    for (let i = 0; i < 3; i++) {
      one.vm.send(frame(mac(0xb), mac(0xa)));
      settle();
    }
    assert.deepEqual(two.vm.takeSent(), [frame(mac(0xb), mac(0xa)), frame(mac(0xb), mac(0xa))]);
    two.vm.send(frame(mac(0xa), mac(0xb)));
    settle();
    assert.deepEqual(one.vm.takeSent(), [frame(mac(0xa), mac(0xb))]);
    const { text, actions } = one.sw.trace('br0', { frame: frame(mac(0xb), mac(0xa)), inPort: 'vm' }, now);
    assert.match(text, /output to native tunnel/);
    assert.match(actions, /^tnl_push\(/);
    for (const { sw } of [one, two]) {
      assertConserved(sw);
      sw.poll(now + 20 * SECOND);
      assert.equal(sw.counters().ports.tun?.txPackets, sw === one.sw ? 2 : 1);
      assert.equal(sw.counters().ports.tun?.rxPackets, sw === one.sw ? 1 : 2);
      sw.close();
      assertConserved(sw);
    }
  });
}

test('a day of churn ends with the tables it began with', () => {
  const random = new Random(11);
  const sw = createSwitch({ ...SMALL, flowLimit: 500 });
  sw.addBridge({ name: 'br0', mac: mac(9), macTableSize: 200 });
  const arena = sw.datapath.arenaUsed;
  let ports = ['p0', 'p1', 'p2'].map((name) => plug(sw, name));
  let now: Micros = 0;
  for (let round = 0; round < 400; round++) {
    now += random.below(400 * SECOND);
    for (let i = 0; i < 10; i++) {
      const dst = mac(random.below(3), random.below(100));
      random
        .pick(ports)
        .send(frame(dst, mac(random.below(3), random.below(100)), random.chance(0.5) ? random.below(5) : undefined));
    }
    sw.poll(now);
    for (const port of ports) port.takeSent();
    if (random.chance(0.1)) {
      const index = random.below(ports.length);
      sw.removePort('br0', ports[index]!.name);
      ports = ports.with(index, plug(sw, `n${round}`));
    }
    if (round % 50 === 0) assertConserved(sw);
  }
  now += 1000 * SECOND;
  sw.poll(now);
  assert.deepEqual(sw.dumpFlows(now), []);
  assert.deepEqual(sw.macTable('br0', now), []);
  assert.equal(sw.nextWake(now), null);
  assert.equal(sw.datapath.arenaUsed, arena);
  assertConserved(sw);
  sw.close();
});

test('the same calls give the same bytes', () => {
  const run = (): string => {
    const random = new Random(5);
    const sw = createSwitch(SMALL);
    sw.addBridge({ name: 'br0', mac: mac(9) });
    const ports = ['a', 'b', 'c', 'd'].map((name, i) => plug(sw, name, i < 2 ? { tag: 7 } : {}));
    const seen: string[] = [];
    for (let now = 0; now < 200; now++) {
      random.pick(ports).send(frame(mac(random.below(6)), mac(random.below(6))));
      sw.poll(now * 1000);
      for (const port of ports)
        for (const sent of port.takeSent()) seen.push(`${port.name} ${Buffer.from(sent).toString('hex')}`);
    }
    seen.push(...sw.dumpFlows(200_000));
    sw.close();
    return seen.join('\n');
  };
  assert.equal(run(), run());
});

test('a port that goes leaves megaflows of others alone, and nothing of its own behind', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => plug(sw, name)) as [MemoryNetdev, MemoryNetdev, MemoryNetdev];
  // Everybody is known, then everybody talks to everybody
  for (let now = 1; now <= 2; now++) {
    for (const [i, from] of [a, b, c].entries())
      for (let to = 1; to <= 3; to++) if (to !== i + 1) from.send(frame(mac(to), mac(i + 1)));
    sw.poll(now * SECOND);
  }
  assert.equal(sw.dumpFlows(2 * SECOND).length, 6);
  // Packets that nobody has been credited for yet
  c.send(frame(mac(1), mac(3)));
  sw.datapath.poll(2 * SECOND + 1);
  sw.removePort('br0', 'c');
  assert.equal(sw.dumpFlows(2 * SECOND + 1).length, 2, 'a to b and b to a');
  assert.deepEqual(
    sw
      .macTable('br0', 2 * SECOND + 1)
      .map(({ port }) => port)
      .sort(),
    ['a', 'b'],
  );
  assertConserved(sw);
  sw.close();
});

test('a tunnel that goes takes its counters along', () => {
  const { sw, vm } = hypervisor(1, '172.16.0.1', '172.16.0.2');
  sw.setNeighbor('phy', ip('172.16.0.2'), mac(77));
  for (let i = 0; i < 3; i++) {
    vm.send(frame(mac(0xb), mac(0xa)));
    sw.poll(10 + i);
  }
  const { ofport } = sw.port('br0', 'tun')!;
  sw.removePort('br0', 'tun');
  assert.equal(sw.addPort('br0', { name: 'tun2', ofport, tunnel: vxlan('172.16.0.3') }).ofport, ofport);
  sw.poll(20 * SECOND);
  assert.equal(sw.counters().ports.tun2?.txPackets, 0);
  sw.close();
});

test('names of ports are unique in a switch', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: mac(9) });
  sw.addBridge({ name: 'br1', mac: mac(8) });
  plug(sw, 'a');
  assert.throws(() => plug(sw, 'a', { bridge: 'br1' }), /br0 has a port a already/);
  assert.throws(() => sw.addBridge({ name: 'a', mac: mac(7) }), /br0 has a port a already/);
  const addresses = [{ address: ip('10.0.0.1'), prefixLength: 33 }];
  assert.throws(() => sw.addBridge({ name: 'br2', mac: mac(7), addresses }), /prefix is 0 to 32/);
  assert.equal(sw.datapath.portNumbers().length, 3);
  sw.addBridge({ name: 'br2', mac: mac(7) });
  sw.close();
});

test('new flows on many ports at once do not overrun the upcall ring', () => {
  const sw = createSwitch({ frameCount: 4096, ringSize: 256, memorySize: 8 << 20, flowLimit: 8192 });
  sw.addBridge({ name: 'br0', mac: mac(9) });
  const ports = Array.from({ length: 24 }, (_, i) => plug(sw, `p${i}`));
  sw.poll(1);
  for (const [i, port] of ports.entries()) for (let j = 0; j < 60; j++) assert.ok(port.send(frame(mac(9), mac(i, j))));
  sw.poll(2);
  const { upcall, drops } = sw.counters();
  assert.equal(upcall.handled, 24 * 60);
  assert.equal(drops.upcall_overflow, undefined);
  assertConserved(sw);
  sw.close();
});
