/** Column types (RFC 7047 §3.2): atomic types, base types with their constraints, sets and maps; and the data of such types. */
import { ovsdbLimits } from '../spec/ovsdb.ts';

/**
 * One value. Integers beyond ±2^53 are bigints, so equal atoms are identical; a UUID is its lower-case text. Only the type says
 * whether a string is a string or a UUID, a number an integer or a real.
 */
export type Atom = boolean | number | bigint | string;

/** A column's value: a scalar is a set of one. Keys are in order, and distinct; nothing ever changes a Datum. */
export interface Datum {
  readonly keys: readonly Atom[];
  /** Of a map, the value of each key. */
  readonly values: readonly Atom[] | null;
}

export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

export interface BaseType {
  readonly type: AtomicType;
  /** A set of what is allowed. */
  readonly enum: Datum | null;
  /** Smallest and greatest integer or real. */
  readonly min: number | bigint | null;
  readonly max: number | bigint | null;
  /** Code points of a string. */
  readonly minLength: number;
  readonly maxLength: number;
  readonly refTable: string | null;
  readonly refType: 'strong' | 'weak';
}

export interface ColumnType {
  readonly key: BaseType;
  /** Null for what is no map. */
  readonly value: BaseType | null;
  readonly min: 0 | 1;
  readonly max: number;
}

export const baseType = (type: AtomicType): BaseType => ({
  type,
  enum: null,
  min: null,
  max: null,
  minLength: 0,
  maxLength: ovsdbLimits.UNLIMITED,
  refTable: null,
  refType: 'strong',
});

export const scalarOf = (type: AtomicType): ColumnType => ({ key: baseType(type), value: null, min: 1, max: 1 });
export const uuidType = scalarOf('uuid');
/** One or more. */
export const setOf = (type: AtomicType): ColumnType => ({ ...scalarOf(type), max: ovsdbLimits.UNLIMITED });

export const isMap = (type: ColumnType): boolean => type.value !== null;
export const isScalar = (type: ColumnType): boolean => type.value === null && type.min === 1 && type.max === 1;
export const isOptionalScalar = (type: ColumnType): boolean => type.value === null && type.min === 0 && type.max === 1;
/** A set, also one of at most one: everything that is no map and no scalar. */
export const isSet = (type: ColumnType): boolean => type.value === null && !isScalar(type);
export const isComposite = (type: ColumnType): boolean => type.max > 1;
export const isStrongRef = (base: BaseType | null): boolean => base?.refTable != null && base.refType === 'strong';
export const isWeakRef = (base: BaseType | null): boolean => base?.refTable != null && base.refType === 'weak';

/** A type in words, as error texts have it: "set of up to 4096 integers". */
export function typeToEnglish(type: ColumnType): string {
  const { key, value, min, max } = type;
  if (isScalar(type)) return key.type;
  let count = '';
  if (max === ovsdbLimits.UNLIMITED) count = min > 0 ? ` of ${min} or more` : ' of';
  else count = min > 0 ? ` of ${min} to ${max}` : ` of up to ${max}`;
  const what = value ? ` (${key.type}, ${value.type}) pairs` : ` ${key.type}s`;
  return `${value ? 'map' : 'set'}${count}${what}`;
}
