/** Flow protocols: an OpenFlow version and, within 1.0, the form of messages about flows (ovs-ofctl(8), --flow-format). */
import type { FlowForm } from '../../openflow/message/codec.ts';
import type { OfVersion } from '../../openflow/version.ts';

interface ProtocolRow {
  readonly bit: number;
  readonly name: string;
  readonly version: OfVersion;
  readonly form: FlowForm;
}

const form = (isNxm: boolean, hasTableId: boolean): FlowForm => ({ isNxm, hasTableId });

export const protocolRows: readonly ProtocolRow[] = [
  { bit: 1, name: 'OpenFlow10-table_id', version: 1, form: form(false, false) },
  { bit: 2, name: 'OpenFlow10+table_id', version: 1, form: form(false, true) },
  { bit: 4, name: 'NXM-table_id', version: 1, form: form(true, false) },
  { bit: 8, name: 'NXM+table_id', version: 1, form: form(true, true) },
  { bit: 16, name: 'OpenFlow11', version: 2, form: form(false, false) },
  { bit: 32, name: 'OXM-OpenFlow12', version: 3, form: form(false, false) },
  { bit: 64, name: 'OXM-OpenFlow13', version: 4, form: form(false, false) },
  { bit: 128, name: 'OXM-OpenFlow14', version: 5, form: form(false, false) },
  { bit: 256, name: 'OXM-OpenFlow15', version: 6, form: form(false, false) },
];

export const P = {
  ANY: 0x1ff,
  OF10_STD: 1,
  OF10_NXM: 4,
  OF10_ANY_STD: 3,
  OF10: 0x0f,
  TABLE_ID: 0x1fa,
  NXM: 12,
  OF11: 16,
  OF11_UP: 0x1f0,
  OF12_UP: 0x1e0,
  OF13_UP: 0x1c0,
  NXM_OXM: 0x1ec,
  NXM_OF11_UP: 0x1fc,
} as const;

/** Groups of protocols that have a name together; longer ones first. */
const abbreviations: readonly (readonly [name: string, bits: number])[] = [
  ['OpenFlow10', 3],
  ['NXM', 12],
  ['any', 0x1ff],
  ['OXM', 0x1e0],
];

/** `any`, `NXM,OXM`. */
export function protocolsText(bits: number): string {
  if (bits === 0) return 'none';
  if (bits === P.ANY) return 'any';
  const words: string[] = [];
  let rest = bits;
  while (rest !== 0) {
    const whole = abbreviations.find(([, all]) => all !== P.ANY && (rest & all) === all);
    const lowest = protocolRows.find(({ bit }) => (rest & bit) !== 0)!;
    const taken = abbreviationOf(rest, lowest.bit) ?? (whole && (whole[1] & lowest.bit) !== 0 ? whole : null);
    words.push(taken ? taken[0] : lowest.name);
    rest &= ~(taken ? taken[1] : lowest.bit);
  }
  return orderWords(words, bits);
}

const abbreviationOf = (bits: number, lowest: number): readonly [string, number] | null =>
  abbreviations.find(([, all]) => (all & lowest) !== 0 && (bits & all) === all) ?? null;

/** Names of groups stand before those of single protocols. */
const orderWords = (words: readonly string[], bits: number): string =>
  bits === 0
    ? 'none'
    : [
        ...words.filter((w) => abbreviations.some(([name]) => name === w)),
        ...words.filter((w) => !abbreviations.some(([name]) => name === w)),
      ].join(',');

/** Null for a name that nobody knows. */
export function protocolsFromName(name: string): number | null {
  const row = protocolRows.find((r) => r.name.toLowerCase() === name.toLowerCase());
  if (row) return row.bit;
  return abbreviations.find(([word]) => word.toLowerCase() === name.toLowerCase())?.[1] ?? null;
}

export const protocolsOfVersions = (versions: number): number =>
  protocolRows.filter(({ version }) => (versions & (1 << version)) !== 0).reduce((all, { bit }) => all | bit, 0);
export const versionsOfProtocols = (bits: number): number =>
  protocolRows.filter(({ bit }) => (bits & bit) !== 0).reduce((all, { version }) => all | (1 << version), 0);
export const protocolRow = (bit: number): ProtocolRow => protocolRows.find((row) => row.bit === bit)!;
/** The protocol a connection begins with. */
export const baseProtocol = (version: number): number => protocolRows.find((row) => row.version === version)!.bit;

const versionNames = ['OpenFlow10', 'OpenFlow11', 'OpenFlow12', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

/** Null for a name that nobody knows. */
export const versionFromName = (name: string): OfVersion | null => {
  const at = versionNames.findIndex((n) => n.toLowerCase() === name.toLowerCase() || name === `1.${n.at(-1)}`);
  return at < 0 ? null : ((at + 1) as OfVersion);
};

export const versionsText = (versions: number): string =>
  versionNames.filter((_, i) => (versions & (1 << (i + 1))) !== 0).join(', ');
