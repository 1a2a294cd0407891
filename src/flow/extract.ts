/**
 * A frame's flow key, the slow and obvious way: the twin of assembly/packet and the control plane's own extractor.
 *
 * What. Reads headers from the outside in and stops at the first one that is cut short or lies about its size; what was
 * read before that stays in the key. The answers are those of Open vSwitch 3.1's userspace datapath.
 * Terms. An *offset* counts bytes from the frame's first byte; null where the frame has no such header.
 * Invariants. Nothing behind the frame, and no padding behind an IP datagram, is ever looked at.
 * Not supported: checksums are not checked; NSH context headers of MD type 2 are not read.
 */
import { ETH_TYPE_NONE, FRAG_ANY, FRAG_LATER, VLAN_CFI } from '../gen/key.ts';
import { MPLS_LABELS_MAX, VLAN_TAGS_MAX } from '../gen/limits.ts';
import { u16At, u32At } from '../lib/bytes.ts';
import { FlowKey, KEY, type KeyField } from './key.ts';

export interface ExtractMeta {
  readonly inPort?: number;
  readonly recircId?: number;
  /** namespace << 16 | type; 0 is Ethernet (OpenFlow 1.5 §7.2.3.11). */
  readonly packetType?: number;
  /** Metadata (dp_hash and all fields behind it) is copied from here. */
  readonly base?: FlowKey;
}

export interface Extracted {
  readonly key: FlowKey;
  readonly offsets: {
    /** MPLS label stack. */
    readonly l25: number | null;
    /** Behind the Ethertype or the label stack; null for a frame too short for Ethernet. */
    readonly l3: number | null;
    /** Behind the IP headers; null without one, and for fragments other than the first. */
    readonly l4: number | null;
  };
  /** Bytes behind the IP datagram. */
  readonly l2Pad: number;
  /** Twelve bits, host order; 0 for anything but TCP. */
  readonly tcpFlags: number;
}

/** What is left to read: [at, end) of the frame. `end` moves to the front when a header says that padding follows. */
class Reader {
  readonly frame: Uint8Array;
  readonly key: FlowKey;
  at = 0;
  end: number;
  l25: number | null = null;
  l3: number | null = null;
  l4: number | null = null;
  l2Pad = 0;

  constructor(frame: Uint8Array, key: FlowKey) {
    this.frame = frame;
    this.key = key;
    this.end = frame.length;
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(ahead: number): number {
    return this.frame[this.at + ahead]!;
  }

  u16(ahead: number): number {
    return u16At(this.frame, this.at + ahead);
  }

  u32(ahead: number): number {
    return u32At(this.frame, this.at + ahead);
  }

  /** Copies as many bytes as the field has. */
  copy(field: KeyField, ahead: number): void {
    this.key.setBytes(field, this.frame.subarray(this.at + ahead, this.at + ahead + field.size));
  }

  /** Passes over a header; false, and nowhere, when it is not all there. */
  skip(size: number): boolean {
    if (size > this.left) return false;
    this.at += size;
    return true;
  }
}

const ETH_TYPE_MIN = 0x600;
const isVlanType = (type: number): boolean => type === 0x8100 || type === 0x88a8;
const isMplsType = (type: number): boolean => type === 0x8847 || type === 0x8848;

/**
 * @param frame from its first byte: of the Ethernet header, or of what packetType says
 * @returns a key whose header fields are all zero when an Ethernet frame is shorter than 14 bytes
 */
export function extractKey(frame: Uint8Array, meta: ExtractMeta = {}): Extracted {
  const key = new FlowKey();
  if (meta.base) key.bytes.set(meta.base.bytes.subarray(KEY.dp_hash.offset), KEY.dp_hash.offset);
  const packetType = meta.packetType ?? 0;
  key
    .set(KEY.in_port, meta.inPort ?? 0)
    .set(KEY.recirc_id, meta.recircId ?? 0)
    .set(KEY.packet_type, packetType);
  const reader = new Reader(frame, key);
  if (packetType !== 0) key.set(KEY.eth_type, packetType & 0xffff);
  if (packetType !== 0 || readEthernet(reader)) readFromMpls(reader);
  const { l25, l3, l4, l2Pad } = reader;
  return { key, offsets: { l25, l3, l4 }, l2Pad, tcpFlags: key.get(KEY.tcp_flags) };
}

/** IEEE 802.3, 802.1Q, 802.1ad, 802.2. False for a frame shorter than its addresses and type. */
function readEthernet(reader: Reader): boolean {
  const { key } = reader;
  if (reader.left < 14) return false;
  reader.copy(KEY.eth_dst, 0);
  reader.copy(KEY.eth_src, 6);
  reader.skip(12);
  const tags = [
    [KEY.vlan_tpid, KEY.vlan_tci],
    [KEY.vlan2_tpid, KEY.vlan2_tci],
  ] as const;
  // a tag counts only when an Ethertype follows it
  for (let n = 0; n < VLAN_TAGS_MAX && isVlanType(reader.u16(0)) && reader.left >= 6; n++) {
    key.set(tags[n]![0], reader.u16(0)).set(tags[n]![1], reader.u16(2) | VLAN_CFI);
    reader.skip(4);
  }
  key.set(KEY.eth_type, readEthertype(reader));
  return true;
}

/** The Ethertype, or that of a SNAP header behind an 802.2 length, or ETH_TYPE_NONE. */
function readEthertype(reader: Reader): number {
  const type = reader.u16(0);
  reader.skip(2);
  if (type >= ETH_TYPE_MIN) return type;
  const isSnap = reader.left >= 8 && reader.u32(0) === 0xaaaa0300 && reader.u16(4) === 0;
  if (!isSnap) return ETH_TYPE_NONE;
  const snapType = reader.u16(6);
  reader.skip(8);
  return snapType >= ETH_TYPE_MIN ? snapType : ETH_TYPE_NONE;
}

function readFromMpls(reader: Reader): void {
  const type = reader.key.get(KEY.eth_type);
  if (isMplsType(type)) readMpls(reader);
  reader.l3 = reader.at;
  if (type === 0x0800) {
    if (readIpv4(reader)) readTransport(reader);
  } else if (type === 0x86dd) {
    if (readIpv6(reader)) readTransport(reader);
  } else if (type === 0x0806 || type === 0x8035) readArp(reader);
  else if (type === 0x894f) readNsh(reader);
}

/** RFC 3032: passes over the whole stack, keeps the first labels. */
function readMpls(reader: Reader): void {
  const fields = [KEY.mpls_lse0, KEY.mpls_lse1, KEY.mpls_lse2];
  reader.l25 = reader.at;
  for (let count = 0, bottom = false; !bottom && reader.left >= 4; count++) {
    const entry = reader.u32(0);
    if (count < MPLS_LABELS_MAX) reader.key.set(fields[count]!, entry);
    bottom = (entry & 0x100) !== 0;
    reader.skip(4);
  }
}

/** Remembers the padding behind a datagram that ends at `end` and never looks at it. False when there is too much. */
function cutPadding(reader: Reader, end: number): boolean {
  const pad = reader.end - end;
  if (pad > 0xffff) return false;
  reader.l2Pad = pad;
  reader.end = end;
  return true;
}

/** RFC 791. The version is not looked at: the Ethertype said it. */
function readIpv4(reader: Reader): boolean {
  const { key } = reader;
  if (reader.left < 20) return false;
  const headerSize = (reader.u8(0) & 15) * 4;
  const total = reader.u16(2);
  if (headerSize < 20 || total > reader.left || headerSize > total) return false;
  if (!cutPadding(reader, reader.at + total)) return false;
  const fragment = reader.u16(6) & 0x3fff;
  const isLater = (fragment & 0x1fff) !== 0;
  reader.copy(KEY.ipv4_src, 12);
  reader.copy(KEY.ipv4_dst, 16);
  key
    .set(KEY.nw_tos, reader.u8(1))
    .set(KEY.nw_ttl, reader.u8(8))
    .set(KEY.nw_proto, reader.u8(9))
    .set(KEY.nw_frag, (fragment ? FRAG_ANY : 0) | (isLater ? FRAG_LATER : 0));
  reader.skip(headerSize);
  return true;
}

/** RFC 8200. Addresses stay in the key when an extension header is cut short; the rest does not get there. */
function readIpv6(reader: Reader): boolean {
  const { key } = reader;
  if (reader.left < 40) return false;
  const first = reader.u32(0);
  const end = reader.at + 40 + reader.u16(4);
  const hopLimit = reader.u8(7);
  if (end > reader.end || !cutPadding(reader, end)) return false;
  reader.copy(KEY.ipv6_src, 8);
  reader.copy(KEY.ipv6_dst, 24);
  const next = reader.u8(6);
  reader.skip(40);
  const found = skipExtensionHeaders(reader, next);
  if (!found) return false;
  key
    .set(KEY.nw_proto, found.proto)
    .set(KEY.nw_frag, found.frag)
    .set(KEY.nw_tos, (first >>> 20) & 0xff)
    .set(KEY.nw_ttl, hopLimit)
    .set(KEY.ipv6_label, first & 0xfffff);
  return true;
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION = 60;

/** Stops at the first header that is not an extension header, or at a later fragment, whose protocol is FRAGMENT. */
function skipExtensionHeaders(reader: Reader, first: number): { proto: number; frag: number } | null {
  let proto = first;
  let frag = 0;
  while ([HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION].includes(proto)) {
    if (reader.left < 8) return null;
    const type = proto;
    const lengthField = reader.u8(1);
    const offset = reader.u16(2);
    proto = reader.u8(0);
    const size = type === FRAGMENT ? 8 : type === AUTHENTICATION ? (lengthField + 2) * 4 : (lengthField + 1) * 8;
    if (!reader.skip(size)) return null;
    if (type === FRAGMENT && offset !== 0) {
      frag = FRAG_ANY;
      if ((offset & 0xfff8) !== 0) return { proto: FRAGMENT, frag: FRAG_ANY | FRAG_LATER };
    }
  }
  return { proto, frag };
}

/** RFC 826, for IPv4 over Ethernet only; the opcode counts when it fits in a byte. */
function readArp(reader: Reader): void {
  const { key } = reader;
  const isIpv4OverEthernet = reader.left >= 28 && reader.u32(0) === 0x00010800 && reader.u16(4) === 0x0604;
  if (!isIpv4OverEthernet) return;
  const op = reader.u16(6);
  if (op <= 0xff) key.set(KEY.nw_proto, op);
  reader.copy(KEY.arp_sha, 8);
  reader.copy(KEY.ipv4_src, 14);
  reader.copy(KEY.arp_tha, 18);
  reader.copy(KEY.ipv4_dst, 24);
}

/** RFC 8300. MD type 1 must have exactly its size; of other types only the base header is kept. */
function readNsh(reader: Reader): void {
  const { key } = reader;
  if (reader.left < 8) return;
  const first = reader.u16(0);
  const size = (first & 0x3f) * 4;
  const mdType = reader.u8(2);
  const version = first >>> 14;
  if (size > reader.left || version !== 0) return;
  if ((mdType === 1 && size !== 24) || (mdType === 2 && size < 8)) return;
  key
    .set(KEY.nsh_flags, (first >>> 12) & 3)
    .set(KEY.nsh_ttl, (first >>> 6) & 0x3f)
    .set(KEY.nsh_mdtype, mdType)
    .set(KEY.nsh_np, reader.u8(3))
    .set(KEY.nsh_path, reader.u32(4));
  if (mdType !== 1) return;
  [KEY.nsh_c1, KEY.nsh_c2, KEY.nsh_c3, KEY.nsh_c4].forEach((field, i) => {
    reader.copy(field, 8 + 4 * i);
  });
}

/** Ports, or type and code. As in Open vSwitch the IP version does not matter here: ICMPv6 over IPv4 is read too. */
function readTransport(reader: Reader): void {
  const { key } = reader;
  if (key.get(KEY.nw_frag) & FRAG_LATER) return;
  reader.l4 = reader.at;
  const proto = key.get(KEY.nw_proto);
  if (proto === 6) readTcp(reader);
  else if (proto === 17) readPorts(reader, 8);
  else if (proto === 132) readPorts(reader, 12);
  else if (proto === 1 || proto === 2 || proto === 58) {
    readTypeAndCode(reader);
    if (proto === 2 && reader.left >= 8) reader.copy(KEY.igmp_group, 4);
    if (proto === 58) readNeighbourDiscovery(reader);
  }
}

function readPorts(reader: Reader, headerSize: number): void {
  if (reader.left < headerSize) return;
  reader.copy(KEY.tp_src, 0);
  reader.copy(KEY.tp_dst, 2);
}

/** RFC 9293 §3.1; nothing of a header whose data offset lies. */
function readTcp(reader: Reader): void {
  if (reader.left < 20) return;
  const headerSize = (reader.u8(12) >>> 4) * 4;
  if (headerSize < 20 || headerSize > reader.left) return;
  readPorts(reader, 20);
  reader.key.set(KEY.tcp_flags, reader.u16(12) & 0xfff);
}

function readTypeAndCode(reader: Reader): void {
  if (reader.left < 8) return;
  reader.key.set(KEY.tp_src, reader.u8(0)).set(KEY.tp_dst, reader.u8(1));
}

/** RFC 4861 §4.3, §4.4: solicitations and advertisements with code 0. */
function readNeighbourDiscovery(reader: Reader): void {
  if (reader.left < 8) return;
  const type = reader.u8(0);
  if (reader.u8(1) !== 0 || (type !== 135 && type !== 136)) return;
  reader.copy(KEY.nd_reserved, 4);
  reader.skip(8);
  if (reader.left < 16) return;
  reader.copy(KEY.nd_target, 0);
  reader.skip(16);
  readNdOptions(reader);
}

/** Keeps the link-layer addresses; a second one of the same kind spoils all of them and the target (RFC 4861 §4.6). */
function readNdOptions(reader: Reader): void {
  const { key } = reader;
  while (reader.left >= 8) {
    const type = reader.u8(0);
    const size = reader.u8(1) * 8;
    if (size === 0 || size > reader.left) return;
    if (size === 8 && (type === 1 || type === 2)) {
      const field = type === 1 ? KEY.arp_sha : KEY.arp_tha;
      if (!key.isZero(field)) {
        key.setBytes(KEY.nd_target, new Uint8Array()).setBytes(KEY.arp_sha, new Uint8Array());
        key.setBytes(KEY.arp_tha, new Uint8Array());
        return;
      }
      reader.copy(field, 2);
      if (key.get(KEY.nd_options_type) === 0) key.set(KEY.nd_options_type, type);
    }
    reader.skip(size);
  }
}
