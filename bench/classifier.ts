/**
 * The OpenFlow classifier and the flow tables by themselves.
 *
 *   node --expose-gc bench/classifier.ts [--rules N] [--folder DIR]
 *
 * Prints rules put in a second (into a classifier, and as flow-mods one by one and in bundles), memory a rule, and the time
 * of a lookup in ClassBench sets as one OpenFlow table: with and without wildcards. Ports that are ranges become prefixes,
 * one rule each. --folder holds ClassBench files; the place of bench/workloads.ts when left out; without files, a set is made up.
 *
 * Not measured: the codec, translation, and how long a revalidation takes after a change.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Classifier } from '../src/flow/classifier/index.ts';
import { KEY, type Match, PipelineKey } from '../src/flow/key.ts';
import { Random } from '../src/lib/random.ts';
import { must } from '../src/lib/result.ts';
import type { FlowMod } from '../src/ofproto/flow-mod.ts';
import { FlowTables } from '../src/ofproto/flow-tables.ts';
import { drawHeader, type Header, makeRules, parseRules, prefixMask, type Rule } from './classbench.ts';
import { classbenchFolder } from './workloads.ts';

const { values: options } = parseArgs({
  options: { rules: { type: 'string', default: '1000000' }, folder: { type: 'string' } },
});
const ruleCount = Number(options.rules);
const LOOKUPS = 20_000;

const seconds = (work: () => void): number => {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
};

function bytesInUse(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const say = (what: string, value: string): boolean =>
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(14)}\n`);
const rate = (count: number, time: number): string => `${Math.round(count / time / 1000)} k/s`;

/** A match on the destination address and TCP port; `at` says which. The same two keys each time. */
function makeMatch(): (number: number) => Match {
  const [key, mask] = [new PipelineKey(), new PipelineKey()];
  key.set(KEY.eth_type, 0x0800).set(KEY.nw_proto, 6);
  for (const field of [KEY.eth_type, KEY.nw_proto, KEY.ipv4_dst, KEY.tp_dst]) mask.setAllOnes(field);
  const match = { key, mask };
  return (number) => {
    key.set(KEY.ipv4_dst, (0x0a000000 + (number >>> 3)) >>> 0).set(KEY.tp_dst, number & 7);
    return match;
  };
}

function benchInserts(): void {
  const at = makeMatch();
  const classifier = new Classifier<number>();
  const before = bytesInUse();
  const time = seconds(() => {
    for (let i = 0; i < ruleCount; i++) classifier.insert({ match: at(i), priority: i & 0xffff, value: i });
  });
  say(`classifier: ${ruleCount} rules put in`, rate(ruleCount, time));
  say('classifier: memory a rule', `${Math.round((bytesInUse() - before) / ruleCount)} B`);
  const removal = seconds(() => {
    for (let id = 0; id < ruleCount; id++) classifier.remove(id);
  });
  say('classifier: the same taken out', rate(ruleCount, removal));
}

type Actions = readonly string[];
const newTables = (): FlowTables<Actions> =>
  new FlowTables({
    facts: { outputsTo: () => false, usesGroup: () => false, usesMeter: () => false, equal: (a, b) => a === b },
  });

function benchFlowMods(): void {
  const at = makeMatch();
  const flowMod = (i: number): FlowMod<Actions> => ({
    command: 'add',
    tableId: 0,
    match: at(i),
    priority: i & 0xffff,
    newCookie: BigInt(i),
    idleTimeout: 60,
    actions: [`output:${i & 7}`],
  });
  let tables = newTables();
  const before = bytesInUse();
  const single = seconds(() => {
    for (let i = 0; i < ruleCount; i++) must(tables.execute(flowMod(i), i));
  });
  say(`flow tables: ${ruleCount} flow-mods one by one`, rate(ruleCount, single));
  say('flow tables: memory a rule, its actions included', `${Math.round((bytesInUse() - before) / ruleCount)} B`);
  tables = newTables();
  const bundled = seconds(() => {
    const transaction = tables.begin(0);
    for (let i = 0; i < ruleCount; i++) must(transaction.start(flowMod(i)));
    transaction.commit();
  });
  say('flow tables: the same in one bundle', rate(ruleCount, bundled));
  const removal = seconds(() => {
    must(
      tables.execute(
        { ...flowMod(0), command: 'delete', match: { key: new PipelineKey(), mask: new PipelineKey() } },
        0,
      ),
    );
    tables.collect();
  });
  say('flow tables: all deleted at once', rate(ruleCount, removal));
}

/** Prefixes that make up a range of ports: first port and bits of each. */
function portPrefixes(low: number, high: number): (readonly [port: number, bits: number])[] {
  const prefixes: (readonly [number, number])[] = [];
  for (let at = low; at <= high; ) {
    let bits = 16;
    while (bits > 0 && (at & ~prefixMask(bits - 1, 16) & 0xffff) === 0 && at + (0xffff >> (bits - 1)) <= high) bits--;
    prefixes.push([at, bits]);
    at += (0xffff >> bits) + 1;
  }
  return prefixes;
}

function matchesOf(rule: Rule): Match[] {
  return portPrefixes(rule.tpSrcLow, rule.tpSrcHigh).flatMap(([src, srcBits]) =>
    portPrefixes(rule.tpDstLow, rule.tpDstHigh).map(([dst, dstBits]) => {
      const mask = new PipelineKey();
      mask.setAllOnes(KEY.eth_type);
      if (rule.proto !== null) mask.setAllOnes(KEY.nw_proto);
      mask.set(KEY.ipv4_src, prefixMask(rule.srcBits, 32)).set(KEY.ipv4_dst, prefixMask(rule.dstBits, 32));
      mask.set(KEY.tp_src, prefixMask(srcBits, 16)).set(KEY.tp_dst, prefixMask(dstBits, 16));
      const { src: ipSrc, dst: ipDst, proto } = rule;
      const key = keyOf({ src: ipSrc, dst: ipDst, tpSrc: src, tpDst: dst, proto: proto ?? 0 });
      return { key, mask };
    }),
  );
}

function keyOf({ src, dst, tpSrc, tpDst, proto }: Header): PipelineKey {
  const key = new PipelineKey();
  key.set(KEY.eth_type, 0x0800).set(KEY.nw_proto, proto).set(KEY.ipv4_src, src).set(KEY.ipv4_dst, dst);
  key.set(KEY.tp_src, tpSrc).set(KEY.tp_dst, tpDst);
  return key;
}

function benchLookups(name: string, rules: readonly Rule[]): void {
  const random = new Random(1);
  const classifier = new Classifier<number>();
  rules.forEach((rule, i) => {
    for (const match of matchesOf(rule)) {
      // The first rule wins; what an earlier one says in the same words stays
      if (classifier.find(match, rules.length - i, 0) < 0)
        classifier.insert({ match, priority: rules.length - i, value: i });
    }
  });
  const flows = Array.from({ length: 4096 }, () => keyOf(drawHeader(random, random.pick(rules))));
  const wildcards = new PipelineKey();
  const time = (withWildcards: boolean): number => {
    const looked = (): void => {
      for (let i = 0; i < LOOKUPS; i++) {
        if (withWildcards) wildcards.bytes.fill(0);
        if (classifier.lookup(0, flows[i & 4095]!, withWildcards ? wildcards : null) === null)
          throw new Error('a miss');
      }
    };
    looked();
    looked();
    return (seconds(looked) / LOOKUPS) * 1e9;
  };
  const label = `${name}: ${classifier.size} rules, ${classifier.subtableCount} subtables: lookup`;
  say(label, `${Math.round(time(false))} ns`);
  say(`${name}: with wildcards`, `${Math.round(time(true))} ns`);
}

benchInserts();
benchFlowMods();
const folder = options.folder ?? classbenchFolder();
if (folder !== null) {
  for (const name of readdirSync(folder).sort())
    benchLookups(name, must(parseRules(readFileSync(join(folder, name), 'utf8'))));
} else benchLookups('made up', makeRules(new Random(1), 40));
