/** The demo's findings: what `--json` prints, and the text is made of. */
import { type DropReasonName, dropReasons } from '../../gen/tables.ts';
import type { Network } from '../../sim/index.ts';
import type { PairResult } from './pings.ts';
import type { Vm } from './topology.ts';
import type { Hop } from './walk.ts';

export interface DropRow {
  readonly reason: string;
  readonly packets: number;
  readonly help: string;
}

export interface HypervisorReport {
  readonly name: string;
  readonly ports: readonly {
    readonly name: string;
    readonly rxPackets: number;
    readonly rxBytes: number;
    readonly txPackets: number;
    readonly txBytes: number;
  }[];
  readonly cacheHits: number;
  readonly megaflowHits: number;
  readonly misses: number;
  /** Megaflows installed now. */
  readonly flows: number;
}

export interface CaseReport {
  readonly name: 'one network' | 'two tenants';
  readonly vms: readonly Vm[];
  readonly pairs: readonly PairResult[];
  readonly hypervisors: readonly HypervisorReport[];
  readonly drops: readonly DropRow[];
  /** Frames that ended nowhere: 0, or a bug. */
  readonly difference: number;
  /** SHA-256 over every frame on every link. */
  readonly digest: string;
  /** Captures written, when asked for. */
  readonly captures: readonly string[];
}

export interface DemoReport {
  readonly seed: number;
  readonly cases: readonly CaseReport[];
  /** One packet from vm1 to vm4. */
  readonly walk: readonly Hop[];
  /** `reached/asked` of the first case, `kept apart/asked` of the second. */
  readonly reachable: string;
  readonly isolated: string;
  readonly sameTenant: string;
  readonly ok: boolean;
}

const rowsOf = (drops: Readonly<Partial<Record<DropReasonName, number>>>): DropRow[] =>
  dropReasons
    .map(({ name, help }) => ({ reason: name, packets: drops[name as DropReasonName] ?? 0, help }))
    .filter(({ reason, packets }) => reason !== 'none' && packets > 0);

function hypervisorReport(net: Network, name: string): HypervisorReport {
  const { ports, worker, flows } = net.switch(name).counters();
  return {
    name,
    ports: Object.entries(ports).map(([port, { rxPackets, rxBytes, txPackets, txBytes }]) => ({
      name: port,
      rxPackets,
      rxBytes,
      txPackets,
      txBytes,
    })),
    cacheHits: worker.cache_hits ?? 0,
    megaflowHits: worker.megaflow_hits ?? 0,
    misses: worker.misses ?? 0,
    flows,
  };
}

/** Everything that is known of a network after its pings. */
export function reportCase(
  name: CaseReport['name'],
  net: Network,
  vms: readonly Vm[],
  pairs: readonly PairResult[],
  captures: readonly string[],
): CaseReport {
  const { drops, difference } = net.audit();
  const hypervisors = [...net.switches.keys()].map((hypervisor) => hypervisorReport(net, hypervisor));
  return { name, vms, pairs, hypervisors, drops: rowsOf(drops), difference, digest: net.digest(), captures };
}

const share = (pairs: readonly PairResult[], holds: (pair: PairResult) => boolean): string =>
  `${pairs.filter(holds).length}/${pairs.length}`;

const isWhole = (text: string): boolean => /^(\d+)\/\1$/.test(text);

export function summarize(seed: number, one: CaseReport, two: CaseReport, walk: readonly Hop[]): DemoReport {
  const reachable = share(one.pairs, (pair) => pair.isReachable);
  const isolated = share(
    two.pairs.filter((pair) => !pair.isSameTenant),
    (pair) => !pair.isReachable,
  );
  const sameTenant = share(
    two.pairs.filter((pair) => pair.isSameTenant),
    (pair) => pair.isReachable,
  );
  const counts = [reachable, isolated, sameTenant];
  const ok = counts.every(isWhole) && one.difference === 0 && two.difference === 0;
  return { seed, cases: [one, two], walk, reachable, isolated, sameTenant, ok };
}
