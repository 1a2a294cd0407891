/**
 * The native addon: what it offers, and how it is found.
 *
 * What. The Rust crate beside this file works ports' rings for AF_PACKET, TAP and AF_XDP. It is built by
 * bin/build-native.mjs into build/weft-native.<platform>-<arch>.node; where that file is not there, everything else works.
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
  attach(memory: Uint8Array, places: NativePlaces): void;
}

export interface NativeTapOptions {
  readonly isPersistent?: boolean;
  readonly owner?: number;
  readonly group?: number;
  readonly mustExist?: boolean;
}

export interface NativeTapPort extends NativePort {
  attach(memory: Uint8Array, places: NativePlaces): void;
  currentName(): string | null;
}

export interface NativeXdpOptions {
  readonly queue: number;
  readonly allowNative: boolean;
  readonly allowGeneric: boolean;
}

export interface NativeXdpPort extends NativePort {
  attach(memory: Uint8Array, places: NativePlaces, options: NativeXdpOptions): void;
  /** Null when not attached. */
  readonly mode: 'native' | 'generic' | null;
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

export interface NativeAddon {
  readonly PacketPort: { open(name: string): NativePacketPort };
  readonly TapPort: { open(name: string, options: NativeTapOptions): NativeTapPort };
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

/** The build folder lies beside backends in a checkout, and beside dist in an installed package. */
function load(): Result<NativeAddon> {
  const name = `weft-native.${process.platform}-${process.arch}.node`;
  if (process.platform !== 'linux')
    return fail(`AF_XDP, TAP and AF_PACKET need Linux, and this is ${process.platform}`);
  for (const up of [
    ['..', '..'],
    ['..', '..', '..'],
  ]) {
    const path = join(import.meta.dirname, ...up, 'build', name);
    if (existsSync(path)) return attempt(() => createRequire(import.meta.url)(path) as NativeAddon);
  }
  return fail(`build/${name} is not there: install cargo and run "node bin/build-native.mjs"`);
}

/** What a call gives, or what it threw. */
export function attempt<T>(call: () => T): Result<T> {
  try {
    return ok(call());
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}
