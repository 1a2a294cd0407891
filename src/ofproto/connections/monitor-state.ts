/** What a connection keeps of its flow monitors. */
import type { Match } from '../../flow/key.ts';
import type { OfFlowMonitor, OfFlowUpdate } from '../../openflow/message/flow-monitor.ts';

export interface Monitor {
  readonly request: OfFlowMonitor;
  readonly match: Match;
}

/** Of one connection. */
export class ConnectionMonitors {
  readonly byId = new Map<number, Monitor>();
  updates: OfFlowUpdate[] = [];
  hasAbbreviated = false;
  /** When they paused, in changes; null: they do not. */
  pausedAt: number | null = null;
}
