/** Actions on what a packet carries beside its bytes: priority, mark, tunnel metadata, hash, connection state. */
import {
  ACT_HASH_ALG,
  ACT_HASH_BASIS,
  ACT_SET_PRIORITY_PRIORITY,
  ACT_SET_PRIORITY_PRIORITY_MASK,
  ACT_SET_TUNNEL_FLAGS,
  ACT_SET_TUNNEL_GBP_ID,
  ACT_SET_TUNNEL_IPV6_DST,
  ACT_SET_TUNNEL_IPV6_SRC,
  ACT_SET_TUNNEL_OPTS_LEN,
  ACT_SET_TUNNEL_SIZEOF,
  ACT_SET_TUNNEL_TUN_ID,
} from '../../src/gen/actions';
import {
  BLOCK_CT,
  BLOCK_META,
  BLOCK_TUN,
  BLOCK_TUN_IPV6_DST,
  BLOCK_TUN_IPV6_SRC,
  BLOCK_TUN_MORE,
  BLOCK_TUN_OPTS,
  KEY_CT_MARK,
  KEY_DP_HASH,
  KEY_TUN_FLAGS,
  KEY_TUN_GBP_FLAGS,
  KEY_TUN_GBP_ID,
  KEY_TUN_ID,
  KEY_TUN_IPV6_DST,
  KEY_TUN_IPV6_SRC,
  KEY_TUN_OPTS,
  KEY_TUN_OPTS_LEN,
  KEY_TUN_SRC,
  KEY_TUN_TOS,
  KEY_TUN_TP_SRC,
  KEY_TUN_TTL,
} from '../../src/gen/key';
import { PACKET_KEY, PACKET_KEY_MAP } from '../../src/gen/layout';
import { flowHash5, symHashL4 } from '../flow/fivetuple';
import { clearBlocks } from '../layout/packets';
import { listGet } from '../layout/worker';
import { masked, noteBlock } from './frame';

const ALGORITHM_SYMMETRIC: u32 = 1;
/** The blocks that noteTunnel looks at. */
const NOTED_BLOCKS: u64 =
  ((<u64>1) << BLOCK_TUN) |
  ((<u64>1) << BLOCK_TUN_IPV6_SRC) |
  ((<u64>1) << BLOCK_TUN_IPV6_DST) |
  ((<u64>1) << BLOCK_TUN_MORE);
/** The sixteen blocks of options and the four before them. */
const TUNNEL_BLOCKS: u64 = (<u64>0xfffff) << (<u64>BLOCK_TUN);
const CT_BLOCKS: u64 = (<u64>0xf) << (<u64>BLOCK_CT);

/** @param field KEY_SKB_PRIORITY or KEY_PKT_MARK; both records look the same */
export function setMeta(list: usize, count: u32, at: usize, field: usize): void {
  const value = load<u32>(at, ACT_SET_PRIORITY_PRIORITY);
  const mask = load<u32>(at, ACT_SET_PRIORITY_PRIORITY_MASK);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const place = <usize>load<u32>(p, PACKET_KEY) + field;
    store<u32>(place, masked(load<u32>(place), value, mask));
    noteBlock(p, BLOCK_META);
  }
}

/** Forgets all tunnel metadata of a packet. */
export function clearTunnel(p: usize): void {
  const present = load<u64>(p, PACKET_KEY_MAP) & TUNNEL_BLOCKS;
  if (present != 0) clearBlocks(p, present);
}

/** Copies tunnel options (at most 252 bytes) into the key slot. */
export function putTunnelOptions(p: usize, from: usize, size: u32): void {
  memory.copy(<usize>load<u32>(p, PACKET_KEY) + KEY_TUN_OPTS, from, size);
  for (let block: u32 = 0; block << 4 < size; block++) noteBlock(p, BLOCK_TUN_OPTS + block);
}

/**
 * Keeps key_map true to the tunnel metadata that was written, options aside. Reads the fields as wide as popping a header
 * stores them: a wider load would have to wait until the narrow stores have left the store buffer.
 */
export function noteTunnel(p: usize): void {
  const key = <usize>load<u32>(p, PACKET_KEY);
  const rest = <u32>load<u16>(key, KEY_TUN_FLAGS) | <u32>load<u8>(key, KEY_TUN_TOS) | <u32>load<u8>(key, KEY_TUN_TTL);
  const group = <u32>load<u16>(key, KEY_TUN_GBP_ID) | <u32>load<u8>(key, KEY_TUN_GBP_FLAGS);
  const more = rest | group | load<u32>(key, KEY_TUN_TP_SRC) | <u32>load<u8>(key, KEY_TUN_OPTS_LEN);
  const addresses = load<u64>(key, KEY_TUN_ID) | load<u64>(key, KEY_TUN_SRC);
  let map = load<u64>(p, PACKET_KEY_MAP) & ~NOTED_BLOCKS;
  map |= (<u64>u32(addresses != 0)) << BLOCK_TUN;
  map |= (<u64>u32(v128.any_true(v128.load(key, KEY_TUN_IPV6_SRC)))) << BLOCK_TUN_IPV6_SRC;
  map |= (<u64>u32(v128.any_true(v128.load(key, KEY_TUN_IPV6_DST)))) << BLOCK_TUN_IPV6_DST;
  map |= (<u64>u32(more != 0)) << BLOCK_TUN_MORE;
  store<u64>(p, map, PACKET_KEY_MAP);
}

/** Replaces the tunnel metadata: record and key have the same order of fields. */
export function setTunnel(list: usize, count: u32, at: usize): void {
  const optionsSize = min<u32>(load<u8>(at, ACT_SET_TUNNEL_OPTS_LEN), 252);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const key = <usize>load<u32>(p, PACKET_KEY);
    clearTunnel(p);
    v128.store(key, v128.load(at, ACT_SET_TUNNEL_TUN_ID), KEY_TUN_ID);
    v128.store(key, v128.load(at, ACT_SET_TUNNEL_IPV6_SRC), KEY_TUN_IPV6_SRC);
    v128.store(key, v128.load(at, ACT_SET_TUNNEL_IPV6_DST), KEY_TUN_IPV6_DST);
    // twelve bytes, up to the size of the options
    store<u64>(key, load<u64>(at, ACT_SET_TUNNEL_FLAGS), KEY_TUN_FLAGS);
    store<u32>(key, load<u32>(at, ACT_SET_TUNNEL_GBP_ID), KEY_TUN_GBP_ID);
    noteTunnel(p);
    if (optionsSize != 0) putTunnelOptions(p, at + ACT_SET_TUNNEL_SIZEOF, optionsSize);
  }
}

/** hash: dp_hash of the flow as it was parsed last, never 0, which means "none". */
export function hashPackets(list: usize, count: u32, at: usize): void {
  const algorithm = load<u32>(at, ACT_HASH_ALG);
  const basis = load<u32>(at, ACT_HASH_BASIS);
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const key = <usize>load<u32>(p, PACKET_KEY);
    let hash = algorithm == ALGORITHM_SYMMETRIC ? symHashL4(key) : flowHash5(key);
    if (basis != 0) hash = mixBasis(hash, basis);
    store<u32>(key, hash == 0 ? 1 : hash, KEY_DP_HASH);
    noteBlock(p, BLOCK_META);
  }
}

/** A 64-bit multiplication whose halves are folded. */
// @inline
function mixBasis(hash: u32, basis: u32): u32 {
  const product = <u64>(hash ^ basis) * (((<u64>0x9e3779b9) << 32) | 0x7f4a7c15);
  return <u32>(product ^ (product >>> 32));
}

/** Forgets the connection state: bits, zone, mark, label and original tuple. */
export function clearConnection(p: usize): void {
  const present = load<u64>(p, PACKET_KEY_MAP) & CT_BLOCKS;
  if (present != 0) clearBlocks(p, present);
  if ((load<u64>(p, PACKET_KEY_MAP) & ((<u64>1) << BLOCK_META)) == 0) return;
  store<u32>(<usize>load<u32>(p, PACKET_KEY), 0, KEY_CT_MARK);
  noteBlock(p, BLOCK_META);
}

export function ctClear(list: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) clearConnection(listGet(list, i));
}
