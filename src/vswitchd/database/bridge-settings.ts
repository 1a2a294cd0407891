/** Settings of a row of the Bridge table that change in place. */
import { parseMac } from '../../lib/addresses.ts';
import { type Micros, SECOND } from '../../lib/clock.ts';
import type { ReplicaRow } from '../../ovsdb/index.ts';
import { MAC_ENTRIES_DEFAULT } from '../../protocol/mac-learning.ts';

export interface BridgeSettingsRow {
  readonly failMode: 'standalone' | 'secure';
  readonly forwardBpdu: boolean;
  readonly macAging: Micros;
  readonly macTableSize: number;
  /** other_config:hwaddr; null for none. */
  readonly mac: Uint8Array | null;
  /** other_config:datapath-id; null for none. */
  readonly datapathId: bigint | null;
  /** Bit n: wire version n; 0 for all that are on by default. */
  readonly versions: number;
  readonly isInBandDisabled: boolean;
}

const versionBits: Readonly<Record<string, number>> = {
  OpenFlow10: 1 << 1,
  OpenFlow11: 1 << 2,
  OpenFlow12: 1 << 3,
  OpenFlow13: 1 << 4,
  OpenFlow14: 1 << 5,
  OpenFlow15: 1 << 6,
};
const MAC_AGING_SECONDS = 300;
const MAC_AGING_MIN = 15;
const MAC_AGING_MAX = 3600;
const MAC_TABLE_MIN = 10;
const MAC_TABLE_MAX = 1_000_000;

function number(text: string | undefined, other: number, min: number, max: number): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) ? other : Math.min(max, Math.max(min, value));
}

export function bridgeSettings(row: ReplicaRow): BridgeSettingsRow {
  const other = row.map('other_config');
  const id = other.get('datapath-id');
  const isId = id !== undefined && /^(0x[0-9a-fA-F]{1,16}|[0-9a-fA-F]{16})$/.test(id);
  return {
    failMode: row.string('fail_mode') === 'secure' ? 'secure' : 'standalone',
    forwardBpdu: other.get('forward-bpdu') === 'true',
    macAging: number(other.get('mac-aging-time'), MAC_AGING_SECONDS, MAC_AGING_MIN, MAC_AGING_MAX) * SECOND,
    macTableSize: number(other.get('mac-table-size'), MAC_ENTRIES_DEFAULT, MAC_TABLE_MIN, MAC_TABLE_MAX),
    mac: parseMac(other.get('hwaddr') ?? ''),
    datapathId: isId && !/^(0x)?0+$/.test(id) ? BigInt(`0x${id.replace(/^0x/, '')}`) : null,
    versions: row.strings('protocols').reduce((bits, name) => bits | (versionBits[name] ?? 0), 0),
    isInBandDisabled: other.get('disable-in-band') === 'true',
  };
}

/** The configured identifier, or the MAC with two bytes of zeros before it. */
export const datapathIdOf = ({ datapathId }: BridgeSettingsRow, mac: Uint8Array): bigint =>
  datapathId ?? mac.reduce((id, byte) => (id << 8n) | BigInt(byte), 0n);
