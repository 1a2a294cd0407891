import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { formatFrame } from '../../../src/packet/index.ts';
import { type HostOptions, type LinkOptions, Network } from '../../../src/sim/index.ts';

function pair(options: LinkOptions = {}, hostA: HostOptions = {}, hostB: HostOptions = {}) {
  const net = new Network({ seed: 4 });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24', ipv6: 'fd00::1/64', ...hostA });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24', ipv6: 'fd00::2/64', ...hostB });
  const link = net.link(a, b, options);
  const wire: string[] = [];
  net.onFrame(({ direction, frame }) => {
    if (direction === 'tx') wire.push(formatFrame(frame).split(' | ').slice(-1)[0]!);
  });
  return { net, a, b, link, wire };
}

test('ping over IPv4 asks for the address first, once', () => {
  const { net, a, wire } = pair({ latency: 100, bandwidth: 1e12 });
  const ping = a.ping('10.0.0.2', { count: 2, interval: 1000 });
  assert.ok(net.runUntil(() => ping.isDone));
  assert.equal(ping.isReachable, true);
  assert.deepEqual(wire, [
    'ARP who-has 10.0.0.2 tell 10.0.0.1',
    'ARP 10.0.0.2 is-at 02:00:00:00:00:02',
    'ICMP echo request id 1 seq 0',
    'ICMP echo reply id 1 seq 0',
    'ICMP echo request id 1 seq 1',
    'ICMP echo reply id 1 seq 1',
  ]);
  assert.deepEqual(
    ping.roundTrips.map((time) => Math.round(time)),
    [400, 200],
  );
  assert.equal(net.audit().difference, 0);
});

test('ping over IPv6 uses neighbour discovery; link-local addresses work too', () => {
  const { net, a, b, wire } = pair();
  const ping = a.ping('fd00::2');
  net.runUntil(() => ping.isDone);
  assert.equal(ping.isReachable, true);
  assert.deepEqual(wire, [
    'ND who-has fd00::2',
    'ND fd00::2 is-at 02:00:00:00:00:02',
    'ICMPv6 echo request id 1 seq 0',
    'ICMPv6 echo reply id 1 seq 0',
  ]);
  const local = b.ping('fe80::ff:fe00:1');
  net.runUntil(() => local.isDone);
  assert.equal(local.isReachable, true);
});

test('nobody there: three requests, then the packet is given up', () => {
  const { net, a, wire } = pair();
  const ping = a.ping('10.0.0.9', { timeout: 5 * SECOND });
  assert.ok(net.runUntil(() => ping.isDone));
  assert.deepEqual([ping.sent, ping.received, ping.lost, ping.isReachable], [1, 0, 1, false]);
  assert.equal(wire.length, 3);
  assert.equal(a.counters.txUnresolved, 1);
});

test('no address, no route, too big: counted, not thrown', () => {
  const { net, a } = pair();
  const away = a.ping('192.168.1.1', { timeout: 10 });
  const big = a.ping('10.0.0.2', { size: 1473, timeout: 10 });
  const fits = a.ping('10.0.0.2', { size: 1472 });
  net.runUntil(() => away.isDone && big.isDone && fits.isDone);
  assert.deepEqual([away.unsendable, big.unsendable, fits.isReachable], [1, 1, true]);
  assert.deepEqual([a.counters.txNoRoute, a.counters.txTooBig], [1, 1]);
  assert.throws(() => a.ping('10.0.0'), /not an IP address/);
});

test('a gateway takes what is not on the link', () => {
  const { net, a, b } = pair({}, { gateway4: '10.0.0.2' });
  const ping = a.ping('192.168.1.1', { timeout: SECOND });
  net.runUntil(() => ping.isDone);
  assert.equal(ping.unsendable, 0);
  assert.equal(b.counters.rxOtherAddress, 1);
});

test('VLAN: hosts with the same tag talk, others do not see each other', () => {
  const reach = (vlanA: HostOptions, vlanB: HostOptions) => {
    const { net, a, b } = pair({}, vlanA, vlanB);
    const ping = a.ping('10.0.0.2', { timeout: 10_000 });
    net.runUntil(() => ping.isDone);
    return [ping.isReachable, b.counters.rxOtherVlan];
  };
  assert.deepEqual(reach({ vlan: 10 }, { vlan: 10 }), [true, 0]);
  assert.deepEqual(reach({ vlan: 10 }, { vlan: 20 }), [false, 1]);
  assert.deepEqual(reach({ vlan: 10 }, {}), [false, 1]);
  assert.deepEqual(reach({}, { vlan: 10 }), [false, 1]);
});

test('UDP: datagrams both ways, over IPv4 and IPv6', () => {
  const { net, a, b } = pair();
  const server = b.udp(53);
  server.onMessage = ({ from, fromPort, data }) => {
    server.send(from, fromPort, Uint8Array.from([...data].reverse()));
  };
  const client = a.udp();
  for (const address of ['10.0.0.2', 'fd00::2']) {
    assert.ok(client.send(address, 53, Uint8Array.of(1, 2, 3)).ok);
    net.advance(10_000);
    const answer = client.read();
    assert.deepEqual(answer, { from: address, fromPort: 53, data: Uint8Array.of(3, 2, 1) });
  }
  assert.equal(client.read(), null);
  client.close();
  assert.equal(a.udp().port, 49152);
  assert.throws(() => b.udp(53), /taken/);
});

test('UDP: broadcast reaches everybody, a closed port answers unreachable, a big one is refused', () => {
  const { net, a, b, wire } = pair();
  const server = b.udp(67);
  const client = a.udp(68);
  for (const address of ['255.255.255.255', '10.0.0.255']) client.send(address, 67, Uint8Array.of(1));
  net.advance(1000);
  assert.deepEqual([server.read()?.from, server.read()?.from], ['10.0.0.1', '10.0.0.1']);
  client.send('10.0.0.2', 99, Uint8Array.of(1));
  client.send('fd00::2', 99, Uint8Array.of(1));
  net.advance(10_000);
  assert.ok(wire.includes('ICMP type 3 code 3') && wire.includes('ICMPv6 type 1 code 4'));
  const refused = client.send('10.0.0.2', 67, new Uint8Array(1473));
  assert.deepEqual(refused, { ok: false, error: 'too_big' });
});

test('waiting packets go out in order once the address is known', () => {
  const { net, a, b } = pair();
  const server = b.udp(9);
  const client = a.udp();
  for (let i = 0; i < 10; i++) client.send('10.0.0.2', 9, Uint8Array.of(i));
  net.advance(10_000);
  for (let i = 0; i < 10; i++) assert.equal(server.read()?.data[0], i);
});

test('an address that moved to another MAC is found again after the link was pulled', () => {
  const { net, a, link, wire } = pair();
  const before = a.ping('10.0.0.2');
  net.runUntil(() => before.isDone);
  link.flap(0, 1000);
  net.advance(2000);
  wire.length = 0;
  const after = a.ping('10.0.0.2');
  net.runUntil(() => after.isDone);
  assert.equal(after.isReachable, true);
  assert.match(wire[0]!, /who-has/);
});

test('bad host options are refused', () => {
  const net = new Network();
  for (const options of [
    { mac: '01:00:00:00:00:01' },
    { mac: 'no' },
    { ipv4: '10.0.0.1/33' },
    { ipv4: 'fd00::1/64' },
    { ipv6: '10.0.0.1/24' },
    { vlan: 4095 },
    { mtu: 10 },
    { gateway4: 'x' },
  ])
    assert.throws(() => net.addHost('h', options), JSON.stringify(options));
});
