import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePmdStats } from '../../../bench/ovs-dpdk.ts';
import { flowText } from '../../../bench/ovs-text.ts';
import { parseWorkload, type Workload } from '../../../bench/workload-file.ts';
import { makeWorkload, workloadNames } from '../../../bench/workloads.ts';
import { extractKey } from '../../../src/flow/extract.ts';
import { KEY_SIZE } from '../../../src/gen/layout.ts';
import { must } from '../../../src/lib/result.ts';

function written(workload: Workload): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'weft-test-bench-'));
  try {
    workload.write(join(folder, 'w'));
    return Uint8Array.from(readFileSync(join(folder, 'w')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the same seed gives the same bytes, another seed others', () => {
  assert.deepEqual(written(makeWorkload('W2', 5)), written(makeWorkload('W2', 5)));
  assert.notDeepEqual(written(makeWorkload('W2', 5)), written(makeWorkload('W2', 6)));
});

test('a workload file reads back as it was written', () => {
  const workload = makeWorkload('W8');
  const file = must(parseWorkload(written(workload)));
  assert.equal(file.frameCount, workload.frameCount);
  assert.equal(file.flowCount, workload.flowCount);
  assert.deepEqual(file.frameIndex, workload.frameIndex);
  assert.deepEqual(file.frameBytes, workload.frameBytes);
  const flows: [bigint, Uint8Array][] = [];
  workload.eachFlow((mask, _key, actions) => flows.push([mask.map, actions.encoded]));
  let i = 0;
  file.eachFlow(({ map, maskBlocks, keyBlocks, actions }) => {
    assert.equal(map, flows[i]![0]);
    assert.equal(maskBlocks.length, keyBlocks.length);
    assert.deepEqual(Buffer.from(actions), Buffer.from(flows[i++]![1]));
  });
  assert.equal(i, workload.flowCount);
});

test('what is not a workload file is refused', () => {
  const good = written(makeWorkload('W1'));
  const bad = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const bytes = good.slice();
    change(bytes);
    return bytes;
  };
  const refusal = (bytes: Uint8Array): string => {
    const result = parseWorkload(bytes);
    return result.ok ? 'taken' : result.error;
  };
  assert.match(refusal(good.subarray(0, 100)), /shorter than a header/);
  assert.match(refusal(good.subarray(0, 500)), /bytes of/);
  assert.match(refusal(bad((b) => b.fill(0, 0, 4))), /not a workload/);
  assert.match(refusal(bad((b) => b.fill(9, 4, 5))), /version 9/);
  assert.throws(() => makeWorkload('W99'), /no workload W99/);
});

/** Which of the workload's megaflows take a key; more than one only when they do the same. */
function takers(workload: Workload, keys: readonly Uint8Array[]): Set<string>[] {
  const found = keys.map(() => new Set<string>());
  workload.eachFlow((mask, key, actions) => {
    keys.forEach((candidate, k) => {
      for (let i = 0; i < KEY_SIZE; i++) if ((key[i]! ^ candidate[i]!) & mask.bytes[i]!) return;
      found[k]!.add(actions.text);
    });
  });
  return found;
}

test('every frame of a trace has a megaflow', () => {
  for (const name of ['W1', 'W2', 'W5/own_1k/off', 'ports/8']) {
    const workload = makeWorkload(name, 3, null);
    const keys = Array.from({ length: 24 }, (_, i) => {
      const { bytes, inPort } = workload.frame(Math.floor((i * workload.frameCount) / 24));
      return extractKey(bytes, { inPort }).key.bytes;
    });
    for (const actions of takers(workload, keys)) assert.equal(actions.size, 1, name);
  }
});

test('names cover every family', () => {
  const names = workloadNames(null);
  for (const wanted of ['W1', 'W2', 'W3', 'W4/1M-uniform', 'W5/own_10k/off', 'W8', 'ports/64'])
    assert.ok(names.includes(wanted), wanted);
});

test('a megaflow in Open vSwitch’s words', () => {
  const texts: string[] = [];
  makeWorkload('W2').eachFlow((mask, key) => texts.push(flowText(mask, key, (port) => port + 6)));
  assert.equal(
    texts[1],
    'recirc_id(0),in_port(7),packet_type(ns=0,id=0),eth(src=02:00:00:01:00:01,dst=02:00:00:00:00:01),' +
      'eth_type(0x0800),ipv4(src=10.0.0.1,dst=192.168.0.7,proto=17,ttl=64,frag=no),udp(src=1025,dst=4789)',
  );
  const mixed = makeWorkload('W8');
  assert.throws(() => mixed.eachFlow((mask, key) => void flowText(mask, key, (port) => port)), /only untagged IPv4/);
});

test('the polling thread’s statistics', () => {
  const text = [
    'pmd thread numa_id 0 core_id 1:',
    '  packets received: 1000',
    '  emc hits: 900',
    '  megaflow hits: 100',
    '  avg. subtable lookups per megaflow hit: 2.50',
    '  miss with success upcall: 1',
    '  miss with failed upcall: 2',
    '  idle cycles: 50 (5.00%)',
    '  processing cycles: 950 (95.00%)',
    '  avg processing cycles per packet: 0.95 (950/1000)',
    'main thread:',
    '  packets received: 7',
  ].join('\n');
  assert.deepEqual(parsePmdStats(text), {
    packets: 1000,
    emcHits: 900,
    megaflowHits: 100,
    subtablesPerHit: 2.5,
    misses: 3,
    cycles: 1000,
    cyclesPerPacket: 0.95,
  });
  assert.equal(parsePmdStats('main thread:\n  packets received: 0\n'), null);
});
