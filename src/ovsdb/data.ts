/**
 * Data of a column (RFC 7047 §5.1 <value>): from and to JSON, order, union, difference.
 *
 * A *difference* of two data of one type is a datum as well: for sets and maps of more than one, the elements that only one of
 * them has and the pairs whose value is new; for all others, the new value. That is what "update2" messages and records of a
 * database file hold.
 */
import { constraintViolation, OvsdbError, syntaxError } from './error.ts';
import { isArray, isInteger, type Json, narrow } from './json.ts';
import { isId } from './parser.ts';
import { atomText, datumText } from './text.ts';
import { type Atom, type BaseType, type ColumnType, type Datum, isComposite, isMap, setOf } from './types.ts';
import { parseUuid, ZERO_UUID } from './uuid.ts';

/** The uuid-names of a transaction. */
export interface SymbolTable {
  /** The UUID that a name stands for, made up at its first use. */
  resolve(name: string): string;
}

export { parseUuid, ZERO_UUID };

export const emptyDatum: Datum = { keys: [], values: null };
const emptyMap: Datum = { keys: [], values: [] };
export const scalar = (atom: Atom): Datum => ({ keys: [atom], values: null });

const defaults = { integer: 0, real: 0, boolean: false, string: '', uuid: ZERO_UUID } as const;

export function defaultDatum(type: ColumnType): Datum {
  if (type.min === 0) return isMap(type) ? emptyMap : emptyDatum;
  return { keys: [defaults[type.key.type]], values: type.value ? [defaults[type.value.type]] : null };
}

export const isDefault = (datum: Datum, type: ColumnType): boolean => equalData(datum, defaultDatum(type));

/** The order of strcmp() over UTF-8, which for characters beyond U+FFFF is not that of JavaScript. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      // surrogates stand for more than every other unit
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x < y ? -1 : 1;
  }
  return a.length < b.length ? -1 : 1;
}

/** Atoms of one type: negative, 0 or positive. */
export function compareAtoms(a: Atom, b: Atom): number {
  if (a === b) return 0;
  if (typeof a === 'string') return compareStrings(a, b as string);
  return a < b ? -1 : a > b ? 1 : 0;
}

function equalAtoms(a: readonly Atom[], b: readonly Atom[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function equalData(a: Datum, b: Datum): boolean {
  if (a === b) return true;
  if (a.keys.length !== b.keys.length || !equalAtoms(a.keys, b.keys)) return false;
  return a.values === null || b.values === null || equalAtoms(a.values, b.values);
}

/** Data of one type: fewer elements come first, then the order of keys, then that of values. */
export function compareData(a: Datum, b: Datum): number {
  if (a.keys.length !== b.keys.length) return a.keys.length < b.keys.length ? -1 : 1;
  for (const [x, y] of [
    [a.keys, b.keys],
    [a.values ?? [], b.values ?? []],
  ] as const) {
    for (let i = 0; i < x.length; i++) {
      const order = compareAtoms(x[i]!, y[i]!);
      if (order !== 0) return order;
    }
  }
  return 0;
}

/** A key's place in a datum, -1 when it is not there. */
export function findKey(datum: Datum, key: Atom): number {
  const { keys } = datum;
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareAtoms(key, keys[middle]!);
    if (order === 0) return middle;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return -1;
}

/** True when the i-th element of `a` is in `b`: key and, where both are maps, value. */
function isIn(a: Datum, i: number, b: Datum): boolean {
  const at = findKey(b, a.keys[i]!);
  return at >= 0 && (a.values === null || b.values === null || a.values[i] === b.values[at]);
}

export const includesAll = (some: Datum, all: Datum): boolean => some.keys.every((_, i) => isIn(some, i, all));
export const excludesAll = (some: Datum, all: Datum): boolean => !some.keys.some((_, i) => isIn(some, i, all));

/**
 * A datum of elements in any order.
 * @throws OvsdbError when a key comes twice
 */
export function sortedDatum(keys: readonly Atom[], values: readonly Atom[] | null): Datum {
  const size = keys.length;
  let isSorted = true;
  for (let i = 1; i < size && isSorted; i++) isSorted = compareAtoms(keys[i - 1]!, keys[i]!) < 0;
  if (isSorted) return { keys, values };
  const order = keys.map((_, i) => i).sort((i, j) => compareAtoms(keys[i]!, keys[j]!));
  for (let i = 1; i < size; i++) {
    if (keys[order[i - 1]!] === keys[order[i]!]) {
      throw new OvsdbError('ovsdb error', values ? 'map contains duplicate key' : 'set contains duplicate');
    }
  }
  return { keys: order.map((i) => keys[i]!), values: values && order.map((i) => values[i]!) };
}

/** Both together; where a key is in both, `a` has its way. */
export function union(a: Datum, b: Datum): Datum {
  const news = b.keys.map((_, i) => i).filter((i) => findKey(a, b.keys[i]!) < 0);
  if (news.length === 0) return a;
  const values = a.values && [...a.values, ...news.map((i) => b.values![i]!)];
  const keys = [...a.keys, ...news.map((i) => b.keys[i]!)];
  if (news.length > 1) return sortedDatum(keys, values);
  // The usual case, one more element: put into its place without sorting the rest
  const key = keys.pop()!;
  let low = 0;
  for (let high = keys.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (compareAtoms(keys[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  keys.splice(low, 0, key);
  values?.splice(low, 0, values.pop()!);
  return { keys, values };
}

/** How two sorted lists of distinct keys differ: indexes of what only the first has, and only the second. */
export function keysApart(
  a: readonly Atom[],
  b: readonly Atom[],
): { readonly onlyA: number[]; readonly onlyB: number[] } {
  const onlyA: number[] = [];
  const onlyB: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    if (x === y) {
      i++;
      j++;
    } else if (compareAtoms(x, y) < 0) onlyA.push(i++);
    else onlyB.push(j++);
  }
  while (i < a.length) onlyA.push(i++);
  while (j < b.length) onlyB.push(j++);
  return { onlyA, onlyB };
}

/** `a` without what is in `b`: by key and value when `b` is a map, by key otherwise. */
export const subtract = (a: Datum, b: Datum): Datum => filterDatum(a, (i) => !isIn(a, i, b));

/** The elements of a datum, by index, that are to stay. */
export function filterDatum(datum: Datum, stays: (i: number) => boolean): Datum {
  const kept = datum.keys.map((_, i) => i).filter(stays);
  if (kept.length === datum.keys.length) return datum;
  return { keys: kept.map((i) => datum.keys[i]!), values: datum.values && kept.map((i) => datum.values![i]!) };
}

/** What turns `from` into `to`: see the head of this file. */
export function difference(from: Datum, to: Datum, type: ColumnType): Datum {
  if (!isComposite(type)) return to;
  const { onlyA: gone, onlyB: come } = keysApart(from.keys, to.keys);
  const keys = [...gone.map((i) => from.keys[i]!), ...come.map((i) => to.keys[i]!)];
  if (!from.values) return sortedDatum(keys, null);
  const values = [...gone.map((i) => from.values![i]!), ...come.map((i) => to.values![i]!)];
  from.keys.forEach((key, i) => {
    const at = findKey(to, key);
    if (at < 0 || to.values![at] === from.values![i]) return;
    keys.push(key);
    values.push(to.values![at]!);
  });
  return sortedDatum(keys, values);
}

/** @throws OvsdbError when the result has too few or too many elements */
export function applyDifference(from: Datum, change: Datum, type: ColumnType): Datum {
  if (!isComposite(type)) return change;
  const gone = new Set<number>();
  const values = from.values ? [...from.values] : null;
  const added: number[] = [];
  change.keys.forEach((key, i) => {
    const at = findKey(from, key);
    if (at < 0) added.push(i);
    else if (values && values[at] !== change.values![i]) values[at] = change.values![i]!;
    else gone.add(at);
  });
  const kept = filterDatum({ keys: from.keys, values }, (i) => !gone.has(i));
  const result = sortedDatum(
    [...kept.keys, ...added.map((i) => change.keys[i]!)],
    kept.values && [...kept.values, ...added.map((i) => change.values![i]!)],
  );
  if (result.keys.length < type.min || result.keys.length > type.max) {
    throw new OvsdbError('ovsdb error', 'Datum crated by diff has size error');
  }
  return result;
}

function unwrap(json: Json, name: string, isWanted: (inner: Json) => boolean, wanted: string): Json {
  if (!isArray(json) || json.length !== 2 || json[0] !== name || !isWanted(json[1]!)) {
    throw syntaxError(json, `expected ["${name}", <${wanted}>]`);
  }
  return json[1]!;
}

const isString = (json: Json): boolean => typeof json === 'string';

function uuidFromJson(json: Json, symbols: SymbolTable | null): string {
  if (symbols && isArray(json) && json.length === 2 && json[0] === 'named-uuid' && typeof json[1] === 'string') {
    if (!isId(json[1])) throw syntaxError(json, 'named-uuid string is not a valid <id>');
    return symbols.resolve(json[1]);
  }
  const text = unwrap(json, 'uuid', isString, 'string') as string;
  const uuid = parseUuid(text);
  if (uuid === null) throw syntaxError(json, `"${text}" is not a valid UUID`);
  return uuid;
}

function atomFromJson(base: BaseType, json: Json, symbols: SymbolTable | null): Atom {
  const atom = plainAtomFromJson(base, json, symbols);
  checkAtom(atom, base);
  return atom;
}

function plainAtomFromJson(base: BaseType, json: Json, symbols: SymbolTable | null): Atom {
  switch (base.type) {
    case 'integer':
      if (isInteger(json)) return typeof json === 'bigint' ? narrow(json) : json;
      break;
    case 'real':
      if (typeof json === 'number') return json;
      if (typeof json === 'bigint') return Number(json);
      break;
    case 'boolean':
      if (typeof json === 'boolean') return json;
      break;
    case 'string':
      if (typeof json === 'string') return json;
      break;
    case 'uuid':
      return uuidFromJson(json, symbols);
  }
  throw syntaxError(json, `expected ${base.type}`);
}

function atomToJson(atom: Atom, base: BaseType): Json {
  return base.type === 'uuid' ? ['uuid', atom] : atom;
}

/**
 * @param symbols for named UUIDs; null where there are none
 * @throws OvsdbError for what is no datum of the type
 */
export function datumFromJson(type: ColumnType, json: Json, symbols: SymbolTable | null): Datum {
  const ofMap = isMap(type);
  // A set of one may be written as its element
  if (!ofMap && !(isArray(json) && json[0] === 'set')) return scalar(atomFromJson(type.key, json, symbols));
  const className = ofMap ? 'map' : 'set';
  const inner = unwrap(json, className, isArray, 'array') as readonly Json[];
  checkCount(type, json, className, inner.length);
  const keys: Atom[] = [];
  const values: Atom[] | null = ofMap ? [] : null;
  for (const element of inner) {
    if (!values) {
      keys.push(atomFromJson(type.key, element, symbols));
      continue;
    }
    if (!isArray(element) || element.length !== 2) throw syntaxError(element, 'expected 2-element array');
    keys.push(atomFromJson(type.key, element[0]!, symbols));
    values.push(atomFromJson(type.value!, element[1]!, symbols));
  }
  return sortedDatum(keys, values);
}

function checkCount(type: ColumnType, json: Json, className: string, count: number): void {
  if (count >= type.min && count <= type.max) return;
  if (type.min === 1 && type.max === 1) {
    throw syntaxError(json, `${className} must have exactly one member but ${count} are present`);
  }
  throw syntaxError(json, `${className} must have ${type.min} to ${type.max} members but ${count} are present`);
}

export function datumToJson(datum: Datum, type: ColumnType): Json {
  const { keys, values } = datum;
  const value = type.value;
  if (value) {
    return ['map', keys.map((key, i) => [atomToJson(key, type.key), atomToJson(values![i]!, value)])];
  }
  if (keys.length === 1) return atomToJson(keys[0]!, type.key);
  return ['set', type.key.type === 'uuid' ? keys.map((key) => atomToJson(key, type.key)) : keys];
}

/** @throws OvsdbError when an atom is not what the type allows */
export function checkDatum(datum: Datum, type: ColumnType): void {
  for (const key of datum.keys) checkAtom(key, type.key);
  if (type.value) for (const value of datum.values!) checkAtom(value, type.value);
}

/** @throws OvsdbError when an atom is not what the type allows */
export function checkAtom(atom: Atom, base: BaseType): void {
  if (base.enum) {
    if (!base.enum.keys.includes(atom)) {
      const allowed = datumText(base.enum, setOf(base.type));
      throw constraintViolation(`${atomText(atom, base.type)} is not one of the allowed values (${allowed})`);
    }
    return;
  }
  if (base.type === 'integer' || base.type === 'real') checkNumber(atom as number | bigint, base);
  else if (base.type === 'string') checkLength(atom as string, base);
}

function checkNumber(value: number | bigint, base: BaseType): void {
  const { min, max } = base;
  if ((min === null || value >= min) && (max === null || value <= max)) return;
  const text = (number: number | bigint): string => atomText(number, base.type);
  if (min !== null && max !== null) {
    throw constraintViolation(`${text(value)} is not in the valid range ${text(min)} to ${text(max)} (inclusive)`);
  }
  if (min !== null) throw constraintViolation(`${text(value)} is less than minimum allowed value ${text(min)}`);
  throw constraintViolation(`${text(value)} is greater than maximum allowed value ${text(max!)}`);
}

function checkLength(text: string, base: BaseType): void {
  if (base.minLength === 0 && text.length <= base.maxLength) return;
  const length = [...text].length;
  if (length < base.minLength) {
    throw constraintViolation(`"${text}" length ${length} is less than minimum allowed length ${base.minLength}`);
  }
  if (length > base.maxLength) {
    throw constraintViolation(`"${text}" length ${length} is greater than maximum allowed length ${base.maxLength}`);
  }
}
