/** Flow tables and the traffic that goes with them. */
import { existsSync, readFileSync } from 'node:fs';
import { Random } from '../../src/lib/random.ts';
import { drawHeader, type Header, parseRules, prefixMask, type Rule } from '../classbench.ts';

export interface Pipeline {
  readonly name: string;
  /** Lines for ovs-ofctl. */
  readonly flows: readonly string[];
  readonly headers: readonly Header[];
}

const SETS = '../shared/classbench';
const RESUBMITS = 40;
const TCP = 6;
const UDP = 17;

/** Reads addresses and ports, so that each connection is a megaflow of its own. */
const readAll =
  'move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],move:NXM_OF_IP_DST[]->NXM_NX_REG1[],' +
  'move:NXM_OF_TCP_SRC[]->NXM_NX_REG2[0..15],move:NXM_OF_TCP_DST[]->NXM_NX_REG3[0..15],in_port';

/** Connections, each once. */
function connections(random: Random, count: number): Header[] {
  return Array.from({ length: count }, (_, n) => ({
    src: (0x0a000000 + n) >>> 0,
    dst: (0xac100000 + random.below(1 << 16)) >>> 0,
    tpSrc: 1024 + random.below(60_000),
    tpDst: 80,
    proto: TCP,
  }));
}

const simple = (random: Random, count: number): Pipeline => ({
  name: 'simple',
  flows: ['table=0,priority=0,actions=drop', `table=0,priority=10,tcp,actions=${readAll}`],
  headers: connections(random, count),
});

/** Each table has rules of three kinds and passes most packets on. */
function resubmits(random: Random, count: number): Pipeline {
  const flows = Array.from({ length: RESUBMITS }, (_, table) => [
    `table=${table},priority=0,actions=resubmit(,${table + 1})`,
    `table=${table},priority=10,tcp,nw_dst=192.168.${table}.0/24,actions=drop`,
    `table=${table},priority=20,dl_dst=02:00:00:01:${table.toString(16)}:01,actions=drop`,
    `table=${table},priority=30,tcp,tp_dst=${7000 + table},actions=drop`,
  ]).flat();
  flows.push(`table=${RESUBMITS},priority=10,tcp,actions=${readAll}`);
  return { name: `${RESUBMITS} tables of resubmits`, flows, headers: connections(random, count) };
}

const address = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.');

/** A range of ports as prefixes. */
function prefixesOf(low: number, high: number): string[] {
  const found: string[] = [];
  for (let at = low; at <= high; ) {
    let bits = 16;
    while (bits > 0) {
      const size = 0x10000 >> (bits - 1);
      if (at % size !== 0 || at + size - 1 > high) break;
      bits--;
    }
    found.push(bits === 0 ? '' : `0x${at.toString(16)}/0x${prefixMask(bits, 16).toString(16)}`);
    at += 0x10000 >> bits;
  }
  return found;
}

/** A rule as flows; one that leaves the protocol open and names ports means TCP and UDP. */
function flowsOf(rule: Rule, priority: number): string[] {
  const { tpSrcLow, tpSrcHigh, tpDstLow, tpDstHigh } = rule;
  const hasPorts = tpSrcLow > 0 || tpSrcHigh < 65535 || tpDstLow > 0 || tpDstHigh < 65535;
  const addresses = `nw_src=${address(rule.src)}/${rule.srcBits},nw_dst=${address(rule.dst)}/${rule.dstBits}`;
  const protocols = rule.proto !== null ? [rule.proto] : hasPorts ? [TCP, UDP] : [null];
  const flow = (match: string): string => `priority=${priority},${match}${addresses},actions=in_port`;
  return protocols.flatMap((protocol) => {
    const name = protocol === null ? 'ip,' : `ip,nw_proto=${protocol},`;
    if (!hasPorts) return [flow(name)];
    return prefixesOf(tpSrcLow, tpSrcHigh).flatMap((src) =>
      prefixesOf(tpDstLow, tpDstHigh).map((dst) => flow(`${name}${src && `tp_src=${src},`}${dst && `tp_dst=${dst},`}`)),
    );
  });
}

function classBench(random: Random, name: string, count: number): Pipeline | null {
  const path = `${SETS}/${name}`;
  if (!existsSync(path)) return null;
  const rules = parseRules(readFileSync(path, 'utf8'));
  if (!rules.ok) throw new Error(rules.error);
  const flows = new Set(rules.value.flatMap((rule, i) => flowsOf(rule, 60_000 - i)));
  return {
    name: `ClassBench ${name}`,
    flows: [...flows, 'priority=0,actions=in_port'],
    headers: Array.from({ length: count }, () => drawHeader(random, random.pick(rules.value))),
  };
}

/** @param count packets of each, of as many connections */
export function makePipelines(count: number, seed: number): Pipeline[] {
  const random = new Random(seed);
  const sets = ['acl1_1k', 'fw1_1k', 'ipc1_1k', 'acl1_10k', 'fw1_10k'].map((name) => classBench(random, name, count));
  return [simple(random, count), resubmits(random, count), ...sets.filter((set) => set !== null)];
}

/** The header in a frame of 60 bytes, behind its length. */
export function frameOf({ src, dst, tpSrc, tpDst, proto }: Header): Buffer {
  const bytes = Buffer.alloc(62);
  bytes.writeUInt16BE(60, 0);
  bytes.writeUIntBE(0x020000000001, 2, 6);
  bytes.writeUIntBE(0x020000000002, 8, 6);
  bytes.writeUInt16BE(0x0800, 14);
  bytes[16] = 0x45;
  bytes.writeUInt16BE(46, 18);
  bytes[24] = 64;
  bytes[25] = proto;
  bytes.writeUInt32BE(src, 28);
  bytes.writeUInt32BE(dst, 32);
  bytes.writeUInt16BE(tpSrc, 36);
  bytes.writeUInt16BE(tpDst, 38);
  if (proto === TCP) bytes[48] = 0x50;
  else if (proto === UDP) bytes.writeUInt16BE(26, 40);
  return bytes;
}
