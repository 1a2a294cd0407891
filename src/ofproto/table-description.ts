/** Tables as OpenFlow 1.4 and later describe them. */
import type { OfTableDesc } from '../openflow/message/table.ts';
import type { OfActions } from './connections/types.ts';
import type { OfTable } from './table.ts';

/** OFPTMPEF: other, importance, lifetime. */
const EVICTION_FLAGS = 7;

export function describeTable({ id, isEvicting, vacancy, miss, free }: OfTable<OfActions>): OfTableDesc {
  return {
    table: id,
    eviction: isEvicting,
    evictionFlags: EVICTION_FLAGS,
    vacancy: vacancy && { ...vacancy, now: free },
    miss,
  };
}
