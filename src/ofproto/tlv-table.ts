/** Which option of a Geneve header each tun_metadata field stands for (NXT_TLV_TABLE_MOD; ovs-fields(7), Tunnel Metadata). */
import type { TlvMapping } from '../openflow/message/nicira.ts';
import type { OfErrorName } from '../spec/of-errors.ts';

/** Bytes of options that all fields together may take, and number of fields. */
export const TLV_SPACE_MAX = 256;
export const TLV_FIELDS_MAX = 64;
const OPTION_SIZE_MAX = 124;
const WORD = 4;

const optionOf = ({ optionClass, optionType }: TlvMapping): number => (optionClass << 8) | optionType;

export class TlvTable {
  #mappings = new Map<number, TlvMapping>();
  #generation = 0;

  get generation(): number {
    return this.#generation;
  }

  /** Whether the field of that number stands for an option. */
  has(index: number): boolean {
    return this.#mappings.has(index);
  }

  /** By field. */
  get mappings(): readonly TlvMapping[] {
    return [...this.#mappings.values()].sort((a, b) => a.index - b.index);
  }

  /** @returns null when it is done, else why nothing of it is */
  change(command: 'add' | 'delete' | 'clear', mappings: readonly TlvMapping[]): OfErrorName | null {
    const next = command === 'clear' ? new Map<number, TlvMapping>() : new Map(this.#mappings);
    for (const mapping of command === 'clear' ? [] : mappings) {
      const wrong = command === 'add' ? this.#add(next, mapping) : this.#delete(next, mapping);
      if (wrong) return wrong;
    }
    this.#mappings = next;
    this.#generation++;
    return null;
  }

  #add(table: Map<number, TlvMapping>, mapping: TlvMapping): OfErrorName | null {
    const { index, optionSize } = mapping;
    if (index >= TLV_FIELDS_MAX) return 'NXTTMFC_BAD_FIELD_IDX';
    if (optionSize % WORD !== 0 || optionSize > OPTION_SIZE_MAX) return 'NXTTMFC_BAD_OPT_LEN';
    if (table.has(index)) return 'NXTTMFC_ALREADY_MAPPED';
    for (const other of table.values()) if (optionOf(other) === optionOf(mapping)) return 'NXTTMFC_DUP_ENTRY';
    let space = optionSize;
    for (const other of table.values()) space += other.optionSize;
    if (space > TLV_SPACE_MAX) return 'NXTTMFC_TABLE_FULL';
    table.set(index, mapping);
    return null;
  }

  #delete(table: Map<number, TlvMapping>, { index }: TlvMapping): OfErrorName | null {
    if (index >= TLV_FIELDS_MAX) return 'NXTTMFC_BAD_FIELD_IDX';
    table.delete(index);
    return null;
  }
}
