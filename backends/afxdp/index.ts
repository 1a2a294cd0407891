/**
 * A network interface by an AF_XDP socket: frames come and go without a socket buffer's way through the kernel, and the
 * datapath works the kernel's rings itself.
 *
 * What. The frames of the linear memory are registered as the socket's UMEM, and the four rings of the socket are mapped
 * over the port's ring pages. The kernel takes chunks off the fill ring and puts frames on the rx ring; the worker reads
 * it without a call. flush() is the kick that has the kernel send. Forwarding between two such ports moves a descriptor
 * and no bytes in user space. An XDP program of six instructions hands the queue's frames to the socket and lets all
 * other queues' frames pass to the host.
 *
 * Terms. *Native* mode: the driver runs the program. *Generic* mode: the kernel does, on socket buffers; every driver has it.
 *
 * Invariants. After close() the interface can be opened again at once, and every chunk is on the rings for the datapath to
 * take back. With `checksums: 'complete'` a frame is shown to the worker after its checksum was looked at: on virtual
 * devices (veth) the sender leaves TCP and UDP checksums to a device that does not exist, and XDP does not tell.
 *
 * Not supported: zero copy; more than one queue a port (give the interface one: ethtool -L); frames longer than a chunk;
 * chunks other than 2048 and 4096 bytes; wrappers, which see no frame here. In generic mode large segments do not fit in
 * a chunk and are lost: switch segmentation off at the ends of virtual links (ethtool -K eth0 tso off gso off).
 */
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { PortRingOffsets } from '../../src/netdev/rings.ts';
import {
  attempt,
  type LinkInfo,
  loadNative,
  type NativeAddon,
  type NativePlaces,
  type NativeXdpPort,
} from '../native/index.ts';
import { NativeNetdev } from '../native/netdev.ts';

export interface XdpNetdevOptions {
  /** The interface's receive queue; 0 when left out. */
  readonly queue?: number;
  /** `auto`, the default, is native where the driver has it, else generic. */
  readonly mode?: 'auto' | 'native' | 'generic';
  /** `trust` for network cards, whose frames have complete checksums: the worker then sees frames at once. */
  readonly checksums?: 'complete' | 'trust';
}

export class XdpNetdev extends NativeNetdev<NativeXdpPort> {
  readonly type = 'afxdp';
  readonly ringOffsets: PortRingOffsets;
  readonly #addon: NativeAddon;
  readonly #options: XdpNetdevOptions;

  /**
   * Fails when the addon, the interface or the kernel's AF_XDP is not there. Rights (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF)
   * and a queue that is in use show when the port is added.
   */
  static open(name: string, options: XdpNetdevOptions = {}): Result<XdpNetdev> {
    const addon = loadNative();
    if (!addon.ok) return addon;
    const { checksums = 'complete' } = options;
    const opened = attempt(() => ({
      offsets: { ...addon.value.xdpRingOffsets(), isRxProducerApart: checksums === 'complete' },
      link: addon.value.linkInfo(name),
      port: addon.value.XdpPort.open(name),
    }));
    if (!opened.ok) return fail(`${name}: ${opened.error}`);
    const { offsets, link, port } = opened.value;
    if (!link) return fail(`there is no interface ${name}`);
    return ok(new XdpNetdev(name, addon.value, port, link, offsets, options));
  }

  private constructor(
    name: string,
    addon: NativeAddon,
    port: NativeXdpPort,
    link: LinkInfo,
    offsets: PortRingOffsets,
    options: XdpNetdevOptions,
  ) {
    super(name, port, link);
    this.#addon = addon;
    this.ringOffsets = offsets;
    this.#options = options;
  }

  /** How the kernel runs the program; null when not attached. */
  get mode(): 'native' | 'generic' | null {
    return this.port.mode;
  }

  protected attachPort(memory: Uint8Array, places: NativePlaces): void {
    const { queue = 0, mode = 'auto' } = this.#options;
    this.port.attach(memory, places, { queue, allowNative: mode !== 'generic', allowGeneric: mode !== 'native' });
  }

  protected readLink(last: LinkInfo): LinkInfo | null {
    const link = this.#addon.linkInfo(this.name);
    return link?.index === last.index ? link : null;
  }
}
