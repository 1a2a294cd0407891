/**
 * A TAP device: a kernel interface whose wire is this process. For virtual machines, containers and the host itself.
 *
 * What. What the kernel's side sends comes to the switch, and the other way round. A device that is not there is made; one
 * that is there, persistent and not in use, is adopted. The interface may be moved to another network namespace. With several
 * queues (IFF_MULTI_QUEUE) the kernel shares flows out among them, each to the queue that its answers come by.
 *
 * Invariants. As for packet sockets (backends/packet): complete checksums, no large segments, order kept. A device that was
 * made here and is not persistent goes with close().
 *
 * Not supported: passing large segments on uncut. While the interface is in another
 * namespace its MTU and state are not seen: the last ones known count.
 */
import { fail, ok, type Result } from '../../src/lib/result.ts';
import {
  attempt,
  type HeldDescriptor,
  type LinkInfo,
  loadNative,
  type NativeAddon,
  type NativePlaces,
  type NativeTapOptions,
  type NativeTapPort,
} from '../native/index.ts';
import { NativeNetdev } from '../native/netdev.ts';

export interface TapOptions {
  /** Bytes behind the Ethernet header; the device's own, 1500 for a new one, when left out. */
  readonly mtu?: number;
  /** Six bytes; the device's own when left out. */
  readonly mac?: Uint8Array;
  /** Switch the interface on; true when left out. */
  readonly up?: boolean;
  /** The device stays when it is closed (true), or goes (false); a device that was there keeps its ways when left out. */
  readonly persistent?: boolean;
  /** User and group that may open the device. */
  readonly owner?: number;
  readonly group?: number;
  /** Another process's device to take over, as it is, with the frames that wait there; for one queue. */
  readonly from?: HeldDescriptor;
  /** Fail when the device is not there. */
  readonly adopt?: boolean;
  /** How many; 1 when left out. A device that was there must have been made for several. */
  readonly queues?: number;
  /** This one of them alone: the others are opened elsewhere, by other threads. */
  readonly only?: number;
}

function nativeOptions({ persistent, owner, group, adopt, queues = 1 }: TapOptions): NativeTapOptions {
  return {
    ...(persistent === undefined ? {} : { isPersistent: persistent }),
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    ...(adopt === undefined ? {} : { mustExist: adopt }),
    ...(queues > 1 ? { hasQueues: true } : {}),
  };
}

export class TapNetdev extends NativeNetdev<NativeTapPort> {
  readonly type = 'tap';
  readonly #addon: NativeAddon;

  /** Fails when the addon is not there, the device cannot be made or is in use, or the rights are lacking (CAP_NET_ADMIN). */
  static open(name: string, options: TapOptions = {}): Result<TapNetdev> {
    const { queues = 1, only } = options;
    return NativeNetdev.openQueues(queues, only, () => TapNetdev.#open(name, options));
  }

  static #open(name: string, options: TapOptions): Result<TapNetdev> {
    const addon = loadNative();
    if (!addon.ok) return addon;
    const { TapPort } = addon.value;
    const { from } = options;
    const port = attempt(() => (from ? TapPort.take(name, from) : TapPort.open(name, nativeOptions(options))));
    if (!port.ok) return fail(`${name}: ${port.error}`);
    const { mtu, mac, up = true } = options;
    const settings = { ...(mtu === undefined ? {} : { mtu }), ...(mac ? { mac } : {}), ...(up ? { isUp: true } : {}) };
    const link = attempt(() => {
      if (!from) addon.value.setLink(name, settings);
      return addon.value.linkInfo(name);
    });
    if (link.ok && link.value) return ok(new TapNetdev(name, addon.value, port.value, link.value));
    port.value.close();
    return fail(link.ok ? `${name} is gone again` : link.error);
  }

  private constructor(name: string, addon: NativeAddon, port: NativeTapPort, link: LinkInfo) {
    super(name, port, link);
    this.#addon = addon;
  }

  protected attachPort(memory: Uint8Array, places: NativePlaces): void {
    this.port.attach(memory, places);
  }

  protected readLink(last: LinkInfo): LinkInfo | null {
    if (this.port.currentName() === null) return null;
    const link = this.#addon.linkInfo(this.name);
    return link?.index === last.index ? link : { ...last, isUp: true, isRunning: true };
  }
}
