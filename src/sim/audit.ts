/** Every frame of a network ends in exactly one place: this adds the places up. */
import type { DropReasonName } from '../gen/tables.ts';
import type { Host } from './host/host.ts';
import type { Link } from './link.ts';
import type { SimSwitch } from './switch.ts';

export interface NetworkAudit {
  /** Frames that hosts sent. */
  readonly sent: number;
  /** Frames that links doubled and that switches made: copies, and packets of their own. */
  readonly created: number;
  /** Frames that arrived at hosts. */
  readonly delivered: number;
  /** Frames that the control side of a switch or its local port took. */
  readonly consumed: number;
  /** Frames dropped, by reason; reasons that never happened are left out. */
  readonly drops: Readonly<Partial<Record<DropReasonName, number>>>;
  /** Frames that a device of a switch did not take (no free buffer, carrier gone), or that left by a port without a link. */
  readonly refused: number;
  readonly unplugged: number;
  /** Frames on links and in switches. */
  readonly inside: number;
  /** sent + created - all the others: 0, or a bug. */
  readonly difference: number;
}

interface Parts {
  readonly hosts: ReadonlyMap<string, Host>;
  readonly switches: ReadonlyMap<string, SimSwitch>;
  readonly links: readonly Link[];
}

const LINK_REASONS = ['link_loss', 'link_down', 'link_queue', 'link_mtu'] as const;

export function auditNetwork({ hosts, switches, links }: Parts): NetworkAudit {
  const total = { sent: 0, created: 0, delivered: 0, consumed: 0, refused: 0, unplugged: 0, inside: 0 };
  const drops: Partial<Record<DropReasonName, number>> = {};
  const dropped = (reason: DropReasonName, count: number): void => {
    if (count > 0) drops[reason] = (drops[reason] ?? 0) + count;
  };
  for (const host of hosts.values()) {
    total.sent += host.counters.txFrames;
    total.delivered += host.counters.rxFrames;
  }
  for (const link of links)
    for (const counters of link.counters) {
      total.created += counters.duplicated;
      total.inside += counters.inFlight;
      for (const reason of LINK_REASONS) dropped(reason, counters[reason]);
    }
  for (const one of switches.values()) {
    const audit = one.audit();
    total.created += audit.created;
    total.consumed += audit.consumed;
    total.inside += audit.inside;
    for (const [reason, count] of Object.entries(one.counters().drops)) dropped(reason as DropReasonName, count);
    for (const port of one.ports.values()) {
      total.refused += port.rxRefused + port.device.stats().txDropped;
      total.unplugged += port.txUnplugged;
    }
  }
  const dropSum = Object.values(drops).reduce((sum, count) => sum + count, 0);
  const ended = total.delivered + total.consumed + total.refused + total.unplugged + total.inside + dropSum;
  return { ...total, drops, difference: total.sent + total.created - ended };
}
