/**
 * What the two switches print and send, made comparable: what differs from run to run is masked, what has no order is sorted, bits
 * that say nothing are zero.
 */
import { parseIpv6 } from '../../src/lib/addresses.ts';
import { toHex } from '../../src/lib/bytes.ts';

const MAC = 6;
const IP_SRC = 26;

export function turnedRound(frame: Uint8Array): Uint8Array {
  const turned = frame.slice();
  turned.set(frame.subarray(MAC, 2 * MAC), 0);
  turned.set(frame.subarray(0, MAC), MAC);
  turned.set(frame.subarray(IP_SRC + 4, IP_SRC + 8), IP_SRC);
  turned.set(frame.subarray(IP_SRC, IP_SRC + 4), IP_SRC + 4);
  return turned;
}

const UDP = 34;
const TUNNEL_PORTS: ReadonlySet<number> = new Set([4789, 6081]);

/** The source port of a UDP tunnel is a hash of the datapath's, and its checksum follows. */
export function withoutEntropy(frame: Uint8Array): Uint8Array {
  const isUdp = frame.length > UDP + 8 && frame[12] === 8 && frame[13] === 0 && frame[23] === 17;
  if (!isUdp || !TUNNEL_PORTS.has(frame[UDP + 2]! * 256 + frame[UDP + 3]!)) return frame;
  const plain = frame.slice().fill(0, UDP, UDP + 2);
  if (plain[UDP + 6]! + plain[UDP + 7]! > 0) plain.fill(1, UDP + 6, UDP + 8);
  return plain;
}

/** What differs from run to run. */
export function mask(text: string, dir: string): string {
  return text
    .replaceAll(dir, 'DIR')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\b(duration|idle_age|hard_age)[=:][0-9.]+s?/g, '$1=N')
    .replace(/(?<=duration_sec=|duration_nsec=)\d+/g, 'N')
    .replace(/used:(never|[0-9.]+s)/g, 'used:T')
    .replace(/\(xid=0x[0-9a-f]+\)/g, '(xid=X)')
    .replace(/\(Weft, for Open vSwitch\)/g, '(Open vSwitch)')
    .replace(/aa:55:aa:55:[0-9a-f]{2}:[0-9a-f]{2}/g, 'aa:55:aa:55:NN:NN')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z\|\d+\|/g, 'TIME|')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}:?/g, 'TIME');
}

const isEntry = (line: string): boolean => /^\s*(cookie=|group_id=)/.test(line);

/** Flows of a table and groups have no order: they are sorted where they stand. */
export function sorted(text: string): string {
  const lines = text.split('\n');
  const places = lines.flatMap((line, i) => (isEntry(line) ? [i] : []));
  const entries = places.map((i) => lines[i]!.trim()).sort();
  for (const [n, i] of places.entries()) lines[i] = entries[n]!;
  return lines.join('\n');
}

/** Bytes of an address, or the number, as one number; null for other words. */
function numberOf(word: string): bigint | null {
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(word)) return BigInt(`0x${word.replaceAll(':', '')}`);
  if (/^\d+(\.\d+){3}$/.test(word)) return word.split('.').reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (/^(0x[0-9a-f]+|\d+)$/.test(word)) return BigInt(word);
  const v6 = word.includes(':') ? parseIpv6(word) : null;
  return v6 ? BigInt(`0x${toHex(v6)}`) : null;
}

/** Bits of a key that its mask leaves wild say nothing: the reference prints those of the first packet. */
export function withoutWildBits(text: string): string {
  return text.replace(/(?<=[=(])([0-9a-fx:.]+)\/([0-9a-fx:.]+)/g, (all, value: string, ones: string) => {
    const [left, right] = [numberOf(value), numberOf(ones)];
    return left === null || right === null ? all : `${(left & right).toString(16)}/${ones}`;
  });
}

/** Numbers of frozen states are nobody's to say: the first one met is R1. */
export function renumbered(text: string): string {
  const seen = new Map<string, string>();
  return text.replace(/(?<=recirc(?:_id)?\()(0x[0-9a-f]+|[1-9][0-9]*)(?=[),])/g, (number) => {
    const id = String(Number(number));
    if (!seen.has(id)) seen.set(id, `R${seen.size + 1}`);
    return seen.get(id)!;
  });
}
