/**
 * A switch between real interfaces, in a process of its own: one bridge, NORMAL. Sends 'ready', answers 'report' and 'stop'.
 * usage: node io-switch.ts JSON-of-IoPort[]
 */
import { loadNative } from '../../backends/native/index.ts';
import { PacketNetdev } from '../../backends/packet/index.ts';
import { TapNetdev } from '../../backends/tap/index.ts';
import { must } from '../../src/lib/result.ts';
import type { Netdev } from '../../src/netdev/netdev.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';

export interface IoPort {
  readonly backend: 'packet' | 'tap';
  readonly name: string;
}

export interface IoReport {
  readonly drops: Readonly<Record<string, number>>;
  readonly ports: Readonly<Record<string, { readonly rx: number; readonly tx: number; readonly errors: number }>>;
  readonly problems: readonly string[];
  readonly difference: number;
  /** Microseconds of CPU so far. */
  readonly cpu: number;
}

type RealNetdev = Netdev & { readonly fd: number | null };

const openers: Record<IoPort['backend'], (name: string) => RealNetdev> = {
  packet: (name) => must(PacketNetdev.open(name)),
  tap: (name) => must(TapNetdev.open(name)),
};

const ports = JSON.parse(process.argv[2]!) as readonly IoPort[];
const addon = must(loadNative());
const sw = createSwitch({ ringSize: 1024, frameCount: 8192 });
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) });
const netdevs = ports.map(({ backend, name }) => openers[backend](name));
for (const netdev of netdevs) sw.addPort('br0', { name: netdev.name, netdev });

let isRunning = true;
const now = (): number => performance.now() * 1000;

function report(): IoReport {
  const { drops, ports: counted } = sw.counters();
  const audit = sw.audit();
  const { user, system } = process.cpuUsage();
  const perPort = netdevs.map((netdev) => {
    const { rxErrors, txErrors, rxDropped, txDropped } = netdev.stats();
    const { rxPackets: rx = 0, txPackets: tx = 0 } =
      Object.entries(counted).find(([name]) => name.endsWith(netdev.name))?.[1] ?? {};
    return [netdev.name, { rx, tx, errors: rxErrors + txErrors, dropped: rxDropped + txDropped }] as const;
  });
  return {
    drops: { ...drops },
    ports: Object.fromEntries(perPort),
    problems: audit.problems,
    difference: audit.difference,
    cpu: user + system,
  };
}

process.on('message', (command) => {
  const before = report();
  if (command === 'stop') {
    isRunning = false;
    sw.close();
  }
  const { problems, difference } = sw.audit();
  process.send!({ ...before, problems, difference } satisfies IoReport);
  if (command === 'stop') process.disconnect();
});
process.on('disconnect', () => {
  isRunning = false;
});

function turn(): void {
  if (!isRunning) return;
  const frames = sw.poll(now());
  if (frames === 0)
    addon.waitReadable(
      Int32Array.from(netdevs, (netdev) => netdev.fd ?? -1),
      10,
    );
  setImmediate(turn);
}

process.send!('ready');
turn();
