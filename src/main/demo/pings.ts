/** Pings between every ordered pair of machines, and what came of them. */
import { MILLISECOND, type Micros, SECOND } from '../../lib/clock.ts';
import type { Network } from '../../sim/index.ts';
import type { Vm } from './topology.ts';

const COUNT = 3;

export interface PairResult {
  readonly from: string;
  readonly to: string;
  readonly isReachable: boolean;
  /** The quickest reply of each address family; null when there was none. */
  readonly ipv4Micros: Micros | null;
  readonly ipv6Micros: Micros | null;
  /** Both machines belong to one tenant, or there is but one network. */
  readonly isSameTenant: boolean;
}

const quickest = (times: readonly Micros[]): Micros | null => (times.length === 0 ? null : Math.min(...times));

/** One pair starts each millisecond. A pair is reachable when every request over IPv4 and IPv6 was answered. */
export function pingAll(net: Network, vms: readonly Vm[]): PairResult[] {
  const options = { count: COUNT, interval: 20 * MILLISECOND, timeout: SECOND };
  const pairs = vms.flatMap((from) => vms.filter((to) => to !== from).map((to) => ({ from, to })));
  const running = pairs.map(({ from, to }) => {
    net.advance(MILLISECOND);
    const host = net.host(from.name);
    return { from, to, ipv4: host.ping(to.ipv4, options), ipv6: host.ping(to.ipv6, options) };
  });
  net.runUntil(() => running.every(({ ipv4, ipv6 }) => ipv4.isDone && ipv6.isDone), 10 * SECOND);
  return running.map(({ from, to, ipv4, ipv6 }) => ({
    from: from.name,
    to: to.name,
    // A pair counts as apart only when nothing at all came back
    isReachable: from.tag === to.tag ? ipv4.isReachable && ipv6.isReachable : ipv4.received + ipv6.received > 0,
    ipv4Micros: quickest(ipv4.roundTrips),
    ipv6Micros: quickest(ipv6.roundTrips),
    isSameTenant: from.tag === to.tag,
  }));
}
