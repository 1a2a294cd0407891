/** Column types from and to JSON (RFC 7047 §3.2 <type>, <base-type>). */
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { datumFromJson, datumToJson } from './data.ts';
import { syntaxError } from './error.ts';
import { INTEGER_MAX, INTEGER_MIN, isInteger, isObject, type Json, type JsonObject } from './json.ts';
import { ObjectParser } from './parser.ts';
import { type AtomicType, type BaseType, baseType, type ColumnType, isScalar, scalarOf, setOf } from './types.ts';

const atomicTypes: ReadonlySet<string> = new Set(['integer', 'real', 'boolean', 'string', 'uuid']);

function atomicTypeFromJson(json: Json): AtomicType {
  if (typeof json !== 'string') throw syntaxError(json, 'atomic-type expected');
  if (!atomicTypes.has(json)) throw syntaxError(json, `"${json}" is not an atomic-type`);
  return json as AtomicType;
}

function lengthMember(parser: ObjectParser, name: string): number | null {
  const length = parser.optional(name, 'integer');
  if (length !== null && (length < 0 || length > ovsdbLimits.UNLIMITED)) {
    throw syntaxError(length, `${name} out of valid range 0 to ${ovsdbLimits.UNLIMITED}`);
  }
  return length === null ? null : Number(length);
}

/** @throws OvsdbError */
export function baseTypeFromJson(json: Json): BaseType {
  if (typeof json === 'string') return baseType(atomicTypeFromJson(json));
  const parser = new ObjectParser(json, 'ovsdb type');
  const typeJson = parser.required('type', 'string');
  if (parser.error) parser.check();
  const type = atomicTypeFromJson(typeJson!);
  const base = { ...baseType(type), ...constraintsFromJson(parser, type, json) };
  parser.finish();
  return base;
}

function constraintsFromJson(parser: ObjectParser, type: AtomicType, json: Json): Partial<BaseType> {
  const allowed = parser.optional('enum', 'any');
  if (allowed !== null) {
    return { enum: datumFromJson(setOf(type), allowed, null) };
  }
  switch (type) {
    case 'integer':
    case 'real': {
      const kind = type === 'integer' ? 'integer' : 'number';
      const suffix = type === 'integer' ? 'Integer' : 'Real';
      const min = parser.optional(`min${suffix}`, kind);
      const max = parser.optional(`max${suffix}`, kind);
      if (min !== null && max !== null && min > max) throw syntaxError(json, `min${suffix} exceeds max${suffix}`);
      return { min, max };
    }
    case 'string': {
      const minLength = lengthMember(parser, 'minLength') ?? 0;
      const maxLength = lengthMember(parser, 'maxLength') ?? ovsdbLimits.UNLIMITED;
      if (minLength > maxLength) throw syntaxError(json, 'minLength exceeds maxLength');
      return { minLength, maxLength };
    }
    case 'uuid': {
      const refTable = parser.optional('refTable', 'id');
      if (refTable === null) return {};
      const refType = parser.optional('refType', 'string');
      if (refType === null || refType === 'strong' || refType === 'weak') {
        return { refTable, refType: refType ?? 'strong' };
      }
      throw syntaxError(json, `refType must be "strong" or "weak" (not "${refType}")`);
    }
    case 'boolean':
      return {};
  }
}

export function baseTypeToJson(base: BaseType): Json {
  const json: Record<string, Json> = {};
  if (base.enum) json.enum = datumToJson(base.enum, setOf(base.type));
  const suffix = base.type === 'integer' ? 'Integer' : 'Real';
  if (base.min !== null && base.min !== INTEGER_MIN) json[`min${suffix}`] = base.min;
  if (base.max !== null && base.max !== INTEGER_MAX) json[`max${suffix}`] = base.max;
  if (base.minLength !== 0) json.minLength = base.minLength;
  if (base.maxLength !== ovsdbLimits.UNLIMITED) json.maxLength = base.maxLength;
  if (base.refTable !== null) {
    json.refTable = base.refTable;
    if (base.refType === 'weak') json.refType = 'weak';
  }
  return Object.keys(json).length === 0 ? base.type : { type: base.type, ...json };
}

function countFromJson(json: Json | null, missing: number): number {
  if (json === null) return missing;
  if (isInteger(json) && json >= 0 && json < ovsdbLimits.UNLIMITED) return Number(json);
  throw syntaxError(json, 'bad min or max value');
}

/** @throws OvsdbError */
export function columnTypeFromJson(json: Json): ColumnType {
  if (typeof json === 'string') return scalarOf(atomicTypeFromJson(json));
  if (!isObject(json)) throw syntaxError(json, 'ovsdb type expected');
  const parser = new ObjectParser(json, 'ovsdb type');
  const keyJson = parser.required('key', 'string', 'object');
  const valueJson = parser.optional('value', 'string', 'object');
  const minJson = parser.optional('min', 'integer');
  const maxJson = parser.optional('max', 'integer', 'string');
  parser.finish();
  const key = baseTypeFromJson(keyJson!);
  const value = valueJson === null ? null : baseTypeFromJson(valueJson);
  const min = countFromJson(minJson, 1);
  const max = maxJson === 'unlimited' ? ovsdbLimits.UNLIMITED : countFromJson(maxJson, 1);
  if (min > 1 || min > max) throw syntaxError(json, 'ovsdb type fails constraint checks');
  return { key, value, min: min as 0 | 1, max };
}

export function columnTypeToJson(type: ColumnType): Json {
  const key = baseTypeToJson(type.key);
  if (isScalar(type) && typeof key === 'string') return key;
  const json: Record<string, Json> = { key };
  if (type.value) json.value = baseTypeToJson(type.value);
  if (type.min !== 1) json.min = type.min;
  if (type.max === ovsdbLimits.UNLIMITED) json.max = 'unlimited';
  else if (type.max !== 1) json.max = type.max;
  return json as JsonObject;
}
