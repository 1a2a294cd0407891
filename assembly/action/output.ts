/** output and trunc: the way out by a port. */
import { ACT_OUTPUT_PORT, ACT_TRUNC_MAX_LEN } from '../../src/gen/actions';
import { NONE_U32, PACKET_CUT_SIZE } from '../../src/gen/layout';
import { copyPacket } from '../layout/packets';
import { transmit } from '../layout/ports';
import { listGet } from '../layout/worker';
import { applyCut } from './frame';

/** Bytes of an Ethernet header: nothing is cut shorter. */
const CUT_SIZE_MIN: u32 = 14;

/** Sends the packets themselves. */
export function outputMove(w: usize, list: usize, count: u32, at: usize): void {
  const port = load<u32>(at, ACT_OUTPUT_PORT);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    applyCut(p);
    transmit(w, p, port);
  }
}

/** Sends copies; the packets go on, uncut. */
export function outputCopy(w: usize, list: usize, count: u32, at: usize): void {
  const port = load<u32>(at, ACT_OUTPUT_PORT);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const q = copyPacket(w, p);
    store<u32>(p, NONE_U32, PACKET_CUT_SIZE);
    if (q == 0) continue;
    applyCut(q);
    transmit(w, q, port);
  }
}

export function truncate(list: usize, count: u32, at: usize): void {
  const size = max<u32>(load<u32>(at, ACT_TRUNC_MAX_LEN), CUT_SIZE_MIN);
  for (let i: u32 = 0; i < count; i++) store<u32>(listGet(list, i), size, PACKET_CUT_SIZE);
}
