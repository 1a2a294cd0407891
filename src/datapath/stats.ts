/** Counters and drop reasons of a worker, by name, with what they mean. */

import {
  COUNTER_COPIED_PACKETS,
  COUNTER_INJECTED_PACKETS,
  COUNTER_RX_PACKETS,
  COUNTER_TX_PACKETS,
  COUNTER_UPCALLS_CONSUMED,
} from '../gen/counters.ts';
import * as L from '../gen/layout.ts';
import { type DropReasonName, dropReasons, workerCounters } from '../gen/tables.ts';
import type { WorkerHost } from './worker.ts';

export interface CounterRow {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

export const counterRows = (worker: WorkerHost): CounterRow[] =>
  workerCounters.map(({ name, help }, index) => ({ name, help, value: worker.counter(L.WORKER_COUNTERS, index * 8) }));

/** All reasons but `none`. */
export const dropRows = (worker: WorkerHost): CounterRow[] =>
  dropReasons
    .filter(({ code }) => code !== 0)
    .map(({ name, help, code }) => ({ name, help, value: worker.counter(L.WORKER_DROPS, code * 8) }));

export const dropsByName = (worker: WorkerHost): Record<DropReasonName, number> =>
  Object.fromEntries(dropReasons.map(({ name, code }) => [name, worker.counter(L.WORKER_DROPS, code * 8)])) as Record<
    DropReasonName,
    number
  >;

/** Frames that came in or were made, and frames that ended; what upcalls hold is in neither sum. */
export function frameBalance(worker: WorkerHost): { in: number; out: number } {
  const count = (offset: number): number => worker.counter(L.WORKER_COUNTERS, offset);
  const dropped = dropRows(worker).reduce((sum, row) => sum + row.value, 0);
  return {
    in: count(COUNTER_RX_PACKETS) + count(COUNTER_INJECTED_PACKETS) + count(COUNTER_COPIED_PACKETS),
    out: count(COUNTER_TX_PACKETS) + dropped + count(COUNTER_UPCALLS_CONSUMED),
  };
}
