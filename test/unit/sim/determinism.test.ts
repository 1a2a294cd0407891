import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { Network } from '../../../src/sim/index.ts';

const seed = Number(process.env.WEFT_SEED ?? 4242);
const rounds = process.env.WEFT_NIGHTLY ? 200 : 2;

/**
 * Of two hosts on a bad link. It is the same on every machine and operating system; it changes when hosts or links
 * are made to behave differently, and then this line changes with them.
 */
const GOLDEN = 'fe92075e2ad54c13da09646f220c465fe6f6896efcff01ea3849b15cb135913e';

test('the digest of a network of hosts is what it was, on every machine', () => {
  const net = new Network({ seed: 1 });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24', ipv6: 'fd00::1/64' });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24', ipv6: 'fd00::2/64' });
  net.link(a, b, { latency: 333, bandwidth: 7e6, loss: 0.1, reorder: 0.1, duplicate: 0.1 });
  a.ping('fd00::2', { count: 10, interval: 1234 });
  b.tcpListen(80, (connection) => {
    connection.onEnd = () => connection.close();
  });
  const client = a.tcpConnect('10.0.0.2', 80);
  client.onOpen = () => {
    client.send(new Random(2).bytes(50_000));
    client.close();
  };
  net.run(60 * SECOND);
  assert.equal(net.digest(), GOLDEN);
});

/** Real frames of every kind that hosts make. */
function realFrames(): Uint8Array[] {
  const net = new Network({ seed: 3 });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24', ipv6: 'fd00::1/64' });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24', ipv6: 'fd00::2/64', vlan: 7 });
  const c = net.addHost('c', { ipv4: '10.0.0.3/24', ipv6: 'fd00::3/64' });
  const s1 = net.addSwitch('s1');
  net.link(a, s1);
  net.link(c, s1);
  net.link(b, s1.addPort('b', { trunks: [7] }));
  const frames: Uint8Array[] = [];
  net.onFrame(({ frame, direction }) => {
    if (direction === 'tx') frames.push(frame.slice());
  });
  for (const to of ['10.0.0.3', 'fd00::3', '10.0.0.9']) a.ping(to);
  b.ping('10.0.0.1');
  a.udp().send('10.0.0.3', 99, Uint8Array.of(1));
  a.tcpConnect('10.0.0.3', 80);
  net.advance(5 * SECOND);
  net.close();
  return frames;
}

test(`whatever comes over the wire, nothing throws and no frame is lost track of (seed ${seed})`, () => {
  const random = new Random(seed);
  const frames = realFrames();
  for (let round = 0; round < rounds; round++) {
    const net = new Network({ seed: seed + round });
    const s1 = net.addSwitch('s1');
    const names = ['a', 'b', 'c'];
    names.forEach((name, i) => {
      const host = net.addHost(name, { ipv4: `10.0.0.${i + 1}/24`, ipv6: `fd00::${i + 1}/64` });
      net.link(host, s1.addPort(name, i === 1 ? { tag: 7 } : {}), { duplicate: 0.1, reorder: 0.1 });
    });
    net.host('c').tcpListen(80, () => {});
    for (let i = 0; i < 500; i++) {
      const frame = random.pick(frames).slice();
      for (let n = random.below(5); n > 0; n--) frame[random.below(frame.length)] = random.u32() & 0xff;
      net.host(random.pick(names)).sendFrame(frame.subarray(0, random.below(frame.length + 1)));
      net.advance(random.below(50));
    }
    net.advance(20 * SECOND);
    const audit = net.audit();
    assert.equal(audit.difference, 0, JSON.stringify(audit));
    assert.equal(audit.inside, 0);
    assert.deepEqual(s1.audit().problems, []);
    net.close();
  }
});
