/** The frames that workloads are made of: plain bytes, with the lengths and header checksums right. */
import { putU16, putU32, u16At } from '../src/lib/bytes.ts';

/** An Ethernet frame without its checksum: 60 bytes are 64 on the wire. */
export const FRAME_SIZE_MIN = 60;

export interface Layer3And4 {
  readonly ethDst: number;
  readonly ethSrc: number;
  /** IPv4 addresses as numbers; for IPv6 the low 32 bits of 2001:db8::/96. */
  readonly src: number;
  readonly dst: number;
  readonly proto: number;
  readonly tpSrc: number;
  readonly tpDst: number;
  readonly ttl: number;
}

/** 02:00 and then the number: a local unicast address. */
export function putMac(out: Uint8Array, at: number, number: number): void {
  putU16(out, at, 0x0200);
  putU32(out, at + 2, number);
}

function headerChecksum(bytes: Uint8Array, start: number, size: number): number {
  let sum = 0;
  for (let i = start; i < start + size; i += 2) sum += u16At(bytes, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Ports, and for TCP a header of 20 bytes with ACK set. The checksum is left 0: "none" for UDP over IPv4. */
function putTransport(out: Uint8Array, at: number, of: Layer3And4, size: number): void {
  putU16(out, at, of.tpSrc);
  putU16(out, at + 2, of.tpDst);
  if (of.proto === 17) putU16(out, at + 4, size);
  if (of.proto === 6) {
    out[at + 12] = 0x50;
    out[at + 13] = 0x10;
  }
}

function putIpv4(out: Uint8Array, at: number, of: Layer3And4): void {
  const size = out.length - at;
  out[at] = 0x45;
  putU16(out, at + 2, size);
  out[at + 8] = of.ttl;
  out[at + 9] = of.proto;
  putU32(out, at + 12, of.src);
  putU32(out, at + 16, of.dst);
  putU16(out, at + 10, headerChecksum(out, at, 20));
  putTransport(out, at + 20, of, size - 20);
}

function putIpv6(out: Uint8Array, at: number, of: Layer3And4): void {
  const size = out.length - at - 40;
  out[at] = 0x60;
  putU16(out, at + 4, size);
  out[at + 6] = of.proto;
  out[at + 7] = of.ttl;
  for (const [start, address] of [
    [at + 8, of.src],
    [at + 24, of.dst],
  ] as const) {
    putU32(out, start, 0x20010db8);
    putU32(out, start + 12, address);
  }
  putTransport(out, at + 40, of, size);
}

function putEthernet(out: Uint8Array, at: number, of: Layer3And4, tags: readonly Tag[], ethertype: number): number {
  putMac(out, at, of.ethDst);
  putMac(out, at + 6, of.ethSrc);
  let end = at + 12;
  for (const { tpid, vid } of tags) {
    putU16(out, end, tpid);
    putU16(out, end + 2, vid);
    end += 4;
  }
  putU16(out, end, ethertype);
  return end + 2;
}

export interface Tag {
  readonly tpid: number;
  readonly vid: number;
}

export function ipv4Frame(of: Layer3And4, tags: readonly Tag[] = [], size = FRAME_SIZE_MIN): Uint8Array {
  const out = new Uint8Array(size);
  putIpv4(out, putEthernet(out, 0, of, tags, 0x0800), of);
  return out;
}

export function ipv6Frame(of: Layer3And4, size = 78): Uint8Array {
  const out = new Uint8Array(size);
  putIpv6(out, putEthernet(out, 0, of, [], 0x86dd), of);
  return out;
}

/** An IPv4 frame inside Geneve without options (RFC 8926). */
export function geneveFrame(outer: Layer3And4, vni: number, inner: Layer3And4): Uint8Array {
  const out = new Uint8Array(14 + 20 + 8 + 8 + FRAME_SIZE_MIN);
  putIpv4(out, putEthernet(out, 0, outer, [], 0x0800), outer);
  putU16(out, 44, 0x6558);
  putU32(out, 46, vni << 8);
  out.set(ipv4Frame(inner), 50);
  return out;
}
