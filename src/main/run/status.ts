/** What `weft run` says about itself: the answer to weft/status, and what `weft top` shows. */
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import type { NetdevStats } from '../../netdev/netdev.ts';
import type { Host, LivePort } from '../../vswitchd/desired/host.ts';
import { targetText } from '../../vswitchd/desired/plan.ts';
import type { Runner, RunnerCounters } from '../../vswitchd/runner.ts';
import type { Switch } from '../../vswitchd/switch.ts';
import type { PortCounters } from '../../vswitchd/types.ts';

export interface PortStatus {
  readonly name: string;
  readonly bridge: string;
  readonly ofport: number | null;
  /** What stands behind it, in words. */
  readonly target: string;
  readonly state: 'up' | 'down' | 'waiting';
  /** Why it waits. */
  readonly error: string | null;
  readonly mtu: number | null;
  /** How XDP runs; null for other backends. */
  readonly mode: string | null;
  readonly counters: PortCounters;
  /** What the device itself counted: full rings, no room in the kernel (ENOBUFS), broken frames. */
  readonly device: NetdevStats | null;
}

export interface RunStatus {
  readonly pid: number;
  readonly file: string;
  /** Seconds. */
  readonly uptime: number;
  /** Microseconds of CPU so far. */
  readonly cpu: number;
  /** Bytes of memory in use. */
  readonly memory: number;
  readonly bridges: readonly {
    readonly name: string;
    readonly mac: string;
    readonly local: string;
    readonly failMode: string;
    readonly addresses: readonly string[];
    readonly error: string | null;
  }[];
  readonly ports: readonly PortStatus[];
  readonly flows: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly worker: Readonly<Record<string, number>>;
  readonly upcall: Readonly<Record<string, number>>;
  readonly runner: Readonly<RunnerCounters>;
}

const noCounters: PortCounters = { rxPackets: 0, rxBytes: 0, rxDropped: 0, txPackets: 0, txBytes: 0, txDropped: 0 };

function portStatus({ port, device, ofport, error }: LivePort, counters: PortCounters | undefined): PortStatus {
  const isUp = device ? device.isUp : true;
  return {
    name: port.name,
    bridge: port.bridge,
    ofport,
    target: targetText(port),
    state: error !== null ? 'waiting' : isUp ? 'up' : 'down',
    error,
    mtu: device?.mtu ?? null,
    mode: device && 'mode' in device ? String(device.mode) : null,
    counters: counters ?? noCounters,
    device: device?.stats() ?? null,
  };
}

export function statusOf(target: Switch, host: Host, runner: Runner, file: string): RunStatus {
  const { ports, drops, worker, upcall, flows } = target.counters();
  const { user, system } = process.cpuUsage();
  const order = [...host.bridges.keys()];
  const rank = ({ port, ofport }: LivePort): number => order.indexOf(port.bridge) * 0x1_0000 + (ofport ?? 0xffff);
  const addressText = (bytes: Uint8Array): string => (bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes));
  return {
    pid: process.pid,
    file,
    uptime: process.uptime(),
    cpu: user + system,
    memory: process.memoryUsage.rss(),
    bridges: [...host.bridges.values()].map(({ bridge, error }) => ({
      name: bridge.name,
      mac: formatMac(bridge.mac),
      local: bridge.local,
      failMode: bridge.failMode,
      addresses: bridge.addresses.map(({ address, prefixLength }) => `${addressText(address)}/${prefixLength}`),
      error,
    })),
    ports: [...host.ports.values()]
      .sort((a, b) => rank(a) - rank(b))
      .map((live) => portStatus(live, ports[live.port.name])),
    flows,
    drops: { ...drops },
    worker,
    upcall,
    runner: { ...runner.counters },
  };
}
