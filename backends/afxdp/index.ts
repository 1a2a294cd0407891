/**
 * A network interface by an AF_XDP socket: frames come and go without a socket buffer's way through the kernel, and the
 * datapath works the kernel's rings itself.
 *
 * What. The frames of the linear memory are registered as the socket's UMEM, and the four rings of the socket are mapped
 * over the port's ring pages. The kernel takes chunks off the fill ring and puts frames on the rx ring; the worker reads
 * it without a call. flush() is the kick that has the kernel send. Forwarding between two such ports moves a descriptor
 * and no bytes in user space. An XDP program of six instructions hands each queue's frames to its socket and lets those of
 * queues without one pass to the host. A port has one queue of the interface or several in a row, a socket each.
 *
 * Terms. *Native* mode: the driver runs the program. *Generic* mode: the kernel does, on socket buffers; every driver has it.
 * *Zero copy*: the network card itself reads and writes the chunks; in native mode, where the driver has it.
 *
 * Invariants. After close() the interface can be opened again at once, and every chunk is on the rings for the datapath to
 * take back. With `checksums: 'complete'` a frame is shown to the worker after its checksum was looked at: on virtual
 * devices (veth) the sender leaves TCP and UDP checksums to a device that does not exist, and XDP does not tell.
 *
 * By zero copy the card keeps chunks in an order of its own (keepsOrder): the datapath then finds them by exclusion.
 *
 * Not supported: frames longer than a chunk;
 * chunks other than 2048 and 4096 bytes; wrappers, which see no frame here. In generic mode large segments do not fit in
 * a chunk and are lost: switch segmentation off at the ends of virtual links (ethtool -K eth0 tso off gso off).
 */
import { fail, ok, type Result } from '../../src/lib/result.ts';
import type { NetdevStatus } from '../../src/netdev/netdev.ts';
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
  /** How many of the interface's receive queues: 1 when left out. What comes in by others passes to the host. */
  readonly queues?: number;
  /** The first of them; 0 when left out. */
  readonly queue?: number;
  /** This one of them, from 0, alone: the others are opened elsewhere, by other threads. */
  readonly only?: number;
  /**
   * `auto`, the default, is zero copy where the driver has it, else native where it has that, else generic. `native` and
   * `generic` copy.
   */
  readonly mode?: 'auto' | 'zerocopy' | 'native' | 'generic';
  /** Microseconds that a poll may drive the network card itself, in place of interrupts; 0, the default, for none. */
  readonly busyPoll?: number;
  /** Frames of one round of that; 64 when left out. */
  readonly busyPollBudget?: number;
  /** Frames that one kick sends at the most, 32 or more; as many as the ring has entries when left out. */
  readonly txBudget?: number;
  /** `trust` for network cards, whose frames have complete checksums: the worker then sees frames at once. */
  readonly checksums?: 'complete' | 'trust';
}

export class XdpNetdev extends NativeNetdev<NativeXdpPort> {
  readonly type = 'afxdp';
  readonly ringOffsets: PortRingOffsets;
  readonly #addon: NativeAddon;
  readonly #options: XdpNetdevOptions;

  /**
   * Fails when the addon, the interface or the kernel's AF_XDP is not there. Rights (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF), a
   * queue that is in use or not there, and a driver without what is asked for show when the port is added.
   */
  static open(name: string, options: XdpNetdevOptions = {}): Result<XdpNetdev> {
    const { queues = 1, queue = 0, only } = options;
    return NativeNetdev.openQueues(queues, only, (index) =>
      XdpNetdev.#open(name, { ...options, queue: queue + index }),
    );
  }

  static #open(name: string, options: XdpNetdevOptions): Result<XdpNetdev> {
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

  get keepsOrder(): boolean {
    return !this.port.isZeroCopy;
  }

  protected attachPort(memory: Uint8Array, places: NativePlaces): void {
    const { queue = 0, mode = 'auto', busyPoll, busyPollBudget, txBudget } = this.#options;
    this.port.attach(memory, places, {
      queue,
      allowNative: mode !== 'generic',
      allowGeneric: mode === 'auto' || mode === 'generic',
      allowZeroCopy: mode === 'auto' || mode === 'zerocopy',
      allowCopy: mode !== 'zerocopy',
      ...(busyPoll === undefined ? {} : { busyPoll }),
      ...(busyPollBudget === undefined ? {} : { busyPollBudget }),
      ...(txBudget === undefined ? {} : { txBudget }),
    });
  }

  /** The mode in the reference's words, and what the kernel has counted for the queue. */
  status(): NetdevStatus {
    const { mode, isZeroCopy } = this.port;
    const counts = this.port.kernelCounts();
    return {
      'xdp-mode': isZeroCopy ? 'native-with-zerocopy' : (mode ?? 'none'),
      queue: this.#options.queue ?? 0,
      rx_dropped: counts.rxDropped,
      rx_invalid_descs: counts.rxInvalid,
      tx_invalid_descs: counts.txInvalid,
      rx_ring_full: counts.rxRingFull,
      rx_fill_ring_empty_descs: counts.fillRingEmpty,
      tx_ring_empty_descs: counts.txRingEmpty,
    };
  }

  protected readLink(last: LinkInfo): LinkInfo | null {
    const link = this.#addon.linkInfo(this.name);
    return link?.index === last.index ? link : null;
  }
}
