/** A host's settings as people write them, and as the stack wants them. */
import { parseIpv4, parseIpv6, parseMac } from '../../lib/addresses.ts';

export interface HostOptions {
  /** `02:00:00:00:00:01` and so on, by order of creation, when left out. */
  readonly mac?: string;
  /** Address and prefix, `10.0.0.1/24`. None when left out. */
  readonly ipv4?: string;
  /** Address and prefix, `fd00::1/64`. The link-local address that the MAC gives is there in any case. */
  readonly ipv6?: string;
  /** Next hop for what is not on the link. */
  readonly gateway4?: string;
  readonly gateway6?: string;
  /** 802.1Q tag on all that the host sends; it takes nothing else. Untagged when left out. */
  readonly vlan?: number;
  /** Bytes behind the Ethernet header (and tag). 1500 when left out. */
  readonly mtu?: number;
}

export const HOST_OPTION_NAMES: readonly (keyof HostOptions)[] = [
  'mac',
  'ipv4',
  'ipv6',
  'gateway4',
  'gateway6',
  'vlan',
  'mtu',
];

export interface HostAddress {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

export interface HostConfig {
  readonly mac: Uint8Array;
  /** Those to prefer first. */
  readonly addresses: readonly HostAddress[];
  readonly gateways: readonly Uint8Array[];
  readonly vlan: number | null;
  readonly mtu: number;
}

/** fe80::/64 with the modified EUI-64 of the MAC (RFC 4291 §2.5.6). */
function linkLocal(mac: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  out.set([0xfe, 0x80]);
  out.set([mac[0]! ^ 2, mac[1]!, mac[2]!, 0xff, 0xfe, mac[3]!, mac[4]!, mac[5]!], 8);
  return out;
}

/** Whether the first `prefixLength` bits are equal. */
export function samePrefix(a: Uint8Array, b: Uint8Array, prefixLength: number): boolean {
  if (a.length !== b.length) return false;
  for (let bit = 0; bit < prefixLength; bit += 8) {
    const mask = prefixLength - bit >= 8 ? 0xff : (0xff << (8 - (prefixLength - bit))) & 0xff;
    if (((a[bit >> 3]! ^ b[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

/** @throws for text that is no address of either kind */
export function parseAddress(text: string): Uint8Array {
  const address = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (!address) throw new Error(`not an IP address: ${text}`);
  return address;
}

function parseWithPrefix(text: string, parse: (text: string) => Uint8Array | null): HostAddress {
  const [addressText = '', prefixText, ...rest] = text.split('/');
  const address = parse(addressText);
  if (!address || rest.length > 0) throw new Error(`not an address and prefix: ${text}`);
  const bits = address.length * 8;
  const prefixLength = prefixText === undefined ? bits : Number(prefixText);
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bits)
    throw new Error(`prefix length out of range: ${text}`);
  return { address, prefixLength };
}

/** @throws for anything that is not an address, a prefix, a VLAN or an MTU */
export function parseHostOptions(options: HostOptions, index: number): HostConfig {
  const macText = options.mac ?? `02:00:00:00:${(index >> 8).toString(16)}:${(index & 0xff).toString(16)}`;
  const mac = parseMac(macText);
  if (!mac || (mac[0]! & 1) === 1) throw new Error(`not the MAC address of a host: ${macText}`);
  const { vlan = null, mtu = 1500 } = options;
  if (vlan !== null && !(Number.isInteger(vlan) && vlan >= 1 && vlan <= 4094)) throw new Error(`not a VLAN: ${vlan}`);
  if (!(Number.isInteger(mtu) && mtu >= 576)) throw new Error(`an MTU is at least 576: ${mtu}`);
  const addresses: HostAddress[] = [];
  if (options.ipv4 !== undefined) addresses.push(parseWithPrefix(options.ipv4, parseIpv4));
  if (options.ipv6 !== undefined) addresses.push(parseWithPrefix(options.ipv6, parseIpv6));
  addresses.push({ address: linkLocal(mac), prefixLength: 64 });
  const gateways = [options.gateway4, options.gateway6].filter((g) => g !== undefined).map(parseAddress);
  return { mac, addresses, gateways, vlan, mtu };
}
