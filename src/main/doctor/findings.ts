/** From what a machine is to what it can do, and what to change. A table of checks; each looks at the facts alone. */
import type { InterfaceFacts, MachineFacts } from './machine.ts';

export interface Finding {
  readonly check: string;
  /** fail: a kind of port, or everything, cannot work; note: works, and could be better or faster. */
  readonly verdict: 'ok' | 'note' | 'fail';
  readonly found: string;
  /** What to do; empty when all is well. */
  readonly advice: string;
}

type Check = (machine: MachineFacts) => Omit<Finding, 'check'>;

const ok = (found: string): Omit<Finding, 'check'> => ({ verdict: 'ok', found, advice: '' });
const note = (found: string, advice: string): Omit<Finding, 'check'> => ({ verdict: 'note', found, advice });
const fail = (found: string, advice: string): Omit<Finding, 'check'> => ({ verdict: 'fail', found, advice });

/** Bits of capabilities(7). */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_IPC_LOCK: 14n,
  CAP_SYS_ADMIN: 21n,
  CAP_BPF: 39n,
} as const;
const KERNEL_MIN = [5, 9] as const;
const NODE_MIN = [24, 11] as const;
/** Rings, frames and room for the datapath of a switch with some ports. */
const MEMLOCK_WANTED = 64 << 20;
const RECEIVE_BUFFER_WANTED = 4 << 20;

const atLeast = (version: string, [major, minor]: readonly [number, number]): boolean => {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
};

const has = ({ capabilities }: MachineFacts, name: keyof typeof CAPABILITIES): boolean =>
  ((capabilities >> CAPABILITIES[name]) & 1n) === 1n;

const checks: Readonly<Record<string, Check>> = {
  'operating system': ({ platform }) =>
    platform === 'linux' ? ok(platform) : fail(platform, 'real interfaces need Linux; the demo in memory works here'),
  kernel: ({ kernel }) =>
    atLeast(kernel, KERNEL_MIN) ? ok(kernel) : fail(kernel, `AF_XDP ports need Linux ${KERNEL_MIN.join('.')} or newer`),
  Node: ({ node }) =>
    atLeast(node, NODE_MIN)
      ? ok(node)
      : fail(node, `install Node ${NODE_MIN.join('.')} or newer, or use npm start, which brings it`),
  addon: ({ addonError }) => (addonError === null ? ok('built') : fail('not there', addonError)),
  rights: (machine) => {
    const missing: string[] = (['CAP_NET_ADMIN', 'CAP_NET_RAW'] as const).filter((name) => !has(machine, name));
    if (!has(machine, 'CAP_BPF') && !has(machine, 'CAP_SYS_ADMIN')) missing.push('CAP_BPF');
    if (missing.length === 0) return ok(machine.isRoot ? 'root' : 'all that is needed');
    return fail(`without ${missing.join(', ')}`, 'run weft as root, or give the process these capabilities');
  },
  AF_XDP: ({ xdpError }) =>
    xdpError === null ? ok('the kernel has it') : fail('not there', `${xdpError}; use the backends packet and tap`),
  '/dev/net/tun': ({ hasTun }) =>
    hasTun
      ? ok('usable')
      : fail('not usable', 'modprobe tun; in a container pass --device /dev/net/tun: TAP and internal ports need it'),
  '/dev/kvm': ({ hasKvm }) =>
    hasKvm
      ? ok('usable')
      : note('not usable', 'virtual machines run in emulation, slowly; Weft itself does not need it'),
  memlock: (machine) => {
    const { memlock } = machine;
    const isFree = has(machine, 'CAP_IPC_LOCK') || memlock >= MEMLOCK_WANTED;
    const text = Number.isFinite(memlock) ? `${Math.floor(memlock / 1024)} KiB` : 'unlimited';
    return isFree ? ok(text) : note(text, 'ulimit -l unlimited: AF_XDP locks the memory of frames');
  },
  hugepages: ({ hugepages }) => ok(`${hugepages} (not used)`),
  'receive buffer': ({ receiveBufferMax }) => {
    if (receiveBufferMax === null) return ok('unknown');
    if (receiveBufferMax >= RECEIVE_BUFFER_WANTED) return ok(`${receiveBufferMax} bytes`);
    return note(
      `${receiveBufferMax} bytes`,
      `sysctl net.core.rmem_max=${RECEIVE_BUFFER_WANTED}: room for bursts at packet ports without CAP_NET_ADMIN`,
    );
  },
  'busy polling': ({ busyPoll }) => {
    if (busyPoll === null) return ok('unknown');
    const text = `net.core.busy_poll ${busyPoll[0]}, net.core.busy_read ${busyPoll[1]}`;
    if (busyPoll[0] > 0) return note(text, 'every poll(2) on this machine spins: an idle switch will not sleep well');
    return ok(text);
  },
  'CPU governor': ({ governor }) => {
    if (governor === null) return ok('the machine does not say');
    if (governor === 'performance') return ok(governor);
    return note(governor, 'cpupower frequency-set -g performance: a processor that slows down wakes up late');
  },
  processors: ({ cpus }) =>
    cpus > 1 ? ok(`${cpus}`) : note(`${cpus}`, 'the switch shares the only processor with everything else'),
};

/** Drivers that run XDP programs themselves; others do it by the kernel, on socket buffers. */
const NATIVE_XDP = new Set(
  `veth tun virtio_net i40e ice ixgbe ixgbevf igb igc mlx4_core mlx5_core bnxt_en ena gve qede nfp sfc hv_netvsc
   vmxnet3 mvneta stmmac dpaa2-eth fec tsnep am65-cpsw-nuss xen-netfront`.split(/\s+/),
);

const CHUNK_MTU = 2048 - 256 - 22;

function interfaceFinding({ name, driver, mtu, queues, isVirtual }: InterfaceFacts): Finding {
  const kind = driver || (isVirtual ? 'virtual' : 'unknown driver');
  const mode = NATIVE_XDP.has(driver) ? 'native' : isVirtual ? 'native for veth and TAP, else generic' : 'generic';
  const found = `${kind}, MTU ${mtu}, ${queues} ${queues === 1 ? 'queue' : 'queues'}, XDP ${mode}`;
  const advice: string[] = [];
  if (queues > 1) advice.push(`AF_XDP works one queue: ethtool -L ${name} combined 1`);
  if (mtu > CHUNK_MTU)
    advice.push(`frames do not fit in chunks of 2048 bytes: set chunk_size, or an MTU of ${CHUNK_MTU}`);
  if (mode === 'generic')
    advice.push(`large segments fit in no chunk in generic mode: ethtool -K ${name} gro off lro off for AF_XDP`);
  return { check: name, verdict: advice.length > 0 ? 'note' : 'ok', found, advice: advice.join('; ') };
}

export function examine(machine: MachineFacts): Finding[] {
  const general = Object.entries(checks).map(([check, look]) => ({ check, ...look(machine) }));
  return [...general, ...machine.interfaces.map(interfaceFinding)];
}
