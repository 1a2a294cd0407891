import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { formatFrame } from '../../../src/packet/index.ts';
import {
  buildNetwork,
  checkDescription,
  type LinkOptions,
  Network,
  type SimPortOptions,
} from '../../../src/sim/index.ts';

/** Hosts h1, h2 … on one switch. */
function star(ports: readonly SimPortOptions[], link: LinkOptions = {}, seed = 1): Network {
  const net = new Network({ seed });
  const s1 = net.addSwitch('s1');
  ports.forEach((options, i) => {
    const host = net.addHost(`h${i + 1}`, { ipv4: `10.0.0.${i + 1}/24`, ipv6: `fd00::${i + 1}/64` });
    net.link(host, s1.addPort(`p${i + 1}`, options), link);
  });
  return net;
}

function reach(net: Network, from: string, to: string): boolean {
  const ping = net.host(from).ping(to, { timeout: 4 * SECOND });
  net.runUntil(() => ping.isDone);
  return ping.isReachable;
}

/** Every frame has one end, in the network and in every switch. */
function assertConserved(net: Network): void {
  const audit = net.audit();
  assert.equal(audit.difference, 0, JSON.stringify(audit));
  for (const one of net.switches.values()) {
    assert.equal(one.audit().difference, 0);
    assert.deepEqual(one.audit().problems, []);
  }
}

test('a switch learns: the second packet is not flooded', () => {
  const net = star([{}, {}, {}]);
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  const before = net.host('h3').counters.rxFrames;
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  assert.equal(net.host('h3').counters.rxFrames, before);
  assert.equal(reach(net, 'h1', 'fd00::3'), true);
  assertConserved(net);
  net.close();
});

test('VLANs: access ports of different VLANs do not hear each other, a trunk hears both', () => {
  const net = star([{ tag: 10 }, { tag: 10 }, { tag: 20 }]);
  const trunk = net.addHost('t', { ipv4: '10.0.0.9/24', vlan: 20 });
  net.link(trunk, net.switch('s1').addPort('trunk', { trunks: [10, 20] }));
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  assert.equal(reach(net, 'h1', '10.0.0.3'), false);
  assert.equal(reach(net, 'h3', '10.0.0.9'), true);
  assert.equal(reach(net, 't', '10.0.0.3'), true);
  assert.equal(reach(net, 't', '10.0.0.1'), false);
  assert.equal(net.host('h3').counters.rxOtherVlan, 0);
  assertConserved(net);
  net.close();
});

test('twenty switches in a row pass a packet on', () => {
  const net = new Network();
  const switches = Array.from({ length: 20 }, (_, i) => net.addSwitch(`s${i}`));
  for (let i = 1; i < switches.length; i++) net.link(switches[i - 1]!, switches[i]!);
  net.link(net.addHost('a', { ipv4: '10.0.0.1/24' }), switches[0]!);
  net.link(net.addHost('b', { ipv4: '10.0.0.2/24' }), switches[19]!);
  assert.equal(reach(net, 'a', '10.0.0.2'), true);
  assertConserved(net);
  net.close();
});

test('TCP through two switches over a lossy link', () => {
  const net = new Network({ seed: 9 });
  const [s1, s2] = [net.addSwitch('s1'), net.addSwitch('s2')];
  net.link(s1, s2, { loss: 0.05, latency: 1000, bandwidth: 100e6 });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24' });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24' });
  net.link(a, s1);
  net.link(b, s2);
  let received = 0;
  b.tcpListen(80, (connection) => {
    connection.onData = (bytes) => {
      received += bytes.length;
    };
  });
  const client = a.tcpConnect('10.0.0.2', 80);
  client.onOpen = () => client.send(new Uint8Array(1_000_000));
  assert.ok(net.runUntil(() => received === 1_000_000, 600 * SECOND));
  assertConserved(net);
  const { worker } = s1.counters();
  assert.ok(worker.cache_hits! > 700 && worker.misses! < 20, JSON.stringify(worker));
  net.close();
});

test('a link that is pulled is a port that is down; plugged in again, it works', () => {
  const net = star([{}, {}]);
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  net.links[1]!.setUp(false);
  assert.equal(reach(net, 'h1', '10.0.0.2'), false);
  net.links[1]!.setUp(true);
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  assertConserved(net);
  net.close();
});

test('a port’s MTU holds, and the drop has a name', () => {
  const net = star([{}, { mtu: 1000 }]);
  assert.equal(reach(net, 'h1', '10.0.0.2'), true);
  const big = net.host('h1').ping('10.0.0.2', { size: 1400 });
  net.runUntil(() => big.isDone);
  assert.equal(big.isReachable, false);
  assert.equal(net.audit().drops.output_mtu, 1);
  assertConserved(net);
  net.close();
});

test('patch ports join two bridges of a switch', () => {
  const net = new Network();
  const s1 = net.addSwitch('s1');
  s1.addPatch('br-a', 'to-b', 'br-b', 'to-a');
  net.link(net.addHost('a', { ipv4: '10.0.0.1/24' }), s1.addPort('pa', { bridge: 'br-a' }));
  net.link(net.addHost('b', { ipv4: '10.0.0.2/24' }), s1.addPort('pb', { bridge: 'br-b' }));
  assert.equal(reach(net, 'a', '10.0.0.2'), true);
  assertConserved(net);
  net.close();
});

for (const type of ['vxlan', 'geneve', 'gre'] as const) {
  test(`a ${type} tunnel over an underlay`, () => {
    const net = new Network();
    for (const [i, other] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const hv = net.addSwitch(`hv${i}`);
      hv.addBridge('br-phy', { addresses: [`172.16.0.${i}/24`] });
      hv.addPort('eth0', { bridge: 'br-phy', mtu: 1600 });
      hv.addTunnel('tun0', { bridge: 'br-int', type, remoteIp: `172.16.0.${other}`, key: 7 });
      net.link(net.addHost(`vm${i}`, { ipv4: `10.0.0.${i}/24` }), hv.addPort('vm', { bridge: 'br-int' }));
    }
    const underlay = net.link(net.switch('hv1').port('eth0'), net.switch('hv2').port('eth0'), { mtu: 1600 });
    const wire: string[] = [];
    net.onFrame(({ port, frame }) => {
      if (port === 'hv1:eth0') wire.push(formatFrame(frame));
    });
    assert.equal(reach(net, 'vm1', '10.0.0.2'), true);
    assert.ok(underlay.counters[0].delivered > 1);
    if (type === 'vxlan') assert.ok(wire.some((line) => /VXLAN vni 7 .*echo reply/.test(line)));
    assert.ok(wire.every((line) => !line.includes('bad checksum') && !line.includes('malformed')));
    assertConserved(net);
    net.close();
  });
}

test('the same seed gives the same digest, another seed another', () => {
  const digestOf = (seed: number): string => {
    const net = star([{}, {}, { tag: 5 }], { loss: 0.1, reorder: 0.1, duplicate: 0.1 }, seed);
    for (const to of ['10.0.0.2', '10.0.0.3', 'fd00::2']) net.host('h1').ping(to, { count: 20, interval: 5000 });
    net.run(20 * SECOND);
    assertConserved(net);
    const digest = net.digest();
    net.close();
    return digest;
  };
  const first = digestOf(11);
  assert.equal(digestOf(11), first);
  assert.notEqual(digestOf(12), first);
});

test('an hour of virtual time with churn ends with empty tables', () => {
  const net = star([{}, {}, {}]);
  for (let minute = 0; minute < 10; minute++) {
    for (const from of ['h1', 'h2', 'h3']) net.host(from).ping(`10.0.0.${1 + (minute % 3)}`, { count: 3 });
    net.advance(60 * SECOND);
  }
  net.advance(3600 * SECOND);
  const { flows } = net.switch('s1').counters();
  assert.equal(flows, 0);
  assertConserved(net);
  net.close();
});

test('a network as data', () => {
  const description = checkDescription(
    JSON.parse(`{
      "hosts": { "a": { "ipv4": "10.0.0.1/24" }, "b": { "ipv4": "10.0.0.2/24" } },
      "switches": { "s": { "ports": { "p1": { "tag": 3 }, "p2": { "tag": 3 } } } },
      "links": [ { "a": "a", "b": "s:p1" }, { "a": "b", "b": "s:p2", "latency": 50 } ]
    }`),
  );
  const net = buildNetwork(description, 5);
  assert.equal(net.seed, 5);
  assert.equal(reach(net, 'a', '10.0.0.2'), true);
  net.close();
});

test('a description that makes no sense is refused with the place', () => {
  for (const [text, wrong] of [
    ['[]', /network must be an object/],
    ['{"host":{}}', /network\.host is not known/],
    ['{"hosts":{"a":{"ip":"x"}}}', /hosts\.a\.ip is not known/],
    ['{"links":[{"a":"x"}]}', /links\[0\]\.b must be a name/],
    ['{"links":{}}', /links must be an array/],
    ['{"switches":{"s":{"tunnels":{"t":{"type":"x","remoteIp":"1.2.3.4"}}}}}', /type is vxlan/],
    ['{"switches":{"s":{"patches":[["a:b"]]}}}', /a patch has two ends/],
  ] as const)
    assert.throws(() => checkDescription(JSON.parse(text)), wrong, text);
  assert.throws(() => buildNetwork({ links: [{ a: 'x', b: 'y' }] }), /no host x/);
});

test('names that are taken or not there', () => {
  const net = star([{}]);
  assert.throws(() => net.addSwitch('h1'), /there is a h1 already/);
  assert.throws(() => net.switch('s1').port('p9'), /s1 has no port p9/);
  assert.throws(() => net.switch('s1').addPort('p1'), /p1/);
  net.close();
});
