/** A device in a worker's thread that makes its own traffic: the opener that bench/workers.ts gives to the threads. */
import { readFileSync } from 'node:fs';
import { HAND_OVER_FRAMES_RESERVED, HAND_OVER_HOME_CONSUMER } from '../src/gen/layout.ts';
import { BURST_MAX, HAND_OVER_ENTRIES } from '../src/gen/limits.ts';
import { ok, type Result } from '../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../src/netdev/netdev.ts';
import type { DeviceRings } from '../src/netdev/rings.ts';
import type { DeviceKernel } from './weft.ts';

/** A trace in the linear memory: see bench/device.ts. No frames for a device that only sends. */
export interface TraceDevice {
  readonly number: number;
  /** Address of the Port. */
  readonly port: number;
  readonly kernelPath: string;
  readonly index: number;
  readonly frames: number;
  readonly frameCount: number;
  /** Address of the HandOver that the frames leave by: no more are made while it is half full; 0 for none. */
  readonly handOver: number;
}

class TraceNetdev implements Netdev {
  readonly type = 'dummy';
  readonly mtu = 1500;
  readonly isUp = true;
  readonly mac = Uint8Array.of(2, 0, 0, 0, 0, 0);
  readonly name: string;
  readonly #trace: TraceDevice;
  #kernel: DeviceKernel | null = null;
  #chunkSize = 0;
  #words: Int32Array | null = null;
  #position = 0;

  constructor(trace: TraceDevice) {
    this.name = `p${trace.number}`;
    this.#trace = trace;
  }

  attach({ memory, places }: DeviceRings): Result<void> {
    const module = new WebAssembly.Module(readFileSync(this.#trace.kernelPath));
    this.#kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as DeviceKernel;
    this.#chunkSize = places.chunkSize;
    this.#words = new Int32Array(memory.buffer);
    return ok(undefined);
  }

  /** A burst, as far as there are chunks. */
  poll(): number {
    const { port, number, index, frames, frameCount } = this.#trace;
    if (frameCount === 0 || this.#isHeldUp()) return 0;
    const limit = Math.min(BURST_MAX, frameCount - this.#position);
    const count = this.#kernel!.deliver(port, number, this.#chunkSize, index, frames, this.#position, limit);
    this.#position = (this.#position + count) % frameCount;
    return count;
  }

  #isHeldUp(): boolean {
    const { handOver } = this.#trace;
    if (handOver === 0) return false;
    const word = (field: number): number => Atomics.load(this.#words!, (handOver + field) >>> 2);
    return word(HAND_OVER_FRAMES_RESERVED) - word(HAND_OVER_HOME_CONSUMER) > HAND_OVER_ENTRIES / 2;
  }

  flush(): number {
    return this.#kernel!.drain(this.#trace.port, this.#chunkSize);
  }

  stats(): NetdevStats {
    return { rxDropped: 0, rxErrors: 0, txDropped: 0, txErrors: 0 };
  }

  close(): void {}
}

export const openDevice = (trace: TraceDevice): Result<Netdev> => ok(new TraceNetdev(trace));
