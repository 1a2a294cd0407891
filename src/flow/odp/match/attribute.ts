/** One attribute of a datapath flow: `name(...)`. */
import type { Match } from '../../key.ts';
import type { Masked } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import type { Misfit } from './prerequisites.ts';

/** Finds a port by the name that the text gives; null when there is none. */
export type PortByName = (name: string) => number | null;

/** A match while it is read. Ethertypes wait here, since only what follows says whether they are a tag's. */
export interface Draft extends Masked {
  /** Encapsulations opened: the number of VLAN tags whose inside is being read. */
  depth: number;
  /** By depth: an Ethertype, which is the TPID when the flow has a tag at that depth. */
  readonly ethTypes: { value: bigint; mask: bigint }[];
  /** By depth: whether there is a tag. */
  readonly tags: boolean[];
  /** Attributes read so far, with their depth, and where they stand. */
  readonly seen: Map<string, number>;
  readonly portByName: PortByName | undefined;
}

export interface FormatOptions {
  /** Shows ports by name where there is one. */
  readonly portName?: (port: number) => string | null;
}

export interface Attribute {
  readonly name: string;
  /** Reads from behind the opening parenthesis; takes the closing one. */
  parse(s: Scanner, draft: Draft): void;
  /** Null when nothing of it counts. */
  format(match: Match, options: FormatOptions): string | null;
  readonly misfit?: Misfit;
}
