/** Which packets the nested lists of clone, sample and check_pkt_len work on. Running the lists is runActions' part. */
import { ACT_CHECK_PKT_LEN_MAX_LEN, ACT_SAMPLE_PROBABILITY } from '../../src/gen/actions';
import { DROP_SAMPLE_END } from '../../src/gen/counters';
import { WORKER_RANDOM } from '../../src/gen/layout';
import { copyPacket, dropPacket } from '../layout/packets';
import { listGet, listSet } from '../layout/worker';
import { sendSize } from './frame';

const ALWAYS: u32 = 0xffffffff;
/** State of a generator that was never seeded. */
const SEED: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;
const MULTIPLIER: u64 = ((<u64>0x2545f491) << 32) | 0x4f6cdd1d;

/** xorshift64* (Vigna 2016): the high half of the product. */
function random(w: usize): u32 {
  let x = load<u64>(w, WORKER_RANDOM);
  if (x == 0) x = SEED;
  x ^= x >>> 12;
  x ^= x << 25;
  x ^= x >>> 27;
  store<u64>(w, x, WORKER_RANDOM);
  return <u32>((x * MULTIPLIER) >>> 32);
}

/**
 * Picks packets with the action's probability into `out`: themselves when `isLast` (the others then end here), else copies.
 * @returns how many
 */
export function pickSample(w: usize, list: usize, count: u32, at: usize, isLast: bool, out: usize): u32 {
  const probability = load<u32>(at, ACT_SAMPLE_PROBABILITY);
  let picked: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (probability == ALWAYS || random(w) < probability) {
      const q = isLast ? p : copyPacket(w, p);
      if (q != 0) listSet(out, picked++, q);
    } else if (isLast) dropPacket(w, p, DROP_SAMPLE_END);
  }
  return picked;
}

/** Moves packets that are longer than the action's limit to `out`, the others to the front. @returns how many are in `out` */
export function splitByLength(list: usize, count: u32, at: usize, out: usize): u32 {
  const limit = load<u32>(at, ACT_CHECK_PKT_LEN_MAX_LEN);
  let longer: u32 = 0;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (sendSize(p) > limit) listSet(out, longer++, p);
    else listSet(list, kept++, p);
  }
  return longer;
}
