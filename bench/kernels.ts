/**
 * The kernels alone, by mitata: parse, hash, masked compare, checksum; SIMD beside their scalar twins.
 *
 *   node bench/kernels.ts [--json]
 *
 * One call from JavaScript costs a few nanoseconds itself: `call` is what that is here, to be taken off. Each benchmark
 * goes round 32 frames, flows or keys, so that no branch is learned by heart from a single one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bench, do_not_optimize, group, run } from 'mitata';
import { extractKey } from '../src/flow/extract.ts';
import { keyMapOf } from '../src/flow/key.ts';
import * as L from '../src/gen/layout.ts';
import { Random } from '../src/lib/random.ts';
import { ipv4Frame, ipv6Frame, type Layer3And4 } from './frames.ts';

type Kernel = (...args: (number | bigint)[]) => number;

const WORKER = 4096;
const FRAMES = 1 << 16;
const KEYS = FRAMES + 32 * 2048;
const PACKETS = KEYS + 32 * L.KEY_SIZE;
const SUBTABLE = PACKETS + 32 * 128;
const FLOWS = SUBTABLE + 1024;
const SCRATCH = FLOWS + 32 * 256;
const COUNT = 32;

const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
const module = new WebAssembly.Module(readFileSync(join(import.meta.dirname, '..', 'build', 'kernels.wasm')));
const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as Readonly<Record<string, Kernel>>;
const bytes = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);
const random = new Random(1);

function flow(i: number): Layer3And4 {
  const proto = i % 2 === 0 ? 17 : 6;
  const addresses = { src: random.u32(), dst: random.u32(), tpSrc: random.below(65536), tpDst: random.below(65536) };
  return { ethDst: i, ethSrc: i + 100, ...addresses, proto, ttl: 64 };
}

/** Writes frame i, its key and a Packet whose key slot is fresh. Returns the key map. */
function place(i: number, frame: Uint8Array): bigint {
  const { key } = extractKey(frame, { inPort: 1 });
  bytes.set(frame, FRAMES + i * 2048);
  bytes.set(key.bytes, KEYS + i * L.KEY_SIZE);
  const packet = PACKETS + i * 128;
  view.setUint32(packet + L.PACKET_DATA, FRAMES + i * 2048, true);
  view.setUint32(packet + L.PACKET_SIZE, frame.length, true);
  view.setUint32(packet + L.PACKET_KEY, KEYS + i * L.KEY_SIZE, true);
  view.setBigUint64(packet + L.PACKET_KEY_MAP, keyMapOf(key), true);
  view.setUint32(packet + L.PACKET_IN_PORT, 1, true);
  return keyMapOf(key);
}

/** A subtable over the first three blocks, every bit, and a flow for each key. */
function placeSubtable(): void {
  view.setBigUint64(SUBTABLE + L.SUBTABLE_KEY_MAP, 7n, true);
  view.setUint32(SUBTABLE + L.SUBTABLE_BLOCK_COUNT, 3, true);
  for (let i = 0; i < 3; i++) view.setUint16(SUBTABLE + L.SUBTABLE_OFFSETS + i * 2, i * 16, true);
  bytes.fill(0xff, SUBTABLE + L.SUBTABLE_MASKS, SUBTABLE + L.SUBTABLE_MASKS + 48);
  for (let i = 0; i < COUNT; i++) {
    view.setUint32(FLOWS + i * 256 + L.FLOW_SUBTABLE, SUBTABLE, true);
    bytes.copyWithin(FLOWS + i * 256 + L.FLOW_SIZEOF, KEYS + i * L.KEY_SIZE, KEYS + i * L.KEY_SIZE + 48);
  }
}

/** A benchmark that calls the kernel for one of the 32 after the other. */
function each(name: string, call: (i: number) => number): void {
  let i = 0;
  bench(name, () => {
    i = (i + 1) & (COUNT - 1);
    do_not_optimize(call(i));
  });
}

function have(name: string): Kernel {
  const kernel = kernels[name];
  if (!kernel) throw new Error(`build/kernels.wasm does not export ${name}`);
  return kernel;
}

const twins = (name: string): readonly [string, Kernel][] => [
  [name, have(name)],
  [`${name}Scalar`, have(`${name}Scalar`)],
];

function parseBenches(): void {
  const parse = have('parsePacket');
  group('parse', () => {
    for (const [name, make] of [
      ['IPv4, 60 bytes', (of: Layer3And4) => ipv4Frame(of)],
      [
        '802.1Q and 802.1ad',
        (of: Layer3And4) =>
          ipv4Frame(
            of,
            [
              { tpid: 0x88a8, vid: 1 },
              { tpid: 0x8100, vid: 2 },
            ],
            68,
          ),
      ],
      ['IPv6', (of: Layer3And4) => ipv6Frame(of, 94)],
    ] as const) {
      bench(name, function* () {
        for (let i = 0; i < COUNT; i++) place(i, make(flow(i)));
        let i = 0;
        yield () => {
          i = (i + 1) & (COUNT - 1);
          do_not_optimize(parse(WORKER, PACKETS + i * 128));
        };
      });
    }
  });
}

function keyBenches(): void {
  group('hash of a plain key', () => {
    for (const [name, kernel] of twins('hashKey')) each(name, (i) => kernel(KEYS + i * L.KEY_SIZE, 7n));
  });
  group('hash of three blocks under a mask', () => {
    const [simd, scalar] = [have('hashMasked'), have('hashMaskedScalar')];
    each('hashMasked', (i) => simd(SUBTABLE, KEYS + i * L.KEY_SIZE));
    each('hashMaskedScalar', (i) => scalar(SUBTABLE, KEYS + i * L.KEY_SIZE, SCRATCH));
  });
  group('masked compare of three blocks', () => {
    for (const [name, kernel] of twins('equalMasked'))
      each(name, (i) => kernel(SUBTABLE, FLOWS + i * 256, KEYS + i * L.KEY_SIZE));
  });
}

function checksumBenches(): void {
  for (const size of [20, 64, 1460])
    group(`ones' complement sum of ${size} bytes`, () => {
      for (const [name, kernel] of twins('onesSum')) each(name, (i) => kernel(FRAMES + i * 2048, size, 0));
    });
}

for (let i = 0; i < COUNT; i++) place(i, ipv4Frame(flow(i)));
placeSubtable();
const fold = have('foldSum');
each('call', (i) => fold(i));
keyBenches();
checksumBenches();
parseBenches();
await run({ format: process.argv.includes('--json') ? 'json' : 'mitata', colors: process.stdout.isTTY });
