/** `weft demo --backend`: the demo's network between real interfaces, with real pings. */
import { spawnSync } from 'node:child_process';
import { loadNative } from '../../../backends/native/index.ts';
import { dropReasons } from '../../gen/tables.ts';
import type { PairResult } from '../demo/pings.ts';
import type { DropRow, HypervisorReport } from '../demo/report.ts';
import { drawCounters, drawDrops, drawMatrix, drawTopology } from '../demo/show.ts';
import { machines, type Vm } from '../demo/topology.ts';
import { UsageError } from '../failure.ts';
import type { RunStatus } from '../run/status.ts';
import type { Console, Paint } from '../terminal.ts';
import { removeLeftovers } from './ground.ts';
import { type Backend, backends, DemoNetwork } from './network.ts';

const PINGS = 3;

interface CaseResult {
  readonly name: 'one network' | 'two tenants';
  readonly vms: readonly Vm[];
  readonly pairs: readonly PairResult[];
  readonly hypervisors: readonly HypervisorReport[];
  readonly drops: readonly DropRow[];
}

interface RealReport {
  readonly backend: Backend;
  readonly cases: readonly [CaseResult, CaseResult];
  readonly reachable: string;
  readonly isolated: string;
  readonly sameTenant: string;
  readonly ok: boolean;
}

/** @throws UsageError when this machine or this user cannot do it */
function check(backend: string): asserts backend is Backend {
  if (!backends.includes(backend as Backend))
    throw new UsageError(`"${backend}" is no backend for the demo (there are: ${backends.join(', ')})`);
  const addon = loadNative();
  if (!addon.ok) throw new UsageError(addon.error);
  if (process.getuid?.() !== 0)
    throw new UsageError(`the demo with --backend ${backend} makes network namespaces: it must be run by root`);
  for (const [program, name] of [
    ['ip', 'iproute2'],
    ['ping', 'iputils-ping'],
  ] as const)
    if (spawnSync(program, ['-V']).error) throw new UsageError(`the demo needs ${program} (package ${name})`);
}

/** Replies and the quickest round trip in microseconds, out of what ping(8) printed. */
export function readPing(text: string): { readonly received: number; readonly quickest: number | null } {
  const received = Number(/(\d+) received/.exec(text)?.[1] ?? 0);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time) * 1000);
  return { received, quickest: times.length > 0 ? Math.min(...times) : null };
}

async function pingPair(net: DemoNetwork, from: Vm, to: Vm): Promise<PairResult> {
  const texts = await Promise.all([net.ping(from, to.ipv4, PINGS), net.ping(from, to.ipv6, PINGS)]);
  const [v4, v6] = texts.map(readPing) as [ReturnType<typeof readPing>, ReturnType<typeof readPing>];
  const isSameTenant = from.tag === to.tag;
  return {
    from: from.name,
    to: to.name,
    // A pair counts as apart only when nothing at all came back
    isReachable: isSameTenant ? v4.received === PINGS && v6.received === PINGS : v4.received + v6.received > 0,
    ipv4Micros: v4.quickest,
    ipv6Micros: v6.quickest,
    isSameTenant,
  };
}

const hypervisorReport = ({ ports, worker, flows }: RunStatus, i: number): HypervisorReport => ({
  name: `hv${i + 1}`,
  ports: ports.map(({ name, counters }) => ({ name, ...counters })),
  cacheHits: worker.cache_hits ?? 0,
  megaflowHits: worker.megaflow_hits ?? 0,
  misses: worker.misses ?? 0,
  flows,
});

const dropRows = (statuses: readonly RunStatus[]): DropRow[] =>
  dropReasons
    .map(({ name, help }) => ({
      reason: name,
      packets: statuses.reduce((sum, { drops }) => sum + (drops[name] ?? 0), 0),
      help,
    }))
    .filter(({ packets }) => packets > 0);

/**
 * The first packet into a tunnel is lost while the switch asks who has the next hop, as with Open vSwitch; a machine that
 * asked for an address then waits a second before it asks again. One machine a hypervisor goes through that before the rest.
 */
async function meet(net: DemoNetwork, vms: readonly Vm[]): Promise<void> {
  const first = (hypervisor: string): Vm => vms.find((vm) => vm.hypervisor === hypervisor)!;
  const [one, two] = [first('hv1'), first('hv2')];
  await Promise.all([net.ping(one, two.ipv4, 4), net.ping(two, one.ipv4, 4)]);
}

async function runCase(net: DemoNetwork, name: CaseResult['name'], vms: readonly Vm[]): Promise<CaseResult> {
  const pairs = vms.flatMap((from) => vms.filter((to) => to !== from).map((to) => [from, to] as const));
  const results = await Promise.all(pairs.map(([from, to]) => pingPair(net, from, to)));
  const statuses = await net.status();
  return { name, vms, pairs: results, hypervisors: statuses.map(hypervisorReport), drops: dropRows(statuses) };
}

const share = (pairs: readonly PairResult[], holds: (pair: PairResult) => boolean): string =>
  `${pairs.filter(holds).length}/${pairs.length}`;

function summarize(backend: Backend, one: CaseResult, two: CaseResult): RealReport {
  const reachable = share(one.pairs, (pair) => pair.isReachable);
  const isolated = share(
    two.pairs.filter((pair) => !pair.isSameTenant),
    (pair) => !pair.isReachable,
  );
  const sameTenant = share(
    two.pairs.filter((pair) => pair.isSameTenant),
    (pair) => pair.isReachable,
  );
  const ok = [reachable, isolated, sameTenant].every((text) => /^(\d+)\/\1$/.test(text));
  return { backend, cases: [one, two], reachable, isolated, sameTenant, ok };
}

/** Ends the demo on a signal: everything is removed, and the status is the shell's for that signal. */
function removeOnSignals(net: () => DemoNetwork | null): () => void {
  const numbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
  const handlers = Object.entries(numbers).map(([signal, number]) => {
    const handler = (): void => {
      net()?.remove();
      process.exit(128 + number);
    };
    process.on(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  return () => {
    for (const remove of handlers) remove();
  };
}

/** @returns the exit status */
export async function demoReal(backend: string, asJson: boolean, console: Console): Promise<number> {
  check(backend);
  const left = removeLeftovers();
  if (left > 0)
    console.err(`weft: removed what ${left === 1 ? 'a demo' : `${left} demos`} left that did not end well\n`);
  let net: DemoNetwork | null = null;
  const forget = removeOnSignals(() => net);
  try {
    net = new DemoNetwork(backend, machines(false));
    await net.start(machines(false));
    await meet(net, machines(false));
    const one = await runCase(net, 'one network', machines(false));
    await net.change(machines(true));
    const two = await runCase(net, 'two tenants', machines(true));
    const report = summarize(backend, one, two);
    console.out(asJson ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, console.paint));
    return report.ok ? 0 : 1;
  } catch (error) {
    console.err(`weft: ${(error as Error).message}\n`);
    return 1;
  } finally {
    await net?.close();
    forget();
  }
}

function textOf({ backend, cases: [one, two], ...counts }: RealReport, paint: Paint): string {
  const heading = (text: string): string => `\n${paint('bold', text)}\n`;
  const verdict = (text: string): string => paint(counts.ok ? 'green' : 'red', text);
  const lines = [
    `${paint('bold', 'Weft')}: two hypervisors and a tunnel, in network namespaces (backend ${backend})\n`,
    drawTopology(paint, one.vms),
    heading('1. One network: every machine pings every other'),
    drawMatrix(paint, one),
    heading('What went over the ports'),
    drawCounters(paint, one.hypervisors),
    heading('What was dropped, and why'),
    drawDrops(paint, one.drops),
    heading('2. Two tenants on the same hypervisors, kept apart by VLAN: the files were changed under traffic'),
    drawTopology(paint, two.vms),
    '',
    drawMatrix(paint, two),
    '',
    `reachable within a tenant: ${counts.sameTenant}`,
    verdict(`reachable: ${counts.reachable}`),
    verdict(`isolated: ${counts.isolated}`),
  ];
  return `${lines.join('\n')}\n`;
}
