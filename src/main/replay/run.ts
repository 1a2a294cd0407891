/** Reads a capture, one packet at a time, and sends each through an engine at the time that it was captured. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import type { Micros } from '../../lib/clock.ts';
import {
  type CaptureReader,
  type CaptureRecord,
  type CaptureWriter,
  fileSink,
  fileSource,
  openCapture,
  PcapWriter,
} from '../../packet/pcap.ts';
import { UsageError } from '../failure.ts';
import { type Engine, MTU_MAX } from './engine.ts';
import type { PortMap } from './port-map.ts';
import type { PortSpec } from './ports.ts';

/** Microseconds between two calls that no packet makes. */
const WAKE_MIN: Micros = 1000;

/** What happened at a port. Counts are packets. */
export interface ReplayPort {
  readonly name: string;
  readonly number: number;
  /** The capture of what left by this port. */
  readonly file: string;
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
  /** Longer than the switch takes. */
  refused: number;
}

export interface ReplayTotals {
  packets: number;
  bytes: number;
  /** Packets of which the capture has but the beginning. */
  snapped: number;
  /** Packets that no rule of the port map took. */
  unmapped: number;
  /** Microseconds from the first packet to the last. */
  duration: Micros;
}

/** @throws UsageError when the file cannot be read or is no capture */
export function openInput(path: string): { reader: CaptureReader; close: () => void } {
  const source = fileSource(path);
  if (!source.ok) throw new UsageError(`cannot read ${path}: ${source.error}`);
  const opened = attempt(path, () => openCapture(source.value));
  if (!opened.ok) {
    source.value.close();
    throw new UsageError(`${path}: ${opened.error}`);
  }
  return { reader: opened.value, close: () => source.value.close() };
}

/** What fails here fails for a reason outside: a folder in place of a file, a full disk. */
function attempt<T>(path: string, act: () => T, verb = 'read'): T {
  try {
    return act();
  } catch (error) {
    throw new UsageError(`cannot ${verb} ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export class Replay {
  readonly totals: ReplayTotals = { packets: 0, bytes: 0, snapped: 0, unmapped: 0, duration: 0 };
  readonly #engine: Engine;
  readonly #input: string;
  readonly #outDir: string;
  readonly #ports = new Map<string, { port: ReplayPort; device: MemoryNetdev; writer: CaptureWriter }>();
  #now: Micros = 0;
  /** Second of the first packet: where the engine's clock starts. */
  #firstSeconds: number | null = null;
  #firstTime: Micros | null = null;
  /** Bytes that the packet under way lacks at its end. */
  #missing = 0;
  #writeError: Error | null = null;

  /** @param input the capture that is read: no output may take its place */
  constructor(engine: Engine, input: string, outDir: string) {
    this.#engine = engine;
    this.#input = input;
    this.#outDir = outDir;
    attempt(outDir, () => mkdirSync(outDir, { recursive: true }), 'write');
  }

  get ports(): ReplayPort[] {
    return [...this.#ports.values()].map(({ port }) => port);
  }

  addPort(spec: PortSpec): void {
    if (this.#ports.has(spec.name)) return;
    const file = join(this.#outDir, `${spec.name}.pcap`);
    if (resolve(file) === resolve(this.#input)) throw new UsageError(`${file} is the capture that is read`);
    const sink = fileSink(file);
    if (!sink.ok) throw new UsageError(`cannot write ${file}: ${sink.error}`);
    const writer = new PcapWriter(sink.value, { resolution: 'nano' });
    const device = new MemoryNetdev(spec.name, { mtu: MTU_MAX });
    const number = this.#engine.addPort(spec, device);
    const port = { name: spec.name, number, file, received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, refused: 0 };
    device.onFrame = (memory, start, size) => this.#sent(port, writer, memory.subarray(start, start + size));
    this.#ports.set(spec.name, { port, device, writer });
  }

  /** The whole capture. @throws UsageError when a file cannot be written */
  run(reader: CaptureReader, map: PortMap): void {
    for (let record = reader.next(); record; record = reader.next()) {
      const { interfaceIndex } = record;
      const interfaceName = reader.interfaces[interfaceIndex]?.name ?? '';
      this.#replay(record, map.portOf({ data: record.data, interfaceIndex, interfaceName }));
      if (this.#writeError) throw new UsageError(`cannot write to ${this.#outDir}: ${this.#writeError.message}`);
    }
  }

  #replay(record: CaptureRecord, name: string | null): void {
    this.totals.packets++;
    this.totals.bytes += record.originalSize;
    this.#advance(record);
    if (name === null) {
      this.totals.unmapped++;
      return;
    }
    this.addPort({ name, vlan: {} });
    const { port, device } = this.#ports.get(name)!;
    port.received++;
    port.receivedBytes += record.originalSize;
    const frame = this.#whole(record);
    if (device.send(frame)) this.#engine.run(this.#now);
    else port.refused++;
  }

  /** Moves the clock to the packet's time, by way of what the engine has to do before. It never goes back. */
  #advance(record: CaptureRecord): void {
    this.#firstSeconds ??= record.seconds;
    const time = (record.seconds - this.#firstSeconds) * 1e6 + record.nanos / 1000;
    this.#firstTime ??= time;
    this.#missing = 0;
    for (let wake = this.#engine.nextWake(this.#now); wake !== null; wake = this.#engine.nextWake(this.#now)) {
      const at = Math.max(wake, this.#now + WAKE_MIN);
      if (at > time) break;
      this.#now = at;
      this.#engine.run(at);
    }
    this.#now = Math.max(this.#now, time);
    this.totals.duration = this.#now - this.#firstTime;
  }

  /** A snapped packet is switched at its whole length, zeros in place of what is not there; they are not written. */
  #whole(record: CaptureRecord): Uint8Array {
    const { data, originalSize } = record;
    if (originalSize <= data.length) return data;
    this.totals.snapped++;
    this.#missing = originalSize - data.length;
    const frame = new Uint8Array(originalSize);
    frame.set(data);
    return frame;
  }

  #sent(port: ReplayPort, writer: CaptureWriter, frame: Uint8Array): void {
    port.sent++;
    port.sentBytes += frame.length;
    try {
      const kept = frame.subarray(0, Math.max(0, frame.length - this.#missing));
      const second = Math.floor(this.#now / 1e6);
      const nanos = Math.round((this.#now - second * 1e6) * 1000);
      writer.write((this.#firstSeconds ?? 0) + second, Math.min(nanos, 999_999_999), kept, frame.length);
    } catch (error) {
      this.#writeError ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  close(): void {
    this.#engine.close();
    for (const { port, writer } of this.#ports.values()) attempt(port.file, () => writer.close(), 'write');
  }
}
