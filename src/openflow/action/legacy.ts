/**
 * What OpenFlow 1.0 and 1.1 say with an action a field, later versions with set_field: one row each. The codes are those of
 * OpenFlow 1.0 §5.2.4 and 1.1 §5.2.4.
 */
import { bigToBytes } from '../../flow/odp/number.ts';
import type { OfFieldName } from '../../spec/of-fields.ts';
import type { OfVersion } from '../version.ts';
import type { Writer } from '../wire.ts';
import { putStandard } from './codec.ts';

interface Legacy {
  /** Code in OpenFlow 1.0 and 1.1; null where there is none. */
  readonly codes: readonly [number | null, number | null];
  /** Bytes of the value. */
  readonly size: number;
  /** A value of the field to the action's. */
  readonly shift?: number;
  /** Bits of the value that it takes. */
  readonly bits?: number;
}

const rows: Readonly<Record<OfFieldName, Legacy>> = {
  vlan_vid: { codes: [1, 1], size: 2, bits: 0xfff },
  vlan_pcp: { codes: [2, 2], size: 1 },
  eth_src: { codes: [4, 3], size: 6 },
  eth_dst: { codes: [5, 4], size: 6 },
  ip_src: { codes: [6, 5], size: 4 },
  ip_dst: { codes: [7, 6], size: 4 },
  ip_dscp: { codes: [8, 7], size: 1, shift: 2 },
  nw_tos: { codes: [8, 7], size: 1, bits: 0xfc },
  nw_ecn: { codes: [null, 8], size: 1 },
  tcp_src: { codes: [9, 9], size: 2 },
  udp_src: { codes: [9, 9], size: 2 },
  tcp_dst: { codes: [10, 10], size: 2 },
  udp_dst: { codes: [10, 10], size: 2 },
};

const VLAN_PRESENT = 0x1000;

/** A whole TCI: a tag with its VID and its PCP, or none. */
function putTci(out: Writer, version: OfVersion, tci: number, hasTag: boolean): void {
  if ((tci & VLAN_PRESENT) === 0) {
    putStandard(out, version === 1 ? 3 : 18, (body) => body.zeros(4));
    return;
  }
  if (version === 2 && !hasTag) putStandard(out, 17, (body) => body.u16(0x8100).zeros(2));
  putStandard(out, 1, (body) => body.u16(tci & 0xfff).zeros(2));
  putStandard(out, 2, (body) => body.u8(tci >> 13).zeros(3));
}

/** The action of its own that a whole field has; false when there is none. */
export function putLegacySetField(
  out: Writer,
  version: OfVersion,
  field: OfFieldName,
  value: bigint,
  hasTag = false,
): boolean {
  if (field === 'vlan_tci') {
    putTci(out, version, Number(value), hasTag);
    return true;
  }
  const row = rows[field];
  const code = row?.codes[version === 1 ? 0 : 1];
  if (row === undefined || code === undefined || code === null) return false;
  const taken = (row.bits === undefined ? value : value & BigInt(row.bits)) << BigInt(row.shift ?? 0);
  putStandard(out, code, (body) => body.bytes(bigToBytes(taken, row.size)));
  return true;
}
