/**
 * A frame from a flow key: one that has this key, with zeroes for all that a key does not say, and right checksums.
 *
 * What. Byte for byte what Open vSwitch 3.1 composes for `netdev-dummy/receive PORT FLOW` and traces with generated packets.
 * Invariants. Extracting the key of the frame gives the header fields that went in, where the frame can carry them.
 * Not supported: IPv6 fragment headers (the frame is then no fragment) and NSH headers, as in Open vSwitch; a key
 * of another packet type than Ethernet becomes an Ethernet frame.
 */
import { ETH_TYPE_NONE, FRAG_ANY, FRAG_LATER, VLAN_CFI } from '../gen/key.ts';
import { concatBytes, putU16, putU32 } from '../lib/bytes.ts';
import { checksum, pseudoHeaderSum } from '../packet/checksum.ts';
import { type FlowKey, KEY } from './key.ts';

/** Bytes of payload behind a TCP, UDP or ICMP echo header. */
const PAYLOAD_SIZE = 64;
const TCP_FIN_SYN_RST = 7;

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value);

/** @param behind payload of headers that have one, or how many bytes 0, 1, 2 … it is */
export function composeFrame(key: FlowKey, behind: number | Uint8Array = PAYLOAD_SIZE): Uint8Array {
  const payload = typeof behind === 'number' ? Uint8Array.from({ length: behind }, (_, i) => i) : behind;
  const addresses = concatBytes(key.at(KEY.eth_dst), key.at(KEY.eth_src));
  const type = key.get(KEY.eth_type);
  if (type === ETH_TYPE_NONE) return concatBytes(addresses, u16(addresses.length + 2));
  return concatBytes(addresses, tags(key), u16(type), composeNetwork(key, type, payload));
}

/** The key's bit for a tag that is there is not the tag's own drop-eligible bit: that goes out as zero. */
function tags(key: FlowKey): Uint8Array {
  const out: Uint8Array[] = [];
  for (const [tpid, field] of [
    [KEY.vlan_tpid, KEY.vlan_tci],
    [KEY.vlan2_tpid, KEY.vlan2_tci],
  ] as const) {
    const tci = key.get(field);
    if (tci & VLAN_CFI) out.push(key.at(tpid), u16(tci & ~VLAN_CFI));
  }
  return concatBytes(...out);
}

function composeNetwork(key: FlowKey, type: number, payload: Uint8Array): Uint8Array {
  switch (type) {
    case 0x0800:
      return composeIpv4(key, payload);
    case 0x86dd:
      return composeIpv6(key, payload);
    case 0x0806:
    case 0x8035:
      return composeArp(key);
    case 0x8847:
    case 0x8848:
      return composeMpls(key);
    default:
      return new Uint8Array(0);
  }
}

/** RFC 791; a later fragment starts at byte 800 of its datagram. */
function composeIpv4(key: FlowKey, payload: Uint8Array): Uint8Array {
  const body = composeTransport(key, key.at(KEY.ipv4_src), key.at(KEY.ipv4_dst), payload);
  const header = new Uint8Array(20);
  const frag = key.get(KEY.nw_frag);
  header[0] = 0x45;
  header[1] = key.get(KEY.nw_tos);
  putU16(header, 2, header.length + body.length);
  if (frag & FRAG_ANY) putU16(header, 6, frag & FRAG_LATER ? 0x2000 | 100 : 0x2000);
  header[8] = key.get(KEY.nw_ttl);
  header[9] = key.get(KEY.nw_proto);
  header.set(key.at(KEY.ipv4_src), 12);
  header.set(key.at(KEY.ipv4_dst), 16);
  putU16(header, 10, checksum(header));
  return concatBytes(header, body);
}

/** RFC 8200. */
function composeIpv6(key: FlowKey, payload: Uint8Array): Uint8Array {
  const body = composeTransport(key, key.at(KEY.ipv6_src), key.at(KEY.ipv6_dst), payload);
  const header = new Uint8Array(40);
  putU32(header, 0, 0x60000000 | (key.get(KEY.nw_tos) << 20) | key.get(KEY.ipv6_label));
  putU16(header, 4, body.length);
  header[6] = key.get(KEY.nw_proto);
  header[7] = key.get(KEY.nw_ttl);
  header.set(key.at(KEY.ipv6_src), 8);
  header.set(key.at(KEY.ipv6_dst), 24);
  return concatBytes(header, body);
}

/** RFC 826; only requests and replies carry addresses. */
function composeArp(key: FlowKey): Uint8Array {
  const packet = new Uint8Array(28);
  const op = key.get(KEY.nw_proto);
  packet.set([0, 1, 8, 0, 6, 4, 0, op]);
  if (op !== 1 && op !== 2) return packet;
  packet.set(key.at(KEY.arp_sha), 8);
  packet.set(key.at(KEY.ipv4_src), 14);
  packet.set(key.at(KEY.arp_tha), 18);
  packet.set(key.at(KEY.ipv4_dst), 24);
  return packet;
}

/** Labels up to the first with the bottom-of-stack bit, all three when none has it (RFC 3032). */
function composeMpls(key: FlowKey): Uint8Array {
  const out: Uint8Array[] = [];
  for (const field of [KEY.mpls_lse0, KEY.mpls_lse1, KEY.mpls_lse2]) {
    out.push(key.at(field));
    if (key.get(field) & 0x100) break;
  }
  return concatBytes(...out);
}

/** Header and payload; nothing for a later fragment and for protocols that the key has no fields of. */
function composeTransport(key: FlowKey, src: Uint8Array, dst: Uint8Array, payload: Uint8Array): Uint8Array {
  if (key.get(KEY.nw_frag) & FRAG_LATER) return new Uint8Array(0);
  const protocol = key.get(KEY.nw_proto);
  const withPseudoHeader = (bytes: Uint8Array): number =>
    checksum(bytes, pseudoHeaderSum({ src, dst, protocol }, bytes.length));
  switch (protocol) {
    case 6:
      return sealed(composeTcp(key, payload), 16, withPseudoHeader);
    case 17:
      // zero would say that there is no checksum (RFC 768)
      return sealed(composeUdp(key, payload), 6, (bytes) => withPseudoHeader(bytes) || 0xffff);
    case 132:
      return concatBytes(key.at(KEY.tp_src), key.at(KEY.tp_dst), new Uint8Array(8));
    case 1:
      return sealed(composeIcmp(key, [0, 8], payload), 2, checksum);
    case 2:
      return sealed(concatBytes(typeAndCode(key), new Uint8Array(2), key.at(KEY.igmp_group)), 2, checksum);
    case 58:
      return sealed(composeIcmpv6(key, payload), 2, withPseudoHeader);
    default:
      return new Uint8Array(0);
  }
}

/** The same bytes with their checksum in its place. */
function sealed(bytes: Uint8Array, at: number, sum: (bytes: Uint8Array) => number): Uint8Array {
  putU16(bytes, at, sum(bytes));
  return bytes;
}

/** RFC 9293 §3.1; no payload with SYN, FIN or RST. */
function composeTcp(key: FlowKey, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(20);
  const flags = key.get(KEY.tcp_flags);
  header.set(key.at(KEY.tp_src));
  header.set(key.at(KEY.tp_dst), 2);
  putU16(header, 12, 0x5000 | flags);
  return flags & TCP_FIN_SYN_RST ? header : concatBytes(header, payload);
}

function composeUdp(key: FlowKey, payload: Uint8Array): Uint8Array {
  const size = u16(8 + payload.length);
  return concatBytes(key.at(KEY.tp_src), key.at(KEY.tp_dst), size, new Uint8Array(2), payload);
}

const typeAndCode = (key: FlowKey): Uint8Array => Uint8Array.of(key.get(KEY.tp_src), key.get(KEY.tp_dst));

/** RFC 792; a payload only behind an echo. */
function composeIcmp(key: FlowKey, echoTypes: readonly number[], payload: Uint8Array): Uint8Array {
  const isEcho = echoTypes.includes(key.get(KEY.tp_src) & 0xff) && (key.get(KEY.tp_dst) & 0xff) === 0;
  return concatBytes(typeAndCode(key), new Uint8Array(6), ...(isEcho ? [payload] : []));
}

/** RFC 4443, RFC 4861: a link-layer option for each address that is not zero. */
function composeIcmpv6(key: FlowKey, payload: Uint8Array): Uint8Array {
  const type = key.get(KEY.tp_src);
  const message = composeIcmp(key, [128, 129], payload);
  message.set(key.at(KEY.nd_reserved), 4);
  const isNd = (type === 135 || type === 136) && key.get(KEY.tp_dst) === 0;
  if (!isNd) return message;
  const options = [KEY.arp_sha, KEY.arp_tha].map((field, i) =>
    key.isZero(field) ? new Uint8Array(0) : concatBytes(Uint8Array.of(i + 1, 1), key.at(field)),
  );
  return concatBytes(message, key.at(KEY.nd_target), ...options);
}
