/**
 * ClassBench rule sets (Taylor and Turner, 2007) as megaflows.
 *
 * A megaflow may not depend on a priority, so rules are not installed as they are. For each header the first rule
 * that matches it wins, as in a flow table; the megaflow is the largest block of prefixes around the header in which
 * that rule wins everywhere: the rule's own prefixes (a port range becomes the widest prefix inside it that holds the
 * header's port), lengthened until every earlier rule lies outside. That is what a translation would install for the
 * packet. Two megaflows overlap only when the same rule won both, and a header that an installed megaflow already
 * covers installs none. TCP flags of the sets are not used: five fields, as in the literature.
 */
import type { Random } from '../src/lib/random.ts';
import { fail, ok, type Result } from '../src/lib/result.ts';

export interface Rule {
  readonly src: number;
  readonly srcBits: number;
  readonly dst: number;
  readonly dstBits: number;
  readonly tpSrcLow: number;
  readonly tpSrcHigh: number;
  readonly tpDstLow: number;
  readonly tpDstHigh: number;
  /** null for any. */
  readonly proto: number | null;
}

export interface Header {
  readonly src: number;
  readonly dst: number;
  readonly tpSrc: number;
  readonly tpDst: number;
  readonly proto: number;
}

/** A header and how many leading bits of each field count; the protocol counts always. */
export interface Block {
  readonly header: Header;
  readonly srcBits: number;
  readonly dstBits: number;
  readonly tpSrcBits: number;
  readonly tpDstBits: number;
  /** Number of the rule that wins here. */
  readonly rule: number;
}

const LINE =
  /^@(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)\s+(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)\s+(\d+) : (\d+)\s+(\d+) : (\d+)\s+0x([0-9a-fA-F]+)\/0x([0-9a-fA-F]+)/;

export function parseRules(text: string): Result<Rule[]> {
  const rules: Rule[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const found = LINE.exec(line);
    if (!found) return fail(`line ${i + 1} is not a ClassBench rule: ${line}`);
    const n = found.slice(1, 15).map(Number);
    const address = (at: number): number =>
      ((n[at]! << 24) | (n[at + 1]! << 16) | (n[at + 2]! << 8) | n[at + 3]!) >>> 0;
    rules.push({
      src: address(0),
      srcBits: n[4]!,
      dst: address(5),
      dstBits: n[9]!,
      tpSrcLow: n[10]!,
      tpSrcHigh: n[11]!,
      tpDstLow: n[12]!,
      tpDstHigh: n[13]!,
      proto: Number.parseInt(found[16]!, 16) === 0 ? null : Number.parseInt(found[15]!, 16),
    });
  }
  return ok(rules);
}

/** A rule set of its own for machines without the ClassBench files: nested prefixes, and ClassBench's port classes. */
export function makeRules(random: Random, count: number): Rule[] {
  const networks = Array.from({ length: 64 }, () => random.u32());
  const prefix = (): { address: number; bits: number } => {
    const bits = random.pick([0, 8, 16, 20, 24, 24, 28, 30, 32, 32]);
    const address = (random.pick(networks) & 0xffff0000) | random.below(0x10000);
    return { address: (address & prefixMask(bits, 32)) >>> 0, bits };
  };
  const ports = (): readonly [number, number] => {
    const low = random.below(60000);
    return random.pick([
      [0, 65535],
      [1024, 65535],
      [0, 1023],
      [low, low],
      [low, low],
      [low, low + random.below(500)],
    ]) as [number, number];
  };
  return Array.from({ length: count }, () => {
    const [src, dst] = [prefix(), prefix()];
    const [[tpSrcLow, tpSrcHigh], [tpDstLow, tpDstHigh]] = [ports(), ports()];
    const addresses = { src: src.address, srcBits: src.bits, dst: dst.address, dstBits: dst.bits };
    return { ...addresses, tpSrcLow, tpSrcHigh, tpDstLow, tpDstHigh, proto: random.pick([6, 6, 6, 17, 17, null]) };
  });
}

/** The mask of so many leading bits. */
export const prefixMask = (bits: number, width: 16 | 32): number =>
  bits === 0 ? 0 : width === 32 ? (0xffffffff << (32 - bits)) >>> 0 : (0xffff << (16 - bits)) & 0xffff;

const sharedBits = (a: number, b: number): number => Math.clz32(a ^ b);

const hasPorts = (proto: number): boolean => proto === 6 || proto === 17;

/** A rule that names ports takes TCP and UDP only, whatever else it says of the protocol. */
const namesPorts = (r: Rule): boolean => r.tpSrcLow > 0 || r.tpSrcHigh < 65535 || r.tpDstLow > 0 || r.tpDstHigh < 65535;

/** A header of the rule, each free bit drawn. Ports are 0 in protocols without. */
export function drawHeader(random: Random, rule: Rule): Header {
  const proto = rule.proto ?? random.pick([6, 17]);
  const address = (base: number, bits: number): number => (base | (random.u32() & ~prefixMask(bits, 32))) >>> 0;
  const port = (low: number, high: number): number => (hasPorts(proto) ? low + random.below(high - low + 1) : 0);
  return {
    src: address(rule.src, rule.srcBits),
    dst: address(rule.dst, rule.dstBits),
    tpSrc: port(rule.tpSrcLow, rule.tpSrcHigh),
    tpDst: port(rule.tpDstLow, rule.tpDstHigh),
    proto,
  };
}

const inPrefix = (value: number, base: number, bits: number): boolean => sharedBits(value, base) >= bits;

export const ruleMatches = (rule: Rule, h: Header): boolean =>
  (rule.proto === null || rule.proto === h.proto) &&
  inPrefix(h.src, rule.src, rule.srcBits) &&
  inPrefix(h.dst, rule.dst, rule.dstBits) &&
  (hasPorts(h.proto) ? portsMatch(rule, h) : !namesPorts(rule));

const portsMatch = (rule: Rule, h: Header): boolean =>
  h.tpSrc >= rule.tpSrcLow && h.tpSrc <= rule.tpSrcHigh && h.tpDst >= rule.tpDstLow && h.tpDst <= rule.tpDstHigh;

/** Bits of the widest prefix around a port that lies inside the range. */
function bitsInside(port: number, low: number, high: number): number {
  for (let bits = 0; bits < 16; bits++) {
    const first = port & prefixMask(bits, 16);
    if (first >= low && first + (0xffff >> bits) <= high) return bits;
  }
  return 16;
}

/** Bits of the widest prefix around a port that lies outside the range; null when the port is in it. */
function bitsOutside(port: number, low: number, high: number): number | null {
  if (port >= low && port <= high) return null;
  for (let bits = 1; bits < 16; bits++) {
    const first = port & prefixMask(bits, 16);
    if (first > high || first + (0xffff >> bits) < low) return bits;
  }
  return 16;
}

class Growing {
  srcBits: number;
  dstBits: number;
  tpSrcBits: number;
  tpDstBits: number;
  readonly header: Header;

  constructor(header: Header, rule: Rule) {
    this.header = header;
    this.srcBits = rule.srcBits;
    this.dstBits = rule.dstBits;
    this.tpSrcBits = bitsInside(header.tpSrc, rule.tpSrcLow, rule.tpSrcHigh);
    this.tpDstBits = bitsInside(header.tpDst, rule.tpDstLow, rule.tpDstHigh);
  }

  /** Makes the block shut an earlier rule out, with as few bits more as will do. */
  exclude(rule: Rule): void {
    const h = this.header;
    if (rule.proto !== null && rule.proto !== h.proto) return;
    if (!hasPorts(h.proto) && namesPorts(rule)) return;
    const src = sharedBits(h.src, rule.src);
    const dst = sharedBits(h.dst, rule.dst);
    // most rules are elsewhere already
    if (src < Math.min(this.srcBits, rule.srcBits) || dst < Math.min(this.dstBits, rule.dstBits)) return;
    const tpSrc = bitsOutside(h.tpSrc, rule.tpSrcLow, rule.tpSrcHigh);
    const tpDst = bitsOutside(h.tpDst, rule.tpDstLow, rule.tpDstHigh);
    if ((tpSrc !== null && tpSrc <= this.tpSrcBits) || (tpDst !== null && tpDst <= this.tpDstBits)) return;
    const cost = {
      tpSrc: tpSrc === null ? 99 : tpSrc - this.tpSrcBits,
      tpDst: tpDst === null ? 99 : tpDst - this.tpDstBits,
      src: src < rule.srcBits ? src + 1 - this.srcBits : 99,
      dst: dst < rule.dstBits ? dst + 1 - this.dstBits : 99,
    };
    const least = Math.min(cost.tpSrc, cost.tpDst, cost.src, cost.dst);
    if (least === cost.dst) this.dstBits = dst + 1;
    else if (least === cost.src) this.srcBits = src + 1;
    else if (least === cost.tpDst) this.tpDstBits = tpDst!;
    else this.tpSrcBits = tpSrc!;
  }
}

/** The block around a header in which the rule that takes it wins everywhere; null when no rule takes it. */
export function blockOf(rules: readonly Rule[], header: Header): Block | null {
  const rule = rules.findIndex((r) => ruleMatches(r, header));
  if (rule < 0) return null;
  const block = new Growing(header, rules[rule]!);
  for (let i = 0; i < rule; i++) block.exclude(rules[i]!);
  const { srcBits, dstBits, tpSrcBits, tpDstBits } = block;
  return { header, srcBits, dstBits, tpSrcBits, tpDstBits, rule };
}

/** Blocks by shape, each shape's in a hash table: a classifier, the obvious way. */
export class BlockSet {
  readonly #shapes = new Map<string, { readonly shape: Block; readonly blocks: Map<number, Block[]> }>();

  get shapeCount(): number {
    return this.#shapes.size;
  }

  static #hash(shape: Block, h: Header): number {
    const addresses =
      Math.imul(h.src & prefixMask(shape.srcBits, 32), 0x85ebca6b) ^
      Math.imul(h.dst & prefixMask(shape.dstBits, 32), 0xc2b2ae35);
    const ports =
      Math.imul(h.tpSrc & prefixMask(shape.tpSrcBits, 16), 0x27d4eb2f) ^
      Math.imul(h.tpDst & prefixMask(shape.tpDstBits, 16), 0x165667b1);
    return addresses ^ (addresses >>> 15) ^ ports ^ (ports << 13) ^ h.proto;
  }

  static covers(block: Block, h: Header): boolean {
    const b = block.header;
    return (
      b.proto === h.proto &&
      inPrefix(h.src, b.src, block.srcBits) &&
      inPrefix(h.dst, b.dst, block.dstBits) &&
      sharedBits(h.tpSrc, b.tpSrc) - 16 >= block.tpSrcBits &&
      sharedBits(h.tpDst, b.tpDst) - 16 >= block.tpDstBits
    );
  }

  find(header: Header): Block | null {
    for (const { shape, blocks } of this.#shapes.values())
      for (const block of blocks.get(BlockSet.#hash(shape, header)) ?? [])
        if (BlockSet.covers(block, header)) return block;
    return null;
  }

  add(block: Block): void {
    const name = `${block.srcBits}/${block.dstBits}/${block.tpSrcBits}/${block.tpDstBits}`;
    let table = this.#shapes.get(name);
    if (!table) this.#shapes.set(name, (table = { shape: block, blocks: new Map() }));
    const hash = BlockSet.#hash(block, block.header);
    const chain = table.blocks.get(hash);
    if (chain) chain.push(block);
    else table.blocks.set(hash, [block]);
  }
}

/** Headers drawn from the rules, and the megaflows that translating them one after the other would install. */
export function megaflowsOf(random: Random, rules: readonly Rule[], headerCount: number): [Header[], Block[]] {
  const headers: Header[] = [];
  const blocks: Block[] = [];
  const set = new BlockSet();
  while (headers.length < headerCount) {
    const header = drawHeader(random, random.pick(rules));
    headers.push(header);
    if (set.find(header)) continue;
    const block = blockOf(rules, header);
    if (!block) throw new Error('a header drawn from a rule matches none');
    set.add(block);
    blocks.push(block);
  }
  return [headers, blocks];
}
