/** Learning, floods, patch ports, limits and tunnels: what translation answers, in the datapath's text form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { DEPTH_MAX } from '../../../src/translate/context.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import type { Effects, MacObservation } from '../../../src/translate/types.ts';
import { actionsOf, buildState, buildTunnels, ip, mac, packet, vxlan, xlate } from './fixture.ts';

const three = [
  { name: 'p1', dp: 1 },
  { name: 'p2', dp: 2 },
  { name: 'p3', dp: 3 },
];

test('unknown: flood; known: one port; known there where it came from: nowhere', () => {
  const state = buildState({ name: 'br0', local: 100, ports: three });
  assert.equal(actionsOf(state, { inPort: 1 }), '100,2,3');
  const seen = { mac: mac('50:54:00:00:00:07'), vlan: 0, isGratuitousArp: false };
  state.bridges.get('br0')!.macs.learn({ ...seen, port: 'p3' }, 0);
  assert.equal(actionsOf(state, { inPort: 1 }), '3');
  const out = xlate(state, packet({ inPort: 3 }));
  assert.deepEqual([out.actions, out.drop], [[], 'own_port_only']);
});

test('what is learned, and what is not', () => {
  const state = buildState({ name: 'br0', local: 100, ports: three });
  const learned: MacObservation[] = [];
  const effects: Effects = { ...noEffects, learnMac: (_, entry) => learned.push(entry) > 0 };
  xlate(state, packet({ inPort: 1 }), 0, effects);
  xlate(state, packet({ inPort: 1, dst: '01:80:c2:00:00:00' }), 0, effects);
  xlate(state, packet({ inPort: 2, type: 0x0806, proto: 2, dst: 'ff:ff:ff:ff:ff:ff' }), 0, effects);
  assert.deepEqual(
    learned.map(({ port, isGratuitousArp }) => [port, isGratuitousArp]),
    [
      ['p1', false],
      ['p2', true],
    ],
  );
});

test('reserved multicast stays in the link, unless the bridge forwards it', () => {
  const spec = { inPort: 1, dst: '01:80:c2:00:00:0e' };
  const closed = buildState({ name: 'br0', local: 100, ports: three });
  assert.equal(xlate(closed, packet(spec)).drop, 'reserved_multicast');
  const open = buildState({ name: 'br0', local: 100, ports: three, forwardBpdu: true });
  assert.equal(actionsOf(open, spec), '100,2,3');
  assert.equal(actionsOf(closed, { inPort: 1, dst: '01:80:c2:00:00:10' }), '100,2,3');
});

test('protected ports do not talk to each other', () => {
  const ports = [
    { name: 'p1', dp: 1, protected: true },
    { name: 'p2', dp: 2, protected: true },
    { name: 'p3', dp: 3 },
  ];
  const state = buildState({ name: 'br0', local: 100, ports });
  assert.equal(actionsOf(state, { inPort: 1 }), '100,3');
  assert.equal(actionsOf(state, { inPort: 3 }), '100,1,2');
});

test('a port that does not forward is left out, and nothing that comes in by it goes on', () => {
  const ports = [
    { name: 'p1', dp: 1, forwards: false },
    { name: 'p2', dp: 2 },
    { name: 'p3', dp: 3 },
  ];
  const state = buildState({ name: 'br0', local: 100, ports });
  assert.equal(actionsOf(state, { inPort: 2 }), '100,3');
  assert.equal(xlate(state, packet({ inPort: 1 })).drop, 'output_down');
});

test('a bridge without rules drops, and says so', () => {
  const state = buildState({ name: 'br0', local: 100, failMode: 'secure', ports: three });
  assert.equal(xlate(state, packet({ inPort: 1 })).drop, 'table_miss');
});

test('a datapath port that no bridge has', () => {
  const out = xlate(buildState({ name: 'br0', local: 100, ports: three }), packet({ inPort: 77 }));
  assert.deepEqual([out.drop, out.error, out.bridge], ['in_port_invalid', 'in_port_invalid', null]);
  assert.ok(out.match.mask.isAllOnes(KEY.in_port));
  assert.ok(out.match.mask.isZero(KEY.eth_src));
});

test('a patch port goes straight through the other bridge; half a patch goes nowhere', () => {
  const br0 = { name: 'br0', local: 100, ports: [three[0]!, { name: 'pa', peer: { bridge: 'br1', port: 'pb' } }] };
  const pb = { name: 'pb', peer: { bridge: 'br0', port: 'pa' } };
  const q = { name: 'q', dp: 9, vlan: { mode: 'access', tag: 5 } as const };
  const whole = buildState(br0, { name: 'br1', local: 101, ports: [pb, q] });
  assert.equal(actionsOf(whole, { inPort: 1, tags: [5] }), '100,101,pop_vlan,9');
  const half = buildState(br0, { name: 'br1', local: 101, ports: [{ ...pb, peer: { bridge: 'br0', port: 'other' } }] });
  assert.equal(actionsOf(half, { inPort: 1 }), '100');
});

test('bridges that are joined twice: depth and number of lookups are limited', () => {
  const ports = (own: string, bridge: string, other: string) =>
    [1, 2].map((i) => ({ name: `${own}${i}`, peer: { bridge, port: `${other}${i}` } }));
  const state = buildState(
    { name: 'br0', local: 100, ports: [three[0]!, ...ports('a', 'br1', 'b')] },
    { name: 'br1', local: 101, ports: ports('b', 'br0', 'a') },
  );
  const out = xlate(state, packet({ inPort: 1 }));
  assert.equal(out.error, 'none', 'errors of the other bridge stay there');
  assert.ok(out.actions.length > DEPTH_MAX);
  assert.ok(out.actions.length <= 2 * DEPTH_MAX * DEPTH_MAX);
});

test('a tunnel pushes its headers, and the underlay forwards', () => {
  const state = buildTunnels([vxlan('1.1.2.92', { csum: true, tos: 'inherit', ttl: 9 })]);
  const { actions, match } = xlate(state, packet({ inPort: 1, tos: 0x2b }));
  assert.equal(
    formatActions(actions),
    '100,tnl_push(tnl_port(4789),header(size=50,type=4,eth(dst=f8:bc:12:44:34:b6,src=aa:55:aa:55:00:00,dl_type=0x0800),' +
      'ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0x2a,ttl=9,frag=0x4000),udp(src=0,dst=4789,csum=0xffff),' +
      'vxlan(flags=0x8000000,vni=0x7b)),out_port(101)),2',
  );
  assert.equal(match.mask.get(KEY.nw_tos), 0xff, 'an inherited TOS is matched');
});

test('a tunnel in the middle of a flood works on a copy', () => {
  const state = buildTunnels([vxlan('1.1.2.92'), vxlan('1.1.2.92', { outKey: 7n })]);
  const text = formatActions(xlate(state, packet({ inPort: 1 })).actions);
  assert.match(
    text,
    /^100,clone\(tnl_push\(.*vni=0x7b\)\),out_port\(101\)\),2\),tnl_push\(.*vni=0x7\)\),out_port\(101\)\),2$/,
  );
});

test('a next hop without MAC is asked for, and the answer is not installed', () => {
  const state = buildTunnels([vxlan('1.1.2.92')], { isResolved: false });
  const asked: string[] = [];
  const effects: Effects = {
    ...noEffects,
    requestNeighbor: (bridge, address, source) => asked.push(`${bridge} ${address.join('.')} ${source.join('.')}`),
  };
  const out = xlate(state, packet({ inPort: 1 }), 0, effects);
  assert.deepEqual(asked, ['phy 1.1.2.92 1.1.2.88']);
  assert.equal(out.installable, false);
  assert.equal(formatActions(out.actions), '100');
});

test('no route, and a source address that is not ours', () => {
  const nowhere = buildTunnels([vxlan('9.9.9.9')]);
  nowhere.bridges.get('int')!.removePort('i1');
  assert.equal(xlate(nowhere, packet({ inPort: 100 })).drop, 'tunnel_no_route');
  const foreign = buildTunnels([vxlan('1.1.2.92', { localIp: ip('1.1.2.77') })]);
  assert.equal(actionsOf(foreign, { inPort: 1 }), '100');
});

test('the underlay takes tunnel packets for itself off, and only those', () => {
  const state = buildTunnels([vxlan('1.1.2.92')]);
  const outer = { inPort: 2, dst: 'aa:55:aa:55:00:00', proto: 17, ipSrc: '1.1.2.92', ipDst: '1.1.2.88', tpDst: 4789 };
  assert.equal(actionsOf(state, outer), 'tnl_pop(4789)');
  assert.equal(actionsOf(state, { ...outer, tpDst: 4788 }), '101');
  assert.equal(actionsOf(state, { ...outer, ipDst: '1.1.2.87' }), '101');
  assert.equal(actionsOf(state, { ...outer, proto: 6 }), '101');
  assert.equal(actionsOf(state, { ...outer, frag: 1 }), '101');
  assert.equal(actionsOf(state, { ...outer, dst: 'aa:55:aa:55:00:01' }), '101');
});

test('a decapsulated packet goes to the port that fits it most closely', () => {
  const tunnels = [
    vxlan('1.1.2.92', { inKey: 'flow' }),
    vxlan('1.1.2.92', { inKey: 5n }),
    vxlan('1.1.2.92', { inKey: 5n, localIp: ip('1.1.2.88') }),
    { ...vxlan('1.1.2.92'), remoteIp: 'flow' as const, inKey: 6n },
  ];
  const state = buildTunnels(tunnels);
  const came = (tunSrc: string, tunId: bigint): number | string => {
    const out = xlate(state, packet({ inPort: 4789, tunSrc, tunDst: '1.1.2.88', tunId }));
    return out.bridge === null ? out.drop : out.inPort!;
  };
  assert.equal(came('1.1.2.92', 5n), 4);
  assert.equal(came('1.1.2.92', 6n), 5, 'a fixed key counts more than a fixed remote end');
  assert.equal(came('1.1.2.92', 7n), 2);
  assert.equal(came('1.1.2.93', 7n), 'tunnel_no_config');
});

test('congestion marks: inwards, or the packet is dropped', () => {
  const state = buildTunnels([vxlan('1.1.2.92')]);
  const came = { inPort: 4789, tunSrc: '1.1.2.92', tunDst: '1.1.2.88', tunId: 123n, tunTos: 3, proto: 17 };
  assert.equal(actionsOf(state, { ...came, tos: 0x02 }), 'set(ipv4(tos=0x3/0x3)),100,1');
  assert.deepEqual(xlate(state, packet({ ...came, tos: 0 })).actions, []);
  assert.equal(actionsOf(state, { ...came, tunTos: 2, tos: 0 }), '100,1');
});

test('a packet is not tunnelled back to the address that it was tunnelled to', () => {
  const state = buildTunnels([vxlan('1.1.2.92'), { ...vxlan('1.1.2.92'), remoteIp: ip('1.1.2.88') }]);
  const out = xlate(state, packet({ inPort: 4789, tunSrc: '1.1.2.92', tunDst: '1.1.2.88', tunId: 123n }));
  assert.equal(formatActions(out.actions), '100,1');
});

test('a source address of the other family leads nowhere', () => {
  const state = buildTunnels([vxlan('1.1.2.92', { localIp: 'flow' }), { ...vxlan('1.1.2.92'), remoteIp: 'flow' }]);
  const came = packet({ inPort: 4789, tunSrc: '2001:cafe::88', tunDst: '2001:cafe::88', tunId: 123n });
  const out = xlate(state, came);
  assert.equal(out.drop, 'none', 'the flood goes on without it');
  assert.doesNotMatch(formatActions(out.actions), /tnl_push/);
});
