/** Data as people read it: in error texts and logs. */
import { formatReal } from './json.ts';
import { type Atom, type AtomicType, type ColumnType, type Datum, isMap } from './types.ts';
import { parseUuid } from './uuid.ts';

const PLAIN = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** True for a string that could be taken for something else, were it not in quotes. */
const needsQuotes = (text: string): boolean =>
  !PLAIN.test(text) || text === 'true' || text === 'false' || parseUuid(text) !== null;

export function atomText(atom: Atom, type: AtomicType): string {
  switch (type) {
    case 'real':
      return formatReal(Number(atom));
    case 'string':
      return needsQuotes(atom as string) ? JSON.stringify(atom) : (atom as string);
    default:
      return String(atom);
  }
}

/** `5`, `[a, "b c"]`, `{k=v}`. */
export function datumText(datum: Datum, type: ColumnType): string {
  const { keys, values } = datum;
  const inside = keys
    .map((key, i) => atomText(key, type.key.type) + (values ? `=${atomText(values[i]!, type.value!.type)}` : ''))
    .join(', ');
  if (type.max === 1 && !isMap(type) && keys.length > 0) return inside;
  return isMap(type) ? `{${inside}}` : `[${inside}]`;
}

/** `a`, `a and b`, `a, b, and c`. */
export function englishList(items: readonly string[]): string {
  if (items.length <= 2) return items.join(' and ');
  return `${items.slice(0, -1).join(', ')}, and ${items.at(-1)}`;
}
