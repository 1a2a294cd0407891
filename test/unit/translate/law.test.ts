/**
 * The law of megaflows: a bit outside the match may be flipped, and the translation stays the same. Random bridges, random
 * packets, and every bit that a real packet could have otherwise.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlowKey, KEY, type KeyField, matches } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { Random } from '../../../src/lib/random.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import type { TunnelConfig, VlanConfig, VlanMode, XlateOut } from '../../../src/translate/types.ts';
import { buildState, buildTunnels, mac, packet, type TestPacket, type TestPort, vxlan, xlate } from './fixture.ts';

const SEED = Number(process.env.WEFT_SEED ?? 20261123);
const SCALE = process.env.WEFT_NIGHTLY ? 20 : 1;
const VLANS = [0, 10, 20];
const modes: readonly VlanMode[] = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'];
const stations = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03'];
const groups = ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '01:80:c2:00:00:02'];

function randomVlan(random: Random): Partial<VlanConfig> {
  const some = (): Set<number> => new Set(VLANS.filter(() => random.chance(0.6)));
  const mode = random.pick(modes);
  return {
    mode,
    tag: random.pick([10, 20]),
    ...(random.chance(0.5) ? { trunks: some() } : {}),
    ...(random.chance(0.5) ? { cvlans: some() } : {}),
    priorityTags: random.pick(['never', 'never', 'if-nonzero', 'always'] as const),
  };
}

function randomState(random: Random): SwitchState {
  const ports = (count: number, first: number, prefix: string): TestPort[] =>
    Array.from({ length: count }, (_, i) => ({
      name: `${prefix}${i}`,
      dp: first + i,
      vlan: randomVlan(random),
      protected: random.chance(0.2),
    }));
  return buildState(
    {
      name: 'br0',
      local: 100,
      ports: [...ports(4, 1, 'p'), { name: 'pa', peer: { bridge: 'br1', port: 'pb' } }],
    },
    { name: 'br1', local: 101, ports: [{ name: 'pb', peer: { bridge: 'br0', port: 'pa' } }, ...ports(3, 11, 'q')] },
  );
}

type Tags = NonNullable<TestPacket['tags']>;

function randomTags(random: Random): Tags {
  return Array.from({ length: random.below(3) }, () => {
    const tpid = random.pick([0x8100, 0x88a8]);
    return [tpid, random.pick(VLANS), random.pick([0, 0, 5])] as const;
  });
}

function randomPacket(random: Random, ports: readonly number[]): TestPacket {
  const isArp = random.chance(0.3);
  return {
    inPort: random.pick(ports),
    src: random.pick(stations),
    dst: random.pick([...stations, ...groups]),
    tags: randomTags(random),
    type: isArp ? 0x0806 : random.pick([0x0800, 0x86dd, 0x1234]),
    proto: isArp ? random.below(4) : random.pick([6, 17, 47]),
    ipSrc: random.pick(['10.0.0.1', '10.0.0.2']),
    ipDst: random.pick(['10.0.0.1', '10.0.0.2']),
    tos: random.below(256),
    ttl: random.below(256),
    tpDst: random.below(65536),
  };
}

function learnSome(random: Random, state: SwitchState): void {
  for (const bridge of state.bridges.values()) {
    for (const { name } of bridge.picture().bundles) {
      if (!random.chance(0.5)) continue;
      const seen = { mac: mac(random.pick(stations)), vlan: random.pick(VLANS), port: name, isGratuitousArp: false };
      bridge.macs.learn(seen, 0);
    }
  }
}

const answer = ({ actions, drop, bridge }: XlateOut): string => `${bridge}: ${formatActions(actions)} (${drop})`;

/** Bits of a packet that can be otherwise in a packet of the same shape. */
const flippable: readonly (readonly [KeyField, number])[] = (
  [
    [KEY.eth_src, 48],
    [KEY.eth_dst, 48],
    [KEY.ipv4_src, 32],
    [KEY.ipv4_dst, 32],
    [KEY.ipv6_dst, 128],
    [KEY.nw_proto, 8],
    [KEY.nw_tos, 8],
    [KEY.nw_ttl, 8],
    [KEY.nw_frag, 1],
    [KEY.tp_src, 16],
    [KEY.tp_dst, 16],
    [KEY.arp_sha, 48],
    [KEY.tun_ttl, 8],
    [KEY.tun_tp_src, 16],
  ] as const
).flatMap(([field, bits]) => Array.from({ length: bits }, (_, bit) => [field, bit] as const));

function flipped(key: FlowKey, field: KeyField, bit: number): FlowKey {
  const other = key.clone();
  other.at(field)[field.size - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
  return other;
}

/** The same packet with other tags: all that a frame can have. */
function withOtherTags(random: Random, key: FlowKey): FlowKey {
  const other = key.clone();
  for (const field of [KEY.vlan_tpid, KEY.vlan_tci, KEY.vlan2_tpid, KEY.vlan2_tci]) other.set(field, 0);
  const tags = randomTags(random);
  const spec = packet({ inPort: 1, tags });
  for (const field of [KEY.vlan_tpid, KEY.vlan_tci, KEY.vlan2_tpid, KEY.vlan2_tci]) other.set(field, spec.get(field));
  return other;
}

function holdLaw(random: Random, state: SwitchState, key: FlowKey, context: string): void {
  const out = xlate(state, key);
  assert.ok(matches(out.match, key), `${context}: the packet falls under its own megaflow`);
  const expected = answer(out);
  const check = (other: FlowKey, what: string): void => {
    if (!matches(out.match, other)) return;
    assert.equal(answer(xlate(state, other)), expected, `${context}: ${what}`);
  };
  for (let i = 0; i < 40; i++) {
    const [field, bit] = random.pick(flippable);
    check(flipped(key, field, bit), `bit ${bit} of ${field.name}`);
  }
  for (let i = 0; i < 20; i++) {
    const other = withOtherTags(random, key);
    check(other, `tags ${other.get(KEY.vlan_tci).toString(16)} ${other.get(KEY.vlan2_tci).toString(16)}`);
  }
}

test('bridges in all VLAN modes', () => {
  for (let n = 0; n < 25 * SCALE; n++) {
    const seed = SEED + n;
    const random = new Random(seed);
    const state = randomState(random);
    learnSome(random, state);
    for (let i = 0; i < 15; i++) {
      const key = packet(randomPacket(random, [1, 2, 3, 4, 11, 12, 13, 100, 101]));
      holdLaw(random, state, key, `seed ${seed}, packet ${i}`);
    }
  }
});

test('tunnels: packets that leave by one, arrive for one, and came out of one', () => {
  for (let n = 0; n < 15 * SCALE; n++) {
    const seed = SEED + n;
    const random = new Random(seed);
    const inherit = (): Partial<TunnelConfig> => ({
      tos: random.pick([0, 'inherit'] as const),
      ttl: random.pick([64, 'inherit'] as const),
      inKey: random.pick([123n, 'flow', null] as const),
    });
    const state = buildTunnels([vxlan('1.1.2.92', inherit()), vxlan('2001:cafe::92', inherit())]);
    for (let i = 0; i < 15; i++) {
      const inner = packet(randomPacket(random, [1, 100]));
      const outer = packet({
        ...randomPacket(random, [2]),
        tags: [],
        dst: random.pick(['aa:55:aa:55:00:00', 'aa:55:aa:55:00:01']),
        ipDst: random.pick(['1.1.2.88', '1.1.2.89', '2001:cafe::88']),
        tpDst: random.pick([4789, 80, 4788]),
      });
      const decapsulated = packet({
        ...randomPacket(random, [4789]),
        tunSrc: random.pick(['1.1.2.92', '1.1.2.93']),
        tunDst: '1.1.2.88',
        tunId: random.pick([123n, 124n]),
        tunTos: random.below(4),
      });
      for (const key of [inner, outer, decapsulated]) holdLaw(random, state, key, `seed ${seed}, packet ${i}`);
    }
  }
});
