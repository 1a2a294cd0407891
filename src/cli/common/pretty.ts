/** JSON on several lines, with the reference's indentation. */
import { isArray, isObject, type Json, stringify } from '../../ovsdb/json.ts';

export function prettyJson(json: Json, depth = 0): string {
  const indent = (level: number): string => `\n${'  '.repeat(level)}`;
  if (isArray(json)) {
    if (json.length === 0) return '[]';
    return `[${json.map((item) => indent(depth + 1) + prettyJson(item, depth + 1)).join(',')}]`;
  }
  if (isObject(json)) {
    const names = Object.keys(json).sort();
    if (names.length === 0) return '{}';
    const members = names.map(
      (name) => `${indent(depth + 1)}${stringify(name)}: ${prettyJson(json[name]!, depth + 1)}`,
    );
    return `{${members.join(',')}}`;
  }
  return stringify(json);
}
