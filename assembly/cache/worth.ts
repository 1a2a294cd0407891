/**
 * Whether the exact-match cache is worth asking.
 *
 * With many more connections than places, and few masks, the cache costs more than it saves. So its work is judged
 * every JUDGE_INTERVAL lookups: a hit saves the visits that a miss pays, and one more for the visits' overhead; when
 * the hits together saved fewer than five visits for four lookups, the cache is left aside, and only one burst in
 * SAMPLE_INTERVAL goes to it, so that it shows when traffic has changed. A cache that is still filling up (one miss in
 * FILLING_INVERSE finds a place, which a full bucket grants far less often) is not judged yet.
 */
import {
  WORKER_CACHE_BYPASS,
  WORKER_CACHE_HITS,
  WORKER_CACHE_INSERTED,
  WORKER_CACHE_LOOKUPS,
  WORKER_CACHE_VISITS,
  WORKER_FLAG_CACHE_OFF,
  WORKER_FLAGS,
} from '../../src/gen/layout';

const JUDGE_INTERVAL: u32 = 8192;
const SAMPLE_INTERVAL: u32 = 16;
const FILLING_INVERSE: u32 = 4;

/** Whether this burst goes to the cache. */
export function isCacheAsked(w: usize): bool {
  if ((load<u32>(w, WORKER_FLAGS) & WORKER_FLAG_CACHE_OFF) != 0) return false;
  const bypass = load<u32>(w, WORKER_CACHE_BYPASS);
  if (bypass == 0) return true;
  store<u32>(w, bypass == 1 ? SAMPLE_INTERVAL : bypass - 1, WORKER_CACHE_BYPASS);
  return bypass == 1;
}

/** Notes what a burst got from the cache, how many subtables it visited for the rest, and how many of those got in. */
export function noteWorth(w: usize, lookups: u32, hits: u32, visits: u32, inserted: u32): void {
  const lookupsNow = load<u32>(w, WORKER_CACHE_LOOKUPS) + lookups;
  const hitsNow = load<u32>(w, WORKER_CACHE_HITS) + hits;
  const visitsNow = load<u32>(w, WORKER_CACHE_VISITS) + visits;
  store<u32>(w, lookupsNow, WORKER_CACHE_LOOKUPS);
  store<u32>(w, hitsNow, WORKER_CACHE_HITS);
  store<u32>(w, visitsNow, WORKER_CACHE_VISITS);
  store<u32>(w, load<u32>(w, WORKER_CACHE_INSERTED) + inserted, WORKER_CACHE_INSERTED);
  if (lookupsNow >= JUDGE_INTERVAL) judge(w, lookupsNow, hitsNow, visitsNow);
}

function judge(w: usize, lookups: u32, hits: u32, visits: u32): void {
  const misses = <u64>(lookups - hits);
  const isFilling = load<u32>(w, WORKER_CACHE_INSERTED) * FILLING_INVERSE >= lookups - hits;
  const isWorth = <u64>hits * (<u64>visits + misses) * 4 >= <u64>lookups * misses * 5;
  forgetWorth(w);
  if (!isWorth && !isFilling) store<u32>(w, SAMPLE_INTERVAL, WORKER_CACHE_BYPASS);
}

/** Judges from now on, and asks always until then. */
export function forgetWorth(w: usize): void {
  store<u32>(w, 0, WORKER_CACHE_BYPASS);
  store<u32>(w, 0, WORKER_CACHE_LOOKUPS);
  store<u32>(w, 0, WORKER_CACHE_HITS);
  store<u32>(w, 0, WORKER_CACHE_VISITS);
  store<u32>(w, 0, WORKER_CACHE_INSERTED);
}
