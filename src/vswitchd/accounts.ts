/** What went through a switch: counters by port and reason, and the proof that no frame was lost. */
import type { Datapath } from '../datapath/datapath.ts';
import type { DropReasonName } from '../gen/tables.ts';
import type { PortTraffic } from '../ofproto/index.ts';
import type { BridgePicture, OfPort, PortPicture, SwitchPicture } from '../translate/types.ts';
import type { UpcallCounters } from '../upcall/index.ts';
import type { TrafficCounts } from './effects.ts';
import type { ConservationAudit, PortCounters, SwitchCounters } from './types.ts';

const nothing: PortCounters = { rxPackets: 0, rxBytes: 0, rxDropped: 0, txPackets: 0, txBytes: 0, txDropped: 0 };

function portCounters(datapath: Datapath, traffic: TrafficCounts, port: PortPicture): PortCounters {
  if (port.kind === 'patch' || port.kind === 'tunnel' || port.dpPort === null) {
    return { ...traffic.of(port.bridge, port.ofport), rxDropped: 0, txDropped: 0 };
  }
  // While the worker of a port is started again there is nothing to read
  const stats = datapath.portStats(port.dpPort) ?? nothing;
  const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = stats;
  return { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped };
}

/** Kinds of devices whose drops and errors are not told, as the reference's dummies do. */
const UNTOLD: ReadonlySet<string> = new Set(['dummy', 'dummy-internal', 'dummy-pmd', 'memory', 'sim']);

/** What OpenFlow tells of a port; null when there is none. */
export function portTraffic(
  datapath: Datapath,
  traffic: TrafficCounts,
  { bridges }: SwitchPicture,
  bridge: string,
  ofport: OfPort,
): PortTraffic | null {
  const port = bridges.get(bridge)?.ports.get(ofport);
  if (!port) return null;
  const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = portCounters(datapath, traffic, port);
  const counts = { rxPackets, rxBytes, txPackets, txBytes };
  const device = port.dpPort === null || port.kind === 'tunnel' ? null : datapath.netdev(port.dpPort);
  if (!device || UNTOLD.has(device.type)) {
    return { ...counts, rxDropped: null, txDropped: null, rxErrors: null, txErrors: null };
  }
  const own = device.stats();
  return {
    ...counts,
    rxDropped: rxDropped + own.rxDropped,
    txDropped: txDropped + own.txDropped,
    rxErrors: own.rxErrors,
    txErrors: own.txErrors,
  };
}

export function countSwitch(
  datapath: Datapath,
  bridges: ReadonlyMap<string, BridgePicture>,
  traffic: TrafficCounts,
  upcall: UpcallCounters,
): SwitchCounters {
  const ports = [...bridges.values()].flatMap((bridge) => [...bridge.ports.values()]);
  const drops = Object.entries(datapath.drops()).filter(([, count]) => count > 0);
  return {
    ports: Object.fromEntries(ports.map((port) => [port.name, portCounters(datapath, traffic, port)])),
    drops: Object.fromEntries(drops) as Partial<Record<DropReasonName, number>>,
    worker: datapath.counters(),
    upcall: { ...upcall },
    flows: datapath.flowCount,
  };
}

/** A local port's own count. */
interface LocalCount {
  readonly taken: number;
  readonly delivered: number;
}

export function auditSwitch(datapath: Datapath, locals: readonly LocalCount[]): ConservationAudit {
  const { chunks, problems } = datapath.audit();
  const counters = datapath.counters();
  const count = (name: string): number => counters[name] ?? 0;
  const taken = locals.reduce((sum, local) => sum + local.taken, 0);
  const delivered = locals.reduce((sum, local) => sum + local.delivered, 0);
  const received = count('rx_packets') + chunks.rx - delivered;
  const created = count('injected_packets') + count('copied_packets') + delivered;
  const sent = count('tx_packets') - chunks.tx - taken;
  const consumed = count('upcalls_consumed') + taken;
  const dropped = Object.values(datapath.drops()).reduce((sum, n) => sum + n, 0);
  const inside = chunks.rx + chunks.tx + chunks.held + chunks.handed;
  const difference = received + created - sent - consumed - dropped - inside;
  return { received, created, sent, consumed, dropped, inside, difference, problems };
}
