/** Counters and drop reasons by name, with what they mean: of one worker, or of several together. */

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

type Workers = readonly WorkerHost[];

const sumOf = (workers: Workers, base: number, offset: number): number => {
  let sum = 0;
  for (const worker of workers) sum += worker.counter(base, offset);
  return sum;
};

export const counterRows = (workers: Workers): CounterRow[] =>
  workerCounters.map(({ name, help }, index) => ({ name, help, value: sumOf(workers, L.WORKER_COUNTERS, index * 8) }));

export const countersByName = (workers: Workers): Record<string, number> =>
  Object.fromEntries(workerCounters.map(({ name }, i) => [name, sumOf(workers, L.WORKER_COUNTERS, i * 8)]));

/** All reasons but `none`. */
export const dropRows = (workers: Workers): CounterRow[] =>
  dropReasons
    .filter(({ code }) => code !== 0)
    .map(({ name, help, code }) => ({ name, help, value: sumOf(workers, L.WORKER_DROPS, code * 8) }));

export const dropsByName = (workers: Workers): Record<DropReasonName, number> =>
  Object.fromEntries(dropReasons.map(({ name, code }) => [name, sumOf(workers, L.WORKER_DROPS, code * 8)])) as Record<
    DropReasonName,
    number
  >;

/** Frames that came in or were made, and frames that ended; what is held or on its way between workers is in neither sum. */
export function frameBalance(worker: WorkerHost): { in: number; out: number } {
  const count = (offset: number): number => worker.counter(L.WORKER_COUNTERS, offset);
  const dropped = dropRows([worker]).reduce((sum, row) => sum + row.value, 0);
  return {
    in: count(COUNTER_RX_PACKETS) + count(COUNTER_INJECTED_PACKETS) + count(COUNTER_COPIED_PACKETS),
    out: count(COUNTER_TX_PACKETS) + dropped + count(COUNTER_UPCALLS_CONSUMED),
  };
}
