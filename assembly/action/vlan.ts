/** push_vlan and pop_vlan (IEEE 802.1Q, 802.1ad). */
import { ACT_PUSH_VLAN_TCI, ACT_PUSH_VLAN_TPID } from '../../src/gen/actions';
import { PACKET_PACKET_TYPE } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { dataOf, dropUnfit, hasHeadroom, resizeL2, sizeOf } from './frame';

/** Bytes of both addresses: what stands before the first tag. */
const ADDRESSES_SIZE: u32 = 12;
const TPID_8021Q_LE: u32 = 0x0081;
const TPID_8021AD_LE: u32 = 0xa888;
/** The bit of a TCI that says "there is a tag": it is not sent. */
const CFI_LE: u32 = 0x0010;

/** Returns how many packets are left in the list. */
export function pushVlan(w: usize, list: usize, count: u32, at: usize): u32 {
  const tpid = <u32>load<u16>(at, ACT_PUSH_VLAN_TPID);
  const tci = <u32>load<u16>(at, ACT_PUSH_VLAN_TCI) & ~CFI_LE;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const isFit = sizeOf(p) >= ADDRESSES_SIZE + 2 && load<u32>(p, PACKET_PACKET_TYPE) == 0;
    if (!isFit || !hasHeadroom(p, 4)) {
      dropUnfit(w, p, isFit);
      continue;
    }
    resizeL2(p, 4);
    const data = dataOf(p);
    store<u64>(data, load<u64>(data, 4));
    store<u32>(data, load<u32>(data, 12), 8);
    store<u32>(data, tpid | (tci << 16), ADDRESSES_SIZE);
    listSet(list, kept++, p);
  }
  return kept;
}

/** A frame without a tag stays as it is. */
export function popVlan(list: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    if (sizeOf(p) < ADDRESSES_SIZE + 6 || load<u32>(p, PACKET_PACKET_TYPE) != 0) continue;
    const data = dataOf(p);
    const tpid = <u32>load<u16>(data, ADDRESSES_SIZE);
    if (tpid != TPID_8021Q_LE && tpid != TPID_8021AD_LE) continue;
    const high = load<u32>(data, 8);
    store<u64>(data, load<u64>(data), 4);
    store<u32>(data, high, 12);
    resizeL2(p, -4);
  }
}
