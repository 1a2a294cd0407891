/**
 * tnl_push(tnl_port(..),header(...),out_port(..)): the outer headers, byte for byte. What the datapath fills in is not
 * in the text and reads as zero: IPv4 length, identification and checksum, IPv6 payload length, UDP length. A VLAN tag,
 * which Open vSwitch's form has no word for, is written as vlan(tpid=..,tci=..) behind eth().
 */

import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../../../lib/addresses.ts';
import { concatBytes, putU16, putU32, u16At, u32At } from '../../../lib/bytes.ts';
import { tunnelTypes } from '../../../spec/actions.ts';
import { limits } from '../../../spec/limits.ts';
import type { TunnelHeader } from '../action.ts';
import { formatGeneveOptions, parseGeneveOptions } from '../geneve.ts';
import type { Scanner } from '../scanner.ts';
import { type ActionForm, type ActionOf, form } from './form.ts';

const ETH_SIZE = 14;
const VLAN_SIZE = 4;
const IPV4_SIZE = 20;
const IPV6_SIZE = 40;
/** Open vSwitch's number for GRE over IPv6, in its text form only. */
const GRE6 = 109;
const GRE_CSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQ = 0x1000;

const hex = (value: number): string => `0x${value.toString(16)}`;
const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
const hexOrZero = (value: number): string => (value === 0 ? '0' : hex(value));

function named(s: Scanner, prefix: string, bits: number): number {
  s.expect(`${prefix}=`);
  return Number(s.number(bits));
}

function address(s: Scanner, prefix: string, parse: (text: string) => Uint8Array | null, size: number): Uint8Array {
  s.expect(`${prefix}=`);
  const start = s.at;
  const bytes = parse(s.value());
  if (!bytes) s.fail('expected an address', start);
  return bytes ?? new Uint8Array(size);
}

function parseEthernet(s: Scanner): Uint8Array {
  const header = new Uint8Array(ETH_SIZE);
  s.expect('eth(');
  header.set(address(s, 'dst', parseMac, 6), 0);
  header.set(address(s, ',src', parseMac, 6), 6);
  const type = named(s, ',dl_type', 16);
  putU16(header, 12, type);
  s.expect('),');
  if (!s.take('vlan(')) return header;
  const tag = new Uint8Array(VLAN_SIZE);
  putU16(header, 12, named(s, 'tpid', 16));
  putU16(tag, 0, named(s, ',tci', 16));
  putU16(tag, 2, type);
  s.expect('),');
  return concatBytes(header, tag);
}

function parseIpv4Header(s: Scanner): Uint8Array {
  const header = new Uint8Array(IPV4_SIZE);
  header[0] = 0x45;
  header.set(address(s, 'ipv4(src', parseIpv4, 4), 12);
  header.set(address(s, ',dst', parseIpv4, 4), 16);
  header[9] = named(s, ',proto', 8);
  header[1] = named(s, ',tos', 8);
  header[8] = named(s, ',ttl', 8);
  putU16(header, 6, named(s, ',frag', 16));
  s.expect('),');
  return header;
}

function parseIpv6Header(s: Scanner): Uint8Array {
  const header = new Uint8Array(IPV6_SIZE);
  header.set(address(s, 'ipv6(src', parseIpv6, 16), 8);
  header.set(address(s, ',dst', parseIpv6, 16), 24);
  const label = named(s, ',label', 20);
  header[6] = named(s, ',proto', 8);
  putU32(header, 0, (0x60000000 | (named(s, ',tclass', 8) << 20) | label) >>> 0);
  header[7] = named(s, ',hlimit', 8);
  s.expect('),');
  return header;
}

function parseUdp(s: Scanner): Uint8Array {
  const header = new Uint8Array(8);
  putU16(header, 0, named(s, 'udp(src', 16));
  putU16(header, 2, named(s, ',dst', 16));
  putU16(header, 6, named(s, ',csum', 16));
  s.expect('),');
  return header;
}

function parseVxlan(s: Scanner): Uint8Array {
  const header = new Uint8Array(8);
  putU32(header, 0, named(s, 'vxlan(flags', 32));
  putU32(header, 4, (named(s, ',vni', 24) << 8) >>> 0);
  s.expect(')');
  return header;
}

function parseGeneve(s: Scanner): Uint8Array {
  const header = new Uint8Array(8);
  s.expect('geneve(');
  if (s.take('oam,')) header[1]! |= 0x80;
  if (s.take('crit,')) header[1]! |= 0x40;
  putU16(header, 2, 0x6558);
  putU32(header, 4, (named(s, 'vni', 24) << 8) >>> 0);
  let options: Uint8Array = new Uint8Array();
  if (s.take(',options(')) {
    options = parseGeneveOptions(s).value;
    s.expect(')');
  }
  s.expect(')');
  header[0] = options.length / 4;
  return concatBytes(header, options);
}

function parseGre(s: Scanner): Uint8Array {
  const header = new Uint8Array(4);
  const flags = named(s, 'gre((flags', 16);
  putU16(header, 0, flags);
  putU16(header, 2, named(s, ',proto', 16));
  s.expect(')');
  const optional = [
    [GRE_CSUM, ',csum', 16],
    [GRE_KEY, ',key', 32],
    [GRE_SEQ, ',seq', 32],
  ] as const;
  const words = optional
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, prefix, bits]) => {
      const word = new Uint8Array(4);
      putU32(word, 0, (named(s, prefix, bits) << (32 - bits)) >>> 0);
      return word;
    });
  s.expect(')');
  return concatBytes(header, ...words);
}

const kinds: readonly (readonly [number, TunnelHeader['type']])[] = [
  [tunnelTypes.GRE, 'gre'],
  [GRE6, 'gre'],
  [tunnelTypes.VXLAN, 'vxlan'],
  [tunnelTypes.GENEVE, 'geneve'],
];

function parseHeader(s: Scanner): TunnelHeader {
  s.expect('header(size=');
  const sizeAt = s.at;
  const size = s.u32();
  s.expect(',type=');
  const typeAt = s.at;
  const number = s.u32();
  const type = kinds.find(([code]) => code === number)?.[1];
  if (!type) s.fail('unknown tunnel type', typeAt);
  s.expect(',');
  const ethernet = parseEthernet(s);
  const network = s.peek('ipv6(') ? parseIpv6Header(s) : parseIpv4Header(s);
  const rest = type === 'gre' ? [parseGre(s)] : [parseUdp(s), type === 'vxlan' ? parseVxlan(s) : parseGeneve(s)];
  s.expect(')');
  const bytes = concatBytes(ethernet, network, ...rest);
  if (size !== bytes.length) s.fail(`header has ${bytes.length} bytes, not`, sizeAt);
  if (bytes.length > limits.TUNNEL_HEADER_SIZE_MAX) s.fail('header too long', sizeAt);
  return { type: type ?? 'gre', bytes, l3Offset: ethernet.length };
}

function parseTunnelPush(s: Scanner): ActionOf<'tnl_push'> {
  s.expect('(tnl_port(');
  const tunnelPort = s.u32();
  s.expect('),');
  const header = parseHeader(s);
  s.expect(',out_port(');
  const outPort = s.u32();
  s.expect('))');
  return { type: 'tnl_push', tunnelPort, outPort, header };
}

function formatEthernet(bytes: Uint8Array, l3Offset: number): string {
  const tag =
    l3Offset >= ETH_SIZE + VLAN_SIZE ? `,vlan(tpid=${hex(u16At(bytes, 12))},tci=${hex4(u16At(bytes, 14))})` : '';
  const addresses = `dst=${formatMac(bytes.subarray(0, 6))},src=${formatMac(bytes.subarray(6, 12))}`;
  return `eth(${addresses},dl_type=${hex4(u16At(bytes, l3Offset - 2))})${tag}`;
}

function formatNetwork(ip: Uint8Array): string {
  if (ip[0]! >> 4 === 6) {
    const word = u32At(ip, 0);
    return (
      `ipv6(src=${formatIpv6(ip.subarray(8, 24))},dst=${formatIpv6(ip.subarray(24, 40))},label=${word & 0xfffff},` +
      `proto=${ip[6]},tclass=${hex((word >>> 20) & 0xff)},hlimit=${ip[7]})`
    );
  }
  return (
    `ipv4(src=${formatIpv4(ip.subarray(12, 16))},dst=${formatIpv4(ip.subarray(16, 20))},proto=${ip[9]},` +
    `tos=${hexOrZero(ip[1]!)},ttl=${ip[8]},frag=${hex(u16At(ip, 6))})`
  );
}

const formatUdp = (udp: Uint8Array): string =>
  `udp(src=${u16At(udp, 0)},dst=${u16At(udp, 2)},csum=${hex(u16At(udp, 6))})`;

function formatGeneve(geneve: Uint8Array): string {
  const flags = `${geneve[1]! & 0x80 ? 'oam,' : ''}${geneve[1]! & 0x40 ? 'crit,' : ''}`;
  const options = geneve.length > 8 ? `,options(${formatGeneveOptions(geneve.subarray(8))})` : '';
  return `geneve(${flags}vni=${hex(u32At(geneve, 4) >>> 8)}${options})`;
}

function formatGre(gre: Uint8Array): string {
  const flags = u16At(gre, 0);
  let text = `gre((flags=${hex(flags)},proto=${hex(u16At(gre, 2))})`;
  let at = 4;
  for (const [bit, name, shift] of [
    [GRE_CSUM, 'csum', 16],
    [GRE_KEY, 'key', 0],
    [GRE_SEQ, 'seq', 0],
  ] as const) {
    if ((flags & bit) === 0) continue;
    text += `,${name}=${hex(u32At(gre, at) >>> shift)}`;
    at += 4;
  }
  return `${text})`;
}

function formatHeader({ type, bytes, l3Offset }: TunnelHeader): string {
  const ip = bytes.subarray(l3Offset);
  const isIpv6 = ip[0]! >> 4 === 6;
  const l4 = ip.subarray(isIpv6 ? IPV6_SIZE : IPV4_SIZE);
  const code = type === 'gre' && isIpv6 ? GRE6 : kinds.find(([, kind]) => kind === type)![0];
  const inner =
    type === 'gre'
      ? formatGre(l4)
      : `${formatUdp(l4)},${
          type === 'vxlan'
            ? `vxlan(flags=${hex(u32At(l4, 8))},vni=${hex(u32At(l4, 12) >>> 8)})`
            : formatGeneve(l4.subarray(8))
        }`;
  return `header(size=${bytes.length},type=${code},${formatEthernet(bytes, l3Offset)},${formatNetwork(ip)},${inner})`;
}

export const tunnelPushForm: ActionForm = form({
  type: 'tnl_push',
  parse: parseTunnelPush,
  format: ({ tunnelPort, header, outPort }) =>
    `tnl_push(tnl_port(${tunnelPort}),${formatHeader(header)},out_port(${outPort}))`,
});
