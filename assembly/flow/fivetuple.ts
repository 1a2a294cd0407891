/**
 * Hashes over parts of a key, for the hash action and the UDP source port of a tunnel.
 *
 * Ports of a fragment do not count, so that all fragments of a datagram go the same way. The numbers are our own: Open
 * vSwitch's are not promised to anyone either.
 */
import {
  KEY_ETH_DST,
  KEY_ETH_SRC,
  KEY_ETH_TYPE,
  KEY_IPV4_DST,
  KEY_IPV4_SRC,
  KEY_IPV6_DST,
  KEY_IPV6_SRC,
  KEY_NW_FRAG,
  KEY_NW_PROTO,
  KEY_TP_SRC,
} from '../../src/gen/key';
import { finishHash, mixBlock, secret } from './hash';

/** Ethertypes as a little-endian load sees them. */
const ETH_TYPE_IPV4_LOADED: u32 = 0x0008;
const ETH_TYPE_IPV6_LOADED: u32 = 0xdd86;

// @inline
function isIp(ethType: u32): bool {
  return ethType == ETH_TYPE_IPV4_LOADED || ethType == ETH_TYPE_IPV6_LOADED;
}

/** Source and destination port in one word, 0 for a fragment. */
// @inline
function portsOf(key: usize): u32 {
  return load<u8>(key, KEY_NW_FRAG) == 0 ? load<u32>(key, KEY_TP_SRC) : 0;
}

/** IP addresses, protocol and ports; Ethernet addresses and type of what is not IP. */
export function flowHash5(key: usize): u32 {
  const ethType = <u32>load<u16>(key, KEY_ETH_TYPE);
  let sums = i64x2.splat(0);
  if (!isIp(ethType)) {
    const more = ((<u64>ethType) << 32) | <u64>load<u32>(key, KEY_ETH_SRC + 2);
    return finishHash(mixBlock(sums, i64x2(load<u64>(key, KEY_ETH_DST), more), secret(0)));
  }
  const rest = ((<u64>portsOf(key)) << 8) | <u64>load<u8>(key, KEY_NW_PROTO);
  sums = mixBlock(sums, i64x2(load<u64>(key, KEY_IPV4_SRC), rest), secret(0));
  if (ethType == ETH_TYPE_IPV6_LOADED) {
    sums = mixBlock(sums, v128.load(key, KEY_IPV6_SRC), secret(1));
    sums = mixBlock(sums, v128.load(key, KEY_IPV6_DST), secret(2));
  }
  return finishHash(sums);
}

/** The same for both directions of a connection: addresses XORed, ports XORed, protocol. */
export function symHashL4(key: usize): u32 {
  const ethType = <u32>load<u16>(key, KEY_ETH_TYPE);
  if (!isIp(ethType)) {
    const macs = (load<u64>(key, KEY_ETH_DST) ^ load<u64>(key, KEY_ETH_SRC)) & 0x0000ffff_ffffffff;
    return finishHash(mixBlock(i64x2.splat(0), i64x2(macs, <u64>ethType), secret(0)));
  }
  const ports = portsOf(key);
  const fold = (ports ^ (ports >> 16)) & 0xffff;
  const addresses = load<u32>(key, KEY_IPV4_SRC) ^ load<u32>(key, KEY_IPV4_DST);
  const rest = ((<u64>fold) << 8) | <u64>load<u8>(key, KEY_NW_PROTO);
  let sums = mixBlock(i64x2.splat(0), i64x2(<u64>addresses, rest), secret(0));
  if (ethType == ETH_TYPE_IPV6_LOADED) {
    sums = mixBlock(sums, v128.xor(v128.load(key, KEY_IPV6_SRC), v128.load(key, KEY_IPV6_DST)), secret(1));
  }
  return finishHash(sums);
}
