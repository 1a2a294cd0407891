/** What `weft doctor` looks at, read from a machine. Everything is a plain value, so that tests can make machines up. */
import { accessSync, constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { loadNative } from '../../../backends/native/index.ts';

export interface InterfaceFacts {
  readonly name: string;
  /** Empty for devices of the kernel's own: veth, tun, bridge. */
  readonly driver: string;
  readonly mtu: number;
  readonly queues: number;
  readonly isVirtual: boolean;
}

export interface MachineFacts {
  readonly platform: string;
  readonly kernel: string;
  readonly node: string;
  readonly isRoot: boolean;
  /** Effective capabilities, a bit each (capabilities(7)). */
  readonly capabilities: bigint;
  /** Null when the addon is there; else why not. */
  readonly addonError: string | null;
  /** Null when the kernel has AF_XDP; else why not. */
  readonly xdpError: string | null;
  /** Bytes that may be locked; Infinity for all. */
  readonly memlock: number;
  readonly hasTun: boolean;
  readonly hasKvm: boolean;
  readonly hugepages: number;
  /** net.core.busy_poll, net.core.busy_read. */
  readonly busyPoll: readonly [number, number] | null;
  readonly receiveBufferMax: number | null;
  /** Of the first processor; null where the machine does not say. */
  readonly governor: string | null;
  readonly cpus: number;
  readonly interfaces: readonly InterfaceFacts[];
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = read(path);
  return text === null || !/^-?\d+$/.test(text) ? null : Number(text);
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function interfaceFacts(name: string): InterfaceFacts {
  const at = `/sys/class/net/${name}`;
  const link = (path: string): string => {
    try {
      return readlinkSync(path);
    } catch {
      return '';
    }
  };
  return {
    name,
    driver: link(`${at}/device/driver`).split('/').pop() ?? '',
    mtu: readNumber(`${at}/mtu`) ?? 0,
    queues: list(`${at}/queues`).filter((queue) => queue.startsWith('rx-')).length,
    isVirtual: link(at).includes('/virtual/'),
  };
}

function memlock(): number {
  const [, soft] = /^Max locked memory +(\S+)/m.exec(read('/proc/self/limits') ?? '') ?? [];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

function xdpError(): string | null {
  const addon = loadNative();
  if (!addon.ok) return addon.error;
  try {
    addon.value.xdpRingOffsets();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

export function readMachine(): MachineFacts {
  const addon = loadNative();
  const [, effective = '0'] = /^CapEff:\s+([0-9a-f]+)/m.exec(read('/proc/self/status') ?? '') ?? [];
  const busy = [readNumber('/proc/sys/net/core/busy_poll'), readNumber('/proc/sys/net/core/busy_read')] as const;
  return {
    platform: process.platform,
    kernel: release(),
    node: process.versions.node,
    isRoot: process.getuid?.() === 0,
    capabilities: BigInt(`0x${effective}`),
    addonError: addon.ok ? null : addon.error,
    xdpError: xdpError(),
    memlock: memlock(),
    hasTun: isUsable('/dev/net/tun'),
    hasKvm: isUsable('/dev/kvm'),
    hugepages: readNumber('/proc/sys/vm/nr_hugepages') ?? 0,
    busyPoll: busy[0] === null || busy[1] === null ? null : [busy[0], busy[1]],
    receiveBufferMax: readNumber('/proc/sys/net/core/rmem_max'),
    governor: read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    cpus: list('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length,
    interfaces: list('/sys/class/net')
      .filter((name) => name !== 'lo' && name !== 'bonding_masters')
      .sort()
      .map(interfaceFacts),
  };
}
