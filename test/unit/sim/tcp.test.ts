import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { parseEthernet, parseIpv4Header, parseTcp, TCP_FLAG } from '../../../src/packet/index.ts';
import { type LinkOptions, Network, type TcpConnection } from '../../../src/sim/index.ts';
import { ReceiveBuffer } from '../../../src/sim/tcp/receive-buffer.ts';
import { seqAdd, seqDiff } from '../../../src/sim/tcp/sequence.ts';

const seed = Number(process.env.WEFT_SEED ?? 77);
const MEGABYTE = 1_000_000;

function pair(options: LinkOptions, networkSeed = seed) {
  const net = new Network({ seed: networkSeed });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24', ipv6: 'fd00::1/64' });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24', ipv6: 'fd00::2/64' });
  return { net, a, b, link: net.link(a, b, options) };
}

/** Moves the bytes from a to b and closes; fails unless they arrive as they were. */
function transfer(options: LinkOptions, size: number, to = '10.0.0.2', networkSeed = seed) {
  const { net, a, b, link } = pair(options, networkSeed);
  const sent = new Random(networkSeed).bytes(size);
  const received: Uint8Array[] = [];
  let server: TcpConnection | null = null;
  b.tcpListen(80, (connection) => {
    server = connection;
    connection.onData = (bytes) => received.push(bytes);
    connection.onEnd = () => connection.close();
  });
  const client = a.tcpConnect(to, 80);
  client.onOpen = () => {
    assert.equal(client.send(sent), size);
    client.close();
  };
  const isDone = net.runUntil(() => client.state === 'CLOSED' && server?.state === 'CLOSED', 3600 * SECOND);
  assert.ok(isDone, `client ${client.state}, server ${(server as TcpConnection | null)?.state}`);
  assert.equal(Buffer.compare(Buffer.concat(received), Buffer.from(sent)), 0, 'the bytes differ');
  assert.deepEqual([client.closeReason, client.bytesAcknowledged], ['closed', size]);
  assert.deepEqual([a.tcpConnectionCount, b.tcpConnectionCount], [0, 0]);
  assert.equal(net.audit().difference, 0);
  return { net, client, link };
}

test('a megabyte over a clean link: nothing is sent twice', () => {
  const { client } = transfer({}, MEGABYTE);
  assert.deepEqual([client.segmentsRetransmitted, client.timeouts], [0, 0]);
});

test('a megabyte over 5 % loss', () => {
  const { client } = transfer({ loss: 0.05, latency: 1000 }, MEGABYTE);
  assert.ok(client.segmentsRetransmitted > 20, `${client.segmentsRetransmitted} sent again`);
});

test('a megabyte over loss, reordering and duplication, IPv6', () => {
  transfer({ loss: 0.03, reorder: 0.1, duplicate: 0.05, latency: 500 }, MEGABYTE, 'fd00::2');
});

test('a small queue: congestion control finds the rate without time-outs', () => {
  const { client, net } = transfer({ bandwidth: 10e6, queue: 10, latency: 2000 }, MEGABYTE);
  assert.equal(client.timeouts, 0);
  // 1 MB at 10 Mbit/s is 0.8 s; TIME_WAIT is one second more
  assert.ok(net.now < 2.6 * SECOND, `${net.now / SECOND} s`);
});

test(`whatever the link does, the bytes arrive (seed ${seed})`, () => {
  const random = new Random(seed);
  for (let i = 0; i < (process.env.WEFT_NIGHTLY ? 200 : 12); i++) {
    const options = {
      loss: random.fraction() * 0.25,
      reorder: random.fraction() * 0.3,
      duplicate: random.fraction() * 0.3,
      latency: random.below(20_000),
    };
    transfer(options, random.below(60_000), '10.0.0.2', seed + i);
  }
});

test('both sides can send, and closing one direction leaves the other open', () => {
  const { net, a, b } = pair({});
  b.tcpListen(7, (connection) => {
    connection.onEnd = () => {
      connection.send(connection.read().reverse());
      connection.close();
    };
  });
  const client = a.tcpConnect('10.0.0.2', 7);
  client.onOpen = () => {
    client.send(Uint8Array.of(1, 2, 3));
    client.close();
  };
  assert.ok(net.runUntil(() => client.state === 'TIME_WAIT'));
  assert.deepEqual(client.read(), Uint8Array.of(3, 2, 1));
  assert.ok(net.runUntil(() => client.state === 'CLOSED'));
  assert.equal(client.send(Uint8Array.of(1)), 0);
});

test('nobody listens: refused at once; nobody there: time-out', () => {
  const { net, a, link } = pair({});
  const refused = a.tcpConnect('10.0.0.2', 81);
  let reason = '';
  refused.onClose = (why) => {
    reason = why;
  };
  net.runUntil(() => refused.state === 'CLOSED');
  assert.equal(reason, 'refused');
  link.setUp(false);
  const lost = a.tcpConnect('10.0.0.2', 80);
  assert.ok(net.runUntil(() => lost.state === 'CLOSED', 600 * SECOND));
  assert.equal(lost.closeReason, 'timeout');
});

test('abort resets the peer', () => {
  const { net, a, b } = pair({});
  let server: TcpConnection | null = null;
  b.tcpListen(80, (connection) => {
    server = connection;
  });
  const client = a.tcpConnect('10.0.0.2', 80);
  net.runUntil(() => server?.state === 'ESTABLISHED');
  client.abort();
  net.advance(1000);
  assert.deepEqual([client.closeReason, (server as TcpConnection | null)?.closeReason], ['aborted', 'reset']);
});

test('a reader that does not read closes the window; reading opens it again', () => {
  const { net, a, b } = pair({});
  let server: TcpConnection | null = null;
  b.tcpListen(80, (connection) => {
    server = connection;
  });
  const client = a.tcpConnect('10.0.0.2', 80);
  const sent = new Random(1).bytes(200_000);
  client.onOpen = () => {
    client.send(sent);
    client.close();
  };
  net.advance(30 * SECOND);
  const reader = server as TcpConnection | null;
  assert.equal(reader?.bytesReceived, 65535);
  assert.equal(client.state, 'ESTABLISHED');
  const got: Uint8Array[] = [];
  net.runUntil(() => {
    got.push(reader!.read());
    return reader!.state === 'CLOSE_WAIT';
  });
  got.push(reader!.read());
  assert.equal(Buffer.compare(Buffer.concat(got), Buffer.from(sent)), 0);
});

test('a connection outlives a link that goes down for five seconds', () => {
  const { net, a, b, link } = pair({ bandwidth: 1e6 });
  let received = 0;
  b.tcpListen(80, (connection) => {
    connection.onData = (bytes) => {
      received += bytes.length;
    };
  });
  const client = a.tcpConnect('10.0.0.2', 80);
  client.onOpen = () => client.send(new Uint8Array(500_000));
  link.flap(SECOND, 5 * SECOND);
  assert.ok(net.runUntil(() => received === 500_000));
  assert.ok(client.timeouts > 0 && link.counters[0].link_down > 0);
});

test('the MSS of the side with the smaller MTU holds', () => {
  const net = new Network({ seed });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24', mtu: 9000 });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24', mtu: 1400 });
  const link = net.link(a, b, { mtu: 9000 });
  let largest = 0;
  net.onFrame(({ frame }) => {
    const ip = parseIpv4Header(parseEthernet(frame)!.payload);
    const tcp = ip ? parseTcp(ip.payload, ip.header) : null;
    if (tcp && (tcp.header.flags & TCP_FLAG.SYN) === 0) largest = Math.max(largest, tcp.payload.length);
  });
  b.tcpListen(80, () => {});
  const client = a.tcpConnect('10.0.0.2', 80);
  client.onOpen = () => client.send(new Uint8Array(20_000));
  assert.ok(net.runUntil(() => client.bytesAcknowledged === 20_000));
  assert.equal(largest, 1400 - 40);
  assert.equal(link.counters[0].link_mtu, 0);
});

test('bytes that nobody asked for: a reset for a stray segment, none for a reset', () => {
  const { net, a, b } = pair({});
  const client = a.tcpConnect('10.0.0.2', 80);
  b.tcpListen(80, (connection) => {
    connection.onOpen = () => connection.abort();
  });
  net.runUntil(() => client.state === 'CLOSED');
  assert.equal(client.closeReason, 'reset');
  net.advance(SECOND);
  assert.deepEqual([a.tcpConnectionCount, b.tcpConnectionCount, net.audit().inside], [0, 0, 0]);
});

test(`reassembly: any order, overlaps and repeats give the same bytes (seed ${seed})`, () => {
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const bytes = random.bytes(200 + random.below(300));
    const buffer = new ReceiveBuffer(65535);
    let expected = 0;
    const got: Uint8Array[] = [];
    while (expected < bytes.length) {
      const start = Math.max(0, Math.min(bytes.length - 1, expected - 40 + random.below(120)));
      const end = Math.min(bytes.length, start + 1 + random.below(60));
      expected += buffer.insert(start - expected, bytes.subarray(start, end));
      if (random.chance(0.5)) got.push(buffer.read());
    }
    got.push(buffer.read());
    assert.equal(Buffer.compare(Buffer.concat(got), Buffer.from(bytes)), 0);
    assert.equal(buffer.hasIslands, false);
  }
});

test('reassembly takes nothing beyond its window', () => {
  const buffer = new ReceiveBuffer(10);
  assert.equal(buffer.insert(8, Uint8Array.of(8, 9, 10, 11)), 0);
  assert.equal(buffer.insert(0, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)), 10);
  assert.equal(buffer.window, 0);
  assert.equal(buffer.insert(0, Uint8Array.of(1)), 0);
  assert.equal(buffer.read().length, 10);
});

test('sequence numbers wrap', () => {
  assert.equal(seqAdd(0xffffffff, 2), 1);
  assert.equal(seqDiff(1, 0xffffffff), 2);
  assert.equal(seqDiff(0xffffffff, 1), -2);
});
