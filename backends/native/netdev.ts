/**
 * A Netdev around a port of the addon: the part that AF_PACKET, TAP and AF_XDP have in common.
 *
 * Invariants. The state of the link is read again every 100 ms of the time that poll() is given, and by the
 * first poll() after linkChanged(); in between it is remembered. A device whose interface is gone stays open, is down, and has no descriptor to wait on.
 *
 * Not supported: an interface that goes and comes back under its name is another one, and must be opened anew.
 */
import { HEADROOM } from '../../src/gen/limits.ts';
import { MILLISECOND, type Micros } from '../../src/lib/clock.ts';
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../../src/netdev/netdev.ts';
import type { DeviceRings } from '../../src/netdev/rings.ts';
import { attempt, type LinkInfo, type NativePlaces, type NativePort } from './index.ts';

const LINK_PERIOD: Micros = 100 * MILLISECOND;
/** Bytes of a frame beside what the MTU counts: the Ethernet header and two VLAN tags. */
const HEADER_SIZE = 14 + 8;

export abstract class NativeNetdev<Port extends NativePort> implements Netdev {
  readonly name: string;
  abstract readonly type: string;
  protected readonly port: Port;
  #link: LinkInfo;
  #isGone = false;
  #isAttached = false;
  #isClosed = false;
  #linkReadAt: Micros = Number.NEGATIVE_INFINITY;
  #queues: readonly NativeNetdev<Port>[] = [];
  #lastCounts: NetdevStats = { rxDropped: 0, rxErrors: 0, txDropped: 0, txErrors: 0 };

  constructor(name: string, port: Port, link: LinkInfo) {
    this.name = name;
    this.port = port;
    this.#link = link;
  }

  /** The interface as it is now; null when it is gone. */
  protected abstract readLink(last: LinkInfo): LinkInfo | null;
  protected abstract attachPort(memory: Uint8Array, places: NativePlaces): void;

  /** The device's further queues. */
  get queues(): readonly NativeNetdev<Port>[] {
    return this.#queues;
  }

  /**
   * Opens the queues of a device one after the other, and makes the first one the device. When one cannot be opened, none
   * is.
   * @param count queues
   * @param only open this queue alone: the others are opened elsewhere
   */
  static openQueues<P extends NativePort, T extends NativeNetdev<P>>(
    count: number,
    only: number | undefined,
    open: (queue: number) => Result<T>,
  ): Result<T> {
    if (only !== undefined) return open(only);
    const opened: T[] = [];
    for (let queue = 0; queue < count; queue++) {
      const next = open(queue);
      if (!next.ok) {
        for (const other of opened) other.close();
        return next;
      }
      opened.push(next.value);
    }
    const first = opened[0]!;
    first.#queues = opened.slice(1);
    return ok(first);
  }

  get mac(): Uint8Array {
    return this.#link.mac;
  }

  get mtu(): number {
    return this.#link.mtu;
  }

  get isUp(): boolean {
    return !this.#isGone && !this.#isClosed && this.#link.isRunning;
  }

  /** To wait on for frames; null when there is nothing to wait for. */
  get fd(): number | null {
    return this.#isAttached && !this.#isGone && !this.#isClosed ? this.port.fd : null;
  }

  attach(rings: DeviceRings): Result<void> {
    if (this.#isAttached) return fail(`${this.name} is attached already`);
    const mtuMax = rings.frameSizeMax - HEADER_SIZE;
    if (this.mtu > mtuMax)
      return fail(`${this.name} has an MTU of ${this.mtu}: chunks of ${rings.places.chunkSize} bytes allow ${mtuMax}`);
    const memory = new Uint8Array(rings.memory.buffer);
    const attached = attempt(() => this.attachPort(memory, { ...rings.places, headroom: HEADROOM }));
    if (!attached.ok) return fail(`${this.name}: ${attached.error}`);
    this.#isAttached = true;
    return ok(undefined);
  }

  poll(now: Micros): number {
    if (now - this.#linkReadAt >= LINK_PERIOD) this.#readLink(now);
    return this.#isClosed ? 0 : this.port.poll();
  }

  /** The interface may have changed: the next poll() looks. */
  linkChanged(): void {
    this.#linkReadAt = Number.NEGATIVE_INFINITY;
  }

  #readLink(now: Micros): void {
    this.#linkReadAt = now;
    if (this.#isGone || this.#isClosed) return;
    const link = this.readLink(this.#link);
    if (link) this.#link = link;
    else this.#isGone = true;
  }

  flush(_now: Micros): number {
    return this.#isClosed ? 0 : this.port.flush();
  }

  stats(): NetdevStats {
    if (!this.#isClosed) this.#lastCounts = this.port.counts();
    return this.#lastCounts;
  }

  close(): void {
    if (this.#isClosed) return;
    for (const queue of this.#queues) queue.close();
    this.stats();
    this.#isClosed = true;
    this.port.close();
  }
}
