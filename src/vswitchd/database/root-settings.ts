/** Settings of the one row of Open_vSwitch that count for the switch as a whole (ovs-vswitchd.conf.db(5), other_config). */
import { MILLISECOND } from '../../lib/clock.ts';
import type { ReplicaRow } from '../../ovsdb/index.ts';
import type { Switch } from '../switch.ts';

const FLOW_LIMIT = 200_000;
/** Milliseconds. */
const MAX_IDLE = 10_000;
const MAX_IDLE_LEAST = 500;

function number(text: string | undefined, other: number, least: number): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) ? other : Math.max(least, value);
}

/** @param previous what the last call returned: `upcall/set-flow-limit` holds until the row says something else */
export function applyRootSettings(target: Switch, row: ReplicaRow, previous: string): string {
  const other = row.map('other_config');
  const [flowLimit, maxIdle] = [other.get('flow-limit'), other.get('max-idle')];
  const key = `${flowLimit} ${maxIdle}`;
  if (key === previous) return key;
  target.flowLimit = number(flowLimit, FLOW_LIMIT, 0);
  target.maxIdle = number(maxIdle, MAX_IDLE, MAX_IDLE_LEAST) * MILLISECOND;
  return key;
}
