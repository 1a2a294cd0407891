/** The law of megaflows with random flow tables: what a megaflow leaves out may be flipped, and the translation stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlowKey, KEY, type KeyField, matches } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { Random } from '../../../src/lib/random.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import type { XlateOut } from '../../../src/translate/types.ts';
import { flowMod } from '../../support/flow-mods.ts';
import { randomTables } from '../../support/random-tables.ts';
import { buildState, packet, xlate } from './fixture.ts';

const SEED = Number(process.env.WEFT_SEED ?? 20261123);
const SCALE = process.env.WEFT_NIGHTLY ? 20 : 1;
const MACS = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03'];
const V4 = ['10.0.0.1', '10.0.0.2', '10.1.0.1', '192.168.0.1'];
const V6 = ['2001::1', '2001::2', '2002::1'];

function randomState(random: Random): SwitchState {
  const ports = [1, 2, 3, 4].map((dp) => ({ name: `p${dp}`, dp }));
  const state = buildState({ name: 'br0', local: 100, failMode: 'secure', ports });
  const { tables } = state.bridges.get('br0')!.ofproto;
  for (const flow of randomTables(random)) assert.ok(tables.execute(flowMod(flow), 0).ok, flow);
  return state;
}

function randomKey(random: Random): FlowKey {
  const type = random.pick([0x0800, 0x0800, 0x86dd, 0x0806, 0x1234]);
  const addresses = type === 0x86dd ? V6 : V4;
  return packet({
    inPort: random.pick([1, 2, 3, 4]),
    src: random.pick(MACS),
    dst: random.pick(MACS),
    tags: random.chance(0.4) ? [random.pick([10, 20, 30])] : [],
    type,
    proto: type === 0x0806 ? 1 + random.below(2) : random.pick([6, 17, 1]),
    ipSrc: random.pick(addresses),
    ipDst: random.pick(addresses),
    tos: random.pick([0, 32, 33]),
    ttl: random.pick([1, 2, 64]),
    tpSrc: random.pick([53, 80, 1000]),
    tpDst: random.pick([53, 80, 1000]),
  });
}

/** Copies for controllers name a frozen state: its number is no part of the answer. */
const answer = ({ actions, error }: XlateOut): string =>
  `${formatActions(actions).replaceAll(/recirc_id=[0-9]+/g, 'recirc_id=N')} (${error})`;

const anyBits: readonly (readonly [KeyField, number])[] = [
  [KEY.eth_src, 48],
  [KEY.eth_dst, 48],
  [KEY.nw_tos, 8],
  [KEY.nw_ttl, 8],
];
const bitsOf: Readonly<Record<number, readonly (readonly [KeyField, number])[]>> = {
  2048: [...anyBits, [KEY.ipv4_src, 32], [KEY.ipv4_dst, 32], [KEY.nw_proto, 8], [KEY.tp_src, 8], [KEY.tp_dst, 8]],
  34525: [...anyBits, [KEY.ipv6_src, 128], [KEY.ipv6_dst, 128], [KEY.tp_src, 8], [KEY.tp_dst, 8]],
  2054: [...anyBits.slice(0, 2), [KEY.ipv4_src, 32], [KEY.ipv4_dst, 32], [KEY.nw_proto, 8]],
  4660: anyBits.slice(0, 2),
};

function flipped(key: FlowKey, field: KeyField, bit: number): FlowKey {
  const other = key.clone();
  other.at(field)[field.size - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
  return other;
}

test('random tables, and every bit of a packet', () => {
  for (let n = 0; n < 30 * SCALE; n++) {
    const seed = SEED + n;
    const random = new Random(seed);
    const state = randomState(random);
    for (let i = 0; i < 10; i++) {
      const key = randomKey(random);
      const out = xlate(state, key);
      const { mask, key: masked } = out.match;
      const match = { mask: mask.clone(), key: masked.clone() };
      const expected = answer(out);
      for (const [field, bits] of bitsOf[key.get(KEY.eth_type)]!) {
        for (let bit = 0; bit < bits; bit++) {
          const other = flipped(key, field, bit);
          if (!matches(match, other)) continue;
          const context = `seed ${seed}, packet ${i}: bit ${bit} of ${field.name}`;
          assert.equal(answer(xlate(state, other)), expected, context);
        }
      }
    }
  }
});
