/** ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903). */
import { KEY_ARP_SHA, KEY_ARP_THA, KEY_IPV4_DST, KEY_IPV4_SRC, KEY_NW_PROTO } from '../../src/gen/key';

const ARP_SIZE: usize = 28;
/** Hardware Ethernet, protocol IPv4; address sizes 6 and 4. */
const FIXED_PART: u64 = 0x0000_0406_0008_0100;

/** The opcode counts when it fits in a byte; anything but IPv4 over Ethernet leaves the key as it is. */
export function parseArp(key: usize, at: usize, end: usize): void {
  if (end - at < ARP_SIZE) return;
  const fixed = load<u64>(at);
  if ((fixed & 0x0000_ffff_ffff_ffff) != FIXED_PART) return;
  const op = bswap<u16>(<u16>(fixed >>> 48));
  store<u8>(key, op <= 0xff ? <u8>op : 0, KEY_NW_PROTO);
  store<u32>(key, load<u32>(at, 14), KEY_IPV4_SRC);
  store<u32>(key, load<u32>(at, 24), KEY_IPV4_DST);
  store<u32>(key, load<u32>(at, 8), KEY_ARP_SHA);
  store<u16>(key, load<u16>(at, 12), KEY_ARP_SHA + 4);
  store<u32>(key, load<u32>(at, 18), KEY_ARP_THA);
  store<u16>(key, load<u16>(at, 22), KEY_ARP_THA + 4);
}
