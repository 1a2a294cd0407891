/** push_eth, pop_eth and set_eth: the Ethernet header of a packet. */
import { ACT_PUSH_ETH_DST, ACT_PUSH_ETH_SRC, ACT_SET_ETH_DST, ACT_SET_ETH_DST_MASK } from '../../src/gen/actions';
import { NONE_U16, PACKET_L3_OFFSET, PACKET_L25_OFFSET, PACKET_PACKET_TYPE } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { dataOf, dropUnfit, hasHeadroom, resizeL2, sizeOf } from './frame';

const HEADER_SIZE: u32 = 14;
/** packet_type: the high half in network order says that the low half is an Ethertype. */
const NAMESPACE_ETHERTYPE_LE: u32 = 0x0100;

/** For packets that start at their network header. Returns how many packets are left in the list. */
export function pushEth(w: usize, list: usize, count: u32, at: usize): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const packetType = load<u32>(p, PACKET_PACKET_TYPE);
    const isFit = (packetType & 0xffff) == NAMESPACE_ETHERTYPE_LE;
    if (!isFit || !hasHeadroom(p, HEADER_SIZE)) {
      dropUnfit(w, p, isFit);
      continue;
    }
    resizeL2(p, <i32>HEADER_SIZE);
    const data = dataOf(p);
    store<u64>(data, load<u64>(at, ACT_PUSH_ETH_DST));
    store<u32>(data, load<u32>(at, ACT_PUSH_ETH_SRC + 2), 8);
    store<u16>(data, <u16>(packetType >>> 16), 12);
    store<u32>(p, 0, PACKET_PACKET_TYPE);
    listSet(list, kept++, p);
  }
  return kept;
}

/** Takes the header and its tags off. Returns how many packets are left in the list. */
export function popEth(w: usize, list: usize, count: u32): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const l25 = <u32>load<u16>(p, PACKET_L25_OFFSET);
    const offset = l25 != NONE_U16 ? l25 : <u32>load<u16>(p, PACKET_L3_OFFSET);
    if (offset < HEADER_SIZE || offset > sizeOf(p) || load<u32>(p, PACKET_PACKET_TYPE) != 0) {
      dropUnfit(w, p, false);
      continue;
    }
    const ethType = <u32>load<u16>(dataOf(p) + offset - 2);
    resizeL2(p, -(<i32>offset));
    store<u32>(p, NAMESPACE_ETHERTYPE_LE | (ethType << 16), PACKET_PACKET_TYPE);
    listSet(list, kept++, p);
  }
  return kept;
}

/** Both addresses in one vector. An L3 packet stays as it is. */
export function setEth(list: usize, count: u32, at: usize): void {
  const addresses = v128(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0);
  const mask = v128.and(v128.load(at, ACT_SET_ETH_DST_MASK), addresses);
  const value = v128.and(v128.load(at, ACT_SET_ETH_DST), mask);
  const end = list + ((<usize>count) << 2);
  for (let next = list; next < end; next += 4) {
    const p = <usize>load<u32>(next);
    if (load<u32>(p, PACKET_PACKET_TYPE) != 0) continue;
    const data = dataOf(p);
    const size = sizeOf(p);
    if (size >= 16) v128.store(data, v128.or(value, v128.andnot(v128.load(data), mask)));
    else if (size >= HEADER_SIZE) setEthShort(data, value, mask);
  }
}

/** For a frame that ends before a vector does. `value` has no bit outside `mask`. */
function setEthShort(data: usize, value: v128, mask: v128): void {
  const low = i64x2.extract_lane(mask, 0);
  store<u64>(data, (load<u64>(data) & ~low) | i64x2.extract_lane(value, 0));
  const high = i32x4.extract_lane(mask, 2);
  store<u32>(data, (load<u32>(data, 8) & ~high) | i32x4.extract_lane(value, 2), 8);
}
