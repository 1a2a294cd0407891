import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { hashBytes, hashFlow, hashU64, hashWords, jenkins } from '../../../src/translate/hash.ts';
import { selectorOf, shareHashValues } from '../../../src/translate/select.ts';
import type { BucketView, GroupView } from '../../../src/translate/types.ts';
import { packet } from '../translate/fixture.ts';

const buckets = (...weights: readonly number[]): BucketView[] =>
  weights.map((weight, id) => ({ id, weight, watchPort: null, watchGroup: null, actions: [] }));
const group = (weights: readonly number[], selection: GroupView['selection'] = null): GroupView => ({
  id: 1,
  type: 'select',
  buckets: buckets(...weights),
  selection,
});
const shares = (...weights: readonly number[]): number[] | null => {
  const map = shareHashValues(buckets(...weights), 256);
  return map && weights.map((_, id) => map.filter((bucket) => bucket.id === id).length);
};

test('hash values are given out by weight', () => {
  assert.deepEqual(shares(1, 1), [8, 8]);
  assert.deepEqual(shares(1, 3), [4, 12]);
  assert.deepEqual(shares(10, 20, 200), [1, 3, 28]);
  assert.deepEqual(shares(0, 5), [0, 16]);
});

test('weights that are too uneven, or all zero, give no hash values', () => {
  assert.equal(shares(1, 300), null);
  assert.equal(shares(0, 0), null);
  assert.equal(shares(), null);
  assert.equal(shareHashValues(buckets(1, 64), 64), null);
});

test('the method follows what the group asks for and what is possible', () => {
  const selection = (method: 'dp_hash' | 'hash', parameter = 0n, fields: string[] = []): GroupView['selection'] => ({
    method,
    parameter,
    fields: new Map(fields.map((name) => [name, new Uint8Array(4).fill(255)])),
  });
  const method = (g: GroupView): string => selectorOf(g).method;
  assert.equal(method(group([1, 1])), 'dp_hash');
  assert.equal(method(group([1, 100])), 'default');
  assert.equal(method(group([1, 100], selection('dp_hash'))), 'dp_hash');
  assert.equal(method(group([1, 100], selection('hash'))), 'default');
  assert.equal(method(group([1, 100], selection('hash', 0n, ['nw_src']))), 'hash');
  const chosen = selectorOf(group([1, 1], selection('dp_hash', 0x1_0000_0005n)));
  assert.ok(chosen.method === 'dp_hash' && chosen.algorithm === 'sym_l4' && chosen.basis === 5);
  const unknown = selectorOf(group([1, 1], selection('dp_hash', 0x7_0000_0005n)));
  assert.ok(unknown.method === 'dp_hash' && unknown.algorithm === 'l4');
});

test('hashes have the reference’s values', () => {
  // Of ovs-vswitchd 3.1.0: multipath(FIELDS,50,…) over 65536 links, by modulo and by threshold
  const macs = { src: '50:54:00:00:00:01', dst: '50:54:00:00:00:02', inPort: 1 };
  const ip = packet({ ...macs, proto: 6, ipSrc: '10.0.0.1', ipDst: '10.0.0.2' });
  const arp = packet({ ...macs, type: 0x0806, ipSrc: '10.0.0.1', ipDst: '10.0.0.2' });
  const other = packet({ ...macs, type: 0x1234 });
  assert.equal(hashFlow(ip, 'symmetric_l3', 50), 0x7df2b195);
  assert.equal(hashFlow(ip, 'symmetric_l3l4', 50), 0xda9725cf);
  assert.equal(hashFlow(arp, 'symmetric_l3l4', 50), 0x7ae59877);
  assert.equal(hashFlow(arp, 'symmetric_l3', 50), 0xd6c87f81);
  assert.equal(hashFlow(other, 'symmetric_l3l4', 50), 0xe278cd56);
});

test('symmetric hashes are the same in both directions, the others are not', () => {
  const there = packet({
    inPort: 1,
    src: '50:54:00:00:00:01',
    dst: '50:54:00:00:00:02',
    proto: 6,
    ipSrc: '1.2.3.4',
    ipDst: '5.6.7.8',
    tpSrc: 9,
    tpDst: 10,
  });
  const back = packet({
    inPort: 2,
    src: '50:54:00:00:00:02',
    dst: '50:54:00:00:00:01',
    proto: 6,
    ipSrc: '5.6.7.8',
    ipDst: '1.2.3.4',
    tpSrc: 10,
    tpDst: 9,
  });
  for (const fields of ['symmetric_l4', 'symmetric_l3l4', 'symmetric_l3l4+udp', 'symmetric_l3'] as const)
    assert.equal(hashFlow(there, fields, 7), hashFlow(back, fields, 7), fields);
  for (const fields of ['eth_src', 'nw_src', 'nw_dst'] as const)
    assert.notEqual(hashFlow(there, fields, 7), hashFlow(back, fields, 7), fields);
  assert.equal(hashFlow(packet({ inPort: 1, type: 0x1234 }), 'nw_src', 7), 7);
  there.set(KEY.nw_proto, 17);
  const withPorts = hashFlow(there, 'symmetric_l3l4+udp', 7);
  assert.notEqual(hashFlow(there, 'symmetric_l3l4', 7), withPorts);
});

test('hash primitives take every length', () => {
  for (let size = 0; size < 40; size++) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i);
    for (const hash of [jenkins(bytes, 1), hashBytes(bytes, 1)]) assert.ok(hash >= 0 && hash <= 0xffffffff);
  }
  // hashlittle("", 0, 0), from the author's own test
  assert.equal(jenkins(new Uint8Array(0), 0), 0xdeadbeef);
  assert.equal(jenkins(new TextEncoder().encode('Four score and seven years ago'), 0), 0x17770551);
  assert.notEqual(hashWords(1, 2), hashWords(2, 1));
  assert.notEqual(hashU64(1n), hashU64(1n << 32n));
});
