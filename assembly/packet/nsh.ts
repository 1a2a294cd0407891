/** Network Service Header (RFC 8300): base header, service path, fixed context. */
import { KEY_NSH_C1, KEY_NSH_C3, KEY_NSH_FLAGS, KEY_NSH_MDTYPE, KEY_NSH_PATH, KEY_NSH_TTL } from '../../src/gen/key';

const BASE_SIZE: usize = 8;
const MD_TYPE_1: u32 = 1;
const MD_TYPE_2: u32 = 2;
/** A header of MD type 1 has exactly this size (RFC 8300 §2.4). */
const MD_TYPE_1_SIZE: usize = 24;

export function parseNsh(key: usize, at: usize, end: usize): void {
  const left = end - at;
  if (left < BASE_SIZE) return;
  const first = <u32>bswap<u16>(load<u16>(at));
  const size = (<usize>first & 0x3f) << 2;
  const mdType = <u32>load<u8>(at, 2);
  const version = first >>> 14;
  if ((size > left) | (version != 0)) return;
  if ((mdType == MD_TYPE_1) & (size != MD_TYPE_1_SIZE)) return;
  if ((mdType == MD_TYPE_2) & (size < BASE_SIZE)) return;
  store<u8>(key, <u8>((first >>> 12) & 3), KEY_NSH_FLAGS);
  store<u8>(key, <u8>((first >>> 6) & 0x3f), KEY_NSH_TTL);
  store<u16>(key, load<u16>(at, 2), KEY_NSH_MDTYPE);
  store<u32>(key, load<u32>(at, 4), KEY_NSH_PATH);
  if (mdType != MD_TYPE_1) return;
  store<u64>(key, load<u64>(at, 8), KEY_NSH_C1);
  store<u64>(key, load<u64>(at, 16), KEY_NSH_C3);
}
