/** `ovs-ofctl parse-pcap` says of every frame what our extractor and printer say. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { extractKey } from '../../src/flow/extract.ts';
import { printKey } from '../../src/flow/print.ts';
import { toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { bytesSink, PcapWriter } from '../../src/packet/pcap.ts';
import { mutate, plainFrame, randomFrame } from '../support/frames.ts';
import { readGolden } from '../support/parse.ts';

const seed = Number(process.env.WEFT_SEED ?? Math.floor(Math.random() * 2 ** 32));
const count = process.env.WEFT_NIGHTLY === '1' ? 1_000_000 : 10_000;

const OFCTL = 'ovs-ofctl';

function parsePcap(frames: readonly Uint8Array[]): string[] {
  const sink = bytesSink();
  const writer = new PcapWriter(sink);
  for (const frame of frames) writer.write(0, 0, frame);
  writer.close();
  const dir = mkdtempSync(join(tmpdir(), 'weft-parse-'));
  try {
    const file = join(dir, 'frames.pcap');
    writeFileSync(file, sink.bytes());
    return execFileSync(OFCTL, ['parse-pcap', file], { encoding: 'utf8', maxBuffer: 1 << 28 })
      .trimEnd()
      .split('\n');
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** OFPP_NONE: parse-pcap's frames come in by no port. */
const printed = (frame: Uint8Array): string => printKey(extractKey(frame).key, { inPort: 0xffff });

function compare(frames: readonly Uint8Array[]): void {
  const theirs = parsePcap(frames);
  assert.equal(theirs.length, frames.length);
  frames.forEach((frame, i) => {
    if (printed(frame) !== theirs[i]) assert.equal(printed(frame), theirs[i], `WEFT_SEED=${seed} ${toHex(frame)}`);
  });
}

test('well-formed and broken frames of every protocol', () => {
  const random = new Random(seed);
  for (let done = 0; done < count; done += 10_000) {
    const frames = Array.from({ length: 10_000 }, () => {
      const frame = random.chance(0.1) ? plainFrame(random) : randomFrame(random);
      return random.chance(0.6) ? mutate(random, frame) : frame;
    });
    // parse-pcap stops at a frame without bytes
    compare(frames.filter((frame) => frame.length > 0));
  }
});

test('frames cut off at every length', () => {
  const random = new Random(seed);
  const frames = Array.from({ length: 40 }, () => randomFrame(random));
  compare(frames.flatMap((frame) => Array.from({ length: frame.length }, (_, i) => frame.slice(0, i + 1))));
});

test('the frames of test/golden/parse', () => {
  compare(readGolden().map(({ frame }) => frame));
});
