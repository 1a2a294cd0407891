/** nsh: the network service header (RFC 8300). */
import { decimal, hexMask8, hexPrefixed } from '../number.ts';
import { formatRows, type Row } from '../row.ts';
import { slot } from '../slot.ts';
import type { Attribute } from './attribute.ts';
import { group } from './group.ts';
import { needsEthType } from './prerequisites.ts';

export const nshRows: readonly Row[] = [
  { name: 'flags', slot: slot('nsh_flags'), notation: decimal },
  { name: 'ttl', slot: slot('nsh_ttl'), notation: decimal },
  { name: 'mdtype', slot: slot('nsh_mdtype'), notation: decimal },
  { name: 'np', slot: slot('nsh_np'), notation: decimal },
  { name: 'spi', slot: slot('nsh_path', 8, 24), notation: hexPrefixed },
  { name: 'si', slot: slot('nsh_path', 0, 8), notation: decimal },
  { name: 'c1', slot: slot('nsh_c1'), notation: hexMask8 },
  { name: 'c2', slot: slot('nsh_c2'), notation: hexMask8 },
  { name: 'c3', slot: slot('nsh_c3'), notation: hexMask8 },
  { name: 'c4', slot: slot('nsh_c4'), notation: hexMask8 },
];

/** Written for every NSH flow, also when no bit of it counts. */
export const nshAttribute: Attribute = {
  ...group('nsh', nshRows, needsEthType(0x894f)),
  format: (match) => `nsh(${formatRows(nshRows, match).join(',')})`,
};
