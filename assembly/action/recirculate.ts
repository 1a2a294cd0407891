/** recirc: the packets are looked up again, under a recirculation id. */
import { ACT_RECIRC_RECIRC_ID } from '../../src/gen/actions';
import { NONE_U32, PACKET_CUT_SIZE, PACKET_RECIRC_ID } from '../../src/gen/layout';
import { listGet } from '../layout/worker';
import { recirculate } from '../pipeline';

/** Consumes the packets; the list may be overwritten. A trunc that no output has heeded yet is forgotten. */
export function recirc(w: usize, list: usize, count: u32, at: usize): void {
  const id = load<u32>(at, ACT_RECIRC_RECIRC_ID);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    store<u32>(p, id, PACKET_RECIRC_ID);
    store<u32>(p, NONE_U32, PACKET_CUT_SIZE);
  }
  recirculate(w, list, count);
}
