/** What `weft run` says about itself: the answer to weft/status, and what `weft top` shows. */
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import type { NetdevStats } from '../../netdev/netdev.ts';
import type { LiveBridge, LiveInterface } from '../../vswitchd/database/configurator.ts';
import type { SwitchDaemon } from '../../vswitchd/database/daemon.ts';
import { localHostOf } from '../../vswitchd/database/local-host.ts';
import type { RunnerCounters } from '../../vswitchd/runner.ts';
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
  /** Index of the worker that it belongs to; null without a device. */
  readonly worker: number | null;
  readonly counters: PortCounters;
  /** What the device itself counted: full rings, no room in the kernel (ENOBUFS), broken frames. */
  readonly device: NetdevStats | null;
}

export interface WorkerStatus {
  readonly index: number;
  /** The processor that it stays on; null for any. */
  readonly cpu: number | null;
  readonly ports: number;
  readonly rxPackets: number;
  readonly handedOver: number;
  readonly misses: number;
  /** How often it died and was started again. */
  readonly deaths: number;
}

export interface RunStatus {
  readonly pid: number;
  /** Null when the database alone says what there is. */
  readonly file: string | null;
  /** Seconds. */
  readonly uptime: number;
  /** Microseconds of CPU so far. */
  readonly cpu: number;
  /** Bytes of memory in use. */
  readonly memory: number;
  readonly bridges: readonly {
    readonly name: string;
    readonly mac: string | null;
    readonly local: string;
    readonly failMode: string;
    readonly addresses: readonly string[];
    /** Why it is not there. */
    readonly error: string | null;
  }[];
  readonly ports: readonly PortStatus[];
  readonly workers: readonly WorkerStatus[];
  readonly flows: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly worker: Readonly<Record<string, number>>;
  readonly upcall: Readonly<Record<string, number>>;
  readonly runner: Readonly<RunnerCounters>;
}

const noCounters: PortCounters = { rxPackets: 0, rxBytes: 0, rxDropped: 0, txPackets: 0, txBytes: 0, txDropped: 0 };

const backendNames: Readonly<Record<string, string>> = { system: 'packet' };

function targetText({ name, type, kind, row }: LiveInterface): string {
  const options = row.map('options');
  if (kind?.kind === 'patch') return `patch to ${options.get('peer')}`;
  if (kind?.kind === 'tunnel') return `${type} to ${options.get('remote_ip')}, key ${options.get('key') ?? 'none'}`;
  const backend = backendNames[type] ?? type;
  const device = options.get('weft-interface') ?? name;
  return device === name ? backend : `${backend} ${device}`;
}

function portStatus(daemon: SwitchDaemon, live: LiveInterface, counters: PortCounters | undefined): PortStatus {
  const { name, bridge, number, device, error } = live;
  const isUp = device ? device.isUp : true;
  const dpPort = daemon.target.port(bridge, name)?.dpPort ?? null;
  return {
    name,
    bridge,
    ofport: number,
    target: targetText(live),
    state: number === null ? 'waiting' : isUp ? 'up' : 'down',
    error,
    mtu: device?.mtu ?? null,
    mode: device && 'mode' in device ? String(device.mode) : null,
    worker: device && dpPort !== null ? daemon.target.datapath.portWorker(dpPort) : null,
    counters: counters ?? noCounters,
    device: device?.stats() ?? null,
  };
}

const addressText = (bytes: Uint8Array): string => (bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes));

function bridgeStatus({ name, row, mac, settings }: LiveBridge): RunStatus['bridges'][number] {
  const { local, addresses } = localHostOf(row);
  return {
    name,
    mac: formatMac(mac),
    local,
    failMode: settings.failMode,
    addresses: addresses.map(({ address, prefixLength }) => `${addressText(address)}/${prefixLength}`),
    error: null,
  };
}

/** Of a switch whose workers have threads; none else. */
function workerStatus(daemon: SwitchDaemon, deaths: readonly number[]): WorkerStatus[] {
  const { datapath } = daemon.target;
  const { workerCpus = [], switchOptions } = daemon.options;
  if (!switchOptions?.threads) return [];
  const owners = datapath.portNumbers().map((number) => datapath.portWorker(number));
  return Array.from({ length: datapath.workerCount }, (_, index) => {
    const count = Object.fromEntries(datapath.counterRows(index).map(({ name, value }) => [name, value]));
    return {
      index,
      cpu: workerCpus[index] ?? null,
      ports: owners.filter((owner) => owner === index).length,
      rxPackets: count.rx_packets ?? 0,
      handedOver: count.handed_over ?? 0,
      misses: count.misses ?? 0,
      deaths: deaths[index] ?? 0,
    };
  });
}

/** @param deaths how often each worker died */
export function statusOf(daemon: SwitchDaemon, file: string | null, deaths: readonly number[]): RunStatus {
  const { ports, drops, worker, upcall, flows } = daemon.target.counters();
  const { user, system } = process.cpuUsage();
  const bridges = [...daemon.config.bridges.values()];
  const lacking = [...daemon.config.lacking].map(([name, error]) => ({
    ...{ name, mac: null, local: 'internal', failMode: 'standalone', addresses: [] },
    error,
  }));
  return {
    pid: process.pid,
    file,
    uptime: process.uptime(),
    cpu: user + system,
    memory: process.memoryUsage.rss(),
    bridges: [...bridges.map(bridgeStatus), ...lacking],
    ports: bridges.flatMap(({ name, interfaces }) =>
      [...interfaces.values()]
        .filter((live) => live.name !== name)
        .sort((a, b) => (a.number ?? 0xffff) - (b.number ?? 0xffff))
        .map((live) => portStatus(daemon, live, ports[live.name])),
    ),
    workers: workerStatus(daemon, deaths),
    flows,
    drops: { ...drops },
    worker,
    upcall,
    runner: { ...daemon.runnerCounters },
  };
}
