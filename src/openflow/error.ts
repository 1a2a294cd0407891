/** Errors of OpenFlow: by name inside, by experimenter, type and code on the wire, where each version has its own numbers. */
import { fail } from '../lib/result.ts';
import { type OfErrorName, type OfErrorRow, ofErrorRows } from '../spec/of-errors.ts';

/** An error of OpenFlow by its name, such as OFPBAC_BAD_LEN; its type and code differ from version to version. */
export interface OfError {
  readonly name: OfErrorName;
}

export interface OfErrorNumber {
  /** 0 for an error of the standard. */
  readonly experimenter: number;
  readonly type: number;
  /** Not used by experimenter errors of OpenFlow 1.2 and later. */
  readonly code: number;
}

/** A failed Result with the error of this name. */
export const ofFail = (name: OfErrorName): { readonly ok: false; readonly error: OfError } => fail({ name });

const rows: readonly OfErrorRow[] = ofErrorRows;
const rowByName = new Map(rows.map((row) => [row[0], row]));
const keyOf = (version: number, experimenter: number, type: number, code: number): string =>
  `${version}:${experimenter}:${type}:${code}`;

const nameByNumber = new Map<string, OfErrorName>();
for (const [name, ...runs] of ofErrorRows) {
  for (const [first, last, experimenter, type, code] of runs) {
    for (let version = first; version <= last; version++) {
      const key = keyOf(version, experimenter, type, code);
      if (!nameByNumber.has(key)) nameByNumber.set(key, name);
    }
  }
}

/** Null when that version has no number for it. */
export function errorNumber(version: number, name: OfErrorName): OfErrorNumber | null {
  const [, ...runs] = rowByName.get(name)!;
  const run = runs.find(([first, last]) => version >= first && version <= last);
  return run ? { experimenter: run[2], type: run[3], code: run[4] } : null;
}

/** The name of a number, or null for one that nobody gave. A version that is not known is read as OpenFlow 1.0. */
export const errorName = (version: number, { experimenter, type, code }: OfErrorNumber): OfErrorName | null =>
  nameByNumber.get(keyOf(version >= 1 && version <= 6 ? version : 1, experimenter, type, code)) ?? null;
