/**
 * A network interface by a packet socket (AF_PACKET): any interface, no driver support needed.
 *
 * What. Frames that arrive at the interface come to the switch; frames that the switch sends leave by it. The socket is
 * promiscuous and does not see what the interface's own host sends. One native call reads up to 64 frames straight into
 * chunks, one sends the tx ring. With several queues each has a socket, and the kernel shares the flows out among them
 * (PACKET_FANOUT, by a hash of addresses and ports).
 *
 * Invariants. Checksums that the sender left to the device are completed, large segments (TCP and UDP, v4 and v6) are
 * cut to the sender's segment size, VLAN tags that the kernel took out are put back: what the switch sees is what would be
 * on a wire. Segments wait in the device while there are not enough free chunks, in order.
 *
 * Not supported: passing large segments on uncut; frames longer than a chunk, which are counted as rxErrors. The host's own stack sees the frames too: give the interface no address.
 */
import { fail, ok, type Result } from '../../src/lib/result.ts';
import {
  attempt,
  type HeldDescriptor,
  type LinkInfo,
  loadNative,
  type NativeAddon,
  type NativePacketPort,
  type NativePlaces,
} from '../native/index.ts';
import { NativeNetdev } from '../native/netdev.ts';

export interface PacketNetdevOptions {
  /** How many; 1 when left out. */
  readonly queues?: number;
  /** This one of them alone: the others are opened elsewhere, by other threads. */
  readonly only?: number;
  /** Another process's socket to take over, with the frames that wait there; for one queue. */
  readonly from?: HeldDescriptor;
}

export class PacketNetdev extends NativeNetdev<NativePacketPort> {
  readonly type = 'system';
  readonly #addon: NativeAddon;
  /** null for all frames. */
  readonly #queue: number | null;

  /**
   * Fails when the addon or the interface is not there, or the rights are lacking (CAP_NET_RAW). A queue that is in use shows
   * when the port is added.
   */
  static open(name: string, { queues = 1, only, from }: PacketNetdevOptions = {}): Result<PacketNetdev> {
    return NativeNetdev.openQueues(queues, only, (index) =>
      PacketNetdev.#open(name, queues > 1 ? index : null, queues > 1 ? undefined : from),
    );
  }

  static #open(name: string, queue: number | null, from: HeldDescriptor | undefined): Result<PacketNetdev> {
    const addon = loadNative();
    if (!addon.ok) return addon;
    const { PacketPort } = addon.value;
    const open = (): NativePacketPort => (from ? PacketPort.take(name, from) : PacketPort.open(name));
    const opened = attempt(() => ({ link: addon.value.linkInfo(name), port: open() }));
    if (!opened.ok) return fail(`${name}: ${opened.error}`);
    const { link, port } = opened.value;
    return link ? ok(new PacketNetdev(name, addon.value, port, link, queue)) : fail(`there is no interface ${name}`);
  }

  private constructor(name: string, addon: NativeAddon, port: NativePacketPort, link: LinkInfo, queue: number | null) {
    super(name, port, link);
    this.#addon = addon;
    this.#queue = queue;
  }

  protected attachPort(memory: Uint8Array, places: NativePlaces): void {
    if (this.#queue === null) this.port.attach(memory, places);
    else this.port.attach(memory, places, this.#queue);
  }

  protected readLink(last: LinkInfo): LinkInfo | null {
    const link = this.#addon.linkInfo(this.name);
    return link?.index === last.index ? link : null;
  }
}
