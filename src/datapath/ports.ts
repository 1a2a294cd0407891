/** The port table from the host's end: rings, state and statistics of each port. */
import { TUNNEL_TYPE_GENEVE, TUNNEL_TYPE_GRE, TUNNEL_TYPE_VXLAN } from '../gen/actions.ts';
import * as L from '../gen/layout.ts';
import type { Netdev, NetdevStats } from '../netdev/netdev.ts';
import type { PortRingPlaces, RingPlace } from '../netdev/rings.ts';
import type { MemoryPlan } from './memory.ts';
import type { Extent } from './ring-space.ts';
import type { Views } from './views.ts';

/** A queue of a port, most often its only one, and what the host knows of it. */
export interface PortEntry {
  readonly number: number;
  /** Which of the port's queues it is, from 0. */
  readonly queue: number;
  /** Where it lies in the port table: a first queue at the port's number, a further one behind all ports. */
  readonly place: number;
  readonly netdev: Netdev;
  /** Index of the worker that it belongs to. */
  readonly worker: number;
  readonly extent: Extent;
  readonly places: PortRingPlaces;
  /** Chunks that the worker keeps on the port's fill ring. */
  readonly fillTarget: number;
  /** As written to the port table last. */
  isUp: boolean;
  mtu: number;
}

export interface PortStats {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxDropped: number;
  readonly rxErrors: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
  readonly txErrors: number;
}

const noStats = {
  rxPackets: 0,
  rxBytes: 0,
  rxDropped: 0,
  rxErrors: 0,
  txPackets: 0,
  txBytes: 0,
  txDropped: 0,
  txErrors: 0,
};
const statNames = Object.keys(noStats) as (keyof PortStats)[];

/** Address of the Port at a place of the table. */
export const portAddress = (plan: MemoryPlan, place: number): number => plan.ports.start + place * L.PORT_SIZEOF;

function writeRing(views: Views, at: number, place: RingPlace): void {
  views.setU32(at, place.producer);
  views.setU32(at + 4, place.consumer);
  views.setU32(at + 8, place.entries);
  views.setU32(at + 12, place.mask);
}

/** Writes a queue anew, its rings empty; the state comes last. What the port's first tells of the others stays. */
export function writePort(views: Views, plan: MemoryPlan, entry: PortEntry, ifindex: number): void {
  const at = portAddress(plan, entry.place);
  const { start, size } = entry.extent;
  views.u8.fill(0, start, start + size);
  clearQueue(views, plan, entry.place);
  views.setU32(at + L.PORT_NUMBER, entry.number);
  writeRing(views, at + L.PORT_RX_PRODUCER, entry.places.rx);
  writeRing(views, at + L.PORT_TX_PRODUCER, entry.places.tx);
  writeRing(views, at + L.PORT_FILL_PRODUCER, entry.places.fill);
  writeRing(views, at + L.PORT_COMP_PRODUCER, entry.places.comp);
  views.setU32(at + L.PORT_UMEM_BASE, entry.places.umemBase);
  views.setU32(at + L.PORT_FILL_TARGET, entry.fillTarget);
  views.setU32(at + L.PORT_WORKER, entry.worker);
  views.setU32(at + L.PORT_IFINDEX, ifindex);
  writePortState(views, plan, entry);
}

/** Brings MTU and state in the table up to the device's. */
export function writePortState(views: Views, plan: MemoryPlan, entry: PortEntry): void {
  entry.mtu = entry.netdev.mtu;
  entry.isUp = entry.netdev.isUp;
  writeDeviceState(views, portAddress(plan, entry.place), entry);
}

/** Writes MTU and state of a device to its Port. */
export function writeDeviceState(views: Views, at: number, { mtu, isUp }: Pick<Netdev, 'mtu' | 'isUp'>): void {
  views.setU32(at + L.PORT_MTU, mtu);
  views.setU32(at + L.PORT_STATE, L.PORT_STATE_PRESENT | (isUp ? L.PORT_STATE_UP : 0));
}

/** Writes what a device in a worker's thread has counted to its Port, for the control side to read. */
export function writeDeviceCounts(views: Views, at: number, counts: NetdevStats): void {
  views.setU64(at + L.PORT_DEVICE_RX_DROPPED, counts.rxDropped);
  views.setU64(at + L.PORT_DEVICE_RX_ERRORS, counts.rxErrors);
  views.setU64(at + L.PORT_DEVICE_TX_DROPPED, counts.txDropped);
  views.setU64(at + L.PORT_DEVICE_TX_ERRORS, counts.txErrors);
}

export function clearPort(views: Views, plan: MemoryPlan, place: number): void {
  const at = portAddress(plan, place);
  views.u8.fill(0, at, at + L.PORT_SIZEOF);
}

/** Clears a queue, but for what a port's first queue tells of the others. */
export function clearQueue(views: Views, plan: MemoryPlan, place: number): void {
  const at = portAddress(plan, place);
  views.u8.fill(0, at, at + L.PORT_QUEUES);
}

/** Tells workers which queue of a port to send by: their own, or one that they hand frames over for. */
export function writeQueues(views: Views, plan: MemoryPlan, number: number, queues: readonly PortEntry[]): void {
  const at = portAddress(plan, number);
  const second = queues.find(({ queue }) => queue === 1);
  views.setU32(at + L.PORT_QUEUES, second ? portAddress(plan, second.place) : 0);
  plan.workers.forEach(({ index }) => {
    const own = queues.find(({ worker }) => worker === index);
    views.u8[at + L.PORT_QUEUE_OF + index] = own?.queue ?? index % queues.length;
  });
}

/** The sums over the queues of a port. */
export function readPortStats(views: Views, plan: MemoryPlan, queues: readonly PortEntry[]): PortStats {
  const sum = { ...noStats };
  for (const queue of queues) {
    const stats = readQueueStats(views, plan, queue);
    for (const name of statNames) sum[name] += stats[name];
  }
  return sum;
}

/** What the worker counted and what the device counted, together. */
function readQueueStats(views: Views, plan: MemoryPlan, entry: PortEntry): PortStats {
  const at = portAddress(plan, entry.place);
  const device = entry.netdev.stats();
  return {
    rxPackets: views.getU64(at + L.PORT_RX_PACKETS),
    rxBytes: views.getU64(at + L.PORT_RX_BYTES),
    rxDropped: views.getU64(at + L.PORT_RX_DROPPED) + device.rxDropped,
    rxErrors: device.rxErrors,
    txPackets: views.getU64(at + L.PORT_TX_PACKETS),
    txBytes: views.getU64(at + L.PORT_TX_BYTES),
    txDropped: views.getU64(at + L.PORT_TX_DROPPED) + device.txDropped,
    txErrors: device.txErrors,
  };
}

export interface TunnelPortOptions {
  readonly type: 'vxlan' | 'geneve' | 'gre';
  /** VXLAN group policy extension. */
  readonly hasGroupPolicy?: boolean;
}

/** Writes a port without rings: present, never up, so that nothing is put out by it as it is. */
export function writeTunnelPort(views: Views, plan: MemoryPlan, number: number, options: TunnelPortOptions): void {
  clearPort(views, plan, number);
  const at = portAddress(plan, number);
  views.setU32(
    at + L.PORT_TUNNEL_TYPE,
    { vxlan: TUNNEL_TYPE_VXLAN, geneve: TUNNEL_TYPE_GENEVE, gre: TUNNEL_TYPE_GRE }[options.type],
  );
  views.setU32(at + L.PORT_TUNNEL_FLAGS, options.hasGroupPolicy ? L.TUNNEL_PORT_GBP : 0);
  views.setU32(at + L.PORT_STATE, L.PORT_STATE_PRESENT);
}
