/** A frame composed from a flow key is, byte for byte, the one that the reference switch makes of the same flow. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { composeFrame } from '../../src/flow/compose.ts';
import { extractKey } from '../../src/flow/extract.ts';
import { differingFields, FlowKey, KEY, type KeyFieldName, keyFieldList, maskedMatch } from '../../src/flow/key.ts';
import { formatMatch } from '../../src/flow/odp/format.ts';
import { toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { randomFrame } from '../support/frames.ts';
import { Oracle } from './oracle.ts';

const seed = Number(process.env.WEFT_SEED ?? Math.floor(Math.random() * 2 ** 32));
const count = process.env.WEFT_NIGHTLY === '1' ? 20_000 : 1000;

let oracle: Oracle;

before(async () => {
  oracle = await Oracle.start();
  oracle.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
  oracle.addBridge('br0');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
  oracle.ofctl('add-flow', 'br0', 'actions=output:2');
});

after(() => oracle?.close());

const isNd = (key: FlowKey): boolean =>
  key.get(KEY.eth_type) === 0x86dd &&
  key.get(KEY.nw_proto) === 58 &&
  key.get(KEY.tp_dst) === 0 &&
  [135, 136].includes(key.get(KEY.tp_src));

/** The flow as the datapath's text form says it: all bits of the header fields that such a packet has. */
function textOf(key: FlowKey): string {
  const mask = new FlowKey();
  for (const field of keyFieldList) if (field.offset < KEY.dp_hash.offset) mask.setAllOnes(field);
  if (!isNd(key)) clear(mask, 'nd_target', 'nd_reserved', 'nd_options_type');
  const isArp = key.get(KEY.eth_type) === 0x0806 || key.get(KEY.eth_type) === 0x8035;
  if (!isNd(key) && !isArp) clear(mask, 'arp_sha', 'arp_tha');
  // no label behind the bottom of the stack
  if (key.get(KEY.mpls_lse0) & 0x100) clear(mask, 'mpls_lse1', 'mpls_lse2');
  else if (key.get(KEY.mpls_lse1) & 0x100) clear(mask, 'mpls_lse2');
  return formatMatch(maskedMatch(key, mask));
}

const clear = (key: FlowKey, ...names: KeyFieldName[]): void => {
  for (const name of names) key.setBytes(KEY[name], new Uint8Array());
};

/** Takes out what the datapath's text form cannot say: the reference switch would read zeroes there. */
function sayable(key: FlowKey): FlowKey {
  const out = key.clone().set(KEY.in_port, 1);
  const proto = key.get(KEY.nw_proto);
  const type = key.get(KEY.eth_type);
  if (proto === 2 && type !== 0x0806) clear(out, 'tp_src', 'tp_dst', 'igmp_group');
  const isForeign = (type === 0x86dd && proto === 1) || (type === 0x0800 && proto === 58);
  if (isForeign) clear(out, 'tp_src', 'tp_dst', 'nd_reserved', 'nd_target', 'arp_sha', 'arp_tha', 'nd_options_type');
  return out;
}

/** Frames whose key the text form can say and a frame can carry: no NSH, no third tag, no malformed IP header. */
const isWanted = (key: FlowKey): boolean => {
  const type = key.get(KEY.eth_type);
  if (type === 0x894f || type === 0x8100 || type === 0x88a8 || type === 0x05ff) return false;
  const isIp = type === 0x0800 || type === 0x86dd;
  return !isIp || !(key.isZero(KEY.ipv4_src) && key.isZero(KEY.ipv6_src));
};

function randomKeys(random: Random): FlowKey[] {
  const keys: FlowKey[] = [];
  while (keys.length < count) {
    const { key } = extractKey(randomFrame(random));
    if (isWanted(key)) keys.push(sayable(key));
  }
  return keys;
}

test('frames of random flows', () => {
  const random = new Random(seed);
  const keys = randomKeys(random);
  for (let i = 0; i < keys.length; i += 50) {
    const batch = keys.slice(i, i + 50);
    const texts = batch.map(textOf);
    oracle.inject('p1', ...texts);
    const frames = oracle.framesOut('p2').map(toHex);
    const ours = batch.map((key) => toHex(composeFrame(key)));
    for (let j = 0; j < batch.length; j++) assert.equal(ours[j], frames[j], `WEFT_SEED=${seed} ${texts[j]}`);
  }
});

test('a UDP checksum that comes out as zero', () => {
  const flow = (port: number): string =>
    'in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),' +
    `ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=${port})`;
  oracle.inject('p1', flow(2));
  const [first] = oracle.framesOut('p2');
  // raising the port by the checksum brings the sum to all ones
  const port = 2 + ((first![40]! << 8) | first![41]!);
  oracle.inject('p1', flow(port));
  const [frame] = oracle.framesOut('p2');
  assert.equal(toHex(composeFrame(extractKey(frame!).key)), toHex(frame!));
});

test('the key of a composed frame is the key it was composed from', () => {
  const random = new Random(seed);
  for (const key of randomKeys(random)) {
    const again = extractKey(composeFrame(key), { inPort: 1 }).key;
    const isArp = key.get(KEY.eth_type) === 0x0806 || key.get(KEY.eth_type) === 0x8035;
    if (isArp && ![1, 2].includes(key.get(KEY.nw_proto))) continue;
    if (key.get(KEY.eth_type) === 0x86dd && key.get(KEY.nw_frag) !== 0) continue;
    // the order of the options, and options without an address, are not in the key
    clear(key, 'nd_options_type');
    clear(again, 'nd_options_type');
    const names = differingFields(key, again).map((field) => field.name);
    assert.deepEqual(names, [], `WEFT_SEED=${seed} ${textOf(key)}`);
  }
});
