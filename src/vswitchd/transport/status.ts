/** A controller's columns in the database. */
import type { Micros } from '../../lib/clock.ts';
import type { Connection } from '../../ofproto/connections/connection.ts';
import type { PacketScheduler } from '../../ofproto/connections/packet-scheduler.ts';
import type { ReconnectState } from '../../openflow/connection/reconnect.ts';
import type { ControllerStatus } from './types.ts';

const roles = { equal: 'other', primary: 'master', secondary: 'slave' } as const;
const seconds = (from: Micros, to: Micros): string => String(Math.floor((to - from) / 1e6));

export interface ControllerState {
  readonly state: ReconnectState;
  readonly connection: Connection | null;
  readonly lastError: string | null;
  /** Null: never. */
  readonly connectedAt: Micros | null;
  readonly disconnectedAt: Micros | null;
}

function stateWord({ state, connection }: ControllerState): string {
  if (state !== 'active') return state.toUpperCase();
  return connection?.isIdle ? 'IDLE' : 'ACTIVE';
}

function schedulerPairs(name: string, { counters }: PacketScheduler): [string, string][] {
  return Object.entries(counters).map(([word, count]) => [`packet-in-${name}-${word}`, String(count)]);
}

export function controllerStatus(all: ControllerState, now: Micros): ControllerStatus {
  const { connection, lastError, connectedAt, disconnectedAt } = all;
  const status: Record<string, string> = { state: stateWord(all) };
  if (lastError !== null) status.last_error = lastError;
  if (connectedAt !== null) status.sec_since_connect = seconds(connectedAt, now);
  if (disconnectedAt !== null) status.sec_since_disconnect = seconds(disconnectedAt, now);
  const { schedulers } = connection ?? {};
  if (schedulers)
    Object.assign(
      status,
      Object.fromEntries([...schedulerPairs('action', schedulers.action), ...schedulerPairs('miss', schedulers.miss)]),
    );
  const isConnected = connection?.isConnected ?? false;
  return { isConnected, role: isConnected ? roles[connection!.role] : null, status };
}
