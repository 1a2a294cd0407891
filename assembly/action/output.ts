/** output and trunc: the way out by a port. */
import { ACT_OUTPUT_PORT, ACT_TRUNC_MAX_LEN } from '../../src/gen/actions';
import { COUNTER_COPIED_PACKETS, DROP_NO_FRAME } from '../../src/gen/counters';
import { NONE_U32, PACKET_CUT_SIZE } from '../../src/gen/layout';
import { transmit } from '../layout/ports';
import { countDrop, counterAdd, listGet, listMark, listRelease, listReserve } from '../layout/worker';
import { copyList } from './frame';

/** Bytes of an Ethernet header: nothing is cut shorter. */
const CUT_SIZE_MIN: u32 = 14;

/** Sends the packets themselves. */
// @inline
export function outputMove(w: usize, list: usize, count: u32, at: usize): void {
  transmit(w, list, count, load<u32>(at, ACT_OUTPUT_PORT));
}

/** Sends copies; the packets go on, uncut. */
export function outputCopy(w: usize, list: usize, count: u32, at: usize): void {
  const mark = listMark(w);
  const copies = listReserve(w, count);
  if (copies == 0) refuseCopies(w, count);
  else transmit(w, copies, copyList(w, list, count, copies), load<u32>(at, ACT_OUTPUT_PORT));
  for (let i: u32 = 0; i < count; i++) store<u32>(listGet(list, i), NONE_U32, PACKET_CUT_SIZE);
  listRelease(w, mark);
}

/** Copies that cannot even be listed count as made and dropped. */
function refuseCopies(w: usize, count: u32): void {
  counterAdd(w, COUNTER_COPIED_PACKETS, <u64>count);
  for (let i: u32 = 0; i < count; i++) countDrop(w, DROP_NO_FRAME);
}

export function truncate(list: usize, count: u32, at: usize): void {
  const size = max<u32>(load<u32>(at, ACT_TRUNC_MAX_LEN), CUT_SIZE_MIN);
  for (let i: u32 = 0; i < count; i++) store<u32>(listGet(list, i), size, PACKET_CUT_SIZE);
}
