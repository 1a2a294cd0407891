/**
 * Who stands behind a bridge's local port, as keys of the Bridge row's other_config say that only Weft knows:
 *
 *   weft-local      none, embedded (the switch's own host, which answers ARP and ping) or internal (the kernel; the default)
 *   weft-addresses  of the local port: 172.16.0.1/24,fd00::1/64; tunnels end there
 *   weft-routes     10.0.0.0/8 172.16.0.254,192.0.2.0/24
 *   weft-neighbors  172.16.0.2 02:00:00:00:00:02
 *
 * What makes no sense in them is passed over, with a line for the log.
 */
import { parseIpv4, parseIpv6, parseMac } from '../../lib/addresses.ts';
import type { ReplicaRow } from '../../ovsdb/index.ts';
import type { InterfaceAddress } from '../types.ts';

export interface LocalHostSettings {
  readonly local: 'none' | 'embedded' | 'internal';
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly { readonly to: InterfaceAddress; readonly via: Uint8Array | null }[];
  readonly neighbors: readonly { readonly address: Uint8Array; readonly mac: Uint8Array }[];
  /** What was wrong. */
  readonly problems: readonly string[];
}

const KEYS = ['weft-local', 'weft-addresses', 'weft-routes', 'weft-neighbors'] as const;

const addressOf = (text: string): Uint8Array | null => parseIpv4(text) ?? parseIpv6(text);

function networkOf(text: string): InterfaceAddress | null {
  const [ip = '', length = ''] = text.split('/');
  const address = addressOf(ip);
  const prefixLength = Number(length);
  const isLength = /^\d{1,3}$/.test(length) && prefixLength <= 8 * (address?.length ?? 0);
  return address && isLength ? { address, prefixLength } : null;
}

export function localHostOf(row: ReplicaRow): LocalHostSettings {
  const other = row.map('other_config');
  const problems: string[] = [];
  const list = <T>(key: (typeof KEYS)[number], read: (words: readonly string[]) => T | null): readonly T[] =>
    (other.get(key) ?? '')
      .split(',')
      .filter((text) => text.trim() !== '')
      .flatMap((text) => {
        const value = read(text.trim().split(/\s+/));
        if (value !== null) return [value];
        problems.push(`${key}: "${text}" makes no sense`);
        return [];
      });
  const word = other.get('weft-local') ?? 'internal';
  const local = (['none', 'embedded', 'internal'] as const).find((one) => one === word);
  if (!local) problems.push(`weft-local: "${word}" makes no sense`);
  return {
    local: local ?? 'internal',
    addresses: list('weft-addresses', ([text = '']) => networkOf(text)),
    routes: list('weft-routes', ([text = '', gateway]) => {
      const to = networkOf(text);
      const via = gateway === undefined ? null : addressOf(gateway);
      return to && (gateway === undefined || via?.length === to.address.length) ? { to, via } : null;
    }),
    neighbors: list('weft-neighbors', ([text = '', macText = '']) => {
      const address = addressOf(text);
      const mac = parseMac(macText);
      return address && mac ? { address, mac } : null;
    }),
    problems,
  };
}

/** What cannot change in a bridge that stays: another text makes it anew. */
export function localHostKey(row: ReplicaRow): string {
  const other = row.map('other_config');
  if (KEYS.every((key) => !other.has(key))) return '';
  return JSON.stringify([...KEYS, 'hwaddr'].map((key) => other.get(key) ?? null));
}
