/** What a configuration must be before anything of it takes effect. Everything here throws, and says what is wrong. */
import type { TunnelConfig, VlanConfig } from '../translate/types.ts';
import type { BridgeConfig, PortConfig } from './types.ts';

/** Widths of a tunnel's key: RFC 7348, RFC 8926, RFC 2890. */
const KEY_BITS = { vxlan: 24, geneve: 24, gre: 32 } as const;

function checkNumber(what: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new Error(`${what} is 0 to ${max}, not ${value}`);
}

export function checkMac(mac: Uint8Array): void {
  if (mac.length !== 6) throw new Error(`a MAC address has six bytes, not ${mac.length}`);
}

export function checkAddress(address: Uint8Array): void {
  if (address.length !== 4 && address.length !== 16)
    throw new Error(`an address has 4 or 16 bytes, not ${address.length}`);
}

export function checkPrefix(address: Uint8Array, prefixLength: number): void {
  checkAddress(address);
  checkNumber('the length of a prefix', prefixLength, 8 * address.length);
}

export function checkVlan({ tag, trunks, cvlans }: Partial<VlanConfig>): void {
  for (const vid of [tag ?? 0, ...(trunks ?? []), ...(cvlans ?? [])]) checkNumber('a VLAN', vid, 4095);
}

function checkTunnel({ type, remoteIp, localIp, inKey, outKey, dstPort, tos, ttl }: TunnelConfig): void {
  for (const address of [remoteIp, localIp]) if (address !== null && address !== 'flow') checkAddress(address);
  const isFixed = remoteIp !== 'flow' && localIp !== null && localIp !== 'flow';
  if (isFixed && remoteIp.length !== localIp.length) throw new Error('both ends of a tunnel have one address family');
  for (const key of [inKey, outKey]) {
    if (key === null || key === 'flow') continue;
    if (key < 0n || key >> BigInt(KEY_BITS[type]) !== 0n)
      throw new Error(`a key of ${type} has ${KEY_BITS[type]} bits: ${key} does not fit`);
  }
  checkNumber('a UDP port', dstPort, 65535);
  if (tos !== 'inherit') checkNumber('a TOS', tos, 255);
  if (ttl !== 'inherit') checkNumber('a TTL', ttl, 255);
}

export function checkBridge({ mac, addresses = [], macAging = 0, macTableSize = 1 }: BridgeConfig): void {
  checkMac(mac);
  for (const { address, prefixLength } of addresses) checkPrefix(address, prefixLength);
  if (!(macAging >= 0)) throw new Error(`addresses age in microseconds, not in ${macAging}`);
  if (!(macTableSize >= 1)) throw new Error(`a MAC table has one entry at least, not ${macTableSize}`);
}

export function checkPort(config: PortConfig): void {
  if (config.vlan) checkVlan(config.vlan);
  if ('tunnel' in config) checkTunnel(config.tunnel);
}
