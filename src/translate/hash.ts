/**
 * Hashes by which bundle, multipath and select groups choose: the same numbers as Open vSwitch's, so that the same packet
 * takes the same way. Two functions are under them: MurmurHash3 (32 bits) word by word, and Bob Jenkins' lookup3 over bytes.
 *
 * Words are read as a little-endian machine reads them from memory, as the reference does on every machine it is packaged for.
 */
import { type FlowKey, KEY, type KeyField } from '../flow/key.ts';
import type { HashFields } from '../openflow/action/types.ts';
import { isIp } from './protocols.ts';
import { VLAN_TAGS } from './tags.ts';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_SCTP = 132;
const VLAN_VID = 0x0fff;

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** MurmurHash3: one word into the state. */
function add(hash: number, word: number): number {
  const mixed = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

/** MurmurHash3: the end of it. */
function finish(hash: number, last: number): number {
  let h = hash ^ last;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Of two words of 32 bits. */
export const hashWords = (x: number, y: number): number => finish(add(add(x, 0), y), 8);

export const hashU64 = (x: bigint): number =>
  finish(add(add(0, Number(x & 0xffffffffn)), Number((x >> 32n) & 0xffffffffn)), 8);

/** The bytes from `at` as one little-endian word; what is beyond the end is zero. */
function wordAt(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = 0; i < 4 && at + i < bytes.length; i++) word |= bytes[at + i]! << (8 * i);
  return word;
}

export function hashBytes(bytes: Uint8Array, basis: number): number {
  let hash = basis;
  for (let at = 0; at < bytes.length; at += 4) hash = add(hash, wordAt(bytes, at));
  return finish(hash, bytes.length);
}

/** lookup3's hashlittle() (Bob Jenkins, 2006). */
export function jenkins(bytes: Uint8Array, basis: number): number {
  let a = (0xdeadbeef + bytes.length + basis) | 0;
  let [b, c] = [a, a];
  let at = 0;
  for (; bytes.length - at > 12; at += 12) {
    a = (a + wordAt(bytes, at)) | 0;
    b = (b + wordAt(bytes, at + 4)) | 0;
    c = (c + wordAt(bytes, at + 8)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  if (at === bytes.length) return c >>> 0;
  a = (a + wordAt(bytes, at)) | 0;
  b = (b + wordAt(bytes, at + 4)) | 0;
  c = (c + wordAt(bytes, at + 8)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}

function xorInto(to: Uint8Array, at: number, a: Uint8Array, b: Uint8Array): void {
  for (let i = 0; i < a.length; i++) to[at + i] = a[i]! ^ b[i]!;
}

const isIpv4 = (flow: FlowKey): boolean => flow.get(KEY.eth_type) === 0x0800;

/** The VLANs of all tags in one. */
function putFoldedVlan(to: Uint8Array, at: number, flow: FlowKey): void {
  let vid = 0;
  for (const { tci } of VLAN_TAGS) vid ^= flow.get(tci) & VLAN_VID;
  to[at] = vid >>> 8;
  to[at + 1] = vid;
}

/** Fields of the two directions folded together; UDP's ports are not: they need not be symmetric. */
const symmetricL4 = { ip: 0, ethType: 16, vlan: 18, port: 20, mac: 22, proto: 28, size: 32 } as const;

export function hashSymmetricL4(flow: FlowKey, basis: number): number {
  const bytes = new Uint8Array(symmetricL4.size);
  const at = symmetricL4;
  xorInto(bytes, at.mac, flow.at(KEY.eth_src), flow.at(KEY.eth_dst));
  putFoldedVlan(bytes, at.vlan, flow);
  bytes.set(flow.at(KEY.eth_type), at.ethType);
  if (isIp(flow)) {
    if (isIpv4(flow)) xorInto(bytes, at.ip, flow.at(KEY.ipv4_src), flow.at(KEY.ipv4_dst));
    else xorInto(bytes, at.ip, flow.at(KEY.ipv6_src), flow.at(KEY.ipv6_dst));
    const proto = flow.get(KEY.nw_proto);
    bytes[at.proto] = proto;
    if (proto === IPPROTO_TCP || proto === IPPROTO_SCTP)
      xorInto(bytes, at.port, flow.at(KEY.tp_src), flow.at(KEY.tp_dst));
  }
  return jenkins(bytes, basis);
}

/** The addresses of both directions folded together; empty when the packet has none. */
function foldedAddresses(flow: FlowKey): Uint8Array {
  if (!isIp(flow)) return new Uint8Array(0);
  const [src, dst] = isIpv4(flow) ? [KEY.ipv4_src, KEY.ipv4_dst] : [KEY.ipv6_src, KEY.ipv6_dst];
  const folded = new Uint8Array(src.size);
  xorInto(folded, 0, flow.at(src), flow.at(dst));
  return folded;
}

function addWords(basis: number, bytes: Uint8Array): number {
  let hash = basis;
  for (let at = 0; at < bytes.length; at += 4) hash = add(hash, wordAt(bytes, at));
  return hash;
}

function hashSymmetricL3(flow: FlowKey, basis: number): number {
  const bytes = new Uint8Array(20);
  bytes.set(foldedAddresses(flow), 0);
  bytes.set(flow.at(KEY.eth_type), 16);
  return jenkins(bytes, basis);
}

/** Of packets without addresses of the network layer. */
function hashSymmetricL2(flow: FlowKey, basis: number): number {
  const bytes = new Uint8Array(12);
  bytes.set(flow.at(KEY.eth_type), 0);
  putFoldedVlan(bytes, 2, flow);
  xorInto(bytes, 4, flow.at(KEY.eth_src), flow.at(KEY.eth_dst));
  return finish(addWords(basis, bytes), basis);
}

const hasPorts = (proto: number, countsUdp: boolean): boolean =>
  proto === IPPROTO_TCP || proto === IPPROTO_SCTP || (countsUdp && proto === IPPROTO_UDP);

function hashSymmetricL3L4(flow: FlowKey, basis: number, countsUdp: boolean): number {
  if (!isIp(flow)) return hashSymmetricL2(flow, basis);
  const proto = flow.get(KEY.nw_proto);
  let hash = add(addWords(basis, foldedAddresses(flow)), proto);
  if (hasPorts(proto, countsUdp)) {
    const ports = new Uint8Array(2);
    xorInto(ports, 0, flow.at(KEY.tp_src), flow.at(KEY.tp_dst));
    hash = add(hash, wordAt(ports, 0));
  }
  return finish(hash, basis);
}

function hashAddress(flow: FlowKey, basis: number, v4: KeyField, v6: KeyField): number {
  if (!isIp(flow)) return basis;
  return jenkins(flow.at(isIpv4(flow) ? v4 : v6), basis);
}

/** Of the fields that an action names. */
export function hashFlow(flow: FlowKey, fields: HashFields, basis: number): number {
  switch (fields) {
    case 'eth_src':
      return jenkins(flow.at(KEY.eth_src), basis);
    case 'symmetric_l4':
      return hashSymmetricL4(flow, basis);
    case 'symmetric_l3l4':
      return hashSymmetricL3L4(flow, basis, false);
    case 'symmetric_l3l4+udp':
      return hashSymmetricL3L4(flow, basis, true);
    case 'nw_src':
      return hashAddress(flow, basis, KEY.ipv4_src, KEY.ipv6_src);
    case 'nw_dst':
      return hashAddress(flow, basis, KEY.ipv4_dst, KEY.ipv6_dst);
    case 'symmetric_l3':
      return hashSymmetricL3(flow, basis);
  }
}

const addresses = (flow: FlowKey): KeyField[] => {
  if (!isIp(flow)) return [];
  return isIpv4(flow) ? [KEY.ipv4_src, KEY.ipv4_dst] : [KEY.ipv6_src, KEY.ipv6_dst];
};

function portsOf(flow: FlowKey, countsUdp: boolean): KeyField[] {
  return isIp(flow) && hasPorts(flow.get(KEY.nw_proto), countsUdp) ? [KEY.tp_src, KEY.tp_dst] : [];
}

/** Whole fields that such a hash looks at, as the reference counts them; VLAN tags aside (hashedVlanBits). */
export function hashedFields(flow: FlowKey, fields: HashFields): readonly KeyField[] {
  const proto = isIp(flow) ? [KEY.nw_proto] : [];
  switch (fields) {
    case 'eth_src':
      return [KEY.eth_src];
    case 'symmetric_l4':
      return [KEY.eth_src, KEY.eth_dst, ...addresses(flow), ...proto, ...portsOf(flow, false)];
    case 'symmetric_l3l4':
      return [...addresses(flow), ...proto, ...portsOf(flow, false)];
    case 'symmetric_l3l4+udp':
      return [...addresses(flow), ...proto, ...portsOf(flow, true)];
    case 'nw_src':
      return addresses(flow).slice(0, 1);
    case 'nw_dst':
      return addresses(flow).slice(1);
    case 'symmetric_l3':
      return addresses(flow);
  }
}

/** Whether the hash looks at Ethernet addresses and VLANs that hashedFields does not name: the packet has no network layer. */
export const hashesLink = (flow: FlowKey, fields: HashFields): boolean =>
  (fields === 'symmetric_l3l4' || fields === 'symmetric_l3l4+udp') && !isIp(flow);

/** Bits of each VLAN tag that such a hash looks at. */
export const hashedVlanBits = (fields: HashFields): number => (fields === 'symmetric_l4' ? VLAN_VID : 0);
