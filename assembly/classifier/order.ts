/** The order of subtables: most hits first, hits halved at each sort so that the order follows the traffic. */
import { SUBTABLE_HITS, WORKER_SUBTABLE_COUNT, WORKER_SUBTABLES } from '../../src/gen/layout';

// @inline
function hitsOf(subtable: usize): u64 {
  return load<u64>(subtable, SUBTABLE_HITS);
}

/** Shell sort over the pointers, gaps 3h + 1: thousands of subtables in any order stay well below a millisecond or two. */
export function sortSubtables(w: usize): void {
  const list = <usize>load<u32>(w, WORKER_SUBTABLES);
  const count = load<u32>(w, WORKER_SUBTABLE_COUNT);
  let gap: u32 = 1;
  while (gap < count / 3) gap = gap * 3 + 1;
  for (; gap > 0; gap /= 3) {
    for (let i = gap; i < count; i++) {
      const subtable = <usize>load<u32>(list + ((<usize>i) << 2));
      const hits = hitsOf(subtable);
      let j = i;
      while (j >= gap) {
        const other = <usize>load<u32>(list + ((<usize>(j - gap)) << 2));
        if (hitsOf(other) >= hits) break;
        store<u32>(list + ((<usize>j) << 2), <u32>other);
        j -= gap;
      }
      store<u32>(list + ((<usize>j) << 2), <u32>subtable);
    }
  }
  for (let i: u32 = 0; i < count; i++) {
    const subtable = <usize>load<u32>(list + ((<usize>i) << 2));
    store<u64>(subtable, hitsOf(subtable) >> 1, SUBTABLE_HITS);
  }
}
