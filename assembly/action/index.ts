/**
 * Actions: what a megaflow does with its packets.
 *
 * What. runActions walks an encoded list (src/spec/actions) once; each action does its work on the whole list of packets
 * before the next one begins. One small file an action, or a family of them.
 *
 * Terms. *list*: an array of u32 Packet pointers. *use*: an action after which a packet may be gone: output, userspace,
 * recirc, clone, sample, meter … *Last use* moves packets, any other use works on copies. *L3 packet*: one that starts
 * at its network header (packet_type is not Ethernet).
 *
 * Invariants. Every packet of the list ends here: sent, held for an upcall, or dropped for a reason that is counted. An
 * action reads and writes inside [data, data + size) only; it asks the parser's offsets where the headers are and keeps
 * them true. Set actions leave the key slot alone: whoever looks a packet up again parses it again. Checksums move by
 * RFC 1624, so that a checksum that was wrong stays wrong; a UDP checksum of 0 stays 0 and none becomes 0.
 * A list that nothing is left to do with ends its packets as `explicit`; the list of a clone or a sample, as
 * `sample_end`. Lists nest ACTION_DEPTH_MAX deep at the most, recirculation included.
 *
 * An action that does not fit a packet leaves it alone where Open vSwitch does (pop_vlan without a tag, ports without a
 * whole transport header) and else drops it as action_invalid.
 *
 * Not supported: ct (dropped as action_unknown). Partial checksums (csum_start) keep their place, but set actions do not
 * tell them from whole ones. hash and the source port of a tunnel go by the flow as it was parsed last.
 */
import {
  ACT_CHECK_PKT_LEN,
  ACT_CHECK_PKT_LEN_GREATER_SIZE,
  ACT_CHECK_PKT_LEN_SIZEOF,
  ACT_CLONE,
  ACT_CLONE_SIZEOF,
  ACT_CT_CLEAR,
  ACT_DROP,
  ACT_DROP_REASON,
  ACT_HASH,
  ACT_METER,
  ACT_OUTPUT,
  ACT_POP_ETH,
  ACT_POP_MPLS,
  ACT_POP_NSH,
  ACT_POP_VLAN,
  ACT_PUSH_ETH,
  ACT_PUSH_MPLS,
  ACT_PUSH_NSH,
  ACT_PUSH_VLAN,
  ACT_RECIRC,
  ACT_SAMPLE,
  ACT_SAMPLE_SIZEOF,
  ACT_SET_ARP,
  ACT_SET_ETH,
  ACT_SET_ICMP,
  ACT_SET_ICMPV6,
  ACT_SET_IPV4,
  ACT_SET_IPV6,
  ACT_SET_MARK,
  ACT_SET_MPLS,
  ACT_SET_ND,
  ACT_SET_ND_EXT,
  ACT_SET_NSH,
  ACT_SET_PRIORITY,
  ACT_SET_SCTP,
  ACT_SET_TCP,
  ACT_SET_TUNNEL,
  ACT_SET_UDP,
  ACT_TNL_POP,
  ACT_TNL_PUSH,
  ACT_TRUNC,
  ACT_USERSPACE,
} from '../../src/gen/actions';
import {
  DROP_ACTION_DEPTH,
  DROP_ACTION_INVALID,
  DROP_ACTION_UNKNOWN,
  DROP_EXPLICIT,
  DROP_NO_FRAME,
  DROP_SAMPLE_END,
} from '../../src/gen/counters';
import { KEY_PKT_MARK, KEY_SKB_PRIORITY } from '../../src/gen/key';
import { NONE_U32, PACKET_CUT_SIZE, WORKER_ACTION_DEPTH } from '../../src/gen/layout';
import { ACTION_DEPTH_MAX } from '../../src/gen/limits';
import { listGet, listMark, listRelease, listReserve } from '../layout/worker';
import { recirculate } from '../pipeline';
import { popEth, pushEth, setEth } from './ethernet';
import { copyList, dropList } from './frame';
import { ctClear, hashPackets, setMeta, setTunnel } from './metadata';
import { runMeter } from './meter';
import { popMpls, pushMpls, setMpls } from './mpls';
import { pickSample, splitByLength } from './nested';
import { popNsh, pushNsh, setNsh } from './nsh';
import { outputCopy, outputMove, truncate } from './output';
import { recirc } from './recirculate';
import { setArp } from './set-arp';
import { setIpv4 } from './set-ipv4';
import { setIpv6 } from './set-ipv6';
import { setNd, setNdExt } from './set-nd';
import { setIcmp, setSctp, setTcp, setUdp } from './set-transport';
import { tunnelPop } from './tunnel-pop';
import { tunnelPush } from './tunnel-push';
import { userspace } from './userspace';
import { popVlan, pushVlan } from './vlan';

/** Actions after which a packet may be gone, or something beside the packet has changed: bit = code. */
const USES: u64 =
  ((<u64>1) << ACT_OUTPUT) |
  ((<u64>1) << ACT_USERSPACE) |
  ((<u64>1) << ACT_TNL_POP) |
  ((<u64>1) << ACT_RECIRC) |
  ((<u64>1) << ACT_CLONE) |
  ((<u64>1) << ACT_SAMPLE) |
  ((<u64>1) << ACT_METER) |
  ((<u64>1) << ACT_CHECK_PKT_LEN);

/**
 * Runs an encoded action list on packets. Consumes all of them.
 * @param list array of Packet pointers; overwritten
 * @param actions address of the list of actions
 * @param size bytes of it
 */
export function runActions(w: usize, list: usize, count: u32, actions: usize, size: u32): void {
  runNested(w, list, count, actions, size, DROP_EXPLICIT);
}

/** @param endReason what packets that are left at the end are counted as */
function runNested(w: usize, list: usize, count: u32, actions: usize, size: u32, endReason: u32): void {
  if (count == 0) return;
  if (!enterLists(w)) dropList(w, list, count, DROP_ACTION_DEPTH);
  else {
    runList(w, list, count, actions, size, endReason);
    leaveLists(w);
  }
}

/** One level deeper; false when that is too deep, and then it is not to be left. */
// @inline
export function enterLists(w: usize): bool {
  const depth = load<u32>(w, WORKER_ACTION_DEPTH);
  if (depth >= ACTION_DEPTH_MAX) return false;
  store<u32>(w, depth + 1, WORKER_ACTION_DEPTH);
  return true;
}

// @inline
export function leaveLists(w: usize): void {
  store<u32>(w, load<u32>(w, WORKER_ACTION_DEPTH) - 1, WORKER_ACTION_DEPTH);
}

/** A list's actions, between enterLists and leaveLists. */
export function runList(w: usize, list: usize, count: u32, actions: usize, size: u32, endReason: u32): void {
  const left = walk(w, list, count, actions, actions + <usize>size);
  if (left != 0) dropList(w, list, left, endReason);
}

/** True when no action from `at` on uses a packet: what is done to it there nobody sees. */
function isUnused(at: usize, end: usize): bool {
  while (at < end) {
    const type = <u64>load<u16>(at);
    if (type < 64 && (USES >>> type) & 1) return false;
    const size = <usize>load<u16>(at, 2);
    if (type == ACT_DROP || size < 4) return true;
    at += size;
  }
  return true;
}

/** Carries the actions out one by one. @returns how many packets are left in the list at the end */
function walk(w: usize, list: usize, count: u32, actions: usize, end: usize): u32 {
  let at = actions;
  let left = count;
  while (at < end && left != 0) {
    const type = <u32>load<u16>(at);
    const size = <usize>load<u16>(at, 2);
    const next = at + size;
    if (size < 4 || next > end) {
      dropList(w, list, left, DROP_ACTION_INVALID);
      return 0;
    }
    // the three that most flows consist of, first
    if (type == ACT_OUTPUT) {
      if (isUnused(next, end)) {
        outputMove(w, list, left, at);
        return 0;
      }
      outputCopy(w, list, left, at);
    } else if (type == ACT_SET_ETH) setEth(list, left, at);
    else if (type == ACT_SET_IPV4) left = setIpv4(w, list, left, at);
    else if (((USES >>> <u64>min<u32>(type, 63)) & 1) != 0) left = use(w, list, left, at, type, isUnused(next, end));
    else left = change(w, list, left, at, type);
    at = next;
  }
  return left;
}

/** An action that a packet may end in; when it is the packets' last, none is left. */
function use(w: usize, list: usize, count: u32, at: usize, type: u32, isLast: bool): u32 {
  switch (type) {
    case ACT_METER:
      return runMeter(w, list, count, at);
    case ACT_USERSPACE:
      userspace(w, list, count, at, isLast);
      return isLast ? 0 : count;
    case ACT_SAMPLE:
      sample(w, list, count, at, isLast);
      return isLast ? 0 : count;
    default:
      break;
  }
  if (isLast) {
    consume(w, list, count, at, type);
    return 0;
  }
  const mark = listMark(w);
  const copies = listReserve(w, count);
  if (copies == 0) {
    dropList(w, list, count, DROP_NO_FRAME);
    return 0;
  }
  const copied = copyList(w, list, count, copies);
  for (let i: u32 = 0; i < count; i++) store<u32>(listGet(list, i), NONE_U32, PACKET_CUT_SIZE);
  consume(w, copies, copied, at, type);
  listRelease(w, mark);
  return count;
}

/** The packets, originals or copies, end in this action. */
function consume(w: usize, list: usize, count: u32, at: usize, type: u32): void {
  if (count == 0) return;
  switch (type) {
    case ACT_RECIRC:
      recirc(w, list, count, at);
      break;
    case ACT_TNL_POP: {
      const popped = tunnelPop(w, list, count, at);
      if (popped != 0) recirculate(w, list, popped);
      break;
    }
    case ACT_CLONE: {
      const size = <u32>load<u16>(at, 2) - <u32>ACT_CLONE_SIZEOF;
      runNested(w, list, count, at + ACT_CLONE_SIZEOF, size, DROP_SAMPLE_END);
      break;
    }
    default:
      checkLength(w, list, count, at);
      break;
  }
}

function sample(w: usize, list: usize, count: u32, at: usize, isLast: bool): void {
  const mark = listMark(w);
  const picked = listReserve(w, count);
  if (picked == 0) {
    if (isLast) dropList(w, list, count, DROP_NO_FRAME);
    return;
  }
  const pickedCount = pickSample(w, list, count, at, isLast, picked);
  const size = <u32>load<u16>(at, 2) - <u32>ACT_SAMPLE_SIZEOF;
  runNested(w, picked, pickedCount, at + ACT_SAMPLE_SIZEOF, size, DROP_SAMPLE_END);
  listRelease(w, mark);
}

function checkLength(w: usize, list: usize, count: u32, at: usize): void {
  const greaterSize = load<u32>(at, ACT_CHECK_PKT_LEN_GREATER_SIZE);
  const bothSize = <u32>load<u16>(at, 2) - <u32>ACT_CHECK_PKT_LEN_SIZEOF;
  const mark = listMark(w);
  const longer = listReserve(w, count);
  if (longer == 0 || greaterSize > bothSize) {
    dropList(w, list, count, longer == 0 ? DROP_NO_FRAME : DROP_ACTION_INVALID);
  } else {
    const longerCount = splitByLength(list, count, at, longer);
    const lists = at + ACT_CHECK_PKT_LEN_SIZEOF;
    runNested(w, longer, longerCount, lists, greaterSize, DROP_EXPLICIT);
    runNested(w, list, count - longerCount, lists + <usize>greaterSize, bothSize - greaterSize, DROP_EXPLICIT);
  }
  listRelease(w, mark);
}

/** An action that changes packets. @returns how many are left in the list */
function change(w: usize, list: usize, count: u32, at: usize, type: u32): u32 {
  switch (type) {
    case ACT_PUSH_VLAN:
      return pushVlan(w, list, count, at);
    case ACT_POP_VLAN:
      popVlan(list, count);
      return count;
    case ACT_PUSH_MPLS:
      return pushMpls(w, list, count, at);
    case ACT_PUSH_ETH:
      return pushEth(w, list, count, at);
    case ACT_POP_ETH:
      return popEth(w, list, count);
    case ACT_PUSH_NSH:
      return pushNsh(w, list, count, at);
    case ACT_POP_NSH:
      return popNsh(w, list, count);
    case ACT_SET_NSH:
      return setNsh(w, list, count, at);
    case ACT_SET_IPV6:
      return setIpv6(w, list, count, at);
    case ACT_SET_ARP:
      return setArp(w, list, count, at);
    case ACT_TNL_PUSH:
      return tunnelPush(w, list, count, at);
    case ACT_DROP:
      dropList(w, list, count, load<u32>(at, ACT_DROP_REASON));
      return 0;
    default:
      return changeAll(w, list, count, at, type);
  }
}

/** An action that every packet survives; an unknown one, none. */
function changeAll(w: usize, list: usize, count: u32, at: usize, type: u32): u32 {
  switch (type) {
    case ACT_TRUNC:
      truncate(list, count, at);
      break;
    case ACT_POP_MPLS:
      popMpls(list, count, at);
      break;
    case ACT_SET_MPLS:
      setMpls(list, count, at);
      break;
    case ACT_SET_TCP:
      setTcp(list, count, at);
      break;
    case ACT_SET_UDP:
      setUdp(list, count, at);
      break;
    case ACT_SET_SCTP:
      setSctp(list, count, at);
      break;
    case ACT_SET_ICMP:
    case ACT_SET_ICMPV6:
      setIcmp(list, count, at);
      break;
    case ACT_SET_ND:
      setNd(list, count, at);
      break;
    case ACT_SET_ND_EXT:
      setNdExt(list, count, at);
      break;
    case ACT_SET_PRIORITY:
      setMeta(list, count, at, KEY_SKB_PRIORITY);
      break;
    case ACT_SET_MARK:
      setMeta(list, count, at, KEY_PKT_MARK);
      break;
    case ACT_SET_TUNNEL:
      setTunnel(list, count, at);
      break;
    case ACT_HASH:
      hashPackets(list, count, at);
      break;
    case ACT_CT_CLEAR:
      ctClear(list, count);
      break;
    default:
      // ACT_CT too
      dropList(w, list, count, DROP_ACTION_UNKNOWN);
      return 0;
  }
  return count;
}
