import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSink, bytesSource, openCapture } from '../../../src/packet/pcap.ts';
import { Host, type LinkOptions, Network } from '../../../src/sim/index.ts';

/** Two hosts on a link. Frames sent by `a` that reach `b` are kept with their times. */
function pair(options: LinkOptions, seed = 1) {
  const net = new Network({ seed });
  const a = net.addHost('a', { ipv4: '10.0.0.1/24' });
  const b = net.addHost('b', { ipv4: '10.0.0.2/24' });
  const link = net.link(a, b, options);
  const arrived: { time: number; frame: Uint8Array }[] = [];
  b.onFrame = (frame) => arrived.push({ time: net.now, frame });
  return { net, a, b, link, arrived };
}

/** An experimental Ethertype: no host answers it. */
function frame(size: number, mark = 0): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, mark >> 8, mark]);
  return bytes;
}

const markOf = (bytes: Uint8Array): number => (bytes[14]! << 8) | bytes[15]!;

test('latency and bandwidth: frames follow each other as fast as the line carries them', () => {
  const { net, a, arrived } = pair({ latency: 100, bandwidth: 8_000_000 });
  a.sendFrame(frame(1000));
  a.sendFrame(frame(500));
  net.run(10_000);
  assert.deepEqual(
    arrived.map((x) => x.time),
    [1100, 1600],
  );
});

test('the bytes that arrive are the bytes that were sent, whatever the sender does to its buffer', () => {
  const { net, a, arrived } = pair({});
  const sent = frame(64, 7);
  a.sendFrame(sent);
  sent.fill(0);
  net.run(1000);
  assert.deepEqual(arrived[0]!.frame, frame(64, 7));
});

test('a full queue drops and counts', () => {
  const { net, a, link, arrived } = pair({ bandwidth: 1e6, queue: 3 });
  for (let i = 0; i < 10; i++) a.sendFrame(frame(100, i));
  assert.equal(net.audit().inside, 3);
  net.run(100_000);
  assert.deepEqual(
    arrived.map((x) => markOf(x.frame)),
    [0, 1, 2],
  );
  assert.equal(link.counters[0].link_queue, 7);
});

test('MTU: a frame with one tag has four bytes more', () => {
  const { net, a, link, arrived } = pair({ mtu: 1000 });
  const tagged = (size: number): Uint8Array => {
    const bytes = frame(size);
    bytes.set([0x81, 0, 0, 1, 0x88, 0xb5], 12);
    return bytes;
  };
  for (const bytes of [frame(1014), frame(1015), tagged(1018), tagged(1019)]) a.sendFrame(bytes);
  net.run(100_000);
  assert.deepEqual(
    arrived.map((x) => x.frame.length),
    [1014, 1018],
  );
  assert.equal(link.counters[0].link_mtu, 2);
});

test('loss and duplication come out near what was asked, and every frame is accounted for', () => {
  const { net, a, link, arrived } = pair({ loss: 0.2, duplicate: 0.1, queue: 1e6 });
  for (let i = 0; i < 10_000; i++) a.sendFrame(frame(60, i));
  net.run(1e6);
  const counters = link.counters[0];
  assert.ok(Math.abs(counters.duplicated - 1000) < 150, `${counters.duplicated} doubled`);
  assert.ok(Math.abs(counters.link_loss - 2200) < 250, `${counters.link_loss} lost`);
  assert.equal(counters.sent + counters.duplicated, counters.delivered + counters.link_loss);
  assert.equal(arrived.length, counters.delivered);
  assert.equal(net.audit().difference, 0);
});

test('reordering lets later frames overtake', () => {
  const { net, a, arrived } = pair({ bandwidth: 480e6, reorder: 0.1, reorderDelay: 50, queue: 1e6 });
  for (let i = 0; i < 1000; i++) a.sendFrame(frame(60, i));
  net.run(1e6);
  const marks = arrived.map((x) => markOf(x.frame));
  const overtaken = marks.filter((mark, i) => i > 0 && mark < marks[i - 1]!).length;
  assert.equal(marks.length, 1000);
  assert.ok(overtaken > 50 && overtaken < 150, `${overtaken} overtaken`);
});

test('a link that goes down loses what is on it and what is sent to it, and comes back', () => {
  const { net, a, link, arrived } = pair({ latency: 1000 });
  link.flap(500, 2000);
  a.sendFrame(frame(60, 1));
  net.run(600);
  assert.equal(link.isUp, false);
  a.sendFrame(frame(60, 2));
  net.run(2600);
  assert.equal(link.isUp, true);
  a.sendFrame(frame(60, 3));
  net.run(10_000);
  assert.deepEqual(
    arrived.map((x) => markOf(x.frame)),
    [3],
  );
  assert.equal(link.counters[0].link_down, 2);
  assert.deepEqual(net.audit().drops, { link_down: 2 });
});

test('the digest is a function of the seed', () => {
  const digestOf = (seed: number): string => {
    const { net, a } = pair({ loss: 0.3, duplicate: 0.2, reorder: 0.2 }, seed);
    for (let i = 0; i < 200; i++) a.sendFrame(frame(60 + i, i));
    net.run(1e6);
    return net.digest();
  };
  assert.equal(digestOf(7), digestOf(7));
  assert.notEqual(digestOf(7), digestOf(8));
  assert.match(digestOf(7), /^[0-9a-f]{64}$/);
});

test('a link added elsewhere changes nothing on the others', () => {
  const lossesOf = (extra: boolean): number[] => {
    const { net, a, arrived } = pair({ loss: 0.5 }, 3);
    if (extra) net.link(net.addHost('c'), net.addHost('d'), { loss: 0.5 });
    for (let i = 0; i < 50; i++) a.sendFrame(frame(60, i));
    if (extra) for (let i = 0; i < 50; i++) net.host('c').sendFrame(frame(60, i));
    net.run(1e6);
    return arrived.map((x) => markOf(x.frame));
  };
  assert.deepEqual(lossesOf(true), lossesOf(false));
});

test('captures hold both directions of a port, with nanoseconds', () => {
  const { net, a, b } = pair({ latency: 10, bandwidth: 1e12 });
  const sinks = new Map<string, ReturnType<typeof bytesSink>>();
  const capture = net.capture((port) => {
    sinks.set(port, bytesSink());
    return sinks.get(port)!;
  });
  a.sendFrame(frame(125, 1));
  net.run(50);
  b.sendFrame(frame(60, 2));
  net.run(100);
  capture.close();
  assert.deepEqual([...sinks.keys()], ['a', 'b']);
  const opened = openCapture(bytesSource(sinks.get('b')!.bytes()));
  assert.ok(opened.ok);
  const first = opened.value.next()!;
  assert.deepEqual([first.seconds, first.nanos, markOf(first.data)], [0, 10_001, 1]);
  const second = opened.value.next()!;
  assert.deepEqual([second.nanos, markOf(second.data)], [50_000, 2]);
  assert.equal(opened.value.next(), null);
});

test('options and plugs that make no sense are refused', () => {
  const net = new Network();
  const a = net.addHost('a');
  const b = net.addHost('b');
  assert.throws(() => net.link(a, b, { loss: 1.5 }), /loss is a probability/);
  assert.throws(() => net.link(a, b, { latency: -1 }), /latency/);
  assert.throws(() => net.link(a, b, { bandwidth: 0 }), /bandwidth/);
  assert.throws(() => net.link(a, b, { mtu: Number.NaN }), /mtu/);
  assert.equal(a.isAttached, false);
  net.link(a, b);
  assert.throws(() => net.link(a, net.addHost('c')), /a has a link already/);
  assert.throws(() => net.addHost('a'), /there is a a already/);
  assert.throws(() => net.host('z'), /no host z/);
  assert.throws(() => net.switch('z'), /no switch z/);
  assert.ok(net.host('c') instanceof Host);
});
