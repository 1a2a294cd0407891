/** What translation does to the switch when it is meant. */
import type { Ofproto, SwitchState } from '../ofproto/index.ts';
import type { Effects, OfPort } from '../translate/types.ts';
import type { Credit } from '../upcall/index.ts';

const TCP_FIN = 1;
const TCP_RST = 4;

export interface TrafficCount {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

/** Packets of ports that the datapath does not count: patch ports and tunnels. By bridge, then OpenFlow port. */
export class TrafficCounts {
  readonly #counts = new Map<string, Map<OfPort, TrafficCount>>();

  of(bridge: string, ofport: OfPort): TrafficCount {
    let ports = this.#counts.get(bridge);
    if (!ports) this.#counts.set(bridge, (ports = new Map()));
    let count = ports.get(ofport);
    if (!count) ports.set(ofport, (count = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0 }));
    return count;
  }

  forget(bridge: string, ofport?: OfPort): void {
    if (ofport === undefined) this.#counts.delete(bridge);
    else this.#counts.get(bridge)?.delete(ofport);
  }
}

/** Effects of so many packets at a time, on the switch itself. */
export function applyEffects(state: SwitchState, traffic: TrafficCounts, credit: Credit): Effects {
  const { now, packets, bytes, tcpFlags = 0 } = credit;
  const ofproto = (bridge: string): Ofproto | undefined => state.bridges.get(bridge)?.ofproto;
  return {
    learnMac(name, entry) {
      // A megaflow can outlive the port that it came by by some turns
      const bridge = state.bridges.get(name);
      return bridge?.picture().bundlesByName.has(entry.port) === true && bridge.macs.learn(entry, now);
    },
    learnNeighbor: (bridge, address, mac) => state.neighbors.learn(bridge, address, mac, now),
    refreshNeighbor: (bridge, address) => state.neighbors.refresh(bridge, address, now),
    requestNeighbor: (bridge, address, source) => state.neighbors.request({ bridge, address, source }, now),
    creditPort(bridge, ofport, direction) {
      if (!state.bridges.get(bridge)?.picture().ports.has(ofport)) return;
      const count = traffic.of(bridge, ofport);
      if (direction === 'rx') {
        count.rxPackets += packets;
        count.rxBytes += bytes;
      } else {
        count.txPackets += packets;
        count.txBytes += bytes;
      }
    },
    creditRule: (bridge, rule) => ofproto(bridge)?.creditRule(rule, packets, bytes, now),
    creditTable: (bridge, tableId, isMatch) => ofproto(bridge)?.creditTable(tableId, isMatch, packets),
    creditGroup: (bridge, group, bucket) => ofproto(bridge)?.groups.creditPart(group, bucket, packets, bytes),
    learnFlow: (bridge, flow) => ofproto(bridge)?.learn(flow, now) ?? true,
    reduceTimeouts(bridge, rule, idle, hard) {
      if ((tcpFlags & (TCP_FIN | TCP_RST)) !== 0) ofproto(bridge)?.reduceTimeouts(rule, idle, hard);
    },
    packetIn: (bridge, packet) => ofproto(bridge)?.packetIn(packet, now),
  };
}
