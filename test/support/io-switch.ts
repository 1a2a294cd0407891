/**
 * A switch between real interfaces, in a process of its own: one bridge, NORMAL. Sends 'ready', answers 'report', 'cpu' and 'stop'.
 * usage: node io-switch.ts JSON-of-IoPort[] [CHUNK-SIZE]
 */
import { loadNative } from '../../backends/native/index.ts';
import { must } from '../../src/lib/result.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';
import { type IoPort, openers } from './io-ports.ts';

export interface IoReport {
  readonly drops: Readonly<Record<string, number>>;
  readonly ports: Readonly<Record<string, { readonly rx: number; readonly tx: number; readonly errors: number }>>;
  readonly problems: readonly string[];
  readonly difference: number;
}

const ports = JSON.parse(process.argv[2]!) as readonly IoPort[];
const addon = must(loadNative());
const chunkSize = Number(process.argv[3] ?? 2048);
const sw = createSwitch({ ringSize: 2048, frameCount: 8192, chunkSize });
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) });
const netdevs = ports.map(({ backend, name, mtu }) => openers[backend](name, mtu));
for (const netdev of netdevs) sw.addPort('br0', { name: netdev.name, netdev });

let isRunning = true;
const now = (): number => performance.now() * 1000;

/** Microseconds so far. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function report(): IoReport {
  const { drops, ports: counted } = sw.counters();
  const audit = sw.audit();
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
  };
}

process.on('message', (command) => {
  if (command === 'cpu') {
    process.send!(cpu());
    return;
  }
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
      50,
    );
  setImmediate(turn);
}

process.send!('ready');
turn();
