import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../../src/flow/key.ts';
import { formatActions, formatMatch } from '../../../src/flow/odp/format.ts';
import { parseActions, parseFlow, parseKey, parseMatch } from '../../../src/flow/odp/parse.ts';
import { formatOfPort, parseFlowKeyText, parseFlowText, parseOfPort } from '../../../src/flow/text.ts';
import { must } from '../../../src/lib/result.ts';

const errorOf = (result: { readonly ok: boolean; readonly error?: string }): string | undefined => result.error;

const badMatches: readonly (readonly [text: string, error: RegExp])[] = [
  ['in_port(1),bogus(1)', /unknown attribute at character 12: bogus/],
  ['in_port(1),eth(src=1)', /not a value of 48 bits at character 20: 1\)/],
  ['in_port(1),eth(src=00:00:00:00:00:01', /expected "," or "\)" at the end/],
  ['in_port(1),eth(src=00:00:00:00:00:01,src=00:00:00:00:00:01)', /"src" twice at character 38/],
  ['eth(),eth()', /"eth" twice at character 7/],
  ['eth_type(0x10000)', /not a value of 16 bits at character 10/],
  ['eth_type(0x0800),ipv4(proto=6),udp(src=1)', /udp\(\) needs proto=17 at character 32/],
  ['eth_type(0x0800),ipv4(proto=6,frag=later),tcp()', /tcp\(\) does not go with frag=later/],
  ['eth_type(0x0800),ipv6()', /ipv6\(\) needs eth_type\(0x86dd\) at character 18/],
  ['eth_type(0x1234),vlan(vid=1),encap()', /needs eth_type\(0x8100\) or eth_type\(0x88a8\)/],
  ['eth_type(0x8100),vlan(vid=1,cfi=0),encap()', /without its presence bit/],
  ['encap(eth_type(0x0800))', /encap\(\) without vlan\(\)/],
  ['packet_type(ns=1,id=0x800),eth()', /does not go with this packet_type/],
  ['in_port(p7)', /no port named "p7" at character 9/],
  ['tcp_flags(+syn+syn)', /flag named twice/],
  ['tunnel(geneve({class=1,type=1,len=3,0x1}))', /multiple of 4/],
  ['recirc_id(1) trailing', /unknown attribute at character 14/],
  ['recirc_id(1)) ', /unexpected text at character 13/],
  ['ct_state(+bogus)', /unknown flag "bogus" at character 11/],
];

test('malformed matches name the place', () => {
  for (const [text, error] of badMatches) assert.match(errorOf(parseMatch(text)) ?? 'read', error, text);
});

const badActions: readonly (readonly [text: string, error: RegExp])[] = [
  ['1,bogus(2)', /unknown action "bogus" at character 3/],
  ['99999999999', /expected a number of 32 bits at character 1/],
  ['clone(1', /expected "\)" at the end/],
  ['push_vlan(vid=1)', /needs vid and pcp/],
  ['push_eth(src=00:00:00:00:00:01)', /needs src and dst/],
  ['set(frob(1))', /"frob" cannot be set at character 5/],
  ['set(mpls(label=1,label=2))', /only the outermost label/],
  ['userspace(pid=1,userdata(123))', /bytes in hexadecimal at character 26/],
  ['sample(sample=150%,actions(1))', /percentage/],
  ['tnl_push(tnl_port(1),header(size=3,type=9', /unknown tunnel type/],
  ['ct(commit,commit,frob)', /unknown or repeated option of ct at character 18/],
  [`${'clone('.repeat(40)}1${')'.repeat(40)}`, /nested too deeply/],
];

test('malformed actions name the place', () => {
  for (const [text, error] of badActions) assert.match(errorOf(parseActions(text)) ?? 'read', error, text);
});

test('malformed flows', () => {
  assert.match(errorOf(parseFlow('in_port(1),eth()')) ?? '', /expected "actions:" at the end/);
  assert.match(errorOf(parseFlow('eth(), packets:x, actions:1')) ?? '', /number of 53 bits/);
  assert.match(errorOf(parseFlow('eth(), packets:1, bytes:1, used:soon, actions:1')) ?? '', /"never" or seconds/);
});

test('ports by name, both ways', () => {
  const portByName = (name: string): number | null => (name === 'eth-0.1' ? 7 : null);
  const portName = (port: number): string | null => (port === 7 ? 'eth-0.1' : null);
  const match = must(parseMatch('in_port(eth-0.1),eth()', { portByName }));
  assert.equal(match.key.get(KEY.in_port), 7);
  assert.equal(formatMatch(match, { portName }), 'recirc_id(0),in_port(eth-0.1),eth()');
  const actions = must(parseActions('eth-0.1,clone(eth-0.1,8)', { portByName }));
  assert.equal(formatActions(actions), '7,clone(7,8)');
  assert.equal(formatActions(actions, { portName }), 'eth-0.1,clone(eth-0.1,8)');
});

test('a packet has no masks, and 802.2 is what has no Ethertype', () => {
  const key = must(parseKey('in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)'));
  assert.equal(key.get(KEY.eth_type), 0x05ff);
  assert.match(errorOf(parseKey('in_port(1/3)')) ?? '', /no masks/);
});

const badTexts: readonly (readonly [text: string, error: RegExp])[] = [
  ['ip,bogus=1', /unknown field "bogus"/],
  ['in_port=nope', /unknown port "nope"/],
  ['nw_src=1.2.3.4', /prerequisites not met for nw_src/],
  ['ip,nw_src=1.2.3.4/33', /bad value for nw_src/],
  ['arp,tp_dst=1', /prerequisites not met for tp_dst/],
  ['ip,nw_tos=3', /bad value for nw_tos/],
  ['dl_vlan=4096', /bad value for dl_vlan/],
  ['packet_type=(0,0', /bad value for packet_type/],
];

test('malformed OpenFlow flow text names the field', () => {
  for (const [text, error] of badTexts) assert.match(errorOf(parseFlowText(text)) ?? 'read', error, text);
  assert.match(errorOf(parseFlowKeyText('ip,nw_src=1.2.3.0/24')) ?? '', /wildcards not allowed here/);
  assert.match(errorOf(parseFlowKeyText('tcp,tcp_flags=+syn')) ?? '', /wildcards not allowed here/);
});

test('words of the caller, and OpenFlow ports', () => {
  const seen: string[] = [];
  const other = (name: string, value: string | null): boolean => seen.push(`${name}=${value}`) > 0;
  assert.equal(parseFlowText('priority=5,ip,send_flow_rem', { other }).ok, true);
  assert.deepEqual(seen, ['priority=5', 'send_flow_rem=null']);
  assert.equal(parseOfPort('local'), 0xfffe);
  assert.equal(parseOfPort('0xfffffffe'), 0xfffe);
  assert.equal(parseOfPort('70000'), null);
  assert.equal(
    parseOfPort('p1', (name) => (name === 'p1' ? 1 : null)),
    1,
  );
  assert.equal(formatOfPort(0xfffd), 'CONTROLLER');
});
