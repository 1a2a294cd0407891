import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { joinNanos, splitTicks, ticksPerSecondOf } from '../../../src/packet/pcap/ticks.ts';
import { bytesSink, bytesSource, openCapture, PcapngWriter } from '../../../src/packet/pcap.ts';
import { readAll, readHex, seeds } from './support.ts';

const section = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000';
/** Ethernet, snap length 96, microseconds, no options. */
const plainInterface = '01000000 14000000 0100 0000 60000000 14000000';
/** Ethernet, no snap length, named eth0, nanoseconds. */
const namedInterface = '01000000 28000000 0100 0000 00000000 0200 0400 65746830 0900 0100 09000000 00000000 28000000';
/** 1 s and 3 ticks, 5 bytes of 5, padded. */
const packet = (index: string): string =>
  `06000000 28000000 ${index}000000 00000000 43420f00 05000000 05000000 1122334455000000 28000000`;
/** A name resolution block, which is skipped. */
const unknownBlock = '04000000 14000000 aaaaaaaa bbbbbbbb 14000000';

test('blocks of several interfaces are read, unknown ones skipped', () => {
  const { reader, records } = readHex(`${section} ${plainInterface} ${packet('00')} ${unknownBlock}
    ${namedInterface} ${packet('01')}`);
  assert.equal(reader.format, 'pcapng');
  assert.deepEqual(
    reader.interfaces.map(({ name, snapLen, ticksPerSecond }) => ({ name, snapLen, ticksPerSecond })),
    [
      { name: '', snapLen: 96, ticksPerSecond: 1e6 },
      { name: 'eth0', snapLen: 0, ticksPerSecond: 1e9 },
    ],
  );
  const data = fromHex('1122334455');
  assert.deepEqual(records, [
    { seconds: 1, nanos: 3000, data, originalSize: 5, interfaceIndex: 0 },
    { seconds: 0, nanos: 1_000_003, data, originalSize: 5, interfaceIndex: 1 },
  ]);
  assert.equal(reader.problem, null);
});

test('simple packets take their kept size from the snap length', () => {
  const body = 'ab'.repeat(96);
  const { records } = readHex(`${section} ${plainInterface} 03000000 70000000 c8000000 ${body} 70000000`);
  assert.deepEqual(records, [
    { seconds: 0, nanos: 0, data: new Uint8Array(96).fill(0xab), originalSize: 200, interfaceIndex: 0 },
  ]);
});

test('obsolete packet blocks are read', () => {
  const { records } = readHex(`${section} ${plainInterface}
    02000000 28000000 0000 0700 00000000 43420f00 05000000 09000000 1122334455000000 28000000`);
  assert.deepEqual(records, [
    { seconds: 1, nanos: 3000, data: fromHex('1122334455'), originalSize: 9, interfaceIndex: 0 },
  ]);
});

test('a second section in the other byte order starts its interfaces anew', () => {
  const { reader, records } = readHex(`${section} ${plainInterface} ${packet('00')}
    0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000020 0001 0000 00000000 000e 0008 0000000000000064 00000020
    00000006 00000024 00000000 00000000 000f4243 00000002 00000002 aabb0000 00000024`);
  assert.equal(records.length, 2);
  assert.equal(reader.interfaces.length, 2);
  // if_tsoffset 100 s
  assert.deepEqual(records[1], {
    seconds: 101,
    nanos: 3000,
    data: fromHex('aabb'),
    originalSize: 2,
    interfaceIndex: 1,
  });
});

test('what is wrong is an error, and what came before it is not lost', () => {
  const start = `${section} ${plainInterface} ${packet('00')}`;
  const wrong: [hex: string, why: RegExp][] = [
    [packet('05'), /interface 5, which is not described/],
    ['06000000 07000000 00000000', /a block of 7 bytes/],
    ['06000000 0d000000 00000000', /a block of 13 bytes/],
    ['06000000 10000000 00000000 10000000', /a packet block of 16 bytes/],
    ['06000000 20000000 00000000 00000000 43420f00 ff000000 ff000000 20000000', /255 bytes in a block of 32/],
    ['01000000 0c000000 0c000000', /interface description of 12 bytes/],
    ['0a0d0d0a 1c000000 11111111 0100 0000 ffffffffffffffff 1c000000', /without a byte-order magic/],
    ['0a0d0d0a 1c000000 4d3c2b1a 0200 0000 ffffffffffffffff 1c000000', /version 2/],
    [`01000000 14000000 7100 0000 60000000 14000000 ${packet('01')}`, /link type 113 of interface 1/],
  ];
  for (const [hex, why] of wrong) {
    const { reader, records } = readHex(`${start} ${hex}`);
    assert.equal(records.length, 1, hex);
    assert.equal(reader.problem?.severity, 'error', hex);
    assert.match(reader.problem?.message ?? '', why);
    assert.equal(reader.next(), null);
  }
});

test('a file cut anywhere gives every whole packet, then a warning', () => {
  const blocks = [section, plainInterface, packet('00'), unknownBlock, packet('00')].map((hex) => fromHex(hex)!.length);
  const whole = fromHex(`${section} ${plainInterface} ${packet('00')} ${unknownBlock} ${packet('00')}`)!;
  const ends = blocks.map((_, i) => blocks.slice(0, i + 1).reduce((sum, size) => sum + size, 0));
  for (let size = 4; size <= whole.length; size++) {
    const reader = must(openCapture(bytesSource(whole.subarray(0, size))));
    const records = readAll(reader);
    assert.equal(records.length, (size >= ends[2]! ? 1 : 0) + (size >= ends[4]! ? 1 : 0), `${size} bytes`);
    if (ends.includes(size)) assert.equal(reader.problem, null, `${size} bytes`);
    else assert.equal(reader.problem?.severity, 'warning', `${size} bytes`);
  }
});

test('a writer refuses an interface that it was not told of', () => {
  const writer = new PcapngWriter(bytesSink(), { interfaces: ['a', 'b'] });
  writer.write(0, 0, new Uint8Array(1), 1, 1);
  assert.throws(() => writer.write(0, 0, new Uint8Array(1), 1, 2), /no interface 2/);
});

for (const seed of seeds())
  test(`ticks of every resolution become the seconds that whole numbers give, seed ${seed}`, () => {
    const random = new Random(seed);
    const out = { seconds: 0, nanos: 0 };
    for (let i = 0; i < 2000; i++) {
      const resolution = random.chance(0.5) ? random.below(13) : 0x80 | random.below(40);
      const unit = BigInt(ticksPerSecondOf(resolution));
      const [high, low] = [random.u32() >>> random.below(32), random.u32()];
      const ticks = (BigInt(high) << 32n) | BigInt(low);
      splitTicks(high, low, Number(unit), out);
      const message = `seed ${seed}: ${ticks} of ${unit} a second`;
      assert.equal(BigInt(out.nanos), ((ticks % unit) * 1_000_000_000n) / unit, message);
      if (ticks / unit < 2n ** 53n) assert.equal(BigInt(out.seconds), ticks / unit, message);
    }
    const joined: [number, number] = [0, 0];
    for (let i = 0; i < 2000; i++) {
      const [seconds, nanos] = [random.u32() * (random.chance(0.5) ? 1 : 2), random.below(1e9)];
      joinNanos(seconds, nanos, joined);
      const expected = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
      assert.equal((BigInt(joined[0]) << 32n) | BigInt(joined[1]), expected, `seed ${seed}`);
    }
  });

for (const seed of seeds())
  test(`damaged files never throw, and the reader always ends, seed ${seed}`, () => {
    const random = new Random(seed);
    const whole = fromHex(
      `${section} ${plainInterface} ${packet('00')} ${unknownBlock} ${namedInterface} ${packet('01')}`,
    )!;
    for (let i = 0; i < 2000; i++) {
      const damaged = whole.slice();
      for (let n = 1 + random.below(4); n > 0; n--) damaged[random.below(damaged.length)] = random.u32();
      const opened = openCapture(bytesSource(damaged, 1 + random.below(64)));
      if (opened.ok) assert.ok(readAll(opened.value).length < 20);
    }
  });
