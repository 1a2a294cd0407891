/** A host's network card: Ethernet, one optional VLAN tag, one link. */
import { equalBytes } from '../../lib/bytes.ts';
import { buildEthernet, ETH_TYPE, type Ethernet, isMulticastMac, parseEthernet } from '../../packet/index.ts';
import type { LinkEnd } from '../link.ts';

/** What became of the frames that came to a host. */
export interface NicCounters {
  txFrames: number;
  txBytes: number;
  rxFrames: number;
  rxBytes: number;
  /** Frames sent while no link was attached. */
  txNoLink: number;
  /** Frames for another MAC address: a switch flooded them. */
  rxOtherHost: number;
  /** Frames with another VLAN tag, or with one where none is expected. */
  rxOtherVlan: number;
  rxMalformed: number;
}

const VLAN_ID = 0xfff;

export class Nic {
  readonly mac: Uint8Array;
  readonly vlan: number | null;
  readonly mtu: number;
  readonly counters: NicCounters = {
    txFrames: 0,
    txBytes: 0,
    rxFrames: 0,
    rxBytes: 0,
    txNoLink: 0,
    rxOtherHost: 0,
    rxOtherVlan: 0,
    rxMalformed: 0,
  };
  end: LinkEnd | null = null;

  constructor(mac: Uint8Array, vlan: number | null, mtu: number) {
    this.mac = mac;
    this.vlan = vlan;
    this.mtu = mtu;
  }

  send(dst: Uint8Array, ethType: number, payload: Uint8Array): void {
    const tags = this.vlan === null ? [] : [{ tpid: ETH_TYPE.VLAN, tci: this.vlan }];
    this.sendFrame(buildEthernet({ dst, src: this.mac, tags, ethType }, payload));
  }

  /** Sends bytes as they are. */
  sendFrame(frame: Uint8Array): void {
    if (!this.end) {
      this.counters.txNoLink++;
      return;
    }
    this.counters.txFrames++;
    this.counters.txBytes += frame.length;
    this.end.send(frame);
  }

  /** The header and payload of a frame that is for this host; null (counted) for others. */
  receive(frame: Uint8Array): { header: Ethernet; payload: Uint8Array } | null {
    const { counters } = this;
    counters.rxFrames++;
    counters.rxBytes += frame.length;
    const ethernet = parseEthernet(frame);
    if (!ethernet) {
      counters.rxMalformed++;
      return null;
    }
    const { dst, tags } = ethernet.header;
    if (!isMulticastMac(dst) && !equalBytes(dst, this.mac)) {
      counters.rxOtherHost++;
      return null;
    }
    // A tag with VLAN 0 only carries a priority
    const vlan = tags.length === 0 ? 0 : tags.length === 1 ? tags[0]!.tci & VLAN_ID : -1;
    if (vlan !== (this.vlan ?? 0)) {
      counters.rxOtherVlan++;
      return null;
    }
    return ethernet;
  }
}
