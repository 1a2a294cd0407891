/** Capture files against tcpdump, editcap and capinfos: ours read there, theirs read here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { must } from '../../src/lib/result.ts';
import {
  type CaptureRecord,
  type CaptureWriter,
  fileSink,
  fileSource,
  openCapture,
  PcapngWriter,
  PcapWriter,
  type Sink,
} from '../../src/packet/pcap.ts';
import { udpFrame } from '../support/udp-frame.ts';
import { readAll } from '../unit/pcap/support.ts';

let dir = '';
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-capture-'));
});
after(() => rmSync(dir, { recursive: true }));

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const makers: Record<string, (sink: Sink) => CaptureWriter> = {
  'pcap le micro': (sink) => new PcapWriter(sink),
  'pcap be micro': (sink) => new PcapWriter(sink, { order: 'be' }),
  'pcap le nano': (sink) => new PcapWriter(sink, { resolution: 'nano' }),
  'pcap be nano': (sink) => new PcapWriter(sink, { order: 'be', resolution: 'nano' }),
  'pcapng le': (sink) => new PcapngWriter(sink, { interfaces: ['left', 'right one'] }),
  'pcapng be': (sink) => new PcapngWriter(sink, { interfaces: ['left', 'right one'], order: 'be' }),
};

/** Four frames; the last but one is kept in part. */
function write(name: string): string {
  const path = join(dir, name.replaceAll(' ', '-'));
  const writer = makers[name]!(must(fileSink(path)));
  for (let i = 0; i < 4; i++) {
    const frame = udpFrame({ dst: i + 1, sport: 5000 + i, payloadSize: 18 + i });
    const size = frame.length;
    writer.write(1_700_000_000 + i, 123_456_000 + i * 1000, i === 2 ? frame.subarray(0, 50) : frame, size, i % 2);
  }
  writer.close();
  return path;
}

function read(path: string): CaptureRecord[] {
  const source = must(fileSource(path));
  const reader = must(openCapture(source));
  const records = readAll(reader);
  assert.equal(reader.problem, null);
  source.close();
  return records;
}

for (const name of Object.keys(makers)) {
  test(`tcpdump reads ${name}`, () => {
    const lines = run('tcpdump', '-nn', '-tt', '-r', write(name)).trim().split('\n');
    assert.equal(lines.length, 4);
    lines.forEach((line, i) => {
      const time = `${1_700_000_000 + i}.${123_456 + i}`;
      assert.match(line, new RegExp(`^${time}0* IP 10\\.0\\.0\\.1\\.${5000 + i} > 10\\.0\\.0\\.${i + 1}\\.2000`));
    });
  });

  test(`tshark reads ${name} with sizes and times`, () => {
    const fields = ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'udp.srcport'].flatMap((f) => ['-e', f]);
    const lines = run('tshark', '-n', '-r', write(name), '-T', 'fields', ...fields)
      .trim()
      .split('\n');
    assert.deepEqual(
      lines.map((line) => line.split('\t').slice(1)),
      [0, 1, 2, 3].map((i) => [`${60 + i}`, `${i === 2 ? 50 : 60 + i}`, `${5000 + i}`]),
    );
    lines.forEach((line, i) => {
      assert.ok(line.startsWith(`${1_700_000_000 + i}.${123_456 + i}`), line);
    });
  });

  for (const format of ['pcap', 'nsecpcap', 'pcapng'])
    test(`what editcap makes ${format} of ${name} is read here`, () => {
      // one link type, several interfaces: pcap forgets which
      const from = write(name);
      const to = `${from}.${format}`;
      run('editcap', '-F', format, from, to);
      const keeps = format === 'pcapng' && name.startsWith('pcapng');
      const expected = read(from).map((record) => ({ ...record, interfaceIndex: keeps ? record.interfaceIndex : 0 }));
      assert.deepEqual(read(to), expected);
    });
}

test('capinfos agrees on the number of frames of a file of many', () => {
  const path = join(dir, 'many');
  const writer = new PcapWriter(must(fileSink(path)), { resolution: 'nano' });
  for (let i = 0; i < 20_000; i++) writer.writeAt(i * 10.5, udpFrame({ sport: i, payloadSize: 18 + (i % 1400) }));
  writer.close();
  assert.match(run('capinfos', '-c', '-M', path), /Number of packets:\s+20000/);
  assert.equal(read(path).length, 20_000);
});

test('a gigabyte is read in bounded memory', () => {
  const one = readFileSync(write('pcap le nano')).subarray(24);
  const header = readFileSync(write('pcap le nano')).subarray(0, 24);
  const block = Buffer.concat(Array.from({ length: 2000 }, () => one));
  let left = 2 ** 30;
  let isStarted = false;
  const source = {
    read(into: Uint8Array): number {
      if (!isStarted) {
        isStarted = true;
        into.set(header);
        return header.length;
      }
      if (left < block.length || into.length === 0) return 0;
      // whole blocks only need not fit: the position within the block goes round
      const at = (2 ** 30 - left) % block.length;
      const size = Math.min(into.length, block.length - at);
      into.set(block.subarray(at, at + size));
      left -= size;
      return size;
    },
    close() {},
  };
  const reader = must(openCapture(source));
  const before = process.memoryUsage();
  let [count, bytes] = [0, 0];
  for (let record = reader.next(); record; record = reader.next()) {
    count++;
    bytes += record.data.length;
  }
  const after = process.memoryUsage();
  assert.ok(count > 13_000_000 && bytes > 700_000_000, `${count} records, ${bytes} bytes`);
  assert.ok(after.arrayBuffers - before.arrayBuffers < 8 << 20);
  assert.ok(after.heapUsed - before.heapUsed < 64 << 20);
});
