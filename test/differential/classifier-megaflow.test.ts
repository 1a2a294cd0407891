/**
 * Un-wildcarding against the reference: for the same random tables and packets, the Megaflow line of ofproto/trace is the
 * one that our classifier's wildcards give.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Classifier, type Conjunction } from '../../src/flow/classifier/index.ts';
import { type FlowKey, KEY, maskedMatch, PIPELINE, PipelineKey } from '../../src/flow/key.ts';
import { formatMegaflow, parseFlowKeyText, parseFlowText } from '../../src/flow/text.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import { Oracle } from './oracle.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const tableCount = process.env.WEFT_NIGHTLY ? 200 : 12;
const PACKETS = 25;

let oracle: Oracle;

before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  for (const port of [1, 2, 3]) oracle.addPort('br0', `p${port}`, port);
});
after(() => oracle.close());

type Protocol = 'none' | 'ip' | 'tcp' | 'udp' | 'icmp' | 'arp' | 'ipv6' | 'tcp6';

const v4 = ['10.0.0.1', '10.0.0.2', '10.0.1.2', '10.1.0.1', '11.0.0.1', '192.168.0.1', '0.0.0.0'];
const v6 = ['fe80::1', 'fe80::2', 'fe80:1::1', '2001:db8::1', '::1'];
const macs = ['00:00:00:00:00:01', '00:00:00:00:00:02', '01:00:5e:00:00:01'];
const tp = [80, 81, 443, 0x8000, 1];

const address = (random: Random): string => `${random.pick(v4)}/${random.pick([1, 8, 15, 16, 24, 31, 32])}`;
const address6 = (random: Random): string => `${random.pick(v6)}/${random.pick([10, 16, 32, 48, 64, 127, 128])}`;
const portMatch = (random: Random): string =>
  `${random.pick(tp)}/0x${random.pick([0xffff, 0xffff, 0xfffe, 0xff00, 0x8000]).toString(16)}`;

type Field = (random: Random) => string;
const link: readonly Field[] = [
  (random) => `in_port=${1 + random.below(3)}`,
  (random) => `dl_dst=${random.pick(macs)}`,
  (random) => `dl_src=${random.pick(macs)}/ff:ff:ff:ff:ff:00`,
  (random) => `vlan_tci=${random.pick(['0x1005', '0x1006', '0x3005', '0'])}/${random.pick(['0x1fff', '0x1000'])}`,
  (random) => `pkt_mark=${random.below(2)}`,
];
const network: readonly Field[] = [
  (random) => `nw_src=${address(random)}`,
  (random) => `nw_dst=${address(random)}`,
  (random) => `nw_dst=${random.pick(v4)}/255.0.255.0`,
  (random) => `nw_tos=${random.pick([0, 4])}`,
];
const network6: readonly Field[] = [
  (random) => `ipv6_src=${address6(random)}`,
  (random) => `ipv6_dst=${address6(random)}`,
];
const transport = (protocol: 'tcp' | 'udp'): readonly Field[] =>
  ['src', 'dst', 'src', 'dst'].map((side) => (random) => `${protocol}_${side}=${portMatch(random)}`);
const flags: Field = (random) => `tcp_flags=${random.pick(['0x2/0x2', '0x12', '0/0x10'])}`;

const fieldsOf: Readonly<Record<Protocol, readonly Field[]>> = {
  none: link,
  ip: [...link, ...network, (random) => `nw_ttl=${random.pick([1, 64])}`],
  tcp: [...link, ...network, ...transport('tcp'), flags],
  udp: [...link, ...network, ...transport('udp')],
  icmp: [...network, (random) => `icmp_type=${random.pick([0, 8])}`, (random) => `icmp_code=${random.below(2)}`],
  arp: [
    ...link,
    (random) => `arp_spa=${address(random)}`,
    (random) => `arp_tpa=${address(random)}`,
    (random) => `arp_op=${1 + random.below(2)}`,
    (random) => `arp_sha=${random.pick(macs)}`,
  ],
  ipv6: [...link, ...network6],
  tcp6: [...link, ...network6, ...transport('tcp'), flags],
};
const protocols = Object.keys(fieldsOf) as Protocol[];

const nameOf = (field: string): string => field.slice(0, field.indexOf('='));

function randomFields(random: Random, protocol: Protocol): string[] {
  const fields = new Map<string, string>();
  for (let i = random.below(4); i > 0; i--) {
    const text = random.pick(fieldsOf[protocol])(random);
    fields.set(nameOf(text), text);
  }
  return [...(protocol === 'none' ? [] : [protocol]), ...fields.values()];
}

/** One packet: every field of its protocol. */
function randomPacket(random: Random): string {
  const protocol = random.pick(protocols.filter((name) => name !== 'none'));
  const values = new Map<string, string>();
  for (const field of fieldsOf[protocol]) {
    const text = field(random).replace(/\/.*$/, '');
    values.set(nameOf(text), text);
  }
  values.set('in_port', `in_port=${1 + random.below(3)}`);
  if (random.chance(0.5)) values.delete('vlan_tci');
  return [protocol, ...values.values()].join(',');
}

interface Rule {
  readonly next: boolean;
}

interface Draft {
  /** Number of the first of the two tables; table 0 sends every packet there. */
  readonly base: number;
  readonly tables: readonly [Classifier<Rule>, Classifier<Rule>];
  readonly lines: string[];
}

interface RuleText {
  readonly table: 0 | 1;
  readonly fields: readonly string[];
  readonly priority: number;
  readonly conjId?: number;
  readonly conjunction?: Conjunction;
  readonly next?: boolean;
}

/** Adds a rule to both sides; false when there is one like it. */
function addRule(draft: Draft, { table, fields, priority, conjId, conjunction, next = false }: RuleText): boolean {
  const { match: packetMatch, inPort } = must(parseFlowText(fields.join(',')));
  const match = { key: PipelineKey.of(packetMatch.key), mask: PipelineKey.of(packetMatch.mask) };
  if (inPort !== null) {
    match.key.set(KEY.in_port, inPort);
    match.mask.setAllOnes(KEY.in_port);
  }
  if (fields[0] === 'icmp') {
    // A type or a code alone says all sixteen bits to the tables, eight to the datapath
    for (const field of [KEY.tp_src, KEY.tp_dst]) if (!match.mask.isZero(field)) match.mask.setAllOnes(field);
  }
  if (conjId !== undefined) {
    match.key.set(PIPELINE.conj_id, conjId);
    match.mask.setAllOnes(PIPELINE.conj_id);
  }
  const classifier = draft.tables[table];
  if (classifier.find(match, priority, 0) >= 0) return false;
  const conjunctions = conjunction ? [conjunction] : [];
  classifier.insert({ match, priority, value: { next }, conjunctions });
  const words = [...fields, ...(conjId === undefined ? [] : [`conj_id=${conjId}`])];
  const actions = conjunction
    ? `conjunction(${conjunction.id},${conjunction.clause + 1}/${conjunction.clauseCount})`
    : next
      ? `resubmit(,${draft.base + 1})`
      : 'output:2';
  draft.lines.push(`table=${draft.base + table},priority=${priority},${words.join(',')} actions=${actions}\n`);
  return true;
}

function randomTables(random: Random, base: number, withConjunctions: boolean): Draft {
  const lines = [`actions=resubmit(,${base})\n`];
  const draft: Draft = { base, tables: [new Classifier<Rule>(), new Classifier<Rule>()], lines };
  const count = 3 + random.below(60);
  for (let i = 0; i < count; i++) {
    const protocol = random.pick(protocols);
    const table = random.chance(0.3) ? 1 : 0;
    const next = table === 0 && random.chance(0.4);
    // Rules of one priority that take the same packet have no order, so there are many priorities
    addRule(draft, { table, fields: randomFields(random, protocol), priority: 1 + random.below(20_000), next });
  }
  if (!withConjunctions) return draft;
  for (const id of [10, 20]) {
    const priority = 5000 + 500 * id;
    const conjunction = (clause: number): Conjunction => ({ id, clause, clauseCount: 2 });
    for (const source of v4.slice(0, 3))
      addRule(draft, { table: 0, fields: ['ip', `nw_src=${source}`], priority, conjunction: conjunction(0) });
    for (const port of tp.slice(0, 3))
      addRule(draft, { table: 0, fields: ['tcp', `tp_dst=${port}`], priority, conjunction: conjunction(1) });
    addRule(draft, { table: 0, fields: ['ip'], conjId: id, priority, next: random.chance(0.5) });
  }
  return draft;
}

/** What translation looks at beside the tables. */
function firstWildcards(key: FlowKey): PipelineKey {
  const wildcards = new PipelineKey();
  for (const field of [KEY.packet_type, KEY.in_port, KEY.eth_type, KEY.recirc_id]) wildcards.setAllOnes(field);
  if ([0x0800, 0x86dd].includes(key.get(KEY.eth_type))) wildcards.set(KEY.nw_frag, 3);
  return wildcards;
}

function megaflowOf({ tables }: Draft, packet: string): string {
  const { key, inPort } = must(parseFlowKeyText(packet));
  const flow = PipelineKey.of(key).set(KEY.in_port, inPort!) as PipelineKey;
  const wildcards = firstWildcards(key);
  if (tables[0].lookup(0, flow, wildcards)?.next) tables[1].lookup(0, flow, wildcards);
  const hasTag = key.get(KEY.vlan_tpid) !== 0;
  const tci = wildcards.get(KEY.vlan_tci);
  wildcards.set(KEY.vlan_tci, hasTag && tci !== 0 ? tci | 0x1000 : 0);
  if (packet.startsWith('icmp')) {
    for (const field of [KEY.tp_src, KEY.tp_dst]) wildcards.set(field, wildcards.get(field) & 0xff);
  }
  return formatMegaflow(maskedMatch(flow.packet, wildcards.packet), String);
}

/** Rules that the reference deletes stay in its tables for a while, so each round has tables of its own. */
let tablesUsed = 0;

async function freshTables(): Promise<number> {
  const base = 1 + tablesUsed;
  tablesUsed = (tablesUsed + 2) % 252;
  if (base > 1) return base;
  oracle.ofctl('-O', 'OpenFlow13', 'del-flows', `unix:${oracle.dir}/br0.mgmt`);
  await delay(200);
  return base;
}

async function compare(random: Random, withConjunctions: boolean, round: number): Promise<void> {
  const draft = randomTables(random, await freshTables(), withConjunctions);
  const file = join(oracle.dir, 'flows.txt');
  writeFileSync(file, draft.lines.join(''));
  oracle.ofctl('-O', 'OpenFlow13', 'add-flows', `unix:${oracle.dir}/br0.mgmt`, file);
  for (let i = 0; i < PACKETS; i++) {
    const packet = randomPacket(random);
    const trace = oracle.appctl('ofproto/trace', 'br0', packet);
    const expected = /^Megaflow: (.*)$/m.exec(trace)![1]!;
    const hint = `seed ${seed} round ${round} packet ${packet}\n${draft.lines.join('')}\n${trace}`;
    assert.equal(megaflowOf(draft, packet), expected, hint);
  }
}

test('random tables: the same megaflows', async () => {
  const random = new Random(seed);
  for (let round = 0; round < tableCount; round++) await compare(random, false, round);
});

test('random tables with conjunctive matches: the same megaflows', async () => {
  const random = new Random(seed + 1);
  for (let round = 0; round < tableCount; round++) await compare(random, true, round);
});
