import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowKey, KEY, matches } from '../../../src/flow/key.ts';
import {
  datapathMatch,
  equalMatches,
  exactMatch,
  isSubset,
  matchAll,
  matchedFields,
  overlaps,
} from '../../../src/flow/match.ts';
import { parseMatch } from '../../../src/flow/odp/parse.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { randomMatch } from './generate.ts';

const of = (text: string) => must(parseMatch(text));
const A = of('in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0)');
const B = of('in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.0.0.1)');
const C = of('in_port(1),eth(),eth_type(0x0800),ipv4(src=10.1.0.0/255.255.0.0,dst=10.0.0.1)');
const D = of('in_port(2),eth(),eth_type(0x0800),ipv4(dst=10.0.0.1)');

test('overlap and subset', () => {
  assert.ok(overlaps(A, B) && overlaps(B, C) && !overlaps(B, D));
  assert.ok(isSubset(C, A) && isSubset(C, B) && !isSubset(A, C) && !isSubset(A, B));
  assert.ok(isSubset(A, matchAll()) && !isSubset(matchAll(), A));
});

test('a key falls under its exact match alone, and under what that is a subset of', () => {
  const random = new Random(7);
  for (let i = 0; i < 200; i++) {
    const match = randomMatch(random, { forReference: false });
    const exact = exactMatch(match.key);
    assert.ok(isSubset(exact, match) && matches(match, match.key) && overlaps(match, exact));
    const other = match.key.clone().set(KEY.in_port, match.key.get(KEY.in_port) ^ 1);
    assert.ok(!matches(exact, other) && !overlaps(match, exactMatch(other)));
  }
});

test('a datapath match counts port, recirculation and the presence of tags', () => {
  const key = new FlowKey().set(KEY.in_port, 3).set(KEY.vlan_tci, 0x1005).set(KEY.vlan_tpid, 0x8100);
  const match = datapathMatch(key, new FlowKey());
  const names = matchedFields(match).map(({ name }) => name);
  assert.deepEqual(names, ['in_port', 'recirc_id', 'vlan_tpid', 'vlan_tci', 'vlan2_tci']);
  assert.equal(match.mask.get(KEY.vlan_tci), 0x1000);
  assert.equal(match.mask.get(KEY.vlan2_tci), 0xffff);
  assert.ok(equalMatches(match, datapathMatch(match.key, match.mask)));
});
