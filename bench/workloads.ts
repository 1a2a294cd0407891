/**
 * The workloads, each made from a seed: the same name gives the same frames, in the same order, everywhere.
 *
 *   W1          one flow, in by port 1, out by port 2
 *   W1/long     the same as a trace of W4's length: what reading a long trace costs each switch
 *   W2          1,000 UDP flows, Zipf with exponent 1.0; both MAC addresses rewritten, TTL decremented
 *   W3          10,000 flows, uniform; the same actions
 *   W4/…        100,000 and 1,000,000 flows, Zipf and uniform; the same actions
 *   W5/SET      a ClassBench set as megaflows (bench/classbench.ts); output only
 *   W5/SET/off  the same with the exact-match caches off: the megaflow lookup
 *   W8          802.1Q, QinQ, untagged IPv4, IPv6 and Geneve mixed; 1,000 flows, Zipf 1.0
 *   ports/N     W2 spread over N ports: bursts come in by all of them in turn, flows leave by all of them
 *
 * Every flow of W1 to W4 and ports is a megaflow of its own, exact in the fields that routing looks at (addresses of
 * Ethernet and IPv4, ports, TTL), with one of 256 next hops. IPv4 frames have 60 bytes (64 on the wire).
 *
 * Not here: misses (every frame has its megaflow before the first one comes), frames longer than that.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { extractKey } from '../src/flow/extract.ts';
import { FlowKey, KEY, type KeyFieldName } from '../src/flow/key.ts';
import { Random } from '../src/lib/random.ts';
import { must } from '../src/lib/result.ts';
import { inOrder, output, popVlan, pushVlan, setEth, setIpv4Ttl, setIpv6HopLimit, tunnelPop } from './actions.ts';
import { type Block, type Header, makeRules, megaflowsOf, parseRules, prefixMask, type Rule } from './classbench.ts';
import { geneveFrame, ipv4Frame, ipv6Frame, type Layer3And4 } from './frames.ts';
import { type Draw, shuffled, uniform, zipf } from './statistics.ts';
import { Workload, type WorkloadActions } from './workload-file.ts';

/**
 * Frames of a trace. As few as show the flows of the workload: Open vSwitch's pcap device keeps each frame of the trace
 * in a packet buffer of its own, three kilobytes apart, so that a long trace costs it cache misses that are none of the
 * switch's doing. And no more than its pool can hold (262,144, less its own).
 */
const TRACE_MAX = 196_608;
const BURST = 32;
const NEXT_HOPS = 256;
const TTL = 64;

const ALWAYS: readonly KeyFieldName[] = ['in_port', 'recirc_id', 'packet_type', 'eth_type', 'nw_frag', 'vlan_tci'];
const ROUTED: readonly KeyFieldName[] = ['eth_dst', 'eth_src', 'nw_proto', 'nw_ttl', 'tp_src', 'tp_dst'];
const IPV4: readonly KeyFieldName[] = ['ipv4_src', 'ipv4_dst'];
const IPV6: readonly KeyFieldName[] = ['ipv6_src', 'ipv6_dst'];

function maskOf(...names: readonly KeyFieldName[]): Uint8Array {
  const mask = new FlowKey();
  for (const name of [...ALWAYS, ...names]) mask.setAllOnes(KEY[name]);
  return mask.bytes;
}

/** Flow number → header fields; no two flows are alike. */
const udpFlow = (flow: number): Layer3And4 => ({
  ethDst: 1,
  ethSrc: 0x10000 + (flow & 0xff),
  src: 0x0a000000 + (flow & 0xfffff),
  dst: 0xc0a80000 + ((flow * 7) & 0xffff),
  proto: 17,
  tpSrc: 1024 + (flow % 50000),
  tpDst: 4789 - (flow >>> 20),
  ttl: TTL,
});

const route = (flow: number, port: number): WorkloadActions =>
  inOrder(setEth(0x20000 + (flow % NEXT_HOPS), 0x30000 + port), setIpv4Ttl(TTL - 1), output(port));

interface FlowShape {
  readonly flowCount: number;
  readonly traceSize: number;
  readonly draw: (random: Random, count: number) => Draw;
  /** Ports that frames come in and leave by; 1 means in by port 1 and out by port 2. */
  readonly ports?: number;
}

const zipfOne = (random: Random, count: number): Draw => zipf(random, count, 1.0);

function udpWorkload(name: string, random: Random, shape: FlowShape): Workload {
  const { flowCount, traceSize, ports = 1 } = shape;
  const workload = new Workload(name, Math.max(2, ports));
  const mask = workload.addMask(maskOf(...ROUTED, ...IPV4));
  // flow f comes in by port f % ports + 1 and leaves by another one
  const flowsOfPort = Math.ceil(flowCount / ports);
  const outOf = (flow: number): number => (ports === 1 ? 2 : ((flow * 13 + 1) % ports) + 1);
  const kept = new Uint32Array(flowCount).fill(0xffffffff);
  for (let flow = 0; flow < flowCount; flow++) {
    const inPort = (flow % ports) + 1;
    const key = extractKey(ipv4Frame(udpFlow(flow)), { inPort }).key;
    const actions = workload.addActions(flowCount === 1 ? output(2) : route(flow, outOf(flow)));
    workload.addFlow(mask, key.bytes, actions);
  }
  const order = shuffled(random, flowsOfPort);
  const draw = shape.draw(random, flowsOfPort);
  for (let i = 0; i < traceSize; i++) {
    const port = Math.floor(i / BURST) % ports;
    let flow = order[draw()]! * ports + port;
    if (flow >= flowCount) flow = port;
    if (kept[flow] === 0xffffffff) kept[flow] = workload.keepFrame(ipv4Frame(udpFlow(flow)));
    workload.repeatFrame(kept[flow]!, 60, port + 1);
  }
  return workload;
}

function rulesOf(set: string, random: Random, folder: string | null): Rule[] {
  if (folder === null) return makeRules(random, set.endsWith('10k') ? 10_000 : 1_000);
  return must(parseRules(readFileSync(join(folder, set), 'latin1')));
}

const headerFrame = (h: Header): Uint8Array => ipv4Frame({ ...h, ethDst: 1, ethSrc: 2, ttl: TTL });

function blockMask(block: Block): Uint8Array {
  const mask = new FlowKey(maskOf('nw_proto'));
  mask.set(KEY.ipv4_src, prefixMask(block.srcBits, 32)).set(KEY.ipv4_dst, prefixMask(block.dstBits, 32));
  mask.set(KEY.tp_src, prefixMask(block.tpSrcBits, 16)).set(KEY.tp_dst, prefixMask(block.tpDstBits, 16));
  return mask.bytes;
}

function classbenchWorkload(name: string, random: Random, folder: string | null): Workload {
  const [, set, cache] = name.split('/');
  const rules = rulesOf(set!, random, folder);
  const [headers, blocks] = megaflowsOf(random, rules, 8192);
  const workload = new Workload(name, 2);
  workload.cacheOff = cache === 'off';
  const out = workload.addActions(output(2));
  for (const block of blocks) {
    const key = extractKey(headerFrame(block.header), { inPort: 1 }).key;
    workload.addFlow(workload.addMask(blockMask(block)), key.bytes, out);
  }
  const kept = headers.map((h) => workload.keepFrame(headerFrame(h)));
  for (let i = 0; i < 16_384; i++) workload.repeatFrame(random.pick(kept), 60, 1);
  return workload;
}

const TUNNEL_PORT = 3;

interface MixedFlow {
  readonly frame: Uint8Array;
  readonly install: (workload: Workload) => void;
}

/** Flow number → one of five kinds of frame with the megaflow (two for Geneve) that takes it. */
function mixedFlow(flow: number): MixedFlow {
  const of = udpFlow(flow);
  const flowOf = (frame: Uint8Array, fields: readonly KeyFieldName[], actions: WorkloadActions): MixedFlow => ({
    frame,
    install: (w) =>
      w.addFlow(
        w.addMask(maskOf(...ROUTED, ...fields)),
        extractKey(frame, { inPort: 1 }).key.bytes,
        w.addActions(actions),
      ),
  });
  const tag = { tpid: 0x8100, vid: 100 + (flow % 100) };
  switch (flow % 5) {
    case 0:
      return flowOf(ipv4Frame(of, [tag], 64), IPV4, inOrder(popVlan(), output(2)));
    case 1: {
      const fields: readonly KeyFieldName[] = [...IPV4, 'vlan_tpid', 'vlan2_tpid', 'vlan2_tci'];
      return flowOf(ipv4Frame(of, [{ tpid: 0x88a8, vid: 7 }, tag], 68), fields, inOrder(popVlan(), output(2)));
    }
    case 2:
      return flowOf(ipv4Frame(of), IPV4, inOrder(pushVlan(tag.vid), output(2)));
    case 3:
      return flowOf(ipv6Frame(of), IPV6, inOrder(setIpv6HopLimit(TTL - 1), output(2)));
    default:
      return geneveFlow(of, flow);
  }
}

const VNI = 77;
const outerOf = (flow: number): Layer3And4 => ({
  ...udpFlow(0),
  src: 0xac100001,
  dst: 0xac100002,
  tpSrc: 50000 + (flow % 64),
  tpDst: 6081,
});

/** One megaflow takes all outer headers off; each inner flow has one that looks at the tunnel as well. */
function geneveFlow(inner: Layer3And4, flow: number): MixedFlow {
  const outer = outerOf(flow);
  const frame = geneveFrame(outer, VNI, inner);
  const install = (w: Workload): void => {
    const base = new FlowKey();
    base.setU64(KEY.tun_id, BigInt(VNI)).set(KEY.tun_src, outer.src).set(KEY.tun_dst, outer.dst);
    // bit 8 of Open vSwitch's tunnel flags: the key is there
    base.set(KEY.tun_flags, 8).set(KEY.tun_ttl, outer.ttl).set(KEY.tun_tp_src, outer.tpSrc).set(KEY.tun_tp_dst, 6081);
    const key = extractKey(ipv4Frame(inner), { inPort: TUNNEL_PORT, base }).key;
    const mask = maskOf(...ROUTED, ...IPV4, 'tun_id', 'tun_src', 'tun_dst', 'tun_flags');
    w.addFlow(w.addMask(mask), key.bytes, w.addActions(inOrder(setEth(9, 8), output(2))));
  };
  return { frame, install };
}

function mixedWorkload(name: string, random: Random): Workload {
  const workload = new Workload(name, 3);
  const flows = Array.from({ length: 1000 }, (_, flow) => mixedFlow(flow));
  const outerKey = extractKey(geneveFrame(outerOf(0), VNI, udpFlow(0)), { inPort: 1 }).key;
  const popMask = workload.addMask(maskOf('eth_dst', 'ipv4_dst', 'nw_proto', 'tp_dst'));
  workload.addFlow(popMask, outerKey.bytes, workload.addActions(tunnelPop(TUNNEL_PORT)));
  for (const flow of flows) flow.install(workload);
  const kept = flows.map(({ frame }) => workload.keepFrame(frame));
  const order = shuffled(random, flows.length);
  const draw = zipfOne(random, flows.length);
  for (let i = 0; i < 8192; i++) {
    const flow = order[draw()]!;
    workload.repeatFrame(kept[flow]!, flows[flow]!.frame.length, 1);
  }
  return workload;
}

const udpShapes: Readonly<Record<string, FlowShape>> = {
  W1: { flowCount: 1, traceSize: 1024, draw: uniform },
  'W1/long': { flowCount: 1, traceSize: TRACE_MAX, draw: uniform },
  W2: { flowCount: 1000, traceSize: 8192, draw: zipfOne },
  W3: { flowCount: 10_000, traceSize: 32_768, draw: uniform },
  'W4/100k-zipf': { flowCount: 100_000, traceSize: TRACE_MAX, draw: zipfOne },
  'W4/100k-uniform': { flowCount: 100_000, traceSize: TRACE_MAX, draw: uniform },
  'W4/1M-zipf': { flowCount: 1_000_000, traceSize: TRACE_MAX, draw: zipfOne },
  'W4/1M-uniform': { flowCount: 1_000_000, traceSize: TRACE_MAX, draw: uniform },
};
const portCounts = [1, 2, 4, 8, 16, 32, 64];

/** Folder of the ClassBench sets: WEFT_CLASSBENCH, else shared/classbench beside the checkout; null when absent. */
export function classbenchFolder(): string | null {
  const folder = process.env.WEFT_CLASSBENCH ?? join(import.meta.dirname, '..', '..', 'shared', 'classbench');
  return existsSync(folder) ? folder : null;
}

export const classbenchSets = (folder: string | null): string[] =>
  folder === null ? ['own_1k', 'own_10k'] : readdirSync(folder).filter((name) => /^\w+_\d+k$/.test(name));

export const workloadNames = (folder: string | null = classbenchFolder()): string[] => [
  ...Object.keys(udpShapes),
  ...classbenchSets(folder).flatMap((set) => [`W5/${set}`, `W5/${set}/off`]),
  'W8',
  ...portCounts.map((count) => `ports/${count}`),
];

/** @throws for a name that workloadNames does not have */
export function makeWorkload(name: string, seed = 1, folder: string | null = classbenchFolder()): Workload {
  const random = new Random(seed);
  const shape = udpShapes[name];
  if (shape) return udpWorkload(name, random, shape);
  if (name.startsWith('ports/')) {
    const ports = Number(name.slice(6));
    return udpWorkload(name, random, { flowCount: 1024, traceSize: 8192, draw: zipfOne, ports });
  }
  if (name.startsWith('W5/')) return classbenchWorkload(name, random, folder);
  if (name === 'W8') return mixedWorkload(name, random);
  throw new Error(`no workload ${name}: ${workloadNames(folder).join(', ')}`);
}
