/** Mutations (RFC 7047 §5.1 <mutation>). */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { checkAtom, datumFromJson, type SymbolTable, sortedDatum, subtract, union } from './data.ts';
import type { Row } from './database.ts';
import { constraintViolation, OvsdbError, syntaxError } from './error.ts';
import { INTEGER_MAX, INTEGER_MIN, isArray, type Json, narrow } from './json.ts';
import type { Column, TableSchema } from './schema.ts';
import { type Atom, baseType, type ColumnType, type Datum, isMap, isScalar, isSet, typeToEnglish } from './types.ts';

const mutators = ['+=', '-=', '*=', '/=', '%=', 'insert', 'delete'] as const;
type Mutator = (typeof mutators)[number];

export interface Mutation {
  readonly column: Column;
  readonly mutator: Mutator;
  readonly argument: Datum;
}

/** @throws OvsdbError */
export function mutationFromJson(table: TableSchema, json: Json, symbols: SymbolTable): Mutation {
  if (!isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    throw syntaxError(json, 'Parse error in mutation.');
  }
  const [columnName, mutatorName, value] = json as readonly [string, string, Json];
  const column = table.byName.get(columnName);
  if (!column) throw syntaxError(json, `No column ${columnName} in table ${table.name}.`, 'unknown column');
  if (!column.isMutable) {
    const details = `Cannot mutate immutable column ${columnName} in table ${table.name}.`;
    throw syntaxError(json, details, 'constraint violation');
  }
  const mutator = mutators.find((known) => known === mutatorName);
  if (!mutator) throw new OvsdbError('unknown mutator', `No mutator named ${mutatorName}.`);
  return { column, mutator, argument: argumentFromJson(json, column, mutator, value, symbols) };
}

function argumentFromJson(
  json: Json,
  { name, type }: Column,
  mutator: Mutator,
  value: Json,
  symbols: SymbolTable,
): Datum {
  const mismatch = (): OvsdbError => {
    const what = `"${mutator}" operator may not be applied to column ${name} of type ${typeToEnglish(type)}.`;
    return syntaxError(json, `Type mismatch: ${what}`);
  };
  if (mutator !== 'insert' && mutator !== 'delete') {
    const atomic = type.key.type;
    const isNumber = !isMap(type) && (atomic === 'integer' || (atomic === 'real' && mutator !== '%='));
    if (!isNumber) throw mismatch();
    return datumFromJson({ key: baseType(atomic), value: null, min: 1, max: 1 }, value, symbols);
  }
  if (isScalar(type) || !(isSet(type) || isMap(type))) throw mismatch();
  if (mutator === 'insert') return datumFromJson({ ...type, min: 0 }, value, symbols);
  const some: ColumnType = { ...type, min: 0, max: ovsdbLimits.UNLIMITED };
  if (!isMap(type)) return datumFromJson(some, value, symbols);
  try {
    return datumFromJson(some, value, symbols);
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    // From a map, keys alone may be deleted
    return datumFromJson({ ...some, value: null }, value, symbols);
  }
}

const divisionByZero = (): OvsdbError => new OvsdbError('domain error', 'Division by zero.');

function integerResult(x: bigint, mutator: Mutator, y: bigint): bigint {
  switch (mutator) {
    case '+=':
      return x + y;
    case '-=':
      return x - y;
    case '*=':
      return x * y;
    default:
      if (y === 0n) throw divisionByZero();
      return mutator === '/=' ? x / y : x % y;
  }
}

function realResult(x: number, mutator: Mutator, y: number): number {
  switch (mutator) {
    case '+=':
      return x + y;
    case '-=':
      return x - y;
    case '*=':
      return x * y;
    default:
      if (y === 0) throw divisionByZero();
      return x / y;
  }
}

const outOfRange = (mutator: Mutator): OvsdbError =>
  new OvsdbError('range error', `Result of "${mutator}" operation is out of range.`);

function calculate(type: ColumnType, x: Atom, mutator: Mutator, y: Atom): Atom {
  if (type.key.type === 'real') {
    const result = realResult(Number(x), mutator, Number(y));
    if (!Number.isFinite(result)) throw outOfRange(mutator);
    return result;
  }
  const a = BigInt(x as number | bigint);
  const b = BigInt(y as number | bigint);
  const result = integerResult(a, mutator, b);
  if (result < INTEGER_MIN || result > INTEGER_MAX || (mutator === '%=' && a === INTEGER_MIN && b === -1n)) {
    throw outOfRange(mutator);
  }
  return narrow(result);
}

function arithmetic(datum: Datum, { column: { type }, mutator, argument }: Mutation): Datum {
  const keys = datum.keys.map((key) => calculate(type, key, mutator, argument.keys[0]!));
  for (const key of keys) checkAtom(key, type.key);
  try {
    return sortedDatum(keys, null);
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    throw constraintViolation(`Result of "${mutator}" operation contains duplicates.`);
  }
}

function checkCount(datum: Datum, type: ColumnType): Datum {
  const count = datum.keys.length;
  if (count >= type.min && count <= type.max) return datum;
  throw constraintViolation(`Attempted to store ${count} elements in ${typeToEnglish(type)}.`);
}

/**
 * Changes a row in place.
 * @throws OvsdbError
 */
export function mutateRow(row: Row, mutations: readonly Mutation[]): void {
  for (const mutation of mutations) {
    const { column, mutator, argument } = mutation;
    const datum = row.fields[column.index]!;
    if (mutator === 'insert') row.fields[column.index] = checkCount(union(datum, argument), column.type);
    else if (mutator === 'delete') row.fields[column.index] = checkCount(subtract(datum, argument), column.type);
    else row.fields[column.index] = arithmetic(datum, mutation);
  }
}
