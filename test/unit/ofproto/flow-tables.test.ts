import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { KEY, PipelineKey } from '../../../src/flow/key.ts';
import { SECOND } from '../../../src/lib/clock.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { type FlowMod, TABLE_ALL } from '../../../src/ofproto/flow-mod.ts';
import { FlowTables } from '../../../src/ofproto/flow-tables.ts';
import type { Rule } from '../../../src/ofproto/rule.ts';
import { dump, facts, kinds, matchOf, mod, type Words } from './support.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);

let tables: FlowTables<Words>;
beforeEach(() => {
  tables = new FlowTables<Words>({ facts });
});

const run = (flowMod: FlowMod<Words>, now = 0): string[] => kinds(must(tables.execute(flowMod, now)));
const errorOf = (flowMod: FlowMod<Words>): string | null => {
  const before = dump(tables);
  const done = tables.execute(flowMod, 0);
  if (!done.ok) assert.deepEqual(dump(tables), before, 'a refused change leaves nothing');
  return done.ok ? null : done.error;
};
const ruleOf = (match: string, priority = 100, tableId = 0): Rule<Words> => {
  const [rule, ...more] = tables.select(tableId, { match: matchOf(match), strictPriority: priority });
  assert.equal(more.length, 0);
  assert.ok(rule, `no rule ${match}`);
  return rule;
};
const actionsOf = (match: string): string => ruleOf(match).actions.join();

test('an added rule takes flows; table and wildcards', () => {
  run(mod('add', 'in_port=1', 'output:2'));
  const flow = new PipelineKey().set(KEY.in_port, 1) as PipelineKey;
  const wildcards = new PipelineKey();
  assert.deepEqual(tables.lookup(0, flow, wildcards)?.actions, ['output:2']);
  assert.ok(wildcards.isAllOnes(KEY.in_port));
  assert.equal(tables.lookup(1, flow, null), null);
});

test('a number that is no table, and the switch’s own table', () => {
  assert.equal(errorOf(mod('add', '', '', { tableId: 300 })), 'OFPBRC_BAD_TABLE_ID');
  assert.equal(errorOf(mod('add', '', '', { tableId: 254 })), 'OFPBRC_EPERM');
  assert.equal(errorOf(mod('add', '', '', { priority: 70_000 })), 'OFPBRC_EPERM');
  run(mod('add', '', 'x', { tableId: 254, flags: { internal: true } }));
  run(mod('add', 'in_port=1', 'x', { priority: 70_000, flags: { internal: true } }));
  assert.equal(errorOf(mod('delete', '', '', { tableId: 254 })), 'OFPBRC_EPERM');
  assert.deepEqual(run(mod('delete', '', '', { tableId: TABLE_ALL })), [], 'neither is among all rules');
  assert.deepEqual(run(mod('add', '', '', { tableId: TABLE_ALL })), ['added']);
  assert.equal(ruleOf('').tableId, 0);
});

test('an add replaces the rule of its match and priority; counts stay unless they are reset', () => {
  run(mod('add', 'in_port=1', 'output:1', { newCookie: 1n }));
  const first = ruleOf('in_port=1');
  first.credit(3, 300, 5);
  assert.deepEqual(run(mod('add', 'in_port=1', 'output:2', { newCookie: 2n, idleTimeout: 9 })), ['added']);
  const second = ruleOf('in_port=1');
  assert.deepEqual([second.packets, second.cookie, second.idleTimeout], [3, 2n, 9]);
  first.credit(1, 100, 6);
  assert.equal(second.packets, 4, 'what is counted late goes to the new rule');
  run(mod('add', 'in_port=1', 'output:3', { flags: { resetCounts: true } }));
  second.credit(1, 100, 7);
  const third = ruleOf('in_port=1');
  assert.deepEqual([third.packets, third.bytes, third.used], [0, 0, 7]);
  assert.equal(tables.table(0)!.flowCount, 1);
});

test('check_overlap refuses a rule that shares flows with one of its priority', () => {
  run(mod('add', 'ip,nw_src=10.0.0.0/8', ''));
  const flags = { checkOverlap: true };
  assert.equal(errorOf(mod('add', 'tcp,tp_dst=80', '', { flags })), 'OFPFMFC_OVERLAP');
  assert.equal(errorOf(mod('add', 'tcp,tp_dst=80', '', { flags, priority: 99 })), null);
  assert.equal(errorOf(mod('add', 'ip,nw_src=11.0.0.0/8', '', { flags })), null);
  assert.equal(errorOf(mod('add', 'ip,nw_src=10.0.0.0/8', 'output:1', { flags })), null, 'the same match replaces');
});

test('modify: loose by match, strict by match and priority, the rest of the rule stays', () => {
  run(mod('add', 'ip,nw_src=10.0.0.1', 'output:1', { hardTimeout: 7, importance: 3, newCookie: 5n }), 100);
  run(mod('add', 'ip,nw_src=10.0.0.2', 'output:1', { priority: 50 }));
  run(mod('add', 'arp', 'output:1'));
  assert.deepEqual(run(mod('modify', 'ip', 'output:9'), 200), ['modified', 'modified']);
  const rule = ruleOf('ip,nw_src=10.0.0.1');
  assert.deepEqual([rule.hardTimeout, rule.importance, rule.cookie, rule.created, rule.modified], [7, 3, 5n, 100, 200]);
  assert.equal(actionsOf('arp'), 'output:1');
  assert.deepEqual(run(mod('modify_strict', 'ip', 'output:8')), [], 'no rule has exactly this match');
  assert.deepEqual(run(mod('modify_strict', 'arp', 'output:8')), ['modified']);
  assert.equal(actionsOf('arp'), 'output:8');
});

test('modify: cookies, and adding when nothing is found', () => {
  run(mod('add', 'arp', 'output:1', { newCookie: 0xabn }));
  assert.deepEqual(run(mod('modify', '', 'output:2', { cookie: 0xa0n, cookieMask: 0xffn })), []);
  assert.deepEqual(run(mod('modify', '', 'output:2', { cookie: 0xa0n, cookieMask: 0xf0n })), ['modified']);
  run(mod('modify', 'arp', 'output:2', { newCookie: 7n, modifiesCookie: true }));
  assert.equal(ruleOf('arp').cookie, 7n);
  assert.deepEqual(run(mod('modify', 'ip', 'output:3', { newCookie: 9n })), ['added']);
  assert.equal(ruleOf('ip').cookie, 9n);
  assert.deepEqual(run(mod('modify', 'ipv6', 'output:3', { newCookie: 9n, cookie: 1n, cookieMask: 1n })), []);
});

test('delete: loose, strict, by cookie, port and group', () => {
  run(mod('add', 'in_port=1', 'output:1'));
  run(mod('add', 'in_port=2', 'output:2', { newCookie: 4n }));
  run(mod('add', 'in_port=3', 'group:7'));
  run(mod('add', 'in_port=3', 'output:1', { tableId: 9 }));
  assert.deepEqual(run(mod('delete_strict', 'in_port=1', '', { priority: 99 })), []);
  assert.deepEqual(run(mod('delete', '', '', { outGroup: 7 })), ['removed:delete']);
  assert.deepEqual(run(mod('delete', '', '', { cookie: 4n, cookieMask: 4n })), ['removed:delete']);
  assert.deepEqual(run(mod('delete', '', '', { outPort: 1, tableId: TABLE_ALL })), [
    'removed:delete',
    'removed:delete',
  ]);
  assert.deepEqual(dump(tables), []);
});

test('a removed rule can be described until it is collected', () => {
  run(mod('add', 'in_port=1', ''));
  const [change] = must(tables.execute(mod('delete', '', ''), 0));
  assert.equal(tables.matchOf(change!.rule).key.get(KEY.in_port), 1);
  tables.collect();
  assert.throws(() => tables.matchOf(change!.rule));
  assert.equal(tables.table(0)!.classifier.size, 0);
});

test('a version that is held keeps its rules', () => {
  run(mod('add', 'in_port=1', 'output:1'));
  const flow = new PipelineKey().set(KEY.in_port, 1) as PipelineKey;
  const { version, release } = tables.hold();
  run(mod('delete', '', ''));
  run(mod('add', 'in_port=2', ''));
  const { classifier } = tables.table(0)!;
  assert.deepEqual(classifier.lookup(version, flow, null)?.actions, ['output:1']);
  assert.equal(tables.lookup(0, flow, null), null);
  release();
  release();
  tables.collect();
  assert.equal(classifier.size, 1);
});

test('a full table refuses, or evicts: the largest group, the least important, the one that ends first', () => {
  tables.configure(0, { flowLimit: 3 });
  run(mod('add', 'in_port=1,dl_src=00:00:00:00:00:01', '', { importance: 1, hardTimeout: 5 }));
  run(mod('add', 'in_port=1,dl_src=00:00:00:00:00:02', '', { importance: 1, hardTimeout: 50 }));
  run(mod('add', 'in_port=2,dl_src=00:00:00:00:00:03', '', { hardTimeout: 1 }));
  const more = mod('add', 'in_port=3', '', { importance: 9 });
  assert.equal(errorOf(more), 'OFPFMFC_TABLE_FULL');
  assert.equal(errorOf(mod('add', 'in_port=2,dl_src=00:00:00:00:00:03', 'output:1', { hardTimeout: 1 })), null);
  tables.configure(0, { eviction: { groups: [KEY.in_port] } });
  const changes = must(tables.execute(more, 0));
  assert.deepEqual(kinds(changes), ['removed:eviction', 'added']);
  assert.equal(tables.matchOf(changes[0]!.rule).key.at(KEY.eth_src)[5], 1);
  tables.configure(0, { eviction: { groups: [] } });
  const next = must(tables.execute(mod('add', 'in_port=4', ''), 0));
  assert.equal(tables.matchOf(next[0]!.rule).key.at(KEY.eth_src)[5], 3, 'importance 0 goes first');
  run(mod('add', 'in_port=5', ''));
  assert.equal(errorOf(mod('add', 'in_port=6', '')), 'OFPFMFC_TABLE_FULL', 'rules without timeout stay');
});

test('timeouts: strictly after so many seconds, with the last counts', () => {
  const settled: number[] = [];
  tables = new FlowTables<Words>({
    facts,
    settle: (rules) => {
      for (const rule of rules) {
        settled.push(rule.priority);
        if (rule.priority === 3) rule.credit(5, 500, 9 * SECOND);
        if (rule.priority === 1) rule.credit(1, 60, SECOND);
      }
    },
  });
  run(mod('add', 'arp', '', { priority: 1, hardTimeout: 10 }));
  run(mod('add', 'arp', '', { priority: 2, idleTimeout: 10 }));
  run(mod('add', 'arp', '', { priority: 3, idleTimeout: 10 }));
  run(mod('add', 'arp', '', { priority: 4 }));
  assert.deepEqual(tables.run(10 * SECOND), []);
  const gone = tables.run(10 * SECOND + 1000);
  assert.deepEqual(kinds(gone), ['removed:hard_timeout', 'removed:idle_timeout']);
  assert.equal(gone[0]!.rule.packets, 2, 'credited when it was looked at and when it went');
  assert.ok(settled.includes(3), 'the rule was asked and had been used');
  assert.deepEqual(kinds(tables.run(20 * SECOND)), ['removed:idle_timeout']);
  assert.equal(dump(tables).length, 1);
});

test('fin_timeout shortens what there is', () => {
  run(mod('add', 'tcp', '', { idleTimeout: 60 }));
  run(mod('add', 'udp', ''));
  tables.reduceTimeouts(ruleOf('tcp'), 5, 20);
  tables.reduceTimeouts(ruleOf('udp'), 5, 20);
  tables.reduceTimeouts(ruleOf('tcp'), 0, 30);
  assert.deepEqual([ruleOf('tcp').idleTimeout, ruleOf('tcp').hardTimeout, ruleOf('udp').idleTimeout], [5, 20, 0]);
});

test('rules that used a group or a meter go with it', () => {
  run(mod('add', 'arp', 'group:1'));
  run(mod('add', 'ip', 'meter:1,output:1'));
  const gone = tables.removeWhere(({ actions }) => facts.usesMeter(actions, 1), 'meter_delete', 0);
  assert.deepEqual(kinds(gone), ['removed:meter_delete']);
  assert.deepEqual(kinds(tables.removeWhere(({ actions }) => facts.usesGroup(actions, 1), 'group_delete', 0)), [
    'removed:group_delete',
  ]);
});

test('a transaction is seen whole or not at all', () => {
  run(mod('add', 'in_port=1', 'output:1'));
  const flow = new PipelineKey().set(KEY.in_port, 1) as PipelineKey;
  const before = dump(tables);
  const transaction = tables.begin(0);
  must(transaction.start(mod('delete', '', '')));
  must(transaction.start(mod('add', 'in_port=1', 'output:5')));
  assert.deepEqual(tables.lookup(0, flow, null)?.actions, ['output:1']);
  assert.equal(transaction.start(mod('add', '', '', { tableId: 254 })).ok, false);
  assert.throws(() => tables.begin(0), /another transaction/);
  transaction.revert();
  assert.deepEqual(dump(tables), before);
  assert.throws(() => transaction.commit(), /over/);
  const second = tables.begin(0);
  must(second.start(mod('delete', '', '')));
  must(second.start(mod('add', 'in_port=1', 'output:5')));
  assert.deepEqual(kinds(second.commit()), ['removed:delete', 'added']);
  assert.deepEqual(tables.lookup(0, flow, null)?.actions, ['output:5']);
});

function randomMod(random: Random): FlowMod<Words> {
  const command = random.pick(['add', 'add', 'add', 'modify', 'modify_strict', 'delete', 'delete_strict'] as const);
  const matches = ['', 'in_port=1', 'in_port=2', 'ip', 'tcp', 'tcp,tp_dst=80', 'ip,nw_src=10.0.0.0/8', 'arp'];
  return mod(command, random.pick(command === 'delete' ? matches.slice(1) : matches), `output:${random.below(5)}`, {
    priority: random.below(3),
    tableId: random.pick([0, 0, 1, TABLE_ALL]),
    newCookie: random.chance(0.7) ? BigInt(random.below(4)) : null,
    cookie: BigInt(random.below(4)),
    cookieMask: random.chance(0.2) ? 3n : 0n,
    modifiesCookie: random.chance(0.5),
    hardTimeout: random.pick([0, 5]),
    importance: random.below(3),
    flags: { checkOverlap: random.chance(0.2), resetCounts: random.chance(0.2) },
  });
}

test('random bundles: reverting leaves no trace, committing does what one by one does', () => {
  for (let round = 0; round < 60; round++) {
    const random = new Random(seed * 1000 + round);
    const [bundled, single] = [new FlowTables<Words>({ facts }), new FlowTables<Words>({ facts })];
    for (const each of [bundled, single]) each.configure(0, { flowLimit: 6, eviction: { groups: [] } });
    for (let step = 0; step < 10; step++) {
      const mods = Array.from({ length: 1 + random.below(8) }, () => randomMod(random));
      const hint = `seed ${seed} round ${round} step ${step}`;
      const before = dump(bundled);
      const attempt = bundled.begin(step);
      const errors = mods.map((each) => attempt.start(each)).map((done) => (done.ok ? null : done.error));
      if (random.chance(0.4)) {
        attempt.revert();
        assert.deepEqual(dump(bundled), before, hint);
        continue;
      }
      attempt.commit();
      const expected = mods.map((each) => single.execute(each, step)).map((done) => (done.ok ? null : done.error));
      assert.deepEqual(errors, expected, hint);
      assert.deepEqual(dump(bundled), dump(single), hint);
    }
  }
});
