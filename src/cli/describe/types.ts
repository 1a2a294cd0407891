/** What help, completions and man pages are made from. */

export interface OptionDescription {
  /** Without dashes. */
  readonly long: string;
  readonly short?: string;
  readonly argument: 'none' | 'required' | 'optional';
  readonly metavar?: string;
  /** Left out for what is accepted and means nothing. */
  readonly help?: string;
}

export interface CommandDescription {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  /** Options of the command alone, with dashes; `=` at the end when there is an argument. */
  readonly options?: readonly string[];
}

export interface ToolDescription {
  /** As a program of its own; null when there is none. */
  readonly program: string | null;
  /** Words after `weft`. */
  readonly words: readonly string[];
  readonly title: string;
  readonly synopsis: string;
  readonly options: readonly OptionDescription[];
  readonly commands: readonly CommandDescription[];
  /** What the command prints and ends with. */
  readonly notes: readonly string[];
}
