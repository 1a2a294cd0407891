/** Random rules and flows over few values, so that they meet. */
import type { Conjunction } from '../../../src/flow/classifier/index.ts';
import { KEY, type KeyFieldName, type Match, PIPELINE, PipelineKey } from '../../../src/flow/key.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { KeyFieldSpec } from '../../../src/spec/key.ts';

/** A field, and bytes that its values and masks are made of. */
interface Choice {
  readonly field: KeyFieldSpec;
  readonly values: readonly number[];
  readonly masks: readonly number[] | 'prefix';
}

const choice = (name: KeyFieldName, values: readonly number[], masks: Choice['masks'] = [0xffffffff]): Choice => ({
  field: KEY[name],
  values,
  masks,
});

const v4 = [0x0a000001, 0x0a000002, 0x0a000102, 0x0a010001, 0x0b000001, 0xc0a80001, 0];
const ports = [80, 81, 443, 0x8000, 0];
const choices: readonly Choice[] = [
  choice('in_port', [1, 2, 3]),
  choice('eth_type', [0x0800, 0x0800, 0x86dd, 0x0806]),
  choice('nw_proto', [6, 17, 1]),
  choice('vlan_tci', [0, 0x1005, 0x1006, 0x3005], [0xffff, 0x1fff, 0x1000]),
  choice('ipv4_src', v4, 'prefix'),
  choice('ipv4_dst', v4, 'prefix'),
  choice('ipv4_dst', v4, [0x00ff00ff, 0xffffffff]),
  choice('tp_src', ports, [0xffff, 0xff00, 0xfff0]),
  choice('tp_dst', ports, [0xffff, 0xfffe, 0x8000, 0x00ff]),
  choice('tcp_flags', [0, 2, 0x12], [0xfff, 2]),
  choice('nw_tos', [0, 4], [0xfc]),
  choice('ct_mark', [0, 1]),
  choice('igmp_group', [0, 1]),
  { field: PIPELINE.reg0, values: [0, 1, 2], masks: [0xffffffff, 1] },
  { field: PIPELINE.conj_id, values: [0, 1, 2], masks: [0xffffffff] },
];

const wide = ['ipv6_src', 'ipv6_dst'] as const;
const wideValues = [1, 2, 0xff];

const ones = (field: KeyFieldSpec): number => 2 ** (8 * field.size) - 1;
const put = (key: PipelineKey, field: KeyFieldSpec, value: number): PipelineKey =>
  key.set(field, (value & ones(field)) >>> 0);

/** Bytes of an IPv6 address that differ early or late. */
function wideAddress(random: Random): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = 0xfe;
  bytes[random.pick([1, 5, 11, 15])] = random.pick(wideValues);
  return bytes;
}

function prefix(bytes: Uint8Array, length: number): void {
  bytes.fill(0);
  for (let bit = 0; bit < length; bit++) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
}

export function randomFlow(random: Random): PipelineKey {
  const flow = new PipelineKey();
  for (const { field, values } of choices) {
    if (field.name !== 'conj_id') put(flow, field, random.pick(values));
  }
  for (const name of wide) flow.setBytes(KEY[name], wideAddress(random));
  return flow;
}

export function randomMatch(random: Random, fieldCount = random.below(5)): Match {
  const key = new PipelineKey();
  const mask = new PipelineKey();
  for (let i = 0; i < fieldCount; i++) {
    if (random.chance(0.15)) {
      const field = KEY[random.pick(wide)];
      key.setBytes(field, wideAddress(random));
      prefix(mask.at(field), random.pick([8, 16, 48, 96, 120, 128]));
      continue;
    }
    const { field, values, masks } = random.pick(choices);
    put(key, field, random.pick(values));
    if (masks === 'prefix') prefix(mask.at(field), random.pick([1, 8, 15, 16, 24, 31, 32]));
    else put(mask, field, random.pick(masks));
  }
  for (let i = 0; i < key.bytes.length; i++) key.bytes[i]! &= mask.bytes[i]!;
  return { key, mask };
}

/** Conjunctions 1 and 2 have two and three clauses. */
export const randomConjunctions = (random: Random): Conjunction[] =>
  Array.from({ length: 1 + random.below(2) }, () => {
    const id = 1 + random.below(2);
    return { id, clause: random.below(id + 1), clauseCount: id + 1 };
  });
