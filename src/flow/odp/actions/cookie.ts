/**
 * What a userspace action's user data says, where it is one of the switch's own: a tag byte and then its fields in
 * network order, without gaps. The text form shows such data in words; other data as hexadecimal digits.
 */
import type { UpcallReason } from '../action.ts';
import { bigToBytes, bytesToBig, decimal, hex, type Notation } from '../number.ts';
import type { Scanner } from '../scanner.ts';

interface CookieField {
  readonly name: string;
  readonly bits: number;
  readonly notation: Notation;
}

interface CookieSpec {
  /** The first byte. */
  readonly tag: number;
  readonly name: string;
  readonly reason: UpcallReason;
  readonly fields: readonly CookieField[];
}

const field = (name: string, bits: number, notation: Notation = decimal): CookieField => ({ name, bits, notation });

/** Why a packet takes the slow path; bit i is the ith. */
const slowPathReasons = ['cfm', 'bfd', 'lacp', 'stp', 'lldp', 'action', 'match'];

const cookies: readonly CookieSpec[] = [
  { tag: 1, name: 'sFlow', reason: 'sample', fields: [field('vid', 16), field('pcp', 8), field('output', 32)] },
  { tag: 2, name: 'slow_path', reason: 'slow_path', fields: [field('reason', 32)] },
  {
    tag: 3,
    name: 'flow_sample',
    reason: 'sample',
    fields: [
      field('probability', 16),
      field('collector_set_id', 32),
      field('obs_domain_id', 32),
      field('obs_point_id', 32),
      field('output_port', 32),
      field('direction', 8),
    ],
  },
  { tag: 4, name: 'ipfix', reason: 'sample', fields: [field('output_port', 32)] },
  {
    tag: 5,
    name: 'controller',
    reason: 'controller',
    fields: [
      field('reason', 16),
      field('dont_send', 1),
      field('continuation', 1),
      field('recirc_id', 32),
      field('rule_cookie', 64, hex),
      field('controller_id', 16),
      field('max_len', 16),
    ],
  },
];

const bytesOf = (spec: CookieField): number => Math.ceil(spec.bits / 8);
const sizeOf = (spec: CookieSpec): number => spec.fields.reduce((sum, f) => sum + bytesOf(f), 1);

/** Name of the kind, and its fields by name; a field left out is zero. */
export interface UserCookie {
  readonly name: string;
  readonly values: Readonly<Record<string, bigint>>;
}

/** @throws for a kind that is not in `cookies`: a bug of the caller */
export function encodeCookie({ name, values }: UserCookie): Uint8Array {
  const spec = cookies.find((c) => c.name === name);
  if (!spec) throw new Error(`no user data of kind ${name}`);
  return Uint8Array.from([spec.tag, ...spec.fields.flatMap((f) => [...bigToBytes(values[f.name] ?? 0n, bytesOf(f))])]);
}

/** Null for data that is none of the switch's own. */
export function decodeCookie(data: Uint8Array): UserCookie | null {
  const spec = cookies.find((c) => c.tag === data[0] && sizeOf(c) === data.length);
  if (!spec) return null;
  const values: Record<string, bigint> = {};
  let at = 1;
  for (const f of spec.fields) {
    values[f.name] = bytesToBig(data.subarray(at, at + bytesOf(f)));
    if (values[f.name]! >> BigInt(f.bits) !== 0n) return null;
    at += bytesOf(f);
  }
  return { name: spec.name, values };
}

export const cookieReason = (name: string): UpcallReason | null => cookies.find((c) => c.name === name)?.reason ?? null;

function parseSlowPath(s: Scanner): bigint {
  if (/^[0-9]/.test(s.text.slice(s.at))) return s.number(slowPathReasons.length);
  let bits = 0n;
  do {
    const start = s.at;
    const index = slowPathReasons.indexOf(s.word());
    if (index < 0) s.fail('unknown slow path reason', start);
    else bits |= 1n << BigInt(index);
  } while (s.take('|') || s.take(','));
  return bits;
}

const directions = ['', 'ingress', 'egress'];

function parseFields(s: Scanner, spec: CookieSpec): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  while (!s.failed && !s.peek(')')) {
    const start = s.at;
    const word = s.word();
    const known = spec.fields.find((f) => f.name === word);
    if (spec.name === 'flow_sample' && directions.includes(word)) values.direction = BigInt(directions.indexOf(word));
    else if (!known || word in values) s.fail(`unknown or repeated field "${word}"`, start);
    else {
      s.expect('=');
      values[word] = s.number(known.bits);
    }
    if (!s.take(',') && !s.peek(')')) s.fail('expected "," or ")"');
  }
  return values;
}

/** Reads from behind the kind's name. */
export function parseCookie(s: Scanner, name: string): Uint8Array {
  const spec = cookies.find((c) => c.name === name)!;
  s.expect('(');
  const values = name === 'slow_path' ? { reason: parseSlowPath(s) } : parseFields(s, spec);
  s.expect(')');
  return s.failed ? new Uint8Array() : encodeCookie({ name, values });
}

function formatSlowPath(bits: bigint): string {
  const names = slowPathReasons.filter((_, i) => (bits & (1n << BigInt(i))) !== 0n);
  return names.length === 0 ? '0' : names.join(',');
}

export function formatCookie({ name, values }: UserCookie): string {
  if (name === 'slow_path') return `slow_path(${formatSlowPath(values.reason!)})`;
  const spec = cookies.find((c) => c.name === name)!;
  const parts = spec.fields
    .filter((f) => f.name !== 'direction')
    .map((f) => `${f.name}=${f.notation.format(values[f.name]!)}`);
  const direction = directions[Number(values.direction ?? 0n)];
  return `${name}(${[...parts, ...(direction ? [direction] : [])].join(',')})`;
}
