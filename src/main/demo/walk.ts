/** One packet, hop by hop: the frame at every port it passes, and what each switch decided and why. */
import { extractKey } from '../../flow/extract.ts';
import { FlowKey, KEY } from '../../flow/key.ts';
import { TUNNEL_FLAG_DONT_FRAGMENT, TUNNEL_FLAG_KEY } from '../../gen/key.ts';
import type { Micros } from '../../lib/clock.ts';
import {
  formatFrame,
  ICMP,
  IP_PROTO,
  type Ipv4,
  parseEthernet,
  parseIcmp,
  parseIpv4Header,
  parseUdp,
  parseVxlan,
  type Udp,
  VXLAN_PORT,
} from '../../packet/index.ts';
import type { Network } from '../../sim/index.ts';
import type { TraceReport } from '../../vswitchd/types.ts';
import { type Vm, VNI } from './topology.ts';

export interface Hop {
  /** A host, or switch and port with a colon between. */
  readonly at: string;
  readonly direction: 'rx' | 'tx';
  /** Microseconds since the packet left its sender. */
  readonly time: Micros;
  readonly frame: string;
  readonly size: number;
  /** What the switch does with it, at the port where it comes in. */
  readonly decisions: readonly Decision[];
}

interface Decision {
  readonly title: string;
  readonly megaflow: string;
  readonly actions: string;
  readonly trace: string;
}

interface Seen {
  readonly port: string;
  readonly direction: 'rx' | 'tx';
  readonly time: Micros;
  readonly frame: Uint8Array;
}

/** What a VXLAN packet carries, and its outer headers; null for anything else. */
function openTunnel(frame: Uint8Array): { inner: Uint8Array; ip: Ipv4; udp: Udp } | null {
  const ip = parseIpv4Header(parseEthernet(frame)?.payload ?? new Uint8Array());
  if (ip?.header.protocol !== IP_PROTO.UDP) return null;
  const udp = parseUdp(ip.payload, ip.header);
  const vxlan = udp?.header.dstPort === VXLAN_PORT ? parseVxlan(udp.payload) : null;
  return udp && vxlan ? { inner: vxlan.payload, ip: ip.header, udp: udp.header } : null;
}

function isEchoRequest(frame: Uint8Array): boolean {
  const ip = parseIpv4Header(parseEthernet(openTunnel(frame)?.inner ?? frame)?.payload ?? new Uint8Array());
  return ip?.header.protocol === IP_PROTO.ICMP && parseIcmp(ip.payload)?.header.type === ICMP.ECHO_REQUEST;
}

const decision = (title: string, { megaflow, actions, text }: TraceReport): Decision => ({
  title,
  megaflow,
  actions,
  trace: text,
});

/** The packet inside as the tunnel port sees it: its own headers, and the outer ones as tunnel metadata. */
function keyInside(frame: Uint8Array, ofport: number): FlowKey | null {
  const opened = openTunnel(frame);
  if (!opened) return null;
  const { inner, ip, udp } = opened;
  const base = new FlowKey()
    .setU64(KEY.tun_id, BigInt(VNI))
    .setBytes(KEY.tun_src, ip.src)
    .setBytes(KEY.tun_dst, ip.dst)
    .set(KEY.tun_flags, TUNNEL_FLAG_KEY | (ip.dontFragment ? TUNNEL_FLAG_DONT_FRAGMENT : 0))
    .set(KEY.tun_tos, ip.tos)
    .set(KEY.tun_ttl, ip.ttl)
    .set(KEY.tun_tp_src, udp.srcPort)
    .set(KEY.tun_tp_dst, udp.dstPort);
  return extractKey(inner, { base, inPort: ofport }).key;
}

/** What a hypervisor does with a frame at a port: one lookup, or two when the frame comes out of the tunnel. */
function decide(net: Network, name: string, port: string, frame: Uint8Array): Decision[] {
  const hypervisor = net.switch(name);
  const key = keyInside(frame, hypervisor.core.port('br-int', 'vxlan0')?.ofport ?? 0);
  if (!key) return [decision('translation', hypervisor.trace({ frame, inPort: port }, 'br-int'))];
  return [
    decision('translation of the outer packet', hypervisor.trace({ frame, inPort: port }, 'br-phy')),
    decision('translation of the packet inside', hypervisor.trace({ key }, 'br-int')),
  ];
}

/** Sends one ping and follows its request. */
export function walk(net: Network, from: Vm, to: Vm): Hop[] {
  const seen: Seen[] = [];
  let isWatching = true;
  net.onFrame(({ port, direction, time, frame }) => {
    if (isWatching && isEchoRequest(frame)) seen.push({ port, direction, time, frame: frame.slice() });
  });
  const ping = net.host(from.name).ping(to.ipv4);
  net.runUntil(() => ping.isDone);
  isWatching = false;
  const start = seen[0]?.time ?? 0;
  return seen.map(({ port, direction, time, frame }) => {
    const [name = '', portName] = port.split(':');
    const isIngress = portName !== undefined && direction === 'rx';
    return {
      at: port,
      direction,
      time: time - start,
      frame: formatFrame(frame),
      size: frame.length,
      decisions: isIngress ? decide(net, name, portName, frame) : [],
    };
  });
}
