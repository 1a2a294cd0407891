/**
 * Networks in memory: hosts, switches and links in one process, on a virtual clock, exactly repeatable.
 *
 * What. A discrete-event simulation. The switches are real: each is the whole of vswitchd's Switch with the Wasm datapath,
 * on devices in memory. The hosts are small but honest: they answer ARP, neighbour discovery and echo, and have UDP
 * and TCP. The links lose, double, delay, reorder and cut as they are told.
 *
 * Terms. *Station*: what a link's end is plugged into: a host, or a port of a switch. *Event*: something that happens at
 * a time; events of the same time happen in the order in which they were made. Times are microseconds from the start
 * of the network, sizes are bytes, rates are bits a second.
 *
 * Invariants. Nothing reads a real clock or a random number that does not come from the seed: the same calls on the same
 * seed give the same frames at the same times, and so the same `digest()`, on every machine. Every frame ends in exactly
 * one place: `audit().difference` is 0 at every moment. A frame has one owner; whoever passes it on lets go of it.
 *
 * Not supported. IP fragments (packets longer than the MTU are refused), routers, DHCP, TCP with selective
 * acknowledgments or window scaling (a connection moves 64 KiB a round trip at the most), checksum and
 * segmentation offload, more than one link a host, time that a switch spends on a packet (it is zero).
 */
export type { NetworkAudit } from './audit.ts';
export type { Capture } from './capture.ts';
export {
  buildNetwork,
  checkDescription,
  type LinkDescription,
  type NetworkDescription,
  type SwitchDescription,
} from './describe.ts';
export type { LinkOutcome, PortFrame } from './frame-log.ts';
export type { HostOptions } from './host/config.ts';
export { Host, type HostCounters } from './host/host.ts';
export type { SendError } from './host/ip.ts';
export { formatRoundTrip, type Ping, type PingOptions } from './host/ping.ts';
export type { Datagram, UdpSocket } from './host/udp.ts';
export { Link, type LinkCounters, type LinkOptions } from './link.ts';
export { Network, type NetworkOptions } from './network.ts';
export { type SimBridgeOptions, SimPort, type SimPortOptions, SimSwitch, type SimTunnelOptions } from './switch.ts';
export type { TcpConnection } from './tcp/connection.ts';
export type { CloseReason, TcpState } from './tcp/types.ts';
