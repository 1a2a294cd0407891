/** Frames that a port does not take. */
import { PACKET_DATA, PACKET_GSO_SIZE, PACKET_PACKET_TYPE, PORT_TX_DROPPED } from '../../src/gen/layout';
import { dropPacket } from './packets';

/** Frames leave with these in front of what the MTU counts. */
const ETH_HEADER_SIZE: u32 = 14;
const VLAN_TAG_SIZE: u32 = 4;
/** TPIDs 0x8100 and 0x88a8 as a little-endian load sees them. */
const TPID_CTAG_LOADED: u32 = 0x0081;
const TPID_STAG_LOADED: u32 = 0xa888;

/** Whether a frame is longer than the port takes; a large segment is cut up later and is never too long. */
export function exceedsMtu(p: usize, size: u32, mtu: u32): bool {
  if (mtu == 0 || load<u16>(p, PACKET_GSO_SIZE) != 0) return false;
  if (load<u32>(p, PACKET_PACKET_TYPE) != 0) return true;
  const tpid = <u32>load<u16>(<usize>load<u32>(p, PACKET_DATA), 12);
  const tag = tpid == TPID_CTAG_LOADED || tpid == TPID_STAG_LOADED ? VLAN_TAG_SIZE : 0;
  return size > mtu + ETH_HEADER_SIZE + tag;
}

/** Counts a frame that the port, 0 for none, did not take. Any worker may. */
export function refuse(w: usize, p: usize, port: usize, reason: u32): void {
  if (port != 0) atomic.add<u64>(port, 1, PORT_TX_DROPPED);
  dropPacket(w, p, reason);
}
