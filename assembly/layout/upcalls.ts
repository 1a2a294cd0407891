/**
 * The upcall ring, worker's end: a frame, its key and why it is there, one slot each.
 *
 * The slot is the host's to read from the moment upcall_producer passes it until the host's upcall_consumer does. The chunk
 * stays with the control side until an EXECUTE or RELEASE record names it. A full ring drops the frame (upcall_overflow).
 */
import { COUNTER_UPCALLS, DROP_UPCALL_OVERFLOW } from '../../src/gen/counters';
import {
  KEY_SIZE,
  PACKET_CHUNK,
  PACKET_CSUM_START,
  PACKET_CUT_SIZE,
  PACKET_DATA,
  PACKET_DEPTH,
  PACKET_HASH,
  PACKET_IN_PORT,
  PACKET_KEY,
  PACKET_KEY_MAP,
  PACKET_PACKET_TYPE,
  PACKET_RECIRC_ID,
  PACKET_SIZE,
  PACKET_TCP_FLAGS,
  UPCALL_SLOT_CHUNK,
  UPCALL_SLOT_CSUM_START,
  UPCALL_SLOT_CUT_SIZE,
  UPCALL_SLOT_DATA,
  UPCALL_SLOT_DEPTH,
  UPCALL_SLOT_HASH,
  UPCALL_SLOT_IN_PORT,
  UPCALL_SLOT_KEY,
  UPCALL_SLOT_KEY_MAP,
  UPCALL_SLOT_PACKET_TYPE,
  UPCALL_SLOT_PID,
  UPCALL_SLOT_RECIRC_ID,
  UPCALL_SLOT_SIZE,
  UPCALL_SLOT_SIZEOF,
  UPCALL_SLOT_TCP_FLAGS,
  UPCALL_SLOT_TUNNEL_OUT_PORT,
  UPCALL_SLOT_TYPE,
  UPCALL_SLOT_USERDATA,
  UPCALL_SLOT_USERDATA_SIZE,
  WORKER_UPCALL_CONSUMER,
  WORKER_UPCALL_PRODUCER,
  WORKER_UPCALL_SLOTS,
} from '../../src/gen/layout';
import { UPCALL_SLOTS, USERDATA_SIZE_MAX } from '../../src/gen/limits';
import { dropPacket, releaseSlot } from './packets';
import { counterAdd } from './worker';

/**
 * Passes a frame to the control side. Consumes p.
 * @param type UPCALL_X
 * @param tunnelOutPort NONE_U32 for none
 * @param userdata address of userdataSize bytes, at most USERDATA_SIZE_MAX of which are kept
 */
export function upcallPacket(
  w: usize,
  p: usize,
  type: u32,
  pid: u32,
  tunnelOutPort: u32,
  userdata: usize,
  userdataSize: u32,
): void {
  const producer = load<u32>(w, WORKER_UPCALL_PRODUCER);
  if (producer - atomic.load<u32>(w, WORKER_UPCALL_CONSUMER) >= UPCALL_SLOTS) {
    dropPacket(w, p, DROP_UPCALL_OVERFLOW);
    return;
  }
  const slot = <usize>load<u32>(w, WORKER_UPCALL_SLOTS) + <usize>(producer & (UPCALL_SLOTS - 1)) * UPCALL_SLOT_SIZEOF;
  store<u32>(slot, type, UPCALL_SLOT_TYPE);
  store<u32>(slot, load<u32>(p, PACKET_CHUNK), UPCALL_SLOT_CHUNK);
  store<u32>(slot, load<u32>(p, PACKET_DATA), UPCALL_SLOT_DATA);
  store<u32>(slot, load<u32>(p, PACKET_SIZE), UPCALL_SLOT_SIZE);
  store<u32>(slot, load<u32>(p, PACKET_IN_PORT), UPCALL_SLOT_IN_PORT);
  store<u32>(slot, load<u32>(p, PACKET_RECIRC_ID), UPCALL_SLOT_RECIRC_ID);
  store<u32>(slot, load<u32>(p, PACKET_HASH), UPCALL_SLOT_HASH);
  store<u32>(slot, load<u32>(p, PACKET_PACKET_TYPE), UPCALL_SLOT_PACKET_TYPE);
  store<u64>(slot, load<u64>(p, PACKET_KEY_MAP), UPCALL_SLOT_KEY_MAP);
  store<u32>(slot, load<u32>(p, PACKET_CUT_SIZE), UPCALL_SLOT_CUT_SIZE);
  store<u32>(slot, load<u16>(p, PACKET_DEPTH), UPCALL_SLOT_DEPTH);
  store<u64>(slot, load<u64>(p, PACKET_CSUM_START), UPCALL_SLOT_CSUM_START); // and the three behind it
  store<u32>(slot, pid, UPCALL_SLOT_PID);
  store<u32>(slot, tunnelOutPort, UPCALL_SLOT_TUNNEL_OUT_PORT);
  store<u32>(slot, load<u16>(p, PACKET_TCP_FLAGS), UPCALL_SLOT_TCP_FLAGS);
  const kept = min(userdataSize, USERDATA_SIZE_MAX);
  store<u32>(slot, kept, UPCALL_SLOT_USERDATA_SIZE);
  memory.copy(slot + UPCALL_SLOT_KEY, <usize>load<u32>(p, PACKET_KEY), KEY_SIZE);
  if (kept != 0) memory.copy(slot + UPCALL_SLOT_USERDATA, userdata, kept);
  atomic.store<u32>(w, producer + 1, WORKER_UPCALL_PRODUCER);
  counterAdd(w, COUNTER_UPCALLS, 1);
  releaseSlot(w, p);
}
