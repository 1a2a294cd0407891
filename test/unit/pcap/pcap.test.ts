import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../../src/lib/bytes.ts';
import { must } from '../../../src/lib/result.ts';
import { bytesSink, bytesSource, openCapture, PcapngWriter, PcapWriter } from '../../../src/packet/pcap.ts';
import { checkRoundTrip, randomRecords, readAll, readHex, seeds } from './support.ts';

/** pcap, little-endian, microseconds: two records, the second snapped to 4 of 60 bytes. */
const golden = `
  d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
  01000000 02000000 06000000 06000000 aabbccddeeff
  05000000 3f420f00 04000000 3c000000 01020304`;

test('a golden pcap file is read', () => {
  const { reader, records } = readHex(golden);
  assert.equal(reader.format, 'pcap');
  assert.deepEqual(reader.interfaces, [{ linkType: 1, snapLen: 0x40000, ticksPerSecond: 1e6, name: '' }]);
  assert.deepEqual(records, [
    { seconds: 1, nanos: 2000, data: fromHex('aabbccddeeff'), originalSize: 6, interfaceIndex: 0 },
    { seconds: 5, nanos: 999_999_000, data: fromHex('01020304'), originalSize: 60, interfaceIndex: 0 },
  ]);
  assert.equal(reader.problem, null);
});

test('the same file is written, byte for byte', () => {
  const sink = bytesSink();
  const writer = new PcapWriter(sink);
  writer.write(1, 2000, fromHex('aabbccddeeff')!);
  writer.write(5, 999_999_999, fromHex('01020304')!, 60);
  writer.close();
  assert.deepEqual(sink.bytes(), fromHex(golden));
  assert.equal(writer.recordCount, 2);
});

test('big-endian nanoseconds are read', () => {
  const { records } = readHex(`
    a1b23c4d 0002 0004 00000000 00000000 00000040 00000001
    00000007 3b9ac9ff 00000002 00000002 beef`);
  assert.deepEqual(records, [
    { seconds: 7, nanos: 999_999_999, data: fromHex('beef'), originalSize: 2, interfaceIndex: 0 },
  ]);
});

test('files that are no capture of Ethernet frames are refused with the reason', () => {
  const refused: [hex: string, why: RegExp][] = [
    ['', /empty/],
    ['d4c3', /too short/],
    ['d4c3b2a1 0200', /ends within its pcap header/],
    ['7f454c46 01010100', /not a capture/],
    ['34cdb2a1 0200 0400', /modified pcap/],
    ['d4c3b2a1 0300 0000 00000000 00000000 00000400 01000000', /version 3/],
    ['d4c3b2a1 0200 0400 00000000 00000000 00000400 71000000', /link type 113 .*only Ethernet/],
  ];
  for (const [hex, why] of refused) {
    const opened = openCapture(bytesSource(fromHex(hex)!));
    assert.ok(!opened.ok);
    assert.match(opened.error, why);
  }
});

test('a frame check sequence in the link type field is not an error', () => {
  // FCS length 2 words, F bit
  assert.equal(readHex('d4c3b2a1 0200 0400 00000000 00000000 00000400 01000024').records.length, 0);
});

test('a file cut anywhere gives every whole record, then a warning', () => {
  const whole = fromHex(golden)!;
  const ends = [24, 46, 66];
  for (let size = 24; size <= whole.length; size++) {
    const reader = must(openCapture(bytesSource(whole.subarray(0, size))));
    const records = readAll(reader);
    assert.equal(records.length, ends.filter((end) => end <= size).length - 1);
    if (ends.includes(size)) assert.equal(reader.problem, null);
    else assert.equal(reader.problem?.severity, 'warning');
  }
});

test('a record of an impossible size is an error, and what came before it is not lost', () => {
  const { reader, records } = readHex(`${golden} 00000000 00000000 00001000 00001000`);
  assert.equal(records.length, 2);
  assert.equal(reader.problem?.severity, 'error');
  assert.equal(reader.problem?.offset, 66);
  assert.match(reader.problem?.message ?? '', /1048576 bytes/);
  assert.equal(reader.next(), null);
});

for (const seed of seeds())
  test(`random records come back as they were written, seed ${seed}`, () => {
    const records = randomRecords(seed, 60);
    for (const order of ['le', 'be'] as const) {
      for (const resolution of ['micro', 'nano'] as const)
        checkRoundTrip(seed, records, resolution, (sink) => new PcapWriter(sink, { order, resolution }));
      checkRoundTrip(seed, records, 'nano', (sink) => new PcapngWriter(sink, { order, interfaces: ['one'] }));
    }
  });

test('the snap length of a writer cuts and keeps the size', () => {
  for (const make of [PcapWriter, PcapngWriter]) {
    const sink = bytesSink();
    const writer = new make(sink, { snapLen: 64, interfaces: ['a'] });
    writer.write(0, 0, new Uint8Array(100).fill(7));
    writer.close();
    const [record] = readAll(must(openCapture(bytesSource(sink.bytes()))));
    assert.equal(record?.data.length, 64);
    assert.equal(record?.originalSize, 100);
  }
});
