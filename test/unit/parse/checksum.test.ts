/** The datapath's checksum kernels against the obvious way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { checksum, pseudoHeaderSum } from '../../../src/packet/checksum.ts';
import { sctpChecksum } from '../../support/frames.ts';
import { ParserBench } from '../../support/parse.ts';

const seed = Number(process.env.WEFT_SEED ?? Math.floor(Math.random() * 2 ** 32));
const times = process.env.WEFT_NIGHTLY === '1' ? 500 : 1;
const { kernels, bytes } = new ParserBench();

/** The last byte of the memory belongs to what is summed: a load behind it would trap. */
function put(data: Uint8Array, behind = 0): number {
  const at = bytes.length - behind - data.length;
  bytes.set(data, at);
  return at;
}

/** A number that a little-endian store of 16 bits turns into these bytes in network order. */
const swap = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);

/** Checksum by a kernel, in network order. */
const finished = (sum: number): number => swap(~kernels.foldSum!(sum) & 0xffff);

const message = (data: Uint8Array): string => `WEFT_SEED=${seed} ${data.length} bytes`;

test('the sums of every size, SIMD and scalar', () => {
  const random = new Random(seed);
  for (let size = 0; size <= 300 * times; size++) {
    const data = random.chance(0.1) ? new Uint8Array(size).fill(0xff) : random.bytes(size);
    const at = put(data);
    assert.equal(finished(kernels.onesSum!(at, size, 0)), checksum(data), message(data));
    assert.equal(finished(kernels.onesSumScalar!(at, size, 0)), checksum(data), message(data));
  }
});

test('the largest datagram, all ones', () => {
  for (const size of [65535, 65534, 9000]) {
    const data = new Uint8Array(size).fill(0xff);
    const at = put(data);
    assert.equal(finished(kernels.onesSum!(at, size, 0)), checksum(data));
    assert.equal(
      finished(kernels.onesSum!(at, size, 0xffffffff)),
      finished(kernels.onesSumScalar!(at, size, 0xffffffff)),
    );
  }
});

test('a sum goes on from another', () => {
  const random = new Random(seed);
  for (let i = 0; i < 200 * times; i++) {
    const [a, b] = [random.bytes(random.below(50) * 2), random.bytes(random.below(100))];
    const first = kernels.onesSum!(put(a), a.length, 0);
    assert.equal(finished(kernels.onesSum!(put(b), b.length, first)), checksum(concatBytes(a, b)), message(a));
  }
});

test('incremental updates are what a new sum would be', () => {
  const random = new Random(seed);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 2000 * times; i++) {
    const data = random.bytes(20 + random.below(20) * 2);
    const size = random.pick([2, 4, 6, 12, 16]);
    const at = random.below((data.length - size) / 2) * 2;
    // zeroes and ones are where ones' complement arithmetic has two zeroes
    const fill = random.pick([0, 0xff, 1]);
    const after = data.slice();
    after.set(fill === 1 ? random.bytes(size) : new Uint8Array(size).fill(fill), at);
    const old = swap(checksum(data));
    const [was, is] = [put(data), put(after, 200)];
    const expected = checksum(after);
    assert.equal(swap(kernels.checksumUpdateBytes!(old, was + at, is + at, size)), expected, toHex(data));
    if (size === 2) {
      const got = kernels.checksumUpdate16!(old, view.getUint16(was + at, true), view.getUint16(is + at, true));
      assert.equal(swap(got), expected, toHex(data));
    }
    if (size === 4) {
      const got = kernels.checksumUpdate32!(old, view.getUint32(was + at, true), view.getUint32(is + at, true));
      assert.equal(swap(got), expected, toHex(data));
    }
  }
});

test('pseudo-headers', () => {
  const random = new Random(seed);
  for (let i = 0; i < 500 * times; i++) {
    const [protocol, size] = [random.below(256), random.below(65536)];
    const v4 = { src: random.bytes(4), dst: random.bytes(4), protocol };
    const v6 = { src: random.bytes(16), dst: random.bytes(16), protocol };
    const at4 = put(concatBytes(random.bytes(12), v4.src, v4.dst));
    assert.equal(
      finished(kernels.pseudoSum4!(at4, protocol, size)),
      checksum(new Uint8Array(), pseudoHeaderSum(v4, size)),
    );
    const at6 = put(concatBytes(random.bytes(8), v6.src, v6.dst));
    assert.equal(
      finished(kernels.pseudoSum6!(at6, protocol, size)),
      checksum(new Uint8Array(), pseudoHeaderSum(v6, size)),
    );
  }
});

test('CRC-32C', () => {
  // RFC 3720 appendix B.4
  const vectors: readonly (readonly [Uint8Array, number])[] = [
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    [new TextEncoder().encode('123456789'), 0xe3069283],
    [new Uint8Array(0), 0],
  ];
  for (const [data, crc] of vectors) assert.equal(kernels.crc32c!(put(data), data.length) >>> 0, crc);
  const random = new Random(seed);
  for (let size = 0; size < 200; size++) {
    const data = random.bytes(size);
    assert.equal(kernels.crc32c!(put(data), size) >>> 0, sctpChecksum(data), message(data));
  }
});

test('CRC-32C after a changed word, right before or not', () => {
  const random = new Random(seed);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 500 * times; i++) {
    const data = random.bytes(4 + random.below(200));
    const at = random.below(data.length - 3);
    const after = data.slice();
    after.set(random.bytes(4), at);
    const error = random.chance(0.5) ? 0 : random.u32();
    const [was, is] = [put(data), put(after, 300)];
    const words = [view.getUint32(was + at, true), view.getUint32(is + at, true)] as const;
    const got = kernels.crc32cUpdate!(sctpChecksum(data) ^ error, ...words, data.length - at - 4);
    assert.equal(got >>> 0, (sctpChecksum(after) ^ error) >>> 0, `WEFT_SEED=${seed} ${toHex(data)} at ${at}`);
  }
});
