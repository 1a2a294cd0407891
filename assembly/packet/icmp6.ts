/** Neighbour solicitations and advertisements (RFC 4861 §4.3, §4.4, §4.6.1). */
import { KEY_ARP_SHA, KEY_ARP_THA, KEY_ND_OPTIONS_TYPE, KEY_ND_RESERVED, KEY_ND_TARGET } from '../../src/gen/key';

const SOLICITATION: u32 = 135;
const ADVERTISEMENT: u32 = 136;
const SOURCE_LINK_LAYER: u32 = 1;
const TARGET_LINK_LAYER: u32 = 2;

/**
 * @param at the ICMPv6 header, at least eight bytes of it; anything but a solicitation or an advertisement with code 0
 *   leaves the key as it is
 */
export function parseNeighbourDiscovery(key: usize, at: usize, end: usize): void {
  const type = <u32>load<u8>(at);
  if ((type != SOLICITATION) & (type != ADVERTISEMENT)) return;
  if (load<u8>(at, 1) != 0) return;
  store<u32>(key, load<u32>(at, 4), KEY_ND_RESERVED);
  const target = at + 8;
  if (end - target < 16) return;
  v128.store(key, v128.load(target), KEY_ND_TARGET);
  parseOptions(key, target + 16, end);
}

/** Keeps the link-layer addresses; a second one of the same kind spoils all of them and the target. */
function parseOptions(key: usize, start: usize, end: usize): void {
  let at = start;
  while (end - at >= 8) {
    const type = <u32>load<u8>(at);
    const size = (<usize>load<u8>(at, 1)) << 3;
    if ((size == 0) | (size > end - at)) return;
    if (size == 8 && (type == SOURCE_LINK_LAYER || type == TARGET_LINK_LAYER)) {
      const field = key + (type == SOURCE_LINK_LAYER ? KEY_ARP_SHA : KEY_ARP_THA);
      if ((load<u32>(field) | <u32>load<u16>(field, 4)) != 0) {
        forgetNeighbour(key);
        return;
      }
      store<u32>(field, load<u32>(at, 2));
      store<u16>(field, load<u16>(at, 6), 4);
      if (load<u8>(key, KEY_ND_OPTIONS_TYPE) == 0) store<u8>(key, <u8>type, KEY_ND_OPTIONS_TYPE);
    }
    at += size;
  }
}

function forgetNeighbour(key: usize): void {
  v128.store(key, i64x2.splat(0), KEY_ND_TARGET);
  store<u64>(key, 0, KEY_ARP_SHA);
  store<u32>(key, 0, KEY_ARP_SHA + 8);
}
