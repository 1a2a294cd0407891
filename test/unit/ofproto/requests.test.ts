import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { inReferenceOrder } from '../../../src/ofproto/port-description.ts';
import type { OfMessage } from '../../../src/openflow/message/families.ts';
import type { OfGroup } from '../../../src/openflow/message/group.ts';
import { encodeMessage } from '../../../src/openflow/message/message.ts';
import type { OfMeter } from '../../../src/openflow/message/meter.ts';
import type { OfVersion } from '../../../src/openflow/version.ts';
import { actions, type Bed, FakePeer, flowMod, flows, MAC, makeBed, match, versions } from './peer.ts';

let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});

const everyFlow = { table: 0xff, match: match(''), outPort: 0xffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n };
const bucket = (text: string, settings = {}) => ({
  id: null,
  weight: 0,
  watchPort: 0xffff,
  watchGroup: 0xffffffff,
  actions: actions(text),
  ...settings,
});
const group = (id: number, type: OfGroup['type'], ...buckets: OfGroup['buckets']): OfGroup => ({
  id,
  type,
  buckets,
  selection: null,
});
const groupMod = (
  command: 'add' | 'modify' | 'delete' | 'add_or_modify',
  value: OfGroup,
): Extract<OfMessage, { kind: 'group_mod' }> => ({
  kind: 'group_mod',
  command,
  group: value,
  commandBucket: 0xffffffff,
});
const meter = (id: number, rate: number, type: 'drop' | 'dscp_remark' = 'drop'): OfMeter => ({
  id,
  flags: 1,
  bands: [{ type, rate, burst: 0, precedence: 0 }],
});
const meterMod = (command: 'add' | 'modify' | 'delete', value: OfMeter): OfMessage => ({
  kind: 'meter_mod',
  command,
  meter: value,
});

const questions: readonly (readonly [OfMessage, reply: string])[] = [
  [{ kind: 'features_request' }, 'features_reply'],
  [{ kind: 'get_config_request' }, 'get_config_reply'],
  [{ kind: 'desc_request' }, 'desc_reply'],
  [{ kind: 'flow_stats_request', ...everyFlow }, 'flow_stats_reply'],
  [{ kind: 'aggregate_request', ...everyFlow }, 'aggregate_reply'],
  [{ kind: 'group_stats_request', id: 0xfffffffc }, 'group_stats_reply'],
  [{ kind: 'group_desc_request', id: 0xfffffffc }, 'group_desc_reply'],
  [{ kind: 'group_features_request' }, 'group_features_reply'],
  [{ kind: 'meter_stats_request', id: 0xffffffff }, 'meter_stats_reply'],
  [{ kind: 'meter_config_request', id: 0xffffffff }, 'meter_config_reply'],
  [{ kind: 'meter_features_request' }, 'meter_features_reply'],
  [{ kind: 'table_desc_request' }, 'table_desc_reply'],
  [{ kind: 'table_stats_request' }, 'table_stats_reply'],
  [{ kind: 'table_features_request', tables: [] }, 'table_features_reply'],
  [{ kind: 'port_desc_request', port: 0xffff }, 'port_desc_reply'],
  [{ kind: 'port_stats_request', port: 0xffff }, 'port_stats_reply'],
  [{ kind: 'queue_stats_request', port: 1, queue: 0xffffffff }, 'queue_stats_reply'],
  [{ kind: 'queue_config_request', port: 1, queue: 0xffffffff }, 'queue_config_reply'],
  [{ kind: 'tlv_table_request' }, 'tlv_table_reply'],
  [{ kind: 'ipfix_bridge_request' }, 'NXST_NOT_CONFIGURED'],
  [{ kind: 'ipfix_flow_request' }, 'NXST_NOT_CONFIGURED'],
];

test('every question has an answer in every version that has the question', () => {
  bed.ask(flowMod('in_port=1', 'output:2'));
  bed.ask(groupMod('add', group(1, 'all', bucket('output:1'))));
  bed.ask(meterMod('add', meter(1, 5)));
  let asked = 0;
  for (const [message, reply] of questions) {
    for (const version of versions) {
      if (!encodeMessage(message, version, 1)) continue;
      // In OpenFlow 1.1 the answer's queues have no port
      if (message.kind === 'queue_config_request' && version === 2) continue;
      const answers = bed.ask(message, version);
      asked++;
      assert.ok(answers.length > 0, `${message.kind} in version ${version}`);
      for (const answer of answers) assert.equal(typeof answer === 'string' ? answer : answer.kind, reply);
    }
  }
  assert.ok(asked > 90, `${asked} were asked`);
});

test('features: datapath id from the MAC, 254 tables, no buffers, ports until OpenFlow 1.2', () => {
  for (const version of versions) {
    const [answer] = bed.ask({ kind: 'features_request' }, version);
    assert.ok(typeof answer === 'object' && answer.kind === 'features_reply');
    assert.deepEqual([answer.datapathId, answer.tableCount, answer.bufferCount], [0x0200_0000_00aan, 254, 0]);
    assert.equal(answer.ports.length, version < 4 ? 4 : 0);
    assert.equal(answer.capabilities.includes('ARP_MATCH_IP'), version < 3);
    assert.equal(answer.capabilities.includes('BUNDLES'), version >= 5);
  }
});

test('configuration: fragments are the bridge’s, miss_send_len the connection’s; reassembly is not done', () => {
  const peer = new FakePeer(2);
  const config = (fragments: 'drop' | 'reassemble', missSendLength: number): OfMessage => ({
    kind: 'set_config',
    fragments,
    missSendLength,
    invalidTtlToController: true,
  });
  assert.deepEqual(bed.ask(config('drop', 99), 2, peer), []);
  bed.ask(config('reassemble', 98), 2, peer);
  const [answer] = bed.ask({ kind: 'get_config_request' }, 2, peer);
  const told = { kind: 'get_config_reply', fragments: 'drop', missSendLength: 98, invalidTtlToController: true };
  assert.deepEqual(answer, told);
  assert.deepEqual((bed.ask({ kind: 'get_config_request' }, 2)[0] as { missSendLength: number }).missSendLength, 0);
  peer.role = 'secondary';
  peer.kind = 'primary';
  bed.ask({ ...config('drop', 1), fragments: 'normal' } as OfMessage, 2, peer);
  assert.equal((bed.ask({ kind: 'get_config_request' }, 2)[0] as { fragments: string }).fragments, 'drop');
});

test('descriptions are the reference’s', () => {
  const [answer] = bed.ask({ kind: 'desc_request' });
  assert.deepEqual(answer, {
    kind: 'desc_reply',
    manufacturer: 'Nicira, Inc.',
    hardware: 'Open vSwitch',
    software: '3.1.0',
    serial: 'None',
    datapath: 'None',
  });
});

const refusedFlows: readonly (readonly [match: string, actions: string, error: string, settings?: object])[] = [
  ['', 'drop', 'OFPBRC_EPERM', { table: 254 }],
  ['recirc_id=4', 'drop', 'OFPBRC_EPERM'],
  ['dp_hash=4', 'drop', 'OFPBRC_EPERM'],
  ['', 'drop', 'OFPBRC_BUFFER_UNKNOWN', { buffer: 7 }],
  ['', 'group:9', 'OFPBAC_BAD_OUT_GROUP'],
  ['', 'write_actions(group:9)', 'OFPBAC_BAD_OUT_GROUP'],
  ['', 'meter:9,output:1', 'OFPMMFC_INVALID_METER'],
  ['', 'goto_table:3', 'OFPBIC_BAD_TABLE_ID', { table: 3 }],
  ['', 'dec_ttl', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'set_field:80->tcp_dst', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'set_field:4100->vlan_vid', 'OFPBAC_MATCH_INCONSISTENT'],
  ['arp', 'set_field:10.0.0.1->ip_src', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'move:NXM_OF_IP_SRC[]->NXM_NX_REG0[]', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'pop_vlan', 'OFPBAC_MATCH_INCONSISTENT'],
  ['ip', 'pop_mpls:0x0800', 'OFPBAC_MATCH_INCONSISTENT'],
  ['dl_vlan=3', 'push_vlan:0x8100,push_vlan:0x8100', 'OFPBAC_BAD_TAG'],
  ['', 'ct(commit)', 'OFPBAC_MATCH_INCONSISTENT'],
  ['udp', 'ct(commit,alg=ftp)', 'OFPBAC_MATCH_INCONSISTENT'],
  ['ip', 'ct(commit,nat(src=fe80::1))', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'learn(table=1,NXM_OF_TCP_DST[])', 'OFPBAC_MATCH_INCONSISTENT'],
  ['', 'conjunction(1,1/2),output:1', 'NXBAC_BAD_CONJUNCTION'],
  ['', 'clone(dec_ttl)', 'OFPBAC_MATCH_INCONSISTENT'],
];

test('a flow whose actions do not go with it is refused, and leaves nothing', () => {
  for (const [matchText, actionText, error, settings] of refusedFlows) {
    assert.deepEqual(bed.ask(flowMod(matchText, actionText, settings)), [error], `${matchText} ${actionText}`);
  }
  assert.deepEqual(flows(bed), []);
});

test('what packets become on the way counts', () => {
  const good: readonly (readonly [string, string])[] = [
    ['', 'push_vlan:0x8100,set_field:4100->vlan_vid'],
    ['ip', 'push_mpls:0x8847,set_field:5->mpls_label,pop_mpls:0x0800,dec_ttl'],
    ['tcp', 'learn(table=1,eth_type=0x800,nw_proto=6,NXM_OF_TCP_DST[]=NXM_OF_TCP_SRC[])'],
    ['ip', 'write_actions(set_field:80->udp_dst)'],
    ['', 'conjunction(1,1/2),note:00'],
    ['tcp', 'fin_timeout(idle_timeout=3)'],
  ];
  for (const [matchText, actionText] of good) {
    const answers = bed.ask(flowMod(matchText, actionText));
    const isWritten = actionText.startsWith('write');
    assert.deepEqual(answers, isWritten ? ['OFPBAC_MATCH_INCONSISTENT'] : [], `${matchText} ${actionText}`);
  }
});

test('OpenFlow 1.0 lets pass what a flow cannot do', () => {
  assert.deepEqual(bed.ask(flowMod('', 'mod_nw_src:10.0.0.1,output:1', { table: 0xff }), 1), []);
  assert.deepEqual(bed.ask(flowMod('', 'dec_ttl'), 4), ['OFPBAC_MATCH_INCONSISTENT']);
});

test('an add of OpenFlow 1.0 and 1.1 resets counts; a modify of 1.1 without cookie adds, of later versions not', () => {
  const rule = () =>
    bed.sw.ofproto('br0').state.tables.select(0, { match: match('in_port=1'), strictPriority: 100 })[0];
  for (const version of versions) {
    bed.ask(flowMod('in_port=1', 'output:2'));
    rule()!.packets = 5;
    bed.ask(flowMod('in_port=1', 'output:3', { table: version === 1 ? 0xff : 0 }), version);
    assert.equal(rule()!.packets, version <= 2 ? 0 : 5, `version ${version}`);
    bed.ask(flowMod('', '', { command: 'delete', table: 0xff }), version);
    const modify = { command: 'modify', table: version === 1 ? 0xff : 0 } as const;
    assert.deepEqual(bed.ask(flowMod('arp', 'output:2', modify), version), []);
    assert.equal(flows(bed).length, version <= 2 ? 1 : 0, `version ${version}`);
    bed.ask(flowMod('', '', { command: 'delete', table: 0xff }), version);
  }
});

test('requests for what is not there', () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const portMod = { kind: 'port_mod', port: 1, mac, config: 0x10, mask: 0x10, advertise: 0 } as const;
  const desc = { table: 254, eviction: true, evictionFlags: null, vacancy: null, miss: 'default' } as const;
  const mapping = { optionClass: 1, optionType: 2, optionSize: 4, index: 0 };
  const rows: readonly (readonly [OfMessage, string, OfVersion?])[] = [
    [{ ...portMod, port: 9 }, 'OFPPMFC_BAD_PORT'],
    [{ ...portMod, mac: MAC }, 'OFPPMFC_BAD_HW_ADDR'],
    [{ kind: 'queue_stats_request', port: 9, queue: 1 }, 'OFPQOFC_BAD_PORT'],
    [{ kind: 'queue_stats_request', port: 1, queue: 1 }, 'OFPQOFC_BAD_QUEUE'],
    [{ kind: 'queue_config_request', port: 9, queue: 0xffffffff }, 'OFPQOFC_BAD_PORT'],
    [{ kind: 'meter_stats_request', id: 9 }, 'OFPMMFC_UNKNOWN_METER'],
    [{ kind: 'meter_config_request', id: 9 }, 'OFPMMFC_UNKNOWN_METER'],
    [{ kind: 'table_mod', desc }, 'OFPTMFC_EPERM', 5],
    [{ kind: 'tlv_table_mod', command: 'add', mappings: [mapping, mapping] }, 'NXTTMFC_ALREADY_MAPPED'],
    [groupMod('modify', group(1, 'all', bucket('output:1'))), 'OFPGMFC_UNKNOWN_GROUP'],
    [groupMod('add_or_modify', group(0xffffff01, 'all')), 'OFPGMFC_INVALID_GROUP'],
    [meterMod('add', meter(1, 0)), 'OFPMMFC_BAD_RATE'],
    [meterMod('add', meter(1, 5, 'dscp_remark')), 'OFPMMFC_BAD_BAND'],
    [meterMod('modify', meter(1, 5)), 'OFPMMFC_UNKNOWN_METER'],
  ];
  for (const [message, error, version = 4] of rows) {
    assert.deepEqual(bed.ask(message, version), [error], `${message.kind}: ${error}`);
  }
  assert.deepEqual(bed.ask({ kind: 'barrier_reply' }), ['OFPBRC_BAD_TYPE']);
});

test('options of tunnels: mapped, told, taken back', () => {
  const mapping = { optionClass: 1, optionType: 2, optionSize: 8, index: 3 };
  assert.deepEqual(bed.ask({ kind: 'tlv_table_mod', command: 'add', mappings: [mapping] }), []);
  const told = () => bed.ask({ kind: 'tlv_table_request' })[0] as Extract<OfMessage, { kind: 'tlv_table_reply' }>;
  assert.deepEqual([told().spaceMax, told().fieldMax, told().mappings], [256, 64, [mapping]]);
  const many = Array.from({ length: 3 }, (_, i) => ({ optionClass: 9, optionType: i, optionSize: 124, index: 10 + i }));
  const add = { kind: 'tlv_table_mod', command: 'add', mappings: many } as const;
  assert.deepEqual(bed.ask(add), ['NXTTMFC_TABLE_FULL']);
  assert.equal(told().mappings.length, 1, 'nothing of it is left');
  bed.ask({ kind: 'tlv_table_mod', command: 'delete', mappings: [mapping] });
  assert.deepEqual(told().mappings, []);
  bed.ask({ kind: 'tlv_table_mod', command: 'add', mappings: [mapping] });
  bed.ask({ kind: 'tlv_table_mod', command: 'clear', mappings: [] });
  assert.deepEqual(told().mappings, []);
});

test('tables: eviction, vacancy and names', () => {
  const desc = {
    table: 3,
    eviction: true,
    evictionFlags: null,
    vacancy: { down: 20, up: 80, now: 0 },
    miss: 'default',
  };
  assert.deepEqual(bed.ask({ kind: 'table_mod', desc } as OfMessage, 5), []);
  const descs = bed.ask({ kind: 'table_desc_request' }, 5).flatMap((answer) => {
    assert.ok(typeof answer === 'object' && answer.kind === 'table_desc_reply');
    return answer.tables;
  });
  assert.equal(descs.length, 254);
  assert.deepEqual([descs[3]!.eviction, descs[3]!.vacancy], [true, { down: 20, up: 80, now: 100 }]);
  assert.deepEqual([descs[4]!.eviction, descs[4]!.vacancy], [false, null]);
  const [features] = bed.ask({ kind: 'table_features_request', tables: [] }, 4);
  assert.ok(typeof features === 'object' && features.kind === 'table_features_reply');
  bed.ask({ kind: 'table_features_request', tables: [{ ...features.tables[0]!, table: 7, name: 'seven' }] }, 4);
  assert.equal(bed.sw.ofproto('br0').state.tables.table(7)!.name, 'seven');
  const secondary = new FakePeer(4);
  secondary.role = 'secondary';
  assert.deepEqual(bed.ask(features, 4, secondary), ['OFPBRC_BAD_STAT'], 'a reply is no request');
  const rename = { ...features, kind: 'table_features_request' } as OfMessage;
  assert.deepEqual(bed.ask(rename, 4, secondary), ['OFPBRC_IS_SECONDARY']);
});

test('vacancy events: once when a table gets full, once when it has room again', () => {
  const told: string[] = [];
  bed.listen({ tableStatus: (reason, { table, vacancy }) => told.push(`${reason} ${table} ${vacancy?.now}`) });
  const { tables } = bed.sw.ofproto('br0').state;
  tables.configure(0, { flowLimit: 10 });
  const desc = {
    table: 0,
    eviction: false,
    evictionFlags: null,
    vacancy: { down: 20, up: 50, now: 0 },
    miss: 'default',
  };
  bed.ask({ kind: 'table_mod', desc } as OfMessage, 5);
  for (let port = 1; port <= 10; port++) bed.ask(flowMod(`in_port=${port}`, 'drop'));
  assert.deepEqual(bed.ask(flowMod('in_port=11', 'drop')), ['OFPFMFC_TABLE_FULL']);
  for (let port = 1; port <= 10; port++) bed.ask(flowMod(`in_port=${port}`, '', { command: 'delete_strict' }));
  assert.deepEqual(told, ['vacancy_down 0 20', 'vacancy_up 0 50']);
});

test('groups and meters: rules that used them go with them', () => {
  bed.ask(groupMod('add', group(1, 'all', bucket('output:1'))));
  bed.ask(meterMod('add', meter(4, 9)));
  bed.ask(flowMod('in_port=1', 'group:1'));
  bed.ask(flowMod('in_port=2', 'meter:4,output:1'));
  bed.ask(flowMod('in_port=3', 'output:1'));
  const [stats] = bed.ask({ kind: 'group_stats_request', id: 1 });
  assert.ok(typeof stats === 'object' && stats.kind === 'group_stats_reply');
  assert.equal(stats.stats[0]!.references, 1);
  const reasons: string[] = [];
  bed.listen({ flowsChanged: (changes) => reasons.push(...changes.map((c) => ('reason' in c ? c.reason : c.kind))) });
  bed.ask(groupMod('delete', group(1, 'all')));
  bed.ask(meterMod('delete', meter(4, 9)));
  assert.deepEqual(reasons, ['group_delete', 'meter_delete']);
  assert.deepEqual(flows(bed), ['0/100 n=0 output:1']);
});

test('ports are told in the reference’s order', () => {
  // As ovs-vswitchd 3.1 told them, added in this order
  const added = [0xfffe, 7, 14, 21, 28, 35];
  assert.deepEqual(
    inReferenceOrder(added, (port) => port),
    [14, 21, 0xfffe, 7, 35, 28],
  );
});

test('port-mods change what floods, and are told', () => {
  const told: string[] = [];
  bed.listen({ portChanged: (reason, port) => told.push(`${reason} ${port.name} ${port.config}/${port.state}`) });
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 2);
  const mod = { kind: 'port_mod', port: 2, mac, config: 1, mask: 1, advertise: 0 } as const;
  bed.ask(mod);
  bed.ask(mod);
  bed.ask({ ...mod, config: 0 });
  assert.deepEqual(
    told,
    ['modify p2 1/0', 'modify p2 1/1', 'modify p2 0/1', 'modify p2 0/4'],
    'what changes nothing is not told',
  );
  bed.devices[2]!.isUp = false;
  bed.warp(1);
  bed.sw.removePort('br0', 'p1');
  assert.deepEqual(told.slice(4), ['modify p3 0/0', 'modify p3 1/1', 'delete p1 0/4']);
});
