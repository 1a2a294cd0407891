/** Counters of one worker beside its drop reasons (u64 each). */
export interface CounterSpec {
  readonly name: string;
  readonly help: string;
}

export const workerCounters: readonly CounterSpec[] = [
  { name: 'rx_packets', help: 'frames taken from receive rings' },
  { name: 'tx_packets', help: 'frames put on transmit rings' },
  { name: 'injected_packets', help: 'frames that the control side sent in by EXECUTE without an upcall' },
  { name: 'copied_packets', help: 'copies made for clone, sample, several outputs and userspace actions' },
  { name: 'recirculated_packets', help: 'passes beyond the first' },
  { name: 'cache_hits', help: 'lookups that the exact-match cache answered' },
  { name: 'megaflow_hits', help: 'lookups that the classifier answered' },
  { name: 'misses', help: 'lookups that nothing answered' },
  { name: 'subtables_visited', help: 'subtables probed, summed over lookups' },
  { name: 'upcalls', help: 'frames held on the upcall ring' },
  { name: 'upcalls_executed', help: 'held frames that came back with actions' },
  { name: 'upcalls_consumed', help: 'frames that a controller or the control side kept' },
  { name: 'bursts', help: 'calls that found frames' },
  { name: 'flows_installed', help: 'megaflows inserted' },
  { name: 'flows_replaced', help: 'megaflows whose actions were replaced' },
  { name: 'flows_deleted', help: 'megaflows removed' },
  { name: 'flows_refused_memory', help: 'megaflows refused for want of memory' },
  { name: 'flows_refused_subtables', help: 'megaflows refused because the table of subtables was full' },
  { name: 'control_records', help: 'control records carried out' },
  { name: 'control_errors', help: 'control records refused' },
  { name: 'cache_insertions', help: 'entries written to the exact-match cache' },
  { name: 'handed_over', help: 'frames handed to the worker that owns their output port' },
  { name: 'taken_over', help: 'frames taken from other workers' },
];
