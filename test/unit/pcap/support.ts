import assert from 'node:assert/strict';
import { fromHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import {
  bytesSink,
  bytesSource,
  type CaptureReader,
  type CaptureRecord,
  type CaptureWriter,
  openCapture,
  type Sink,
} from '../../../src/packet/pcap.ts';

/** WEFT_SEED alone, or a few; many in the nightly run. */
export function seeds(): number[] {
  if (process.env.WEFT_SEED) return [Number(process.env.WEFT_SEED)];
  return Array.from({ length: process.env.WEFT_NIGHTLY ? 200 : 4 }, (_, i) => i + 1);
}

/** Copies of all records that are left. */
export function readAll(reader: CaptureReader): CaptureRecord[] {
  const records: CaptureRecord[] = [];
  for (let record = reader.next(); record; record = reader.next())
    records.push({ ...record, data: record.data.slice() });
  return records;
}

/** Opens and reads a capture written in hexadecimal. */
export function readHex(hex: string): { reader: CaptureReader; records: CaptureRecord[] } {
  const reader = must(openCapture(bytesSource(fromHex(hex)!)));
  return { records: readAll(reader), reader };
}

/** Records of all sizes, now and then snapped, now and then as large as a file may hold. */
export function randomRecords(seed: number, count: number): CaptureRecord[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const size = random.chance(0.02) ? random.below(262145) : random.below(1600);
    const data = random.bytes(size);
    const originalSize = random.chance(0.3) ? size + random.below(9000) : size;
    return { seconds: random.u32(), nanos: random.below(1e9), data, originalSize, interfaceIndex: 0 };
  });
}

/** Writes the records and reads them back through a source that gives a few bytes at a time. */
export function checkRoundTrip(
  seed: number,
  records: CaptureRecord[],
  resolution: 'micro' | 'nano',
  make: (sink: Sink) => CaptureWriter,
): void {
  const sink = bytesSink();
  const writer = make(sink);
  for (const { seconds, nanos, data, originalSize, interfaceIndex } of records)
    writer.write(seconds, nanos, data, originalSize, interfaceIndex);
  writer.close();
  const reader = must(openCapture(bytesSource(sink.bytes(), 1 + new Random(seed).below(5000))));
  const expected = records.map((record) => ({
    ...record,
    nanos: resolution === 'nano' ? record.nanos : Math.floor(record.nanos / 1000) * 1000,
  }));
  assert.deepEqual(readAll(reader), expected);
  assert.equal(reader.problem, null);
}
