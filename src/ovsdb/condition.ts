/** Conditions (RFC 7047 §5.1 <condition>) and, beyond the RFC, the clauses `true` and `false`. */

import { ovsdbLimits } from '../spec/ovsdb.ts';
import { compareAtoms, datumFromJson, equalData, excludesAll, includesAll, type SymbolTable } from './data.ts';
import type { Row } from './database.ts';
import { OvsdbError, syntaxError } from './error.ts';
import { isArray, type Json } from './json.ts';
import { type Column, type TableSchema, UUID_INDEX } from './schema.ts';
import { type ColumnType, type Datum, isOptionalScalar, isScalar, typeToEnglish } from './types.ts';

const functions = ['==', 'includes', '<', '<=', '>', '>=', 'excludes', '!='] as const;
type ConditionFunction = (typeof functions)[number];

interface ColumnClause {
  readonly column: Column;
  readonly function: ConditionFunction;
  readonly argument: Datum;
}
type Clause = boolean | ColumnClause;
/** What has to hold together, or, for monitors, of which one has to hold. */
export type Condition = readonly Clause[];

function argumentType(type: ColumnType, name: ConditionFunction): ColumnType | null {
  switch (name) {
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const isOrdered = type.key.type === 'integer' || type.key.type === 'real';
      return isOrdered && (isScalar(type) || isOptionalScalar(type)) ? { ...type, min: 1 } : null;
    }
    case 'excludes':
      return isScalar(type) ? type : { ...type, min: 0, max: ovsdbLimits.UNLIMITED };
    case 'includes':
      return isScalar(type) ? type : { ...type, min: 0 };
    default:
      return type;
  }
}

function clauseFromJson(table: TableSchema, json: Json, symbols: SymbolTable | null): Clause {
  if (typeof json === 'boolean') return json;
  if (!isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    throw syntaxError(json, 'Parse error in condition.');
  }
  const [columnName, functionName, value] = json as readonly [string, string, Json];
  const column = table.byName.get(columnName);
  if (!column) throw syntaxError(json, `No column ${columnName} in table ${table.name}.`, 'unknown column');
  const name = functions.find((known) => known === functionName);
  if (!name) throw new OvsdbError('unknown function', `No function named ${functionName}.`);
  const type = argumentType(column.type, name);
  if (!type) {
    const what = `"${name}" operator may not be applied to column ${columnName} of type ${typeToEnglish(column.type)}.`;
    throw syntaxError(json, `Type mismatch: ${what}`);
  }
  return { column, function: name, argument: datumFromJson(type, value, symbols) };
}

/** @throws OvsdbError */
export const conditionFromJson = (table: TableSchema, json: readonly Json[], symbols: SymbolTable | null): Condition =>
  json.map((clause) => clauseFromJson(table, clause, symbols));

function compared(order: number, name: ConditionFunction): boolean {
  switch (name) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '==':
    case 'includes':
      return order === 0;
    case '!=':
    case 'excludes':
      return order !== 0;
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
  }
}

function holds(row: Row, clause: Clause): boolean {
  if (typeof clause === 'boolean') return clause;
  const { column, argument, function: name } = clause;
  const field = row.fields[column.index]!;
  switch (name) {
    case '==':
      return equalData(field, argument);
    case '!=':
      return !equalData(field, argument);
    case 'includes':
      return includesAll(argument, field);
    case 'excludes':
      return excludesAll(argument, field);
    default:
      // A value that is missing is neither less nor greater
      if (field.keys.length === 0) return false;
      return compared(compareAtoms(field.keys[0]!, argument.keys[0]!), name);
  }
}

export const matchesAll = (row: Row, condition: Condition): boolean => condition.every((clause) => holds(row, clause));
export const matchesAny = (row: Row, condition: Condition): boolean => condition.some((clause) => holds(row, clause));

/** The rows that a condition picks; by UUID without a search. */
export function* query(rows: ReadonlyMap<string, Row>, condition: Condition): Generator<Row> {
  const byUuid = condition.find(
    (clause) => typeof clause === 'object' && clause.column.index === UUID_INDEX && clause.function === '==',
  ) as ColumnClause | undefined;
  if (byUuid) {
    const row = rows.get(byUuid.argument.keys[0] as string);
    if (row && matchesAll(row, condition)) yield row;
    return;
  }
  // The caller may change rows while it walks
  for (const row of [...rows.values()]) if (matchesAll(row, condition)) yield row;
}
