/** Interfaces of the kernel that come, change and go (route netlink): who watches them, and when a device's is no more. */
import { attempt, loadNative, type NativeLinkMonitor, type NativeWaker } from '../../../backends/native/index.ts';
import { NativeNetdev } from '../../../backends/native/netdev.ts';
import type { Netdev } from '../../netdev/netdev.ts';

/** Milliseconds in which changes are taken together. */
const COALESCE = 20;
/** Without route netlink there is a look at all interfaces so often. */
const LOOK_INTERVAL = 1000;

/** Types of devices that stand on an interface of their name. */
const onInterfaces: ReadonlySet<string> = new Set(['system', 'packet', 'afxdp']);

/** Whether the interface of a device that is open is no more. */
export function isGone(device: Netdev): boolean {
  if ('fd' in device) return device.fd === null;
  const addon = loadNative();
  return addon.ok && onInterfaces.has(device.type) && addon.value.linkInfo(device.name) === null;
}

/** The next look at the device reads the interface's state again. */
export function lookAgain(device: Netdev): void {
  if (device instanceof NativeNetdev) device.linkChanged();
}

export class LinkWatch {
  readonly #heardOf: () => void;
  readonly #changed: () => void;
  readonly #monitor: NativeLinkMonitor | null;
  #waker: NativeWaker | null = null;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param heardOf called at once when the kernel tells of a change
   * @param changed called some milliseconds after one or more changes
   */
  constructor(heardOf: () => void, changed: () => void) {
    this.#heardOf = heardOf;
    this.#changed = changed;
    const addon = loadNative();
    const monitor = addon.ok ? attempt(() => addon.value.LinkMonitor.open()) : addon;
    this.#monitor = monitor.ok ? monitor.value : null;
    if (!addon.ok || !this.#monitor) {
      this.#timer = setInterval(changed, LOOK_INTERVAL);
      return;
    }
    const waker = new addon.value.Waker(() => this.#heard());
    waker.add(this.#monitor.fd);
    waker.arm();
    this.#waker = waker;
  }

  #heard(): void {
    if (this.#monitor?.drain()) {
      this.#heardOf();
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#changed();
      }, COALESCE);
    }
    this.#waker?.arm();
  }

  close(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#waker?.close();
    this.#monitor?.close();
  }
}
