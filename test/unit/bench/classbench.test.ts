import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BlockSet,
  blockOf,
  drawHeader,
  type Header,
  makeRules,
  megaflowsOf,
  parseRules,
  ruleMatches,
} from '../../../bench/classbench.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);

test('a rule of a ClassBench file', () => {
  const line = '@10.1.2.0/24\t192.0.2.7/32\t0 : 65535\t1024 : 2047\t0x06/0xFF\t0x0000/0x0200\t\n';
  assert.deepEqual(must(parseRules(line)), [
    {
      src: 0x0a010200,
      srcBits: 24,
      dst: 0xc0000207,
      dstBits: 32,
      tpSrcLow: 0,
      tpSrcHigh: 65535,
      tpDstLow: 1024,
      tpDstHigh: 2047,
      proto: 6,
    },
  ]);
  const wrong = parseRules(`${line}not a rule\n`);
  assert.ok(!wrong.ok && /line 2/.test(wrong.error));
});

test('a port range becomes the widest prefix around the port', () => {
  const rules = must(parseRules('@0.0.0.0/0 0.0.0.0/0 0 : 65535 1000 : 3000 0x06/0xFF 0x0/0x0\n'));
  const block = blockOf(rules, { src: 1, dst: 2, tpSrc: 3, tpDst: 1500, proto: 6 });
  // 1024–2047 is the widest aligned block in 1000–3000 with 1500 in it
  assert.deepEqual([block?.srcBits, block?.dstBits, block?.tpSrcBits, block?.tpDstBits], [0, 0, 0, 6]);
});

test('one rule wins everywhere in a block', () => {
  const random = new Random(seed);
  const rules = makeRules(random, 200);
  for (let i = 0; i < 300; i++) {
    const header = drawHeader(random, random.pick(rules));
    const block = blockOf(rules, header);
    assert.ok(block, `seed ${seed}`);
    for (let k = 0; k < 20; k++) {
      const near: Header = {
        src: (header.src ^ (random.u32() & (block.srcBits === 32 ? 0 : 0xffffffff >>> block.srcBits))) >>> 0,
        dst: (header.dst ^ (random.u32() & (block.dstBits === 32 ? 0 : 0xffffffff >>> block.dstBits))) >>> 0,
        tpSrc: header.tpSrc ^ (random.u32() & (0xffff >> block.tpSrcBits)),
        tpDst: header.tpDst ^ (random.u32() & (0xffff >> block.tpDstBits)),
        proto: header.proto,
      };
      assert.equal(
        rules.findIndex((rule) => ruleMatches(rule, near)),
        block.rule,
        `seed ${seed}`,
      );
    }
  }
});

test('every header has a megaflow and none installs one that is there', () => {
  const random = new Random(seed);
  const [headers, blocks] = megaflowsOf(random, makeRules(random, 100), 500);
  const set = new BlockSet();
  for (const block of blocks) {
    assert.equal(set.find(block.header), null, `seed ${seed}`);
    set.add(block);
  }
  for (const header of headers) assert.ok(set.find(header), `seed ${seed}`);
});
