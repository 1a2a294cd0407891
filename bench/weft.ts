/**
 * Weft under test: the datapath as its host runs it, over frames copied in.
 *
 *   node bench/weft.ts --workload FILE [--packets N] [--rounds R] [--serve]
 *
 * Prints one line of JSON a round, as the native twin does (bench/native/src/main.rs), with the heap's growth beside it.
 * With --serve it reads a number of packets a line and answers each with a round.
 *
 * The timed part, per burst of at most 32: the device kernel copies the frames from the trace into chunks of the fill
 * ring and writes descriptors (bench/device.ts, in Wasm, over the same memory); Datapath.process; for each port that was
 * written to, the device kernel takes the tx ring and gives the chunks back. Nothing else runs in between.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { Datapath } from '../src/datapath/datapath.ts';
import { FlowKey, maskedMatch } from '../src/flow/key.ts';
import { BLOCK_SIZE, PORT_SIZEOF } from '../src/gen/layout.ts';
import { BURST_MAX } from '../src/gen/limits.ts';
import { must, ok, type Result } from '../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../src/netdev/netdev.ts';
import type { DeviceRings } from '../src/netdev/rings.ts';
import { type FlowRecord, readWorkload, type WorkloadFile } from './workload-file.ts';

export interface DeviceKernel {
  deliver(
    port: number,
    number: number,
    chunkSize: number,
    index: number,
    frames: number,
    first: number,
    limit: number,
  ): number;
  drain(port: number, chunkSize: number): number;
}

export interface Round {
  /** CPU time of the thread that switches. */
  readonly ns_per_packet: number;
  readonly cpu_seconds: number;
  readonly wall_seconds: number;
  readonly packets: number;
  readonly tx_packets: number;
  readonly cache_hits: number;
  readonly megaflow_hits: number;
  readonly misses: number;
  readonly subtables_visited: number;
  readonly drops: number;
  /** Bytes that the JavaScript heap grew by; garbage collections. Weft only. */
  readonly heap_growth?: number;
  readonly collections?: number;
}

const RING_ENTRIES = 256;
/** Chunks that wait on a port's fill ring: the datapath's default. More of them are more lines to miss. */
const FILL_TARGET = 64;
const CHUNK_SIZE = 2048;
const CACHE_ENTRIES = 8192;

/** A port whose far end is the device kernel. */
class BenchNetdev implements Netdev {
  readonly type = 'dummy';
  readonly mtu = 1500;
  readonly isUp = true;
  readonly mac: Uint8Array;
  readonly name: string;
  readonly #kernel: DeviceKernel;
  readonly #port: number;

  constructor(number: number, kernel: DeviceKernel, port: number) {
    this.name = `p${number}`;
    this.mac = Uint8Array.of(2, 0, 0, 0, number >> 8, number);
    this.#kernel = kernel;
    this.#port = port;
  }

  attach(_rings: DeviceRings): Result<void> {
    return ok(undefined);
  }

  poll(): number {
    return 0;
  }

  flush(): number {
    return this.#kernel.drain(this.#port, CHUNK_SIZE);
  }

  stats(): NetdevStats {
    return { rxDropped: 0, rxErrors: 0, txDropped: 0, txErrors: 0 };
  }

  close(): void {}
}

export function loadDeviceKernel(memory: WebAssembly.Memory): DeviceKernel {
  const path = join(import.meta.dirname, '..', 'build', 'bench-device.wasm');
  if (!existsSync(path)) throw new Error('build/bench-device.wasm is not there: npm run bench builds it');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path)), { env: { memory } });
  return instance.exports as unknown as DeviceKernel;
}

function sizesFor(workload: WorkloadFile, traceSize: number): Parameters<typeof Datapath.create>[0] {
  const ports = workload.portCount;
  return {
    framesCount: (ports + 1) * RING_ENTRIES * 2,
    chunkSize: CHUNK_SIZE,
    flowMax: Math.max(65536, workload.flowCount + 1024),
    arenaSize: (8 << 20) + workload.flowCount * 224 + workload.maskCount * 2048,
    cacheEntries: CACHE_ENTRIES,
    packetSlots: 512,
    // the trace lies at the end of the ring space, where no port takes any
    ringSpaceSize: ports * 32 * RING_ENTRIES * 4 + (1 << 20) + traceSize,
    isCacheOff: workload.cacheOff,
  };
}

function installFlow(datapath: Datapath, flow: FlowRecord): void {
  const [key, mask] = [new FlowKey(), new FlowKey()];
  let packed = 0;
  for (let block = 0; packed < flow.maskBlocks.length; block++) {
    if (((flow.map >> BigInt(block)) & 1n) === 0n) continue;
    mask.bytes.set(flow.maskBlocks.subarray(packed, packed + BLOCK_SIZE), block * BLOCK_SIZE);
    key.bytes.set(flow.keyBlocks.subarray(packed, packed + BLOCK_SIZE), block * BLOCK_SIZE);
    packed += BLOCK_SIZE;
  }
  must(datapath.putFlow(maskedMatch(key, mask), flow.actions));
}

export class WeftBench {
  readonly datapath: Datapath;
  readonly #workload: WorkloadFile;
  readonly #kernel: DeviceKernel;
  readonly #index: number;
  readonly #frames: number;
  readonly #inPorts: Uint16Array;
  #position = 0;
  #now = 0;
  #collections = 0;

  constructor(path: string) {
    const workload = must(readWorkload(path));
    this.#workload = workload;
    const traceSize = workload.frameIndex.length + workload.frameBytes.length + 64;
    this.datapath = must(Datapath.create(sizesFor(workload, traceSize)));
    const { plan, memory } = this.datapath;
    this.#kernel = loadDeviceKernel(memory);
    const end = plan.ringSpace.start + plan.ringSpace.size;
    this.#index = Math.floor((end - traceSize) / 16) * 16;
    this.#frames = this.#index + workload.frameIndex.length;
    const bytes = new Uint8Array(memory.buffer);
    bytes.set(workload.frameIndex, this.#index);
    bytes.set(workload.frameBytes, this.#frames);
    this.#inPorts = Uint16Array.from({ length: workload.frameCount }, (_, i) => {
      const at = i * 8 + 6;
      return workload.frameIndex[at]! | (workload.frameIndex[at + 1]! << 8);
    });
    for (let number = 1; number <= workload.portCount; number++) {
      const netdev = new BenchNetdev(number, this.#kernel, this.#portAddress(number));
      must(this.datapath.addPort(number, netdev, { ringEntries: RING_ENTRIES, fillTarget: FILL_TARGET }));
    }
    workload.eachFlow((flow) => installFlow(this.datapath, flow));
    new PerformanceObserver((list) => {
      this.#collections += list.getEntries().length;
    }).observe({ entryTypes: ['gc'] });
  }

  #portAddress(number: number): number {
    return this.datapath.plan.ports.start + number * PORT_SIZEOF;
  }

  /** Moves at least so many frames of the trace, round and round. Returns how many. */
  run(packets: number): number {
    const { frameCount } = this.#workload;
    let done = 0;
    while (done < packets) {
      const number = this.#inPorts[this.#position]!;
      const limit = Math.min(BURST_MAX, frameCount - this.#position);
      const port = this.#portAddress(number);
      const first = this.#position;
      const count = this.#kernel.deliver(port, number, CHUNK_SIZE, this.#index, this.#frames, first, limit);
      this.#now = (this.#now + 1) | 0;
      if (this.datapath.process(number, count, this.#now) !== count) throw new Error('a burst was not taken whole');
      done += count;
      this.#position += count;
      if (this.#position === frameCount) this.#position = 0;
    }
    return done;
  }

  /** The same, measured. */
  async round(packets: number): Promise<Round> {
    const before = this.datapath.counters();
    const dropsBefore = sum(this.datapath.drops());
    await settled();
    const collectionsBefore = this.#collections;
    const heapBefore = getHeapStatistics().used_heap_size;
    const wallBefore = performance.now();
    const cpuBefore = process.threadCpuUsage();
    const done = this.run(packets);
    const cpu = process.threadCpuUsage(cpuBefore);
    const wall = performance.now() - wallBefore;
    const heap = getHeapStatistics().used_heap_size - heapBefore;
    await settled();
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    const after = this.datapath.counters();
    const grown = (name: string): number => after[name]! - before[name]!;
    return {
      ns_per_packet: (cpuSeconds * 1e9) / done,
      cpu_seconds: cpuSeconds,
      wall_seconds: wall / 1e3,
      packets: done,
      tx_packets: grown('tx_packets'),
      cache_hits: grown('cache_hits'),
      megaflow_hits: grown('megaflow_hits'),
      misses: grown('misses'),
      subtables_visited: grown('subtables_visited'),
      drops: sum(this.datapath.drops()) - dropsBefore,
      heap_growth: heap,
      collections: this.#collections - collectionsBefore,
    };
  }
}

const sum = (rows: Readonly<Record<string, number>>): number => Object.values(rows).reduce((a, b) => a + b, 0);

/** Lets the garbage collector's observer speak. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string' },
      packets: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '7' },
      serve: { type: 'boolean', default: false },
    },
  });
  if (!values.workload)
    throw new Error('usage: node bench/weft.ts --workload FILE [--packets N] [--rounds R] [--serve]');
  const bench = new WeftBench(values.workload);
  const say = (what: unknown): boolean => process.stdout.write(`${JSON.stringify(what)}\n`);
  if (!values.serve) {
    for (let i = 0; i < Number(values.rounds); i++) say(await bench.round(Number(values.packets)));
    return;
  }
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) say(await bench.round(Number(line)));
}

if (import.meta.main) await main();
