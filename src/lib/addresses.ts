/** Text forms of MAC, IPv4 and IPv6 addresses. Parsers answer null for anything that is not one. */
import { u16At } from './bytes.ts';

export function parseMac(text: string): Uint8Array | null {
  const parts = text.split(':');
  if (parts.length !== 6) return null;
  const out = new Uint8Array(6);
  for (let i = 0; i < 6; i++) {
    const part = parts[i]!;
    if (!/^[0-9a-fA-F]{1,2}$/.test(part)) return null;
    out[i] = Number.parseInt(part, 16);
  }
  return out;
}

export const formatMac = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':');

export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const out = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    out[i] = Number(part);
  }
  return out;
}

export const formatIpv4 = (bytes: Uint8Array): string => Array.from(bytes).join('.');

/** RFC 4291 §2.2 in all three forms. */
export function parseIpv6(text: string): Uint8Array | null {
  let source = text;
  const dotted = /^(.*:)([0-9.]+)$/.exec(source);
  if (dotted?.[2]?.includes('.')) {
    const v4 = parseIpv4(dotted[2]);
    if (!v4) return null;
    source = `${dotted[1]}${u16At(v4, 0).toString(16)}:${u16At(v4, 2).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const head = groups(halves[0]!);
  const tail = halves.length === 2 ? groups(halves[1]!) : [];
  const given = head.length + tail.length;
  if (halves.length === 1 ? given !== 8 : given > 7) return null;
  const all = [...head, ...new Array<string>(8 - given).fill('0'), ...tail];
  const out = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    const group = all[i]!;
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
    const value = Number.parseInt(group, 16);
    out[2 * i] = value >>> 8;
    out[2 * i + 1] = value;
  }
  return out;
}

/** RFC 5952, with the dotted form for IPv4-mapped and IPv4-compatible addresses as inet_ntop prints them. */
export function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => u16At(bytes, 2 * i));
  let start = -1;
  let length = 0;
  for (let i = 0; i < 8; ) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > length && j - i >= 2) {
      start = i;
      length = j - i;
    }
    i = Math.max(j, i + 1);
  }
  const isMapped = start === 0 && length === 5 && groups[5] === 0xffff;
  const isCompatible = start === 0 && length === 6;
  if (isMapped || isCompatible) return `::${isMapped ? 'ffff:' : ''}${formatIpv4(bytes.subarray(12))}`;
  const hex = groups.map((g) => g.toString(16));
  if (start < 0) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}
