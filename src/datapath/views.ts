/** The host's eyes on the linear memory. The memory never grows, so the views stay good for its life. */

export class Views {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly memory: WebAssembly.Memory;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.u8 = new Uint8Array(memory.buffer);
    this.u16 = new Uint16Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.i32 = new Int32Array(memory.buffer);
    this.f64 = new Float64Array(memory.buffer);
  }

  getU16(address: number): number {
    return this.u16[address >>> 1]!;
  }

  setU16(address: number, value: number): void {
    this.u16[address >>> 1] = value;
  }

  getU32(address: number): number {
    return this.u32[address >>> 2]!;
  }

  setU32(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }

  /** A u64 as a number; counters stay below 2^53. Another thread may be counting meanwhile. */
  getU64(address: number): number {
    const [low, high] = [address >>> 2, (address + 4) >>> 2];
    let upper = this.u32[high]!;
    let lower = this.u32[low]!;
    while (upper !== this.u32[high]!) {
      upper = this.u32[high]!;
      lower = this.u32[low]!;
    }
    return upper * 0x100000000 + lower;
  }

  setU64(address: number, value: number): void {
    this.u32[address >>> 2] = value >>> 0;
    this.u32[(address + 4) >>> 2] = Math.floor(value / 0x100000000);
  }

  getF64(address: number): number {
    return this.f64[address >>> 3]!;
  }

  setF64(address: number, value: number): void {
    this.f64[address >>> 3] = value;
  }

  bytes(address: number, size: number): Uint8Array {
    return this.u8.subarray(address, address + size);
  }
}
