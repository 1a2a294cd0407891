/** Traces of random tables with groups, conntrack, learning and hashing against the reference. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Random } from '../../src/lib/random.ts';
import { GroupTwins, withoutIds } from './trace-group-support.ts';

const SEED = Number(process.env.WEFT_SEED ?? 20261123);
const TABLES = process.env.WEFT_NIGHTLY ? 400 : 20;
const PACKETS = 10;

/** From `first` to before `end`. */
const range = (random: Random, first: number, end: number): number => first + random.below(end - first);

const simple = (random: Random): string =>
  random.pick([
    () => `output:${range(random, 1, 5)}`,
    () => 'in_port',
    () => `set_field:${random.below(3)}->reg${random.below(2)}`,
    () => 'dec_ttl',
    () => `set_field:10.0.0.${random.below(4)}->nw_dst`,
    () => `resubmit(,${range(random, 5, 8)})`,
    () => `controller(max_len=${random.below(100)})`,
    () => 'push:NXM_NX_REG0[],set_field:1->reg1,pop:NXM_NX_REG2[]',
  ])();

function actionOf(random: Random): string {
  return random.pick([
    () => `group:${range(random, 1, 6)}`,
    () => `group:${range(random, 1, 6)}`,
    () => `ct(table=${range(random, 5, 8)},zone=${random.below(3)})`,
    () => `ct(commit,exec(set_field:${random.below(9)}->ct_mark))`,
    () => 'ct_clear',
    () =>
      `multipath(${random.pick(['symmetric_l4', 'eth_src', 'symmetric_l3l4+udp'])},${random.below(9)},hrw,4,0,NXM_NX_REG0[0..7])`,
    () => `bundle(symmetric_l4,${random.below(9)},hrw,ofport,members:2,3,4)`,
    () => `check_pkt_larger(${range(random, 60, 1500)})->NXM_NX_REG0[0]`,
    () => `clone(${list(random, simple, 2)})`,
    () => 'learn(table=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
    () => 'exit',
    () => simple(random),
    () => simple(random),
    () => simple(random),
  ])();
}

const list = (random: Random, one: (random: Random) => string, max: number): string =>
  Array.from({ length: range(random, 1, max + 1) }, () => one(random)).join(',');

function bucketOf(random: Random, type: string): string {
  const parts: string[] = [];
  if (type === 'select' && random.chance(0.7)) parts.push(`weight:${random.pick([1, 1, 2, 5, 30])}`);
  if (type === 'ff' || (type === 'select' && random.chance(0.3))) parts.push(`watch_port:${random.pick([2, 3, 4, 9])}`);
  const actions = [...(random.chance(0.3) ? ['dec_ttl'] : []), ...(random.chance(0.3) ? ['set_field:1->reg0'] : [])];
  const end = random.chance(0.2) ? `resubmit(,${range(random, 5, 8)})` : `output:${range(random, 1, 5)}`;
  return `bucket=${[...parts, ...actions, end].join(',')}`;
}

function groupOf(random: Random, id: number): string {
  const type = random.pick(['all', 'select', 'select', 'ff', 'indirect']);
  const method =
    type !== 'select'
      ? ''
      : random.pick(['', '', ',selection_method=dp_hash', ',selection_method=hash,fields(nw_src,tcp_dst,eth_dst)']);
  const count = type === 'indirect' ? 1 : range(random, 1, 4);
  const buckets = Array.from({ length: count }, () => bucketOf(random, type));
  return [`group_id=${id},type=${type}${method}`, ...buckets].join(',');
}

const matches = ['ip', 'tcp', 'ip,reg0=1', 'ip,reg0=0', 'tcp,tp_dst=80', 'udp', 'ip,nw_dst=10.0.0.1', 'ip,in_port=1'];

function flowsOf(random: Random): string[] {
  const flows = new Map<string, string>();
  for (const table of [0, 5, 6, 7]) {
    for (let i = 0; i < 4; i++) {
      // Deeper tables do less, so that a trace ends
      const actions = list(
        random,
        table === 7 ? (r) => `output:${range(r, 1, 5)}` : table === 0 ? actionOf : simpler,
        3,
      );
      const match = `table=${table},priority=${10 + i},${random.pick(matches)}`;
      if (random.chance(0.8)) flows.set(match, `${match},actions=${actions}`);
    }
  }
  return [...flows.values()];
}

const simpler = (random: Random): string =>
  random.pick([
    () => `output:${range(random, 1, 5)}`,
    () => `set_field:${random.below(3)}->reg0`,
    () => 'resubmit(,7)',
    () => `group:${range(random, 1, 6)}`,
    () => 'ct(table=7)',
  ])();

function packetOf(random: Random): string {
  const parts = [`in_port=${range(random, 1, 5)}`, `dl_src=50:54:00:00:00:0${random.below(4)}`];
  if (random.chance(0.5)) parts.push(`dp_hash=${range(random, 1, 1000)}`);
  const ends = `nw_src=10.0.0.${random.below(4)},nw_dst=10.0.0.${random.below(4)},nw_ttl=${random.pick([1, 2, 64])}`;
  const payload = random.pick([
    `tcp,${ends},tcp_src=${random.below(3)},tcp_dst=${random.pick([80, 81])}`,
    `udp,${ends},udp_src=${random.below(3)},udp_dst=${random.pick([80, 81])}`,
    `tcp6,ipv6_src=2001::${range(random, 1, 5)},nw_ttl=5`,
    'arp',
  ]);
  return [...parts, payload].join(',');
}

let twins: GroupTwins;
before(async () => {
  twins = await GroupTwins.start();
});
after(() => twins.close());

for (let n = 0; n < TABLES; n++) {
  const seed = SEED + n;
  test(`random tables, seed ${seed}`, () => {
    const random = new Random(seed);
    const groups = [1, 2, 3, 4, 5].map((id) => groupOf(random, id));
    const flows = flowsOf(random);
    twins.set(flows, groups);
    for (let i = 0; i < PACKETS; i++) {
      const packet = packetOf(random);
      const expected = withoutIds(twins.traceReference(packet));
      assert.equal(withoutIds(twins.trace(packet)), expected, [`seed ${seed}`, packet, ...groups, ...flows].join('\n'));
    }
  });
}
