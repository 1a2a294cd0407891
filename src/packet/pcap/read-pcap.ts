/** The classic format: a 24-byte file header, then records of a 16-byte header and the frame's bytes. */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { Input } from './bytes.ts';
import {
  CAPTURED_SIZE_MAX,
  type CaptureInterface,
  type CaptureProblem,
  type CaptureReader,
  type CaptureRecord,
  LINKTYPE_ETHERNET,
  NO_BYTES,
} from './types.ts';

/** Magic numbers as a little-endian reader sees them. */
const magics = new Map<number, { isLittleEndian: boolean; ticksPerSecond: number }>([
  [0xa1b2c3d4, { isLittleEndian: true, ticksPerSecond: 1e6 }],
  [0xd4c3b2a1, { isLittleEndian: false, ticksPerSecond: 1e6 }],
  [0xa1b23c4d, { isLittleEndian: true, ticksPerSecond: 1e9 }],
  [0x4d3cb2a1, { isLittleEndian: false, ticksPerSecond: 1e9 }],
]);
const MAGIC_MODIFIED = [0xa1b2cd34, 0x34cdb2a1];

const FILE_HEADER_SIZE = 24;
const RECORD_HEADER_SIZE = 16;

export function openPcap(input: Input, magic: number): Result<CaptureReader> {
  const known = magics.get(magic);
  if (MAGIC_MODIFIED.includes(magic)) return fail('the modified pcap format (magic a1b2cd34) is not supported');
  if (!known)
    return fail(`not a capture: it begins with ${magic.toString(16).padStart(8, '0')}, no magic of pcap or pcapng`);
  input.isLittleEndian = known.isLittleEndian;
  if (!input.need(FILE_HEADER_SIZE)) return fail('the file ends within its pcap header');
  const major = input.u16(4);
  if (major !== 2) return fail(`pcap version ${major}.${input.u16(6)} is not supported, only 2.x`);
  // the upper bits tell of a frame check sequence
  const linkType = input.u32(20) & 0xffff;
  if (linkType !== LINKTYPE_ETHERNET) return fail(`link type ${linkType} is not supported, only Ethernet (1)`);
  const captured = { linkType, snapLen: input.u32(16), ticksPerSecond: known.ticksPerSecond, name: '' };
  input.skip(FILE_HEADER_SIZE);
  return ok(new PcapReader(input, captured));
}

class PcapReader implements CaptureReader {
  readonly format = 'pcap';
  readonly interfaces: readonly CaptureInterface[];
  problem: CaptureProblem | null = null;
  readonly #input: Input;
  readonly #nanosPerTick: number;
  readonly #record = { seconds: 0, nanos: 0, data: NO_BYTES, originalSize: 0, interfaceIndex: 0 };
  /** Bytes of the record last returned, still in front of the input. */
  #pendingSize = 0;

  constructor(input: Input, captured: CaptureInterface) {
    this.#input = input;
    this.interfaces = [captured];
    this.#nanosPerTick = 1e9 / captured.ticksPerSecond;
  }

  next(): CaptureRecord | null {
    if (this.problem) return null;
    const input = this.#input;
    input.skip(this.#pendingSize);
    this.#pendingSize = 0;
    if (!input.need(RECORD_HEADER_SIZE)) return this.#endOfFile();
    const size = input.u32(8);
    if (size > CAPTURED_SIZE_MAX) return this.#stop('error', `a record of ${size} bytes: the file is damaged`);
    if (!input.need(RECORD_HEADER_SIZE + size)) return this.#endOfFile();
    const record = this.#record;
    record.seconds = input.u32(0);
    record.nanos = input.u32(4) * this.#nanosPerTick;
    record.originalSize = Math.max(input.u32(12), size);
    record.data = input.bytes(RECORD_HEADER_SIZE, size);
    this.#pendingSize = RECORD_HEADER_SIZE + size;
    return record;
  }

  #endOfFile(): null {
    return this.#input.available === 0 ? null : this.#stop('warning', 'the file ends within its last record');
  }

  #stop(severity: CaptureProblem['severity'], message: string): null {
    this.problem = { severity, message, offset: this.#input.offset };
    return null;
  }
}
