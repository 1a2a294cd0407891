/**
 * A network interface by a packet socket (AF_PACKET): any interface, no driver support needed.
 *
 * What. Frames that arrive at the interface come to the switch; frames that the switch sends leave by it. The socket is
 * promiscuous and does not see what the interface's own host sends. One native call reads up to 64 frames straight into
 * chunks, one sends the tx ring.
 *
 * Invariants. Checksums that the sender left to the device are completed, large segments (TCP and UDP, v4 and v6) are
 * cut to the sender's segment size, VLAN tags that the kernel took out are put back: what the switch sees is what would be
 * on a wire. Segments wait in the device while there are not enough free chunks, in order.
 *
 * Not supported: passing large segments on uncut; frames longer than a chunk, which are counted as rxErrors; more than
 * one queue. The host's own stack sees the frames too: give the interface no address.
 */
import { fail, ok, type Result } from '../../src/lib/result.ts';
import {
  attempt,
  type LinkInfo,
  loadNative,
  type NativeAddon,
  type NativePacketPort,
  type NativePlaces,
} from '../native/index.ts';
import { NativeNetdev } from '../native/netdev.ts';

export class PacketNetdev extends NativeNetdev<NativePacketPort> {
  readonly type = 'system';
  readonly #addon: NativeAddon;

  /** Fails when the addon or the interface is not there, or the rights are lacking (CAP_NET_RAW). */
  static open(name: string): Result<PacketNetdev> {
    const addon = loadNative();
    if (!addon.ok) return addon;
    const opened = attempt(() => ({ link: addon.value.linkInfo(name), port: addon.value.PacketPort.open(name) }));
    if (!opened.ok) return fail(`${name}: ${opened.error}`);
    const { link, port } = opened.value;
    return link ? ok(new PacketNetdev(name, addon.value, port, link)) : fail(`there is no interface ${name}`);
  }

  private constructor(name: string, addon: NativeAddon, port: NativePacketPort, link: LinkInfo) {
    super(name, port, link);
    this.#addon = addon;
  }

  protected attachPort(memory: Uint8Array, places: NativePlaces): void {
    this.port.attach(memory, places);
  }

  protected readLink(last: LinkInfo): LinkInfo | null {
    const link = this.#addon.linkInfo(this.name);
    return link?.index === last.index ? link : null;
  }
}
