/** set_arp: ARP for IPv4 over Ethernet (RFC 826). */
import {
  ACT_SET_ARP_OP,
  ACT_SET_ARP_OP_MASK,
  ACT_SET_ARP_SHA,
  ACT_SET_ARP_SHA_MASK,
  ACT_SET_ARP_SIP,
  ACT_SET_ARP_SIP_MASK,
  ACT_SET_ARP_THA,
  ACT_SET_ARP_THA_MASK,
  ACT_SET_ARP_TIP,
  ACT_SET_ARP_TIP_MASK,
} from '../../src/gen/actions';
import { PACKET_L3_OFFSET } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { dataOf, dropUnfit, hasL3, masked } from './frame';

const PACKET_BYTES: u32 = 28;
/** Hardware type 1, protocol type 0x0800 and their address sizes, as they lie in a little-endian word. */
const KIND_LE: u64 = 0x0406_0008_0100;
const KIND_MASK: u64 = 0xffff_ffff_ffff;
const OPERATION: usize = 6;
const SHA: usize = 8;
const SPA: usize = 14;
const THA: usize = 18;
const TPA: usize = 24;

// @inline
function set32(place: usize, value: usize, mask: usize): void {
  store<u32>(place, masked(load<u32>(place), load<u32>(value), load<u32>(mask)));
}

// @inline
function set16(place: usize, value: usize, mask: usize): void {
  store<u16>(place, <u16>masked(load<u16>(place), load<u16>(value), load<u16>(mask)));
}

/** Returns how many packets are left in the list. */
export function setArp(w: usize, list: usize, count: u32, at: usize): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const arp = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
    if (!hasL3(p, PACKET_BYTES) || (load<u64>(arp) & KIND_MASK) != KIND_LE) {
      dropUnfit(w, p, false);
      continue;
    }
    listSet(list, kept++, p);
    set16(arp + OPERATION, at + ACT_SET_ARP_OP, at + ACT_SET_ARP_OP_MASK);
    set32(arp + SPA, at + ACT_SET_ARP_SIP, at + ACT_SET_ARP_SIP_MASK);
    set32(arp + TPA, at + ACT_SET_ARP_TIP, at + ACT_SET_ARP_TIP_MASK);
    set32(arp + SHA, at + ACT_SET_ARP_SHA, at + ACT_SET_ARP_SHA_MASK);
    set16(arp + SHA + 4, at + ACT_SET_ARP_SHA + 4, at + ACT_SET_ARP_SHA_MASK + 4);
    set32(arp + THA, at + ACT_SET_ARP_THA, at + ACT_SET_ARP_THA_MASK);
    set16(arp + THA + 4, at + ACT_SET_ARP_THA + 4, at + ACT_SET_ARP_THA_MASK + 4);
  }
  return kept;
}
