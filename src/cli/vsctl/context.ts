/** What a command has: its arguments and options, the transaction it takes part in, and where its output goes. */
import type { TableSchema } from '../../ovsdb/schema.ts';
import type { RowNames } from '../common/datum-text.ts';
import { type CliIo, Fatal, logLine } from '../common/io.ts';
import type { Table } from '../common/table.ts';
import { BridgeModel } from './model.ts';
import { findTable } from './names.ts';
import type { WorkRow, Workspace } from './workspace.ts';

/** Thrown by "wait-until": the database has to change first. */
export class NotYet extends Error {}

interface RowName {
  uuid: string;
  isCreated: boolean;
  isReferenced: 'no' | 'weakly' | 'strongly';
}

/** The `@names` of one run. */
export class Names implements RowNames {
  readonly #names = new Map<string, RowName>();
  readonly #makeUuid: () => string;

  constructor(makeUuid: () => string) {
    this.#makeUuid = makeUuid;
  }

  #get(name: string): RowName & { isFresh: boolean } {
    const known = this.#names.get(name);
    if (known) return Object.assign(known, { isFresh: false });
    const made = { uuid: this.#makeUuid(), isCreated: false, isReferenced: 'no' as const, isFresh: true };
    this.#names.set(name, made);
    return made;
  }

  resolve(name: string, isStrong: boolean): string {
    const entry = this.#get(name);
    if (isStrong) entry.isReferenced = 'strongly';
    else if (entry.isReferenced === 'no') entry.isReferenced = 'weakly';
    return entry.uuid;
  }

  /** The UUID for a row that is created under this name. @throws Fatal */
  create(name: string): { readonly uuid: string; readonly isFresh: boolean } {
    if (!name.startsWith('@')) throw new Fatal(`row id "${name}" does not begin with "@"`);
    const entry = this.#get(name);
    if (entry.isCreated) throw new Fatal(`row id "${name}" may only be specified on one --id option`);
    entry.isCreated = true;
    return entry;
  }

  /** Lets a name stand for a row of the database. @throws Fatal */
  bind(name: string, row: WorkRow): void {
    if (!this.create(name).isFresh) {
      throw new Fatal(`row id "${name}" specified on "get" command was used before it was defined`);
    }
    Object.assign(this.#get(name), { uuid: row.uuid, isReferenced: 'strongly' });
  }

  /** A row that lives without being referred to. */
  keep(name: string): void {
    this.#get(name).isReferenced = 'strongly';
  }

  /** @throws Fatal for a name without a row */
  check(warn: (text: string) => void): void {
    for (const [name, { isCreated, isReferenced }] of this.#names) {
      if (!isCreated) {
        const hint = `(e.g. with "-- --id=${name} create ...")`;
        throw new Fatal(`row id "${name}" is referenced but never created ${hint}`);
      }
      if (isReferenced === 'strongly') continue;
      const what = isReferenced === 'weakly' ? 'only a weak reference to it' : 'no reference to it';
      warn(`row id "${name}" was created but ${what} was inserted, so it will not actually appear in the database`);
    }
  }
}

/** What a whole run shares. */
export interface Run {
  readonly io: CliIo;
  readonly work: Workspace;
  readonly names: Names;
  /** The only row of the root table. */
  readonly root: WorkRow;
  /** Interfaces to be looked at once the switch has them. */
  readonly expected: Set<string>;
  model: { readonly version: number; readonly bridges: BridgeModel } | null;
}

export class Context {
  readonly run: Run;
  readonly name: string;
  readonly args: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  /** Lines, and tables in place of lines. */
  output = '';
  table: Table | null = null;
  /** Done when the transaction is: what new rows are called by the server. */
  afterCommit: ((realUuid: (uuid: string) => string) => void) | null = null;

  constructor(run: Run, name: string, args: readonly string[], options: ReadonlyMap<string, string>) {
    this.run = run;
    this.name = name;
    this.args = args;
    this.options = options;
  }

  get work(): Workspace {
    return this.run.work;
  }

  get root(): WorkRow {
    return this.run.root;
  }

  has(option: string): boolean {
    return this.options.has(option);
  }

  arg(index: number): string {
    return this.args[index] ?? '';
  }

  say(line: string): void {
    this.output += `${line}\n`;
  }

  warn(module: string, text: string): void {
    logLine(this.run.io, module, 'WARN', text);
  }

  findTable(name: string): TableSchema {
    return findTable(this.work.replica.schema, name);
  }

  /** Says that the model was changed along with the rows, and need not be made again. */
  keepModel(): void {
    const { run } = this;
    if (run.model) run.model = { version: run.work.version, bridges: run.model.bridges };
  }

  /** Bridges, ports and interfaces as they are now. */
  get bridges(): BridgeModel {
    const { run } = this;
    if (run.model?.version !== run.work.version) {
      run.model = { version: run.work.version, bridges: new BridgeModel(run.work, run.root) };
    }
    return run.model!.bridges;
  }
}

/** One command: how it is called and what it does. */
export interface VsctlCommand {
  readonly name: string;
  /** Its arguments, for help. */
  readonly usage: string;
  readonly least: number;
  readonly most: number;
  /** Its own options: `--may-exist`; with `=` at the end when it has an argument. */
  readonly options: readonly string[];
  readonly help: string;
  /** Its arguments in the notation of `--commands`. */
  readonly syntax: string;
  /** Looks at the arguments before anything is run. @throws Fatal */
  check?(context: Context): void;
  run(context: Context): void;
}

export const MANY = Number.MAX_SAFE_INTEGER;
