/** Data as people read it: in error texts and logs. */
import { formatReal } from './json.ts';
import { type Atom, type AtomicType, type ColumnType, type Datum, isMap } from './types.ts';

const PLAIN = /^[A-Za-z_][A-Za-z_.-]*$/;

export function atomText(atom: Atom, type: AtomicType): string {
  switch (type) {
    case 'real':
      return formatReal(Number(atom));
    case 'string': {
      const text = atom as string;
      const isPlain = PLAIN.test(text) && text !== 'true' && text !== 'false';
      return isPlain ? text : JSON.stringify(text);
    }
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
  if (type.max === 1 && keys.length > 0) return inside;
  return isMap(type) ? `{${inside}}` : `[${inside}]`;
}

/** `a`, `a and b`, `a, b, and c`. */
export function englishList(items: readonly string[]): string {
  if (items.length <= 2) return items.join(' and ');
  return `${items.slice(0, -1).join(', ')}, and ${items.at(-1)}`;
}
