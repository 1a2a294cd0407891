import { concatBytes, putU16 } from '../../src/lib/bytes.ts';

/** A locally administered address ending in this number. */
export const testMac = (n: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, n >>> 8, n & 0xff);

export interface UdpFrameOptions {
  /** Numbers of the ends: MAC 02:00:00:00:xx:xx and address 10.0.x.x. */
  readonly src?: number;
  readonly dst?: number;
  readonly sport?: number;
  readonly dport?: number;
  readonly payloadSize?: number;
}

/** A UDP datagram over IPv4 over Ethernet, IP checksum right, UDP checksum not used. */
export function udpFrame(options: UdpFrameOptions = {}): Uint8Array {
  const { src = 1, dst = 2, sport = 1000, dport = 2000, payloadSize = 18 } = options;
  const ip = Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, src >>> 8, src, 10, 0, dst >>> 8, dst);
  putU16(ip, 2, 28 + payloadSize);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += (ip[i]! << 8) | ip[i + 1]!;
  sum = (sum & 0xffff) + (sum >>> 16);
  putU16(ip, 10, ~(sum + (sum >>> 16)) & 0xffff);
  const udp = new Uint8Array(8 + payloadSize);
  putU16(udp, 0, sport);
  putU16(udp, 2, dport);
  putU16(udp, 4, 8 + payloadSize);
  return concatBytes(testMac(dst), testMac(src), Uint8Array.of(8, 0), ip, udp);
}
