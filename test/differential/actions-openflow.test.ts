/**
 * Actions that the reference takes only from its own translation: MPLS, NSH, bare Ethernet headers, tunnels, hash, meters.
 * The test gives it OpenFlow flows, reads back which datapath actions it made of them, and runs those.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FlowKey, matches } from '../../src/flow/key.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import { parseFlow } from '../../src/flow/odp/parse.ts';
import { fromHex, toHex } from '../../src/lib/bytes.ts';
import { must } from '../../src/lib/result.ts';
import { testDatapath } from '../support/datapath.ts';
import { compare } from '../twin/compare.ts';
import { arrive, type Effect, execute, keyOf, twinState } from '../twin/execute.ts';
import type { TwinPacket } from '../twin/packet.ts';
import { withSourcePorts } from '../twin/tunnel.ts';
import { Oracle } from './oracle.ts';

const TRIES_MAX = 5;
let oracle: Oracle;
before(async () => {
  oracle = await Oracle.start('system');
  oracle.addBridge('br0');
  oracle.addBridge('int');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('br0', 'p2', 2);
  oracle.addPort('int', 'q1', 1);
  for (const [index, type] of (['vxlan', 'geneve', 'gre'] as const).entries()) {
    addTunnel(`${type}4`, type, 10 + index, '1.1.2.92', []);
    addTunnel(`${type}6`, type, 20 + index, '2001:cafe::92', []);
  }
  addTunnel('grec', 'gre', 30, '1.1.2.93', ['options:csum=true']);
  addTunnel('gres', 'gre', 31, '1.1.2.94', ['options:seq=true']);
  addTunnel('vxlanc', 'vxlan', 32, '1.1.2.93', ['options:csum=true']);
  oracle.vsctl('set', 'interface', 'br0', 'mac="aa:55:aa:55:00:00"');
  oracle.appctl('netdev-dummy/ip4addr', 'br0', '1.1.2.88/24');
  oracle.appctl('netdev-dummy/ip6addr', 'br0', '2001:cafe::88/24');
  oracle.appctl('ovs/route/add', '1.1.2.92/24', 'br0');
  oracle.appctl('ovs/route/add', '2001:cafe::92/24', 'br0');
  for (const address of ['1.1.2.92', '1.1.2.93', '1.1.2.94', '2001:cafe::92']) {
    oracle.appctl('tnl/arp/set', 'br0', address, 'f8:bc:12:44:34:b6');
  }
  oracle.ofctl('add-flow', 'br0', 'priority=1,in_port=LOCAL,actions=2');
  oracle.ofctl('add-flow', 'br0', 'priority=1,in_port=1,actions=LOCAL');
});
after(() => oracle?.close());

function addTunnel(name: string, type: string, ofport: number, remote: string, options: readonly string[]): void {
  const row = [
    `type=${type}`,
    `options:remote_ip=${remote}`,
    'options:key=flow',
    `ofport_request=${ofport}`,
    ...options,
  ];
  oracle.vsctl('add-port', 'int', name, '--', 'set', 'interface', name, ...row);
}

const INNER = must(
  ((bytes) => (bytes ? { ok: true, value: bytes } : { ok: false, error: 'hex' }))(
    fromHex(
      '50540000000a505400000009080045000054000040004001a8a20a0000020a000001080013fc00000000' +
        '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373839',
    ),
  ),
);

interface ReferenceFlow {
  readonly match: ReturnType<typeof parsed>['match'];
  readonly actions: readonly DpAction[];
}

const parsed = (text: string) => must(parseFlow(text));

/** The datapath flows that the reference has made. */
const flows = (): ReferenceFlow[] =>
  oracle
    .appctl('dpctl/dump-flows')
    .split('\n')
    .filter((line) => line.includes('actions:'))
    .map(parsed);

/** Runs a packet through the reference's flows with the twin; the effects that are left have ended. */
function follow(packet: TwinPacket, table: readonly ReferenceFlow[], state = twinState()): Effect[] {
  const key = keyOf(packet);
  const flow = table.find(({ match }) => matches(match, key));
  assert.ok(flow, `no flow of the reference matches ${toHex(key.bytes)}`);
  return execute(state, packet, flow.actions).flatMap((effect) => {
    if (effect.type !== 'recirculate') return [effect];
    const { frame, inPort, recircId, packetType, meta } = effect.packet;
    const again = arrive(frame, inPort, packetType, meta);
    return follow({ ...again, recircId }, table, state);
  });
}

/**
 * Sends a frame through the reference and holds it against what the twin makes of the reference's own flows.
 * The reference's revalidators may delete flows before they can be read: then it is tried again.
 * @returns those flows
 */
function check(from: string, frame: Uint8Array, to: string): readonly ReferenceFlow[] {
  const ports = oracle.datapathPorts();
  const arrived = arrive(frame, ports.get(from)!);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    oracle.appctl('revalidator/purge');
    oracle.framesOut(to);
    oracle.inject(from, frame);
    const table = flows();
    const first = table.find(({ match }) => matches(match, keyOf(arrived)));
    const sent = oracle.framesOut(to);
    if (!first || sent.length === 0) continue;
    const effects = follow(arrived, table);
    const output = effects.find((effect) => effect.type === 'output' && effect.port === ports.get(to));
    assert.ok(output?.type === 'output', `the twin sends nothing by ${to}: ${JSON.stringify(effects)}`);
    const { packet } = output;
    assert.equal(toHex(sent[0]!), toHex(withSourcePorts(packet.frame, packet.tunnels, sent[0]!)));
    return [first, ...table.filter((flow) => flow !== first)];
  }
  throw new Error(`no flow, or no frame by ${to}: ${oracle.appctl('dpctl/dump-flows')}`);
}

/** The first flow's actions through the datapath as well, as far as they go without a lookup. */
function checkDatapath(frame: Uint8Array, { actions }: ReferenceFlow): void {
  compare(testDatapath({ ports: 3 }), twinState(), { frame, inPort: 1, packetType: 0, base: new FlowKey() }, actions);
}

const openflow: readonly (readonly [name: string, actions: string])[] = [
  ['push_mpls', 'push_mpls:0x8847,set_mpls_label:5,2'],
  ['two labels', 'push_mpls:0x8847,set_mpls_label:5,push_mpls:0x8847,set_mpls_label:6,set_mpls_tc:3,2'],
  ['a label behind a tag', 'push_vlan:0x8100,set_vlan_vid:9,push_mpls:0x8847,set_mpls_label:5,2'],
  ['a tag, rewritten', 'push_vlan:0x88a8,set_vlan_vid:9,set_vlan_pcp:4,2'],
  [
    'NSH over Ethernet',
    'encap(nsh(md_type=1)),set_field:0x1234->nsh_spi,set_field:0x11223344->nsh_c1,encap(ethernet),2',
  ],
  ['NSH with metadata of type 2', 'encap(nsh(md_type=2,tlv(0x1000,10,0x12345678))),encap(ethernet),2'],
  ['an Ethernet header off and on', 'decap(),encap(ethernet),set_field:aa:bb:cc:dd:ee:ff->eth_dst,2'],
  ['NSH on and off', 'encap(nsh(md_type=1)),decap(),2'],
];

for (const [name, actions] of openflow) {
  test(`${name}: ${actions}`, () => {
    oracle.ofctl('-OOpenFlow13', 'add-flow', 'br0', `priority=9,in_port=1,actions=${actions}`);
    try {
      const [first] = check('p1', INNER, 'p2');
      checkDatapath(INNER, first!);
    } finally {
      oracle.ofctl('--strict', 'del-flows', 'br0', 'priority=9,in_port=1');
    }
  });
}

test('labels come off', () => {
  const labels = must(
    ((bytes) => (bytes ? { ok: true, value: bytes } : { ok: false, error: 'hex' }))(
      fromHex(`50540000000a5054000000098847000060400000514${'0'}${toHex(INNER.subarray(14))}`),
    ),
  );
  oracle.ofctl('-OOpenFlow13', 'add-flow', 'br0', 'priority=9,in_port=1,mpls,actions=pop_mpls:0x8847,2');
  try {
    const [first] = check('p1', labels, 'p2');
    checkDatapath(labels, first!);
  } finally {
    oracle.ofctl('-OOpenFlow13', '--strict', 'del-flows', 'br0', 'priority=9,in_port=1,mpls');
  }
});

const tunnels = ['vxlan4', 'vxlan6', 'geneve4', 'geneve6', 'gre4', 'gre6', 'grec', 'vxlanc'];
for (const name of tunnels) {
  test(`${name}: on, and off again`, () => {
    const ofport = oracle.vsctl('get', 'interface', name, 'ofport').trim();
    oracle.ofctl('add-flow', 'int', `priority=9,in_port=1,actions=set_field:0x123->tun_id,output:${ofport}`);
    oracle.ofctl('add-flow', 'int', `priority=8,in_port=${ofport},actions=1`);
    try {
      const [pushed] = check('q1', INNER, 'p2');
      checkDatapath(INNER, pushed!);
      checkReturn(INNER);
    } finally {
      oracle.ofctl('del-flows', 'int');
    }
  });
}

/** What went out by p2 comes back by p1 with its ends exchanged, and leaves by q1 without its outer headers. */
function checkReturn(inner: Uint8Array): void {
  oracle.appctl('revalidator/purge');
  oracle.inject('q1', inner);
  const outer = exchanged(oracle.framesOut('p2')[0]!);
  check('p1', outer, 'q1');
}

/** Outer addresses exchanged: the checksums stay right, for sums do not care for order. */
function exchanged(frame: Uint8Array): Uint8Array {
  const out = frame.slice();
  const swap = (a: number, b: number, size: number): void => {
    out.set(frame.subarray(b, b + size), a);
    out.set(frame.subarray(a, a + size), b);
  };
  swap(0, 6, 6);
  if (frame[14]! >>> 4 === 6) swap(22, 38, 16);
  else swap(26, 30, 4);
  return out;
}

test('GRE sequence numbers count up', () => {
  oracle.ofctl('add-flow', 'int', 'priority=9,in_port=1,actions=set_field:7->tun_id,output:31');
  try {
    oracle.appctl('revalidator/purge');
    oracle.inject('q1', INNER, INNER);
    oracle.inject('q1', INNER);
    const [flow] = flows();
    const state = twinState();
    const sent = oracle.framesOut('p2');
    const expected = sent.map(() => {
      const [effect] = follow(arrive(INNER, oracle.datapathPorts().get('q1')!), [flow!], state);
      return effect?.type === 'output' ? toHex(effect.packet.frame) : '';
    });
    assert.equal(sent.length, 3);
    assert.deepEqual(sent.map(toHex), expected);
  } finally {
    oracle.ofctl('del-flows', 'int');
  }
});

test('a group that hashes: hash, recirculation and its bucket', () => {
  const group =
    'group_id=1,type=select,selection_method=dp_hash,bucket=bucket_id:0,output:2,bucket=bucket_id:1,output:2';
  oracle.ofctl('-OOpenFlow15', 'add-group', 'br0', group);
  oracle.ofctl('-OOpenFlow15', 'add-flow', 'br0', 'priority=9,in_port=1,actions=group:1');
  try {
    oracle.appctl('revalidator/purge');
    oracle.framesOut('p2');
    oracle.inject('p1', INNER);
    assert.deepEqual(oracle.framesOut('p2').map(toHex), [toHex(INNER)]);
    const text = oracle.appctl('ofproto/trace', 'br0', `in_port=1`, toHex(INNER));
    assert.match(text, /Datapath actions: hash\(.*\),recirc\(0x[0-9a-f]+\)/);
  } finally {
    oracle.ofctl('-OOpenFlow15', '--strict', 'del-flows', 'br0', 'priority=9,in_port=1');
  }
});
