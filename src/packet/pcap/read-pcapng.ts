/** The block format. Every block is `u32 type, u32 size, body, u32 size again`, padded to four bytes. */
import { ok, type Result } from '../../lib/result.ts';
import type { Input } from './bytes.ts';
import { splitTicks, type TickTime, ticksPerSecondOf } from './ticks.ts';
import {
  CAPTURED_SIZE_MAX,
  type CaptureInterface,
  type CaptureProblem,
  type CaptureReader,
  type CaptureRecord,
  LINKTYPE_ETHERNET,
  NO_BYTES,
} from './types.ts';

/** Type of a section header block: the same in both byte orders. */
export const PCAPNG_SECTION = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;
const BLOCK_INTERFACE = 1;
const BLOCK_PACKET_OBSOLETE = 2;
const BLOCK_SIMPLE_PACKET = 3;
const BLOCK_ENHANCED_PACKET = 6;
const OPTION_END = 0;
const OPTION_IF_NAME = 2;
const OPTION_IF_TSRESOL = 9;
const OPTION_IF_TSOFFSET = 14;

const BLOCK_OVERHEAD = 12;
/** Bytes of an interface description block that are looked at; what is longer is damaged. */
const INTERFACE_SIZE_MAX = 1 << 20;

interface Interface extends CaptureInterface {
  /** Seconds to add to each time. */
  readonly offsetSeconds: number;
}

export function openPcapng(input: Input): Result<CaptureReader> {
  return ok(new PcapngReader(input));
}

class PcapngReader implements CaptureReader {
  readonly format = 'pcapng';
  readonly interfaces: Interface[] = [];
  problem: CaptureProblem | null = null;
  readonly #input: Input;
  readonly #record = { seconds: 0, nanos: 0, data: NO_BYTES, originalSize: 0, interfaceIndex: 0 };
  readonly #time: TickTime = { seconds: 0, nanos: 0 };
  /** Index of the section's first interface. */
  #sectionFirst = 0;
  /** Bytes of the block last returned, still in front of the input. */
  #pendingSize = 0;

  constructor(input: Input) {
    this.#input = input;
  }

  next(): CaptureRecord | null {
    while (!this.problem) {
      const input = this.#input;
      if (!input.skip(this.#pendingSize)) return this.#endOfFile(true);
      this.#pendingSize = 0;
      if (!input.need(8)) return this.#endOfFile(input.available > 0);
      if (input.u32(0) === PCAPNG_SECTION && !this.#startSection()) return null;
      const size = input.u32(4);
      if (size < BLOCK_OVERHEAD || size % 4 !== 0) return this.#stop('error', `a block of ${size} bytes`);
      this.#pendingSize = size;
      if (this.#readBlock(input.u32(0), size)) return this.#record;
    }
    return null;
  }

  /** True when the block is a packet and #record tells of it. */
  #readBlock(type: number, size: number): boolean {
    switch (type) {
      case BLOCK_INTERFACE:
        this.#readInterface(size);
        return false;
      case BLOCK_ENHANCED_PACKET:
      case BLOCK_PACKET_OBSOLETE:
        return this.#readPacket(type, size);
      case BLOCK_SIMPLE_PACKET:
        return this.#readSimplePacket(size);
      default:
        return false;
    }
  }

  #startSection(): boolean {
    const input = this.#input;
    if (!input.need(28)) return this.#endOfFile(true) !== null;
    input.isLittleEndian = true;
    const magic = input.u32(8);
    if (magic === BYTE_ORDER_MAGIC_SWAPPED) input.isLittleEndian = false;
    else if (magic !== BYTE_ORDER_MAGIC) return this.#stop('error', 'a section without a byte-order magic') !== null;
    if (input.u16(12) !== 1) return this.#stop('error', `pcapng version ${input.u16(12)} is not supported`) !== null;
    this.#sectionFirst = this.interfaces.length;
    return true;
  }

  #readInterface(size: number): void {
    const input = this.#input;
    if (size < BLOCK_OVERHEAD + 8 || size > INTERFACE_SIZE_MAX) {
      this.#stop('error', `an interface description of ${size} bytes`);
      return;
    }
    if (!input.need(size)) {
      this.#endOfFile(true);
      return;
    }
    let [name, resolution, offsetSeconds] = ['', 6, 0];
    for (let at = 16; at + 4 <= size - 4; ) {
      const code = input.u16(at);
      const length = input.u16(at + 2);
      if (code === OPTION_END || at + 4 + length > size - 4) break;
      if (code === OPTION_IF_NAME) name = Buffer.from(input.bytes(at + 4, length)).toString('utf8');
      if (code === OPTION_IF_TSRESOL && length >= 1) resolution = input.bytes(at + 4, 1)[0]!;
      if (code === OPTION_IF_TSOFFSET && length === 8) offsetSeconds = Number(input.i64(at + 4));
      at += 4 + Math.ceil(length / 4) * 4;
    }
    const ticksPerSecond = ticksPerSecondOf(resolution);
    this.interfaces.push({ linkType: input.u16(8), snapLen: input.u32(12), ticksPerSecond, name, offsetSeconds });
  }

  #readPacket(type: number, size: number): boolean {
    const input = this.#input;
    if (size < BLOCK_OVERHEAD + 20) return this.#stop('error', `a packet block of ${size} bytes`) !== null;
    if (!input.need(28)) return this.#endOfFile(true) !== null;
    const index = type === BLOCK_PACKET_OBSOLETE ? input.u16(8) : input.u32(8);
    const from = this.#interface(index);
    if (!from) return false;
    splitTicks(input.u32(12), input.u32(16), from.ticksPerSecond, this.#time);
    return this.#readData(28, input.u32(20), input.u32(24), index, size);
  }

  /** A packet of the first interface, without a time, whose kept size follows from the snap length. */
  #readSimplePacket(size: number): boolean {
    const input = this.#input;
    if (size < BLOCK_OVERHEAD + 4) return this.#stop('error', `a packet block of ${size} bytes`) !== null;
    if (!input.need(12)) return this.#endOfFile(true) !== null;
    const from = this.#interface(0);
    if (!from) return false;
    this.#time.seconds = 0;
    this.#time.nanos = 0;
    const originalSize = input.u32(8);
    const kept = Math.min(originalSize, from.snapLen || originalSize, size - 16);
    return this.#readData(12, kept, originalSize, 0, size);
  }

  #interface(index: number): Interface | null {
    const from = this.interfaces[this.#sectionFirst + index];
    if (!from) return this.#stop('error', `a packet of interface ${index}, which is not described`);
    if (from.linkType !== LINKTYPE_ETHERNET)
      return this.#stop(
        'error',
        `link type ${from.linkType} of interface ${index} is not supported, only Ethernet (1)`,
      );
    return from;
  }

  #readData(at: number, size: number, originalSize: number, index: number, blockSize: number): boolean {
    if (size > CAPTURED_SIZE_MAX || at + size + 4 > blockSize)
      return this.#stop('error', `a packet of ${size} bytes in a block of ${blockSize}`) !== null;
    // the whole block, options included, so that one cut short at the end of the file is seen here and not returned
    if (blockSize <= 2 * CAPTURED_SIZE_MAX ? !this.#input.need(blockSize) : !this.#input.need(at + size))
      return this.#endOfFile(true) !== null;
    const from = this.interfaces[this.#sectionFirst + index]!;
    this.#record.seconds = this.#time.seconds + from.offsetSeconds;
    this.#record.nanos = this.#time.nanos;
    this.#record.data = this.#input.bytes(at, size);
    this.#record.originalSize = Math.max(originalSize, size);
    this.#record.interfaceIndex = this.#sectionFirst + index;
    return true;
  }

  #endOfFile(isCut: boolean): null {
    return isCut ? this.#stop('warning', 'the file ends within its last block') : null;
  }

  #stop(severity: CaptureProblem['severity'], message: string): null {
    this.problem ??= { severity, message, offset: this.#input.offset };
    return null;
  }
}
