/** userspace: a frame to the control side, with user data. */
import {
  ACT_USERSPACE_PID,
  ACT_USERSPACE_REASON,
  ACT_USERSPACE_SIZEOF,
  ACT_USERSPACE_TUNNEL_OUT_PORT,
  ACT_USERSPACE_USERDATA_SIZE,
} from '../../src/gen/actions';
import { NONE_U32, PACKET_CUT_SIZE } from '../../src/gen/layout';
import { copyPacket, dropPacket } from '../layout/packets';
import { upcallPacket } from '../layout/upcalls';
import { listGet } from '../layout/worker';
import { parsePacket } from '../packet/parse';
import { applyCut } from './frame';

/** @param isLast the packets themselves go; else copies do */
export function userspace(w: usize, list: usize, count: u32, at: usize, isLast: bool): void {
  const reason = load<u32>(at, ACT_USERSPACE_REASON);
  const pid = load<u32>(at, ACT_USERSPACE_PID);
  const outPort = load<u32>(at, ACT_USERSPACE_TUNNEL_OUT_PORT);
  const userdata = at + ACT_USERSPACE_SIZEOF;
  const userdataSize = load<u32>(at, ACT_USERSPACE_USERDATA_SIZE);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    let q = p;
    if (!isLast) {
      q = copyPacket(w, p);
      store<u32>(p, NONE_U32, PACKET_CUT_SIZE);
      if (q == 0) continue;
    }
    applyCut(q);
    // the receiver gets the key of the frame as it is now
    const unreadable = parsePacket(w, q);
    if (unreadable != 0) dropPacket(w, q, unreadable);
    else upcallPacket(w, q, reason, pid, outPort, userdata, userdataSize);
  }
}
