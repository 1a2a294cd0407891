/** A Packet and its key slot in the memory of build/kernels.wasm, for tests of the parser. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { FlowKey } from '../../src/flow/key.ts';
import { KEY_META_BLOCK_FIRST } from '../../src/gen/key.ts';
import * as layout from '../../src/gen/layout.ts';
import { fromHex } from '../../src/lib/bytes.ts';

const path = process.env.WEFT_KERNELS ?? new URL('../../build/kernels.wasm', import.meta.url).pathname;

type Kernel = (...args: number[]) => number;

export interface ParseResult {
  readonly reason: number;
  readonly key: FlowKey;
  readonly keyMap: bigint;
  readonly l25: number | null;
  readonly l3: number | null;
  readonly l4: number | null;
  readonly l2Pad: number;
  readonly tcpFlags: number;
  /** As the parser left it, and as the scalar twin hashes the key. */
  readonly hash: number;
  readonly hashWanted: number;
}

export interface ParseMeta {
  readonly inPort?: number;
  readonly recircId?: number;
  readonly packetType?: number;
  /** Metadata blocks are taken from here. */
  readonly base?: FlowKey;
}

const PACKET = 1024;
const KEY_SLOT = 2048;
const PAGE = 65536;

/** One Packet whose frames end with the last byte of the memory: a load behind the frame traps. */
export class ParserBench {
  readonly memory = new WebAssembly.Memory({ initial: 3, maximum: 65536 });
  readonly kernels: Readonly<Record<string, Kernel>>;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor() {
    if (!existsSync(path)) throw new Error(`${path} is missing: npm run build:wasm`);
    const module = new WebAssembly.Module(readFileSync(path));
    this.kernels = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports as typeof this.kernels;
    this.bytes = new Uint8Array(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
    this.#view.setUint32(PACKET + layout.PACKET_KEY, KEY_SLOT, true);
  }

  /** Parses into the one slot, over what the last frame left there. `address` is where the frame is put. */
  parse(
    frame: Uint8Array,
    meta: ParseMeta = {},
    address = 3 * PAGE - frame.length,
    kernel = 'parsePacket',
  ): ParseResult {
    const view = this.#view;
    this.bytes.set(frame, address);
    view.setUint32(PACKET + layout.PACKET_DATA, address, true);
    view.setUint32(PACKET + layout.PACKET_SIZE, frame.length, true);
    view.setUint32(PACKET + layout.PACKET_IN_PORT, meta.inPort ?? 0, true);
    view.setUint32(PACKET + layout.PACKET_RECIRC_ID, meta.recircId ?? 0, true);
    view.setUint32(PACKET + layout.PACKET_PACKET_TYPE, meta.packetType ?? 0, false);
    this.#putMetadata(meta.base ?? new FlowKey());
    const reason = kernel === 'parseAny' ? this.kernels.parseAny!(PACKET) : this.kernels[kernel]!(0, PACKET);
    const u16 = (at: number): number => view.getUint16(PACKET + at, true);
    const offset = (at: number): number | null => (u16(at) === layout.NONE_U16 ? null : u16(at));
    const keyMap = view.getBigUint64(PACKET + layout.PACKET_KEY_MAP, true);
    const hashKey = this.kernels.hashKeyScalar as unknown as (key: number, map: bigint) => number;
    return {
      reason,
      key: new FlowKey(this.bytes.slice(KEY_SLOT, KEY_SLOT + layout.KEY_SIZE)),
      keyMap,
      l25: offset(layout.PACKET_L25_OFFSET),
      l3: offset(layout.PACKET_L3_OFFSET),
      l4: offset(layout.PACKET_L4_OFFSET),
      l2Pad: u16(layout.PACKET_L2_PAD),
      tcpFlags: u16(layout.PACKET_TCP_FLAGS),
      hash: view.getUint32(PACKET + layout.PACKET_HASH, true),
      hashWanted: hashKey(KEY_SLOT, keyMap) >>> 0,
    };
  }

  /** What the pipeline does before it parses: metadata blocks and their bits of the key map. */
  #putMetadata(base: FlowKey): void {
    const first = KEY_META_BLOCK_FIRST * layout.BLOCK_SIZE;
    this.bytes.set(base.bytes.subarray(first), KEY_SLOT + first);
    const at = PACKET + layout.PACKET_KEY_MAP;
    let map = this.#view.getBigUint64(at, true) & ((1n << BigInt(KEY_META_BLOCK_FIRST)) - 1n);
    for (let i = first; i < layout.KEY_SIZE; i++) if (base.bytes[i] !== 0) map |= 1n << BigInt(i >> 4);
    this.#view.setBigUint64(at, map, true);
  }
}

export interface GoldenCase {
  readonly title: string;
  readonly frame: Uint8Array;
  readonly key: string;
  readonly layers: string;
}

/** The cases of test/golden/parse: a heading, prose, and a fenced block of `frame`, `key` and `layers`. */
export function readGolden(): GoldenCase[] {
  const dir = new URL('../golden/parse/', import.meta.url).pathname;
  const files = readdirSync(dir).filter((name) => name.endsWith('.md'));
  return files.sort().flatMap((name) => {
    const sections = readFileSync(`${dir}${name}`, 'utf8').split(/^## /m).slice(1);
    return sections.map((section) => {
      const field = (word: string): string => {
        const found = new RegExp(`^${word}: *([^]*?)(?=^\\w+:|^\`\`\`)`, 'm').exec(section.split('```parse')[1] ?? '');
        if (!found) throw new Error(`${name}: no ${word} in ${section}`);
        return found[1]!.trim();
      };
      const frame = fromHex(field('frame'));
      if (!frame) throw new Error(`${name}: not hexadecimal: ${field('frame')}`);
      return { title: section.split('\n')[0]!, frame, key: field('key').replace(/\s+/g, ''), layers: field('layers') };
    });
  });
}
