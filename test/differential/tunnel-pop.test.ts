/** Tunnel packets as others may send them, whole and broken, against the reference: what it takes off and what it drops. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FlowKey, KEY } from '../../src/flow/key.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import { concatBytes, fromHex, putU16, toHex } from '../../src/lib/bytes.ts';
import { must } from '../../src/lib/result.ts';
import { type TestDatapath, testDatapath, udpFrame } from '../support/datapath.ts';
import { arrival, compare } from '../twin/compare.ts';
import { arrive, execute, type TwinState, twinState } from '../twin/execute.ts';
import { Oracle } from './oracle.ts';

const LOCAL_MAC = 'aa55aa550000';
const hex = (text: string): Uint8Array => {
  const bytes = fromHex(text);
  if (!bytes) throw new Error(`not hexadecimal: ${text}`);
  return bytes;
};

let oracle: Oracle;
let bed: TestDatapath;
const state: TwinState = twinState();

/** Datapath ports here; the types are those of the reference's interfaces. */
const PORTS = { vxlan: 7, geneve: 8, gre: 9, gbp: 10 } as const;

before(async () => {
  oracle = await Oracle.start('system');
  oracle.addBridge('br0', { settings: ['other-config:hwaddr=aa:55:aa:55:00:00'] });
  oracle.addBridge('int');
  oracle.addPort('br0', 'p1', 1);
  oracle.addPort('int', 'q1', 1);
  const add = (name: string, type: string, ...options: readonly string[]): string =>
    oracle.vsctl('add-port', 'int', name, '--', 'set', 'interface', name, `type=${type}`, ...flowOptions, ...options);
  const flowOptions = ['options:remote_ip=flow', 'options:key=flow'];
  add('vx', 'vxlan');
  add('gn', 'geneve');
  add('gr', 'gre');
  add('gbp', 'vxlan', 'options:exts=gbp', 'options:dst_port=4790');
  oracle.appctl('netdev-dummy/ip4addr', 'br0', '1.1.2.88/24');
  oracle.appctl('netdev-dummy/ip6addr', 'br0', '2001:cafe::88/24');
  oracle.appctl('ovs/route/add', '1.1.2.92/24', 'br0');
  oracle.appctl('ovs/route/add', '2001:cafe::92/24', 'br0');
  oracle.ofctl('add-flow', 'br0', 'in_port=1,actions=LOCAL');
  oracle.ofctl('add-flow', 'int', 'actions=output:1');
  bed = testDatapath({ ports: 3 });
  for (const [type, port] of Object.entries(PORTS)) {
    const kind = type === 'gbp' ? 'vxlan' : (type as 'vxlan');
    must(bed.dp.addTunnelPort(port, { type: kind, hasGroupPolicy: type === 'gbp' }));
    state.tunnels.types.set(port, kind);
  }
  state.tunnels.policyPorts.add(PORTS.gbp);
});
after(() => oracle?.close());

/** @param header the tunnel header proper; @param port UDP destination port, or null for GRE */
function encapsulate(
  header: string,
  port: number | null,
  isV6: boolean,
  hasChecksum: boolean,
  inner: Uint8Array,
): Uint8Array {
  const ethernet = hex(`${LOCAL_MAC}020000000092${isV6 ? '86dd' : '0800'}`);
  const ip = isV6
    ? hex(
        `6000000000${'00'}${port === null ? '2f' : '11'}40${'2001cafe000000000000000000000092'}${'2001cafe000000000000000000000088'}`,
      )
    : hex(`4500000000004000${'40'}${port === null ? '2f' : '11'}00000101025c01010258`);
  const udp = new Uint8Array(port === null ? 0 : 8);
  if (port !== null) {
    putU16(udp, 2, port);
    putU16(udp, 6, hasChecksum ? 0xffff : 0);
  }
  const bytes = concatBytes(ethernet, ip, udp, hex(header));
  const push: DpAction = {
    type: 'tnl_push',
    tunnelPort: 1,
    outPort: 1,
    header: { type: 'vxlan', bytes, l3Offset: 14 },
  };
  const [effect] = execute(twinState(), arrive(inner, 1), [push, { type: 'output', port: 2 }]);
  if (effect?.type !== 'output') throw new Error('not encapsulated');
  return effect.packet.frame;
}

/** The reference and the twin and the datapath take the same inner frame off, or all drop the outer one. */
function check(frame: Uint8Array, port: number, note: string): void {
  oracle.appctl('revalidator/purge');
  oracle.framesOut('q1');
  oracle.inject('p1', frame);
  const sent = oracle.framesOut('q1').map(toHex);
  const actions: DpAction[] = [{ type: 'tnl_pop', port }];
  const [effect] = execute(state, arrive(frame, 1), actions);
  const isEthernet = effect?.type === 'recirculate' && effect.packet.packetType === 0;
  assert.deepEqual(sent, isEthernet ? [toHex(effect.packet.frame)] : [], note);
  compare(bed, state, { ...arrival(frame), base: new FlowKey() }, actions);
}

const inner = udpFrame({ payloadSize: 31 });
const kinds: readonly (readonly [name: string, header: string, port: number | null, to: number])[] = [
  ['vxlan', '0800000000012300', 4789, PORTS.vxlan],
  ['vxlan with a reserved flag', '0c00000000012300', 4789, PORTS.vxlan],
  ['vxlan without the VNI flag', '0000000000012300', 4789, PORTS.vxlan],
  ['vxlan with reserved bits behind the VNI', '0800000000012301', 4789, PORTS.vxlan],
  ['vxlan with a policy, port without', '8800000500012300', 4789, PORTS.vxlan],
  ['vxlan, port with policies', '0800000000012300', 4790, PORTS.gbp],
  ['geneve', '0000655800012300', 6081, PORTS.geneve],
  ['geneve with an option', '0200655800012300ffff000111223344', 6081, PORTS.geneve],
  ['geneve, OAM', '0080655800012300', 6081, PORTS.geneve],
  ['geneve of another version', '4000655800012300', 6081, PORTS.geneve],
  ['geneve with an IPv4 packet', '0000080000012300', 6081, PORTS.geneve],
  ['geneve whose options are longer than the packet', '3f00655800012300', 6081, PORTS.geneve],
  ['gre', '00006558', null, PORTS.gre],
  ['gre with a key', '2000655800000123', null, PORTS.gre],
  ['gre with a checksum', '8000655800000000', null, PORTS.gre],
  ['gre with everything', 'b0006558000000000000012300000007', null, PORTS.gre],
  ['gre with routing', '4000655800000000', null, PORTS.gre],
  ['gre of version 1', '20016558000000000', null, PORTS.gre],
];

for (const [name, header, port, to] of kinds) {
  for (const isV6 of [false, true]) {
    for (const hasChecksum of port === null ? [false] : [false, true]) {
      const note = `${name}, IPv${isV6 ? 6 : 4}${hasChecksum ? ', checksum' : ''}`;
      test(note, () => {
        const frame = encapsulate(header.length % 2 ? header.slice(0, -1) : header, port, isV6, hasChecksum, inner);
        check(frame, to, note);
      });
    }
  }
}

test('a wrong UDP checksum', () => {
  const frame = encapsulate('0800000000012300', 4789, false, true, inner);
  frame[frame.length - 1]! ^= 1;
  check(frame, PORTS.vxlan, 'checksum');
});

test('a wrong GRE checksum', () => {
  const frame = encapsulate('8000655800000000', null, false, false, inner);
  frame[frame.length - 1]! ^= 1;
  check(frame, PORTS.gre, 'checksum');
});

test('a wrong IPv4 header checksum', () => {
  const frame = encapsulate('0800000000012300', 4789, false, false, inner);
  frame[14 + 10]! ^= 1;
  check(frame, PORTS.vxlan, 'checksum');
});

test('a group policy: the reference drops it, the datapath keeps it where the port has the extension', () => {
  const outer = encapsulate('8848000500012300', 4790, false, false, inner);
  oracle.framesOut('q1');
  oracle.inject('p1', outer);
  assert.deepEqual(oracle.framesOut('q1'), []);
  const { upcalls } = compare(bed, state, arrival(outer), [{ type: 'tnl_pop', port: PORTS.gbp }]);
  assert.equal(upcalls[0]?.key.get(KEY.tun_gbp_id), 5);
  assert.equal(upcalls[0]?.key.get(KEY.tun_gbp_flags), 0x48);
});

test('padding behind the outer datagram: the reference keeps it, the datapath does not', () => {
  const padding = new Uint8Array(5);
  const outer = encapsulate('0800000000012300', 4789, false, false, inner);
  oracle.framesOut('q1');
  oracle.inject('p1', concatBytes(outer, padding));
  assert.deepEqual(oracle.framesOut('q1').map(toHex), [toHex(concatBytes(inner, padding))]);
  const seen = compare(bed, state, arrival(concatBytes(outer, padding)), [{ type: 'tnl_pop', port: PORTS.vxlan }]);
  assert.deepEqual(
    seen.upcalls.map(({ frame }) => toHex(frame)),
    [toHex(inner)],
  );
});
