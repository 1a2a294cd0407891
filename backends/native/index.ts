/**
 * The native addon: what it offers, and how it is found.
 *
 * What. The Rust crate beside this file works ports' rings for AF_PACKET, TAP and AF_XDP. It is built by
 * bin/build-native.mjs into build/weft-native.<platform>-<arch>.node. Where that file is not there, the package
 * @weft/native-<platform>-<arch>-<abi> is looked for (bin/pack-native.mjs); where that is not there either, everything
 * else works.
 *
 * Invariants. The addon gets a Uint8Array over the linear memory and byte offsets into it. Its calls throw on failure:
 * the backends turn that into a Result.
 *
 * Not supported: systems other than Linux.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { NetdevStats } from '../../src/netdev/netdev.ts';
import type { PortRingOffsets, PortRingPlaces } from '../../src/netdev/rings.ts';

export interface NativePlaces extends PortRingPlaces {
  /** Bytes in front of a received frame. */
  readonly headroom: number;
}

/** A network interface of the namespace that this thread is in. */
export interface LinkInfo {
  readonly index: number;
  /** Bytes behind the Ethernet header. */
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** Switched on. */
  readonly isUp: boolean;
  /** Switched on, and the other end is there. */
  readonly isRunning: boolean;
}

export interface LinkSettings {
  readonly mtu?: number;
  readonly mac?: Uint8Array;
  readonly isUp?: boolean;
}

/** What the three kinds of port have in common. */
export interface NativePort {
  /** -1 when closed. */
  readonly fd: number;
  poll(): number;
  flush(): number;
  counts(): NetdevStats;
  close(): void;
}

export interface NativePacketPort extends NativePort {
  /** @param queue one of several that share out the interface's flows; all frames when left out */
  attach(memory: Uint8Array, places: NativePlaces, queue?: number): void;
}

export interface NativeTapOptions {
  readonly isPersistent?: boolean;
  readonly owner?: number;
  readonly group?: number;
  readonly mustExist?: boolean;
  /** One of several queues, each opened by itself. */
  readonly hasQueues?: boolean;
}

export interface NativeTapPort extends NativePort {
  attach(memory: Uint8Array, places: NativePlaces): void;
  currentName(): string | null;
}

export interface NativeXdpOptions {
  readonly queue: number;
  /** Ways to run the program, and ways to move frames: the first one allowed that works. */
  readonly allowNative: boolean;
  readonly allowGeneric: boolean;
  readonly allowZeroCopy: boolean;
  readonly allowCopy: boolean;
  /** Microseconds; none when left out. */
  readonly busyPoll?: number;
  /** Frames of one round of busy polling. */
  readonly busyPollBudget?: number;
  /** Frames that one kick sends at the most; as many as the tx ring has entries when left out. */
  readonly txBudget?: number;
}

/** What the kernel counts of an AF_XDP socket (struct xdp_statistics). */
export interface NativeXdpCounts {
  readonly rxDropped: number;
  readonly rxInvalid: number;
  readonly txInvalid: number;
  readonly rxRingFull: number;
  readonly fillRingEmpty: number;
  readonly txRingEmpty: number;
}

export interface NativeXdpPort extends NativePort {
  attach(memory: Uint8Array, places: NativePlaces, options: NativeXdpOptions): void;
  /** Null when not attached. */
  readonly mode: 'native' | 'generic' | null;
  readonly isZeroCopy: boolean;
  kernelCounts(): NativeXdpCounts;
}

/** Wakes the event loop when one of its descriptors can be read. Keeps the loop alive while it is armed. */
export interface NativeWaker {
  add(fd: number): void;
  /** Nothing happens for one that is not there, or closed. */
  remove(fd: number): void;
  /** One call of the callback, as soon as there is something to read. */
  arm(): void;
  disarm(): void;
  /** Must be called before the thread ends. */
  close(): void;
}

/** Hears of interfaces of the calling thread's namespace that come, go or change. */
export interface NativeLinkMonitor {
  /** To wait on; -1 when closed. */
  readonly fd: number;
  /** True when something has changed since the last call. */
  drain(): boolean;
  close(): void;
}

/** Wakes a thread out of waitReadable: eight bytes written to the descriptor, by whomever, ring it. */
export interface NativeEventBell {
  readonly fd: number;
  /** Silences it until it is rung anew. */
  drain(): void;
}

/** Where a device is held: a process, and the descriptor's number there. */
export interface HeldDescriptor {
  readonly pid: number;
  readonly fd: number;
}

export interface NativeAddon {
  readonly PacketPort: {
    open(name: string): NativePacketPort;
    /** Takes over a socket of another process. @throws when it is not one on this interface */
    take(name: string, held: HeldDescriptor): NativePacketPort;
  };
  readonly TapPort: {
    open(name: string, options: NativeTapOptions): NativeTapPort;
    /** Takes over a device of another process. @throws when it is not this one */
    take(name: string, held: HeldDescriptor): NativeTapPort;
  };
  readonly XdpPort: { open(name: string): NativeXdpPort };
  /** How the kernel lays out the rings of an AF_XDP socket. @throws on a kernel without */
  xdpRingOffsets(): Omit<PortRingOffsets, 'isRxProducerApart'>;
  linkInfo(name: string): LinkInfo | null;
  setLink(name: string, settings: LinkSettings): void;
  /** Blocks until a descriptor can be read or the time is over; returns how many can. Negative ones are left out. */
  waitReadable(fds: Int32Array, timeoutMs: number): number;
  readonly EventBell: { open(): NativeEventBell };
  readonly Waker: new (callback: () => void) => NativeWaker;
  readonly LinkMonitor: { open(): NativeLinkMonitor };
  /** Adds an address (4 or 16 bytes) to an interface, or takes it away. @throws when the kernel refuses */
  setAddress(name: string, address: Uint8Array, prefixLength: number, isPresent: boolean): void;
  /** Lets the calling thread run on these processors only. @throws when there are none of these numbers */
  setAffinity(processors: readonly number[]): void;
  /** The frames that a device makes of one with a virtio header. @throws when the header contradicts the frame */
  cutFrame(frame: Uint8Array, header: Uint8Array, room: number): Uint8Array[];
  /** What a device hands to the kernel for frames on their way out: segments of one stream together. */
  mergeFrames(frames: readonly Uint8Array[]): { count: number; header: Uint8Array; frame: Uint8Array }[];
  /** A copy whose TCP or UDP checksum is complete, should it have been left to the device. */
  completeFrame(frame: Uint8Array): Uint8Array;
}

let loaded: Result<NativeAddon> | null = null;

/** Fails with one line that says what is missing. */
export function loadNative(): Result<NativeAddon> {
  loaded ??= load();
  return loaded;
}

/** The C library that Node itself uses: gnu or musl. */
function abiHere(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'musl' : 'gnu';
}

/** The build folder lies beside backends in a checkout, and beside dist in an installed package. */
function load(): Result<NativeAddon> {
  if (process.platform !== 'linux')
    return fail(`AF_XDP, TAP and AF_PACKET need Linux, and this is ${process.platform}`);
  const require = createRequire(import.meta.url);
  const kind = `${process.platform}-${process.arch}`;
  const name = `weft-native.${kind}.node`;
  for (const up of [
    ['..', '..'],
    ['..', '..', '..'],
  ]) {
    const path = join(import.meta.dirname, ...up, 'build', name);
    if (existsSync(path)) return attempt(() => require(path) as NativeAddon);
  }
  const packed = `@weft/native-${kind}-${abiHere()}`;
  try {
    return ok(require(packed) as NativeAddon);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'MODULE_NOT_FOUND') return fail(`${packed}: ${message.split('\n')[0]}`);
  }
  return fail(
    `build/${name} is not there, nor is ${packed}: install cargo and run "node bin/build-native.mjs", or npm install ${packed}`,
  );
}

/** What a call gives, or what it threw. */
export function attempt<T>(call: () => T): Result<T> {
  try {
    return ok(call());
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
