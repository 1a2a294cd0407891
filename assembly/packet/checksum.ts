/**
 * Checksums: the Internet checksum (RFC 1071) with its incremental update (RFC 1624), and CRC-32C (RFC 9260 appendix A).
 *
 * Terms. *sum*: 16-bit words added up as a little-endian load reads them, carries kept in the upper half. RFC 1071 §2(B): the
 * ones' complement sum does not care for byte order as long as loading and storing agree, so a folded sum is complemented
 * and stored as it is, and a checksum field is loaded as it is. All functions here take and give numbers of that order.
 *
 * Invariants. The SIMD sum and its scalar twin fold to the same number. Parts that are summed one after the other have
 * even sizes, but for the last.
 */

/**
 * Sum of `size` bytes at `address` on top of `initial`; an odd last byte counts as if a zero followed.
 * @param size at most 524288: a lane grows by 2 × 0xffff with every 16 bytes
 */
export function onesSum(address: usize, size: u32, initial: u32): u32 {
  let at = address;
  let left = size;
  let total: u64 = initial;
  if (left >= 16) {
    let a = i32x4.extadd_pairwise_i16x8_u(v128.load(at));
    let b = i32x4.splat(0);
    at += 16;
    left -= 16;
    while (left >= 64) {
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(at)));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 16)));
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 32)));
      b = i32x4.add(b, i32x4.extadd_pairwise_i16x8_u(v128.load(at, 48)));
      at += 64;
      left -= 64;
    }
    while (left >= 16) {
      a = i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.load(at)));
      at += 16;
      left -= 16;
    }
    total += lanesSum(i32x4.add(a, b));
  }
  return narrow(tailSum(at, left, total));
}

/** Sum of the 20 bytes of an IPv4 header without options. */
// @inline
export function headerSum4(ip: usize): u32 {
  const ends = <u64>load<u32>(ip, 8) + <u64>load<u32>(ip, 12) + <u64>load<u32>(ip, 16);
  return narrow(<u64>load<u32>(ip) + <u64>load<u32>(ip, 4) + ends);
}

/** Scalar twin of onesSum: the same number once folded. */
export function onesSumScalar(address: usize, size: u32, initial: u32): u32 {
  return narrow(tailSum(address, size, initial));
}

// @inline
function lanesSum(lanes: v128): u64 {
  const low = <u64>i64x2.extract_lane(lanes, 0);
  const high = <u64>i64x2.extract_lane(lanes, 1);
  return (low & 0xffffffff) + (low >>> 32) + (high & 0xffffffff) + (high >>> 32);
}

// @inline
function tailSum(address: usize, size: u32, initial: u64): u64 {
  let at = address;
  let left = size;
  let total = initial;
  while (left >= 4) {
    total += <u64>load<u32>(at);
    at += 4;
    left -= 4;
  }
  if ((left & 2) != 0) {
    total += <u64>load<u16>(at);
    at += 2;
  }
  if ((left & 1) != 0) total += <u64>load<u8>(at);
  return total;
}

/** 64 bits to 32 with the carry brought round; a sum modulo 0xffff stays what it is. */
// @inline
function narrow(total: u64): u32 {
  const folded = (total & 0xffffffff) + (total >>> 32);
  return <u32>((folded & 0xffffffff) + (folded >>> 32));
}

/** A sum to 16 bits, carries brought round. The checksum is its complement. */
// @inline
export function foldSum(sum: u32): u32 {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Complement of the folded sum: what a checksum field holds. */
// @inline
export function finishSum(sum: u32): u32 {
  return foldSum(sum) ^ 0xffff;
}

/** The checksum after a 16-bit word of what it covers changed (RFC 1624, equation 3). */
// @inline
export function checksumUpdate16(checksum: u32, before: u32, after: u32): u32 {
  return finishSum((checksum ^ 0xffff) + (before ^ 0xffff) + after);
}

/** The same for a 32-bit word at an even offset. */
// @inline
export function checksumUpdate32(checksum: u32, before: u32, after: u32): u32 {
  const sum = (checksum ^ 0xffff) + (~before & 0xffff) + (~before >>> 16) + (after & 0xffff) + (after >>> 16);
  return finishSum(sum);
}

/** The same for `size` bytes, an even number, at an even offset: old bytes at `before`, new ones at `after`. */
export function checksumUpdateBytes(checksum: u32, before: usize, after: usize, size: u32): u32 {
  const removed = foldSum(onesSumScalar(before, size, 0)) ^ 0xffff;
  return finishSum((checksum ^ 0xffff) + removed + foldSum(onesSumScalar(after, size, 0)));
}

/**
 * Sum of the IPv4 pseudo-header (RFC 9293 §3.1).
 * @param ip address of the IPv4 header
 * @param proto transport protocol
 * @param size bytes of the transport header and its payload
 */
export function pseudoSum4(ip: usize, proto: u32, size: u32): u32 {
  return narrow(
    <u64>load<u32>(ip, 12) + <u64>load<u32>(ip, 16) + <u64>((proto & 0xff) << 8) + <u64>bswap<u16>(<u16>size),
  );
}

/** Sum of the IPv6 pseudo-header (RFC 8200 §8.1); the arguments are those of pseudoSum4. */
export function pseudoSum6(ip: usize, proto: u32, size: u32): u32 {
  return onesSumScalar(ip + 8, 32, foldSum(narrow(<u64>bswap<u32>(size) + <u64>((proto & 0xff) << 8))));
}

/** The CRC-32C polynomial, bits reflected. */
const CRC32C_POLYNOMIAL: u32 = 0x82f63b78;

// @inline
function crcBit(crc: u32): u32 {
  return (crc >>> 1) ^ (CRC32C_POLYNOMIAL & (0 - (crc & 1)));
}

/** Eight bits on. */
// @inline
function crcByte(crc: u32): u32 {
  return crcBit(crcBit(crcBit(crcBit(crcBit(crcBit(crcBit(crcBit(crc))))))));
}

/**
 * CRC-32C of `size` bytes, as SCTP stores it: little-endian. Bit by bit, with no table (the module has no data segments):
 * about 9 ns a byte. Whoever changes a word of a packet has crc32cUpdate.
 */
export function crc32c(address: usize, size: u32): u32 {
  let crc: u32 = 0xffffffff;
  const end = address + <usize>size;
  for (let at = address; at < end; at++) crc = crcByte(crc ^ <u32>load<u8>(at));
  return ~crc;
}

/** Product of two polynomials modulo the CRC's; bit 31 is x^0, as everywhere in a reflected CRC. */
function crcMultiply(a: u32, b: u32): u32 {
  let product: u32 = 0;
  let shifted = b;
  for (let rest = a; rest != 0; rest <<= 1) {
    product ^= shifted & (0 - (rest >>> 31));
    shifted = crcBit(shifted);
  }
  return product;
}

/**
 * The CRC-32C after a 32-bit word of what it covers changed, in steps that grow with the logarithm of the size. A checksum
 * that was wrong stays wrong by the same bits.
 * @param before the word as loaded, little-endian
 * @param after the word as it is now
 * @param following bytes behind the word that the CRC covers
 */
export function crc32cUpdate(crc: u32, before: u32, after: u32, following: u32): u32 {
  let change = before ^ after;
  // x^8, x^16, x^32 …: what one, two, four more bytes multiply by
  let power: u32 = 0x00800000;
  for (let bytes = following + 4; bytes != 0; bytes >>>= 1) {
    if ((bytes & 1) != 0) change = crcMultiply(change, power);
    power = crcMultiply(power, power);
  }
  return crc ^ change;
}
