import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowKey, keyMapOf, maskedMatch } from '../../../src/flow/key.ts';
import * as C from '../../../src/gen/counters.ts';
import * as L from '../../../src/gen/layout.ts';
import { SUBTABLES_MAX } from '../../../src/gen/limits.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { Random } from '../../../src/lib/random.ts';
import { LinearLookup } from '../../twin/lookup.ts';
import { outputTo, packMatch, TableHost } from './host.ts';
import { randomKey, randomMask, randomMatch } from './random-match.ts';

const seed = Number(process.env.WEFT_SEED ?? 4711);
const rounds = process.env.WEFT_NIGHTLY ? 20000 : 400;

const sizes = { flowMax: 4096, arenaSize: 4 << 20 };

/** A match on in_port 1 and one IPv4 source address. */
function addressMatch(address: number): { key: FlowKey; mask: FlowKey } {
  const key = new FlowKey().set(KEY.in_port, 1).set(KEY.ipv4_src, address >>> 0);
  return { key, mask: new FlowKey().setAllOnes(KEY.in_port).setAllOnes(KEY.ipv4_src) };
}

test(`lookup agrees with linear search while flows come and go (seed ${seed})`, () => {
  const random = new Random(seed);
  const host = new TableHost(sizes);
  const empty = host.arenaUsed;
  const twin = new LinearLookup<number>();
  const masks = Array.from({ length: 24 }, () => randomMask(random));
  let hits = 0;
  for (let round = 0; round < rounds; round++) {
    const match = randomMatch(random, masks);
    const answer = host.put(match);
    if (answer.status === L.STATUS_OK) twin.put(answer.id, match);
    else assert.equal(answer.status, L.STATUS_EXISTS);
    if (random.chance(0.4)) {
      const id = random.pick(twin.ids());
      assert.equal(host.delete(id), L.STATUS_OK);
      twin.delete(id);
    }
    assert.equal(host.get(L.WORKER_FLOW_COUNT), twin.size);
    const keys = Array.from({ length: 1 + random.below(32) }, () => randomKey(random));
    host.lookup(keys).forEach((id, i) => {
      const wanted = twin.find(keys[i]!);
      if (wanted.length === 0) assert.equal(id, -1, `round ${round}: found ${id}, linear search found nothing`);
      else assert.ok(wanted.includes(id), `round ${round}: found ${id}, linear search ${wanted}`);
      if (id !== -1) hits++;
    });
  }
  assert.ok(hits > rounds, `only ${hits} hits: the test tests nothing`);
  for (const id of twin.ids()) assert.equal(host.delete(id), L.STATUS_OK);
  assert.equal(host.get(L.WORKER_SUBTABLE_COUNT), 0);
  assert.equal(host.arenaUsed, empty, 'memory of deleted flows is lost');
});

test(`SIMD kernels agree with their scalar twins (seed ${seed})`, () => {
  const random = new Random(seed);
  const host = new TableHost(sizes);
  const { kernels } = host;
  for (let round = 0; round < rounds; round++) {
    const mask = randomMask(random);
    const key = random.chance(0.5) ? randomKey(random) : new FlowKey(random.bytes(L.KEY_SIZE));
    const { id } = host.put(maskedMatch(random.chance(0.5) ? key : randomKey(random), mask));
    const [flow, slot] = [host.flow(id), host.setKey(0, key)];
    const subtable = host.views.getU32(flow + L.FLOW_SUBTABLE);
    const map = keyMapOf(key);
    assert.equal(kernels.hashKey(slot, map), kernels.hashKeyScalar(slot, map));
    const hash = kernels.hashMasked(subtable, slot);
    assert.equal(hash, kernels.hashMaskedScalar(subtable, slot, host.scratch));
    const blocks = host.views.getU32(subtable + L.SUBTABLE_BLOCK_COUNT);
    assert.equal(kernels.hashPacked(host.scratch, blocks), hash);
    assert.equal(kernels.hashPackedScalar(host.scratch, blocks), hash);
    const equal = kernels.equalMasked(subtable, flow, slot);
    assert.equal(equal, kernels.equalMaskedScalar(subtable, flow, slot));
    assert.equal(kernels.findInSubtable(subtable, slot), equal ? flow : 0);
    host.flush();
  }
});

test('a flow with the same key and mask is in the way, or gets new actions', () => {
  const host = new TableHost(sizes);
  const first = host.put(addressMatch(1), outputTo(1));
  assert.equal(first.status, L.STATUS_OK);
  assert.deepEqual(host.put(addressMatch(1), outputTo(2)), { status: L.STATUS_EXISTS, id: first.id });
  const generation = host.generation(first.id);
  assert.deepEqual(host.put(addressMatch(1), outputTo(2, 3), L.FLOW_PUT_REPLACE), first);
  assert.equal(host.generation(first.id), generation);
  const list = host.views.getU32(host.flow(first.id) + L.FLOW_ACTIONS);
  assert.deepEqual([...host.views.bytes(list + L.ACTION_LIST_SIZEOF, 16)], [...outputTo(2, 3)]);
  assert.equal(host.counter(C.COUNTER_FLOWS_REPLACED), 1);
});

test('equal action lists are one list, freed with its last flow', () => {
  const host = new TableHost(sizes);
  const ids = [1, 2, 3].map((n) => host.put(addressMatch(n), outputTo(7)).id);
  const lists = ids.map((id) => host.views.getU32(host.flow(id) + L.FLOW_ACTIONS));
  assert.equal(new Set(lists).size, 1);
  assert.equal(host.views.getU32(lists[0]! + L.ACTION_LIST_REFERENCES), 3);
  const other = host.put(addressMatch(4), outputTo(8)).id;
  assert.notEqual(host.views.getU32(host.flow(other) + L.FLOW_ACTIONS), lists[0]);
});

test('a stale generation deletes nothing', () => {
  const host = new TableHost(sizes);
  const { id } = host.put(addressMatch(1));
  const stale = host.generation(id);
  assert.equal(host.delete(id), L.STATUS_OK);
  assert.equal(host.delete(id, stale), L.STATUS_NOT_FOUND);
  assert.equal(host.put(addressMatch(2)).id, id, 'the id is used anew');
  assert.equal(host.delete(id, stale), L.STATUS_NOT_FOUND);
  assert.equal(host.get(L.WORKER_FLOW_COUNT), 1);
  assert.equal(host.delete(0xffffffff, 0), L.STATUS_NOT_FOUND);
});

test('records that make no sense are refused and change nothing', () => {
  const host = new TableHost(sizes);
  const good = addressMatch(1);
  const keyMap = keyMapOf(good.mask);
  const blocks = packMatch(good, keyMap);
  const actions = outputTo(1);
  const bad = [
    { keyMap, blocks: blocks.map((byte, i) => (i === 40 ? 1 : byte)), actions }, // a key bit outside the mask
    { keyMap: keyMap | 2n, blocks: new Uint8Array(96), actions }, // zero mask blocks
    { keyMap: 1n << 36n, blocks: new Uint8Array(32).fill(0xff), actions }, // a block that keys do not have
    { keyMap, blocks, actions: actions.subarray(0, 6) }, // not a multiple of four
    { keyMap: (1n << 36n) - 1n, blocks, actions }, // longer than the record
  ];
  for (const put of bad) assert.equal(host.putRaw(put).status, L.STATUS_INVALID);
  assert.equal(host.worker.run(host.worker.begin(99, 0)), L.STATUS_INVALID);
  assert.equal(host.get(L.WORKER_FLOW_COUNT), 0);
  assert.equal(host.counter(C.COUNTER_CONTROL_ERRORS), bad.length + 1);
  assert.equal(host.putRaw({ keyMap, blocks, actions }).status, L.STATUS_OK);
});

test('a match on nothing takes every key', () => {
  const host = new TableHost(sizes);
  const { id } = host.put({ key: new FlowKey(), mask: new FlowKey() });
  assert.deepEqual(host.lookup([new FlowKey(), randomKey(new Random(seed))]), [id, id]);
});

test('subtables beyond the limit are refused and counted', () => {
  const host = new TableHost({ flowMax: 8192, arenaSize: 16 << 20 });
  const matchOfMask = (n: number) => maskedMatch(new FlowKey(), new FlowKey().set(KEY.ipv4_src, n + 1));
  for (let n = 0; n < SUBTABLES_MAX; n++) assert.equal(host.put(matchOfMask(n)).status, L.STATUS_OK);
  assert.equal(host.put(matchOfMask(SUBTABLES_MAX)).status, L.STATUS_NO_SUBTABLE);
  assert.equal(host.counter(C.COUNTER_FLOWS_REFUSED_SUBTABLES), 1);
  const key = new FlowKey().set(KEY.ipv4_src, 0x80000000).set(KEY.in_port, 5);
  assert.notEqual(host.lookup([key])[0], -1);
});

test('subtables with more hits come first', () => {
  const host = new TableHost(sizes);
  const rare = new FlowKey().set(KEY.ipv4_src, 1);
  const frequent = new FlowKey().set(KEY.ipv4_dst, 1);
  host.put(maskedMatch(rare, new FlowKey().setAllOnes(KEY.ipv4_src)));
  host.put(maskedMatch(frequent, new FlowKey().setAllOnes(KEY.ipv4_dst)));
  const last = host.subtables()[1]!;
  const burst = Array.from({ length: 256 }, (_, i) => (i === 0 ? rare : frequent));
  for (let i = 0; i < 300; i++) host.lookup(burst);
  assert.equal(host.subtables()[0], last);
});

test('a full arena refuses, keeps what it has, and takes new flows when old ones go', () => {
  const host = new TableHost({ flowMax: 65536, arenaSize: 1 << 20 });
  const ids: number[] = [];
  for (let n = 0; ; n++) {
    const answer = host.put(addressMatch(n), outputTo(n));
    if (answer.status === L.STATUS_NO_MEMORY) break;
    assert.equal(answer.status, L.STATUS_OK);
    ids.push(answer.id);
  }
  assert.ok(ids.length > 4000, `${ids.length} flows in 1 MiB`);
  assert.equal(host.counter(C.COUNTER_FLOWS_REFUSED_MEMORY), 1);
  ids.forEach((id, n) => {
    assert.deepEqual(host.lookup([addressMatch(n).key]), [id]);
  });
  for (const id of ids.slice(0, 100)) assert.equal(host.delete(id), L.STATUS_OK);
  for (let n = 0; n < 100; n++) assert.equal(host.put(addressMatch(n), outputTo(n)).status, L.STATUS_OK);
  host.flush();
  assert.equal(host.get(L.WORKER_FLOW_COUNT), 0);
});

test('a million flows, and not one more than was asked for', () => {
  const flowMax = 1_000_000;
  const host = new TableHost({ flowMax, arenaSize: 176 << 20 });
  const match = addressMatch(0);
  const keyMap = keyMapOf(match.mask);
  const blocks = packMatch(match, keyMap);
  const view = new DataView(blocks.buffer);
  const actions = outputTo(1);
  const put = (n: number): number => {
    view.setUint32(32 + 16, n);
    return host.putRaw({ keyMap, blocks, actions }).status;
  };
  let refused = 0;
  for (let n = 0; n < flowMax; n++) if (put(n) !== L.STATUS_OK) refused++;
  assert.equal(refused, 0);
  assert.equal(put(flowMax), L.STATUS_NO_MEMORY);
  assert.equal(host.counter(C.COUNTER_FLOWS_REFUSED_MEMORY), 1);
  const random = new Random(seed);
  for (let i = 0; i < 300; i++) {
    const numbers = Array.from({ length: 32 }, () => random.below(flowMax));
    assert.deepEqual(host.lookup(numbers.map((n) => addressMatch(n).key)), numbers);
  }
  assert.deepEqual(host.lookup([addressMatch(flowMax).key]), [-1]);
});
