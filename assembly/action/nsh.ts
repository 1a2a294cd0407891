/** push_nsh, pop_nsh and set_nsh (RFC 8300). */
import {
  ACT_PUSH_NSH_FLAGS,
  ACT_PUSH_NSH_MD_SIZE,
  ACT_PUSH_NSH_MDTYPE,
  ACT_PUSH_NSH_PATH,
  ACT_PUSH_NSH_SIZEOF,
  ACT_PUSH_NSH_TTL,
  ACT_SET_NSH_C1,
  ACT_SET_NSH_C1_MASK,
  ACT_SET_NSH_FLAGS,
  ACT_SET_NSH_FLAGS_MASK,
  ACT_SET_NSH_PATH,
  ACT_SET_NSH_PATH_MASK,
  ACT_SET_NSH_TTL,
  ACT_SET_NSH_TTL_MASK,
} from '../../src/gen/actions';
import { PACKET_L3_OFFSET, PACKET_PACKET_TYPE } from '../../src/gen/layout';
import { listGet, listSet } from '../layout/worker';
import { dataOf, dropUnfit, hasHeadroom, hasL3, masked, resizeUnparsed, sizeOf, swap16 } from './frame';

const BASE_SIZE: u32 = 8;
const MD1_SIZE: u32 = 24;
const MD_TYPE_1: u32 = 1;
// packet types as they lie in the Packet
const PT_ETHERNET: u32 = 0;
const PT_IPV4: u32 = 0x00080100;
const PT_IPV6: u32 = 0xdd860100;
const PT_NSH: u32 = 0x4f890100;

/** The next protocol number for a packet type (RFC 8300 §2.2); 0 for none. */
function nextProtocol(packetType: u32): u32 {
  if (packetType == PT_ETHERNET) return 3;
  if (packetType == PT_IPV4) return 1;
  if (packetType == PT_IPV6) return 2;
  return packetType == PT_NSH ? 4 : 0;
}

/** The packet type for a next protocol number; all ones for one that is not known. */
function packetTypeOf(protocol: u32): u32 {
  if (protocol == 3) return PT_ETHERNET;
  if (protocol == 1) return PT_IPV4;
  if (protocol == 2) return PT_IPV6;
  return protocol == 4 ? PT_NSH : 0xffffffff;
}

/** Base header word 0 in host order: version 0 (2), O and U flags (2), TTL (6), length in words (6). */
// @inline
function baseWord(flags: u32, ttl: u32, words: u32): u32 {
  return ((flags & 3) << 12) | ((ttl & 0x3f) << 6) | (words & 0x3f);
}

/** The packet must be parsed again before anything else touches its headers. Returns how many are left. */
export function pushNsh(w: usize, list: usize, count: u32, at: usize): u32 {
  const metadataSize = load<u32>(at, ACT_PUSH_NSH_MD_SIZE);
  const size = BASE_SIZE + metadataSize;
  const word = baseWord(load<u8>(at, ACT_PUSH_NSH_FLAGS), load<u8>(at, ACT_PUSH_NSH_TTL), size >>> 2);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const next = nextProtocol(load<u32>(p, PACKET_PACKET_TYPE));
    if (next == 0 || !hasHeadroom(p, size)) {
      dropUnfit(w, p, next != 0);
      continue;
    }
    resizeUnparsed(p, <i32>size);
    const data = dataOf(p);
    store<u16>(data, <u16>swap16(word));
    store<u8>(data, load<u8>(at, ACT_PUSH_NSH_MDTYPE) & 0xf, 2);
    store<u8>(data, <u8>next, 3);
    store<u32>(data, load<u32>(at, ACT_PUSH_NSH_PATH), 4);
    memory.copy(data + BASE_SIZE, at + ACT_PUSH_NSH_SIZEOF, metadataSize);
    store<u16>(p, 0, PACKET_L3_OFFSET);
    store<u32>(p, PT_NSH, PACKET_PACKET_TYPE);
    listSet(list, kept++, p);
  }
  return kept;
}

/** Returns how many packets are left in the list. */
export function popNsh(w: usize, list: usize, count: u32): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const data = dataOf(p);
    const size = sizeOf(p) >= BASE_SIZE ? (<u32>load<u8>(data, 1) & 0x3f) << 2 : 0;
    const inner = packetTypeOf(load<u8>(data, 3));
    const isFit = load<u32>(p, PACKET_PACKET_TYPE) == PT_NSH && size >= BASE_SIZE && size <= sizeOf(p);
    if (!isFit || inner == 0xffffffff) {
      dropUnfit(w, p, false);
      continue;
    }
    resizeUnparsed(p, -(<i32>size));
    store<u32>(p, inner, PACKET_PACKET_TYPE);
    listSet(list, kept++, p);
  }
  return kept;
}

/** For version 0: flags, TTL, path and, in metadata of type 1, the four context words. Returns how many packets are left. */
export function setNsh(w: usize, list: usize, count: u32, at: usize): u32 {
  const value = baseWord(load<u8>(at, ACT_SET_NSH_FLAGS), load<u8>(at, ACT_SET_NSH_TTL), 0);
  const mask = baseWord(load<u8>(at, ACT_SET_NSH_FLAGS_MASK), load<u8>(at, ACT_SET_NSH_TTL_MASK), 0);
  const context = v128.load(at, ACT_SET_NSH_C1);
  const contextMask = v128.load(at, ACT_SET_NSH_C1_MASK);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const nsh = dataOf(p) + <usize>load<u16>(p, PACKET_L3_OFFSET);
    if (!hasL3(p, BASE_SIZE) || load<u8>(nsh) >>> 6 != 0) {
      dropUnfit(w, p, false);
      continue;
    }
    listSet(list, kept++, p);
    store<u16>(nsh, <u16>swap16(masked(swap16(load<u16>(nsh)), value, mask)));
    store<u32>(
      nsh,
      masked(load<u32>(nsh, 4), load<u32>(at, ACT_SET_NSH_PATH), load<u32>(at, ACT_SET_NSH_PATH_MASK)),
      4,
    );
    if ((load<u8>(nsh, 2) & 0xf) != MD_TYPE_1 || !hasL3(p, MD1_SIZE)) continue;
    v128.store(nsh, v128.bitselect(context, v128.load(nsh, 8), contextMask), 8);
  }
  return kept;
}
