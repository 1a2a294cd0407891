/**
 * A device that a worker's thread has opened, as the control side sees it: its state is read from the port table, where
 * the thread keeps it up to date, and what is asked of it is asked of the thread. When the thread dies, it is opened again
 * in the next one, and stays the same object here.
 */
import * as L from '../gen/layout.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev, NetdevStats, NetdevStatus } from '../netdev/netdev.ts';
import type { DeviceRings, PortRingOffsets } from '../netdev/rings.ts';
import type { AttachedDevice, OpenedDevice, ThreadLink } from './threads.ts';
import type { Views } from './views.ts';

interface PortPlace {
  /** In the port table. */
  readonly place: number;
  /** Address of the Port. */
  readonly at: number;
}

export class RemoteNetdev implements Netdev {
  /** Index of the worker whose thread has it. */
  readonly worker: number;
  readonly #device: unknown;
  readonly #link: ThreadLink;
  readonly #views: Views;
  #opened: OpenedDevice;
  #port: PortPlace | null = null;
  #isAttached = false;
  #keepsOrder = true;
  /** The device's further queues, in whatever threads. */
  queues: readonly RemoteNetdev[] = [];

  /** Has the thread open a device from the caller's description. */
  static open(link: ThreadLink, views: Views, worker: number, device: unknown): Result<RemoteNetdev> {
    const opened = link.ask({ kind: 'open', device });
    return opened.ok ? ok(new RemoteNetdev(link, views, worker, device, opened.value as OpenedDevice)) : opened;
  }

  private constructor(link: ThreadLink, views: Views, worker: number, device: unknown, opened: OpenedDevice) {
    this.worker = worker;
    this.#device = device;
    this.#link = link;
    this.#views = views;
    this.#opened = opened;
  }

  get name(): string {
    return this.#opened.name;
  }

  get type(): string {
    return this.#opened.type;
  }

  get mac(): Uint8Array {
    return this.#opened.mac;
  }

  get ringOffsets(): PortRingOffsets | undefined {
    return this.#opened.ringOffsets ?? undefined;
  }

  /** Opens it again after the thread that had it died; it is to be attached then. */
  reopen(): Result<void> {
    this.#isAttached = false;
    const opened = this.#link.ask({ kind: 'open', device: this.#device });
    if (!opened.ok) return opened;
    this.#opened = opened.value as OpenedDevice;
    return ok(undefined);
  }

  /** Which queue of the port table it is to be: before attach(). */
  bind(place: number, at: number): void {
    this.#port = { place, at };
  }

  get keepsOrder(): boolean {
    return this.#keepsOrder;
  }

  get mtu(): number {
    return this.#isAttached ? this.#views.getU32(this.#port!.at + L.PORT_MTU) : this.#opened.mtu;
  }

  get isUp(): boolean {
    if (!this.#isAttached) return this.#opened.isUp;
    return (this.#views.getU32(this.#port!.at + L.PORT_STATE) & L.PORT_STATE_UP) !== 0;
  }

  attach(rings: DeviceRings): Result<void> {
    if (!this.#port) return fail(`${this.name} is no port yet`);
    if (this.#isAttached) return fail(`${this.name} is attached already`);
    const { place } = this.#port;
    const attached = this.#link.ask({ kind: 'attach', place, token: this.#opened.token, places: rings.places });
    if (!attached.ok) return attached;
    this.#isAttached = true;
    this.#keepsOrder = (attached.value as AttachedDevice).keepsOrder;
    return ok(undefined);
  }

  /** The thread does it. */
  poll(): number {
    return 0;
  }

  flush(): number {
    return 0;
  }

  stats(): NetdevStats {
    const count = (field: number): number => (this.#port ? this.#views.getU64(this.#port.at + field) : 0);
    return {
      rxDropped: count(L.PORT_DEVICE_RX_DROPPED),
      rxErrors: count(L.PORT_DEVICE_RX_ERRORS),
      txDropped: count(L.PORT_DEVICE_TX_DROPPED),
      txErrors: count(L.PORT_DEVICE_TX_ERRORS),
    };
  }

  status(): NetdevStatus {
    const status = this.#isAttached ? this.#link.ask({ kind: 'status', token: this.#opened.token }) : null;
    return status?.ok ? (status.value as NetdevStatus) : {};
  }

  close(): void {
    for (const queue of this.queues) queue.close();
    this.#isAttached = false;
    this.#link.ask({ kind: 'close', token: this.#opened.token });
  }
}
