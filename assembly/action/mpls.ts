/** push_mpls, pop_mpls and set_mpls (RFC 3032). */
import {
  ACT_POP_MPLS_ETH_TYPE,
  ACT_PUSH_MPLS_ETH_TYPE,
  ACT_PUSH_MPLS_LSE,
  ACT_SET_MPLS_LSE,
  ACT_SET_MPLS_LSE_MASK,
} from '../../src/gen/actions';
import { NONE_U16, PACKET_L3_OFFSET, PACKET_L25_OFFSET, PACKET_PACKET_TYPE } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { dataOf, dropUnfit, hasHeadroom, masked, resizeL25, sizeOf } from './frame';

/** Bottom-of-stack bit as it lies in a little-endian word. */
const BOTTOM_LE: u32 = 0x00010000;
const TPID_8021Q_LE: u32 = 0x0081;
const TPID_8021AD_LE: u32 = 0xa888;

/** True when the packet has a label stack with at least one whole entry. */
// @inline
function hasLabel(p: usize): bool {
  return <u32>load<u16>(p, PACKET_L25_OFFSET) + 4 <= sizeOf(p);
}

/** Writes the Ethertype behind the tags: the last two bytes before the label stack. */
function setEthType(p: usize, ethType: u32): void {
  if (load<u32>(p, PACKET_PACKET_TYPE) != 0) return;
  const data = dataOf(p);
  const first = <u32>load<u16>(data, 12);
  const isTagged = first == TPID_8021Q_LE || first == TPID_8021AD_LE;
  const offset = isTagged ? <usize>load<u16>(p, PACKET_L25_OFFSET) : 14;
  store<u16>(data + offset - 2, <u16>ethType);
}

/** Returns how many packets are left in the list. */
export function pushMpls(w: usize, list: usize, count: u32, at: usize): u32 {
  const lse = load<u32>(at, ACT_PUSH_MPLS_LSE);
  const ethType = <u32>load<u16>(at, ACT_PUSH_MPLS_ETH_TYPE);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (load<u16>(p, PACKET_L25_OFFSET) == NONE_U16) store<u16>(p, load<u16>(p, PACKET_L3_OFFSET), PACKET_L25_OFFSET);
    const offset = <u32>load<u16>(p, PACKET_L25_OFFSET);
    // an Ethernet frame keeps at least its header in front; an L3 packet may have nothing there
    const isFit = offset <= sizeOf(p) && (offset >= 14 || load<u32>(p, PACKET_PACKET_TYPE) != 0);
    if (!isFit || !hasHeadroom(p, 4)) {
      dropUnfit(w, p, isFit);
      continue;
    }
    setEthType(p, ethType);
    resizeL25(p, 4);
    const data = dataOf(p);
    memory.copy(data, data + 4, offset);
    store<u32>(data + offset, lse);
    listSet(list, kept++, p);
  }
  return kept;
}

/** A packet without label stack stays as it is. */
export function popMpls(list: usize, count: u32, at: usize): void {
  const ethType = <u32>load<u16>(at, ACT_POP_MPLS_ETH_TYPE);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (!hasLabel(p)) continue;
    const offset = <usize>load<u16>(p, PACKET_L25_OFFSET);
    const data = dataOf(p);
    setEthType(p, ethType);
    if (load<u32>(data + offset) & BOTTOM_LE) store<u16>(p, <u16>NONE_U16, PACKET_L25_OFFSET);
    memory.copy(data + 4, data, offset);
    resizeL25(p, -4);
  }
}

export function setMpls(list: usize, count: u32, at: usize): void {
  const lse = load<u32>(at, ACT_SET_MPLS_LSE);
  const mask = load<u32>(at, ACT_SET_MPLS_LSE_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (!hasLabel(p)) continue;
    const place = dataOf(p) + <usize>load<u16>(p, PACKET_L25_OFFSET);
    store<u32>(place, masked(load<u32>(place), lse, mask));
  }
}
