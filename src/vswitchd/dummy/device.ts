/**
 * The dummy device (`type=dummy`): a port whose other end is the control socket, a capture file or a byte stream.
 *
 * What. Frames come in by receive() or by a stream, and what the switch sends goes into tx_pcap and to the stream. Options of the
 * database: `tx_pcap`, `rxq_pcap`, `pcap` (both in one file), `stream` (connects), `pstream` (listens), `ifindex`, `n_rxq`.
 *
 * Invariants. A frame is in its capture file before the next command of the control socket is answered. A stream carries each
 * frame behind its length, two bytes in network order. Frames that a stream cannot take at once are dropped and counted.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import type { Micros } from '../../lib/clock.ts';
import type { Result } from '../../lib/result.ts';
import type { Netdev, NetdevStats } from '../../netdev/netdev.ts';
import type { DeviceRings } from '../../netdev/rings.ts';
import { PcapWriter } from '../../packet/pcap.ts';
import { DummyStream } from './stream.ts';

export interface DummyCounts {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

export interface DummyOptions {
  readonly name: string;
  readonly type: 'dummy' | 'dummy-internal' | 'dummy-pmd';
  readonly mac: Uint8Array;
  readonly now: () => Micros;
  /** A frame has come in by a stream. */
  readonly wake: () => void;
}

interface Capture {
  readonly writer: PcapWriter;
}

/** Frames that wait for a free chunk at the most (the reference's limit of a receive queue). */
const QUEUE_MAX = 100;

function openCapture(path: string): Capture | null {
  try {
    const fd = openSync(path, 'a');
    // A file that is there is gone on with: it has its head already
    let isHead = fstatSync(fd).size > 0;
    const writer = new PcapWriter({
      write: (bytes) => void (isHead || writeSync(fd, bytes)),
      close: () => closeSync(fd),
    });
    writer.flush();
    isHead = false;
    return { writer };
  } catch {
    return null;
  }
}

export class DummyDevice implements Netdev {
  readonly name: string;
  readonly type: string;
  readonly counts: DummyCounts = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 };
  /** IFF_UP, as `netdev-dummy/set-admin-state` sets it. */
  isAdminUp = true;
  ifindex = 0;
  #mac: Uint8Array;
  #mtu = 1500;
  readonly #inner: MemoryNetdev;
  readonly #options: DummyOptions;
  #waiting: Uint8Array[] = [];
  #txCapture: Capture | null = null;
  #rxCapture: Capture | null = null;
  #captureKey = '';
  #stream: DummyStream | null = null;
  #streamKey = '';

  constructor(options: DummyOptions) {
    const { name, type, mac } = options;
    this.name = name;
    this.type = type;
    this.#mac = mac;
    this.#options = options;
    this.#inner = new MemoryNetdev(name, {
      type,
      mac,
      mtu: 65_535,
      onFrame: (memory, start, size) => this.#sent(memory.subarray(start, start + size)),
    });
  }

  get mac(): Uint8Array {
    return this.#mac;
  }

  set mac(mac: Uint8Array) {
    this.#mac = mac;
  }

  get mtu(): number {
    return this.#mtu;
  }

  set mtu(mtu: number) {
    this.#mtu = mtu;
  }

  /** The link is there as long as the device is; its switch is isAdminUp. */
  get isUp(): boolean {
    return this.isAdminUp;
  }

  /** What `netdev-dummy/conn-state` says. */
  get connectionState(): 'connected' | 'disconnected' | 'unknown' {
    return this.#stream?.state ?? 'unknown';
  }

  /** Takes the options of the database's row; files and streams that stay the same stay open. */
  configure(options: ReadonlyMap<string, string>): void {
    this.ifindex = Number(options.get('ifindex') ?? 0) || 0;
    const rx = options.get('rxq_pcap') ?? options.get('pcap') ?? '';
    const tx = options.get('tx_pcap') ?? options.get('pcap') ?? '';
    const captureKey = `${rx}\n${tx}`;
    if (captureKey !== this.#captureKey) {
      this.#closeCaptures();
      this.#captureKey = captureKey;
      this.#rxCapture = rx === '' ? null : openCapture(rx);
      this.#txCapture = tx === '' ? null : rx === tx ? this.#rxCapture : openCapture(tx);
    }
    const stream = options.get('stream');
    const name = stream ?? options.get('pstream') ?? '';
    const streamKey = `${stream === undefined ? 'p' : ''} ${name}`;
    if (streamKey === this.#streamKey) return;
    this.#streamKey = streamKey;
    this.#stream?.close();
    this.#stream = name === '' ? null : new DummyStream(name, (frame) => this.#take(frame));
  }

  #closeCaptures(): void {
    this.#rxCapture?.writer.close();
    if (this.#txCapture !== this.#rxCapture) this.#txCapture?.writer.close();
    this.#rxCapture = null;
    this.#txCapture = null;
  }

  #take(frame: Uint8Array): boolean {
    if (!this.receive(frame)) return false;
    this.#options.wake();
    return true;
  }

  /** A frame arrives. False when it was dropped: too many wait. */
  receive(frame: Uint8Array): boolean {
    if (this.#waiting.length >= QUEUE_MAX) return false;
    this.#write(this.#rxCapture, frame);
    this.#waiting.push(frame);
    this.counts.rxPackets++;
    this.counts.rxBytes += frame.length;
    return true;
  }

  #write(capture: Capture | null, frame: Uint8Array): void {
    capture?.writer.writeAt(this.#options.now(), frame);
    capture?.writer.flush();
  }

  #sent(frame: Uint8Array): void {
    this.counts.txPackets++;
    this.counts.txBytes += frame.length;
    this.#write(this.#txCapture, frame);
    this.#stream?.send(frame);
  }

  attach(rings: DeviceRings): Result<void> {
    return this.#inner.attach(rings);
  }

  poll(_now: Micros): number {
    let count = 0;
    while (this.#waiting.length > 0 && this.#inner.canSend()) {
      this.#inner.send(this.#waiting.shift()!);
      count++;
    }
    return count;
  }

  flush(now: Micros): number {
    return this.#inner.flush(now);
  }

  stats(): NetdevStats {
    return this.#inner.stats();
  }

  close(): void {
    this.#closeCaptures();
    this.#stream?.close();
    this.#inner.close();
  }
}
