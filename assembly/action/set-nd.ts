/** set_nd and set_nd_ext: neighbour discovery (RFC 4861). A packet without a whole message stays as it is. */
import {
  ACT_SET_ND_EXT_OPTIONS_TYPE,
  ACT_SET_ND_EXT_OPTIONS_TYPE_MASK,
  ACT_SET_ND_EXT_RESERVED,
  ACT_SET_ND_EXT_RESERVED_MASK,
  ACT_SET_ND_SLL,
  ACT_SET_ND_SLL_MASK,
  ACT_SET_ND_TARGET,
  ACT_SET_ND_TARGET_MASK,
  ACT_SET_ND_TLL,
  ACT_SET_ND_TLL_MASK,
} from '../../src/gen/actions';
import { PACKET_L4_OFFSET } from '../../src/gen/layout';
import { listGet } from '../layout/worker';
import { applyDelta, delta16, delta32, delta128 } from './delta';
import { dataOf, l4Size, masked } from './frame';

/** Type, code, checksum, flags and target. */
const MESSAGE_SIZE: u32 = 24;
const CHECKSUM: usize = 2;
const RESERVED: usize = 4;
const TARGET: usize = 8;
const OPTION_SOURCE: u32 = 1;
const OPTION_TARGET: u32 = 2;
/** A link-layer address option: one unit of eight bytes. */
const OPTION_SIZE: u32 = 8;

/** The first source or target link-layer address option, 0 for none. */
function findLinkAddress(nd: usize, size: u32): usize {
  let at = nd + MESSAGE_SIZE;
  let rest = size - MESSAGE_SIZE;
  while (rest >= OPTION_SIZE) {
    const type = <u32>load<u8>(at);
    const units = <u32>load<u8>(at, 1);
    if (units == 1 && (type == OPTION_SOURCE || type == OPTION_TARGET)) return at;
    if (units == 0 || units * OPTION_SIZE > rest) return 0;
    at += units * OPTION_SIZE;
    rest -= units * OPTION_SIZE;
  }
  return 0;
}

/** Sets the six bytes of an option's address; returns the delta. */
function setLinkAddress(place: usize, value: usize, mask: usize): u32 {
  const oldHigh = load<u32>(place);
  const nowHigh = masked(oldHigh, load<u32>(value), load<u32>(mask));
  const oldLow = <u32>load<u16>(place, 4);
  const nowLow = masked(oldLow, load<u16>(value, 4), load<u16>(mask, 4));
  if (oldHigh == nowHigh && oldLow == nowLow) return 0;
  store<u32>(place, nowHigh);
  store<u16>(place, <u16>nowLow, 4);
  return delta32(oldHigh, nowHigh) + delta16(oldLow, nowLow);
}

export function setNd(list: usize, count: u32, at: usize): void {
  const target = v128.load(at, ACT_SET_ND_TARGET);
  const targetMask = v128.load(at, ACT_SET_ND_TARGET_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const size = l4Size(p);
    if (size < MESSAGE_SIZE) continue;
    const nd = dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
    const old = v128.load(nd, TARGET);
    const now = v128.bitselect(target, old, targetMask);
    v128.store(nd, now, TARGET);
    let delta: u32 = v128.any_true(v128.xor(old, now)) ? delta128(old, now) : 0;
    const option = findLinkAddress(nd, size);
    if (option != 0) {
      const isSource = load<u8>(option) == OPTION_SOURCE;
      const value = at + (isSource ? ACT_SET_ND_SLL : ACT_SET_ND_TLL);
      const mask = at + (isSource ? ACT_SET_ND_SLL_MASK : ACT_SET_ND_TLL_MASK);
      delta += setLinkAddress(option + 2, value, mask);
    }
    if (delta != 0) applyDelta(nd + CHECKSUM, delta);
  }
}

/** The 32 bits behind the checksum, and the type of the first option. */
export function setNdExt(list: usize, count: u32, at: usize): void {
  const reserved = load<u32>(at, ACT_SET_ND_EXT_RESERVED);
  const reservedMask = load<u32>(at, ACT_SET_ND_EXT_RESERVED_MASK);
  const type = <u32>load<u8>(at, ACT_SET_ND_EXT_OPTIONS_TYPE);
  const typeMask = <u32>load<u8>(at, ACT_SET_ND_EXT_OPTIONS_TYPE_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const size = l4Size(p);
    if (size < MESSAGE_SIZE) continue;
    const nd = dataOf(p) + <usize>load<u16>(p, PACKET_L4_OFFSET);
    const old = load<u32>(nd, RESERVED);
    const now = masked(old, reserved, reservedMask);
    store<u32>(nd, now, RESERVED);
    let delta: u32 = now == old ? 0 : delta32(old, now);
    if (size >= MESSAGE_SIZE + OPTION_SIZE) {
      const option = nd + MESSAGE_SIZE;
      const oldType = <u32>load<u8>(option);
      const nowType = masked(oldType, type, typeMask);
      store<u8>(option, <u8>nowType);
      if (nowType != oldType) delta += delta16(oldType, nowType);
    }
    if (delta != 0) applyDelta(nd + CHECKSUM, delta);
  }
}
