/** Random flow tables, as text, and packets that many of their flows take. */
import type { Random } from '../../src/lib/random.ts';

const TABLES = 5;
const FLOWS = 12;
const MACS = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03'];
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.1.0.1', '192.168.0.1'];
const ADDRESSES6 = ['2001::1', '2001::2', '2002::1'];
const PORTS = [53, 80, 1000];

type Make = (random: Random) => string;
type Protocol = 'any' | 'ip' | 'tcp' | 'udp' | 'ipv6' | 'tcp6' | 'arp' | 'icmp';
const protocols: readonly Protocol[] = ['any', 'ip', 'tcp', 'udp', 'ipv6', 'tcp6', 'arp', 'icmp'];

const pick =
  (name: string, values: readonly (string | number)[]): Make =>
  (random) =>
    `${name}=${random.pick(values)}`;

const anyFields: readonly Make[] = [
  pick('in_port', [1, 2, 3, 4]),
  pick('dl_src', MACS),
  pick('dl_dst', [...MACS, '50:54:00:00:00:00/ff:ff:ff:ff:ff:fc']),
  pick('dl_vlan', [10, 20]),
  pick('vlan_tci', ['0x0000/0x1fff', '0x1000/0x1000']),
  pick('reg0', [0, 1, '1/3']),
  pick('metadata', ['0x5', '0x4/0xc']),
];
const ipFields: readonly Make[] = [
  pick('nw_src', [...ADDRESSES, '10.0.0.0/8']),
  pick('nw_dst', [...ADDRESSES, '10.0.0.0/24']),
  pick('nw_tos', [0, 32]),
  pick('nw_ttl', [1, 64]),
  pick('nw_frag', ['no', 'first', 'not_later']),
];
const ip6Fields: readonly Make[] = [
  pick('ipv6_src', [...ADDRESSES6, '2001::/16']),
  pick('ipv6_dst', ADDRESSES6),
  pick('nw_ttl', [1, 64]),
];
const tcpFields: readonly Make[] = [pick('tcp_src', PORTS), pick('tcp_dst', [...PORTS, '0x50/0xfff0'])];

const fieldsOf: Readonly<Record<Protocol, readonly Make[]>> = {
  any: anyFields,
  ip: [...anyFields, ...ipFields, pick('nw_frag', ['later', 'yes'])],
  tcp: [...anyFields, ...ipFields, ...tcpFields],
  udp: [...anyFields, ...ipFields, pick('udp_src', PORTS), pick('udp_dst', PORTS)],
  ipv6: [...anyFields, ...ip6Fields],
  tcp6: [...anyFields, ...ip6Fields, ...tcpFields],
  arp: [...anyFields, pick('arp_op', [1, 2]), pick('arp_spa', ADDRESSES), pick('arp_tpa', ADDRESSES)],
  icmp: [...anyFields, ...ipFields, pick('icmp_type', [0, 8])],
};

const anyActions: readonly string[] = [
  ...['output:1', 'output:2', 'output:3', 'output:4', 'in_port', 'output:50', 'output:9', 'local'],
  ...MACS.map((mac) => `set_field:${mac}->eth_src`),
  'set_field:00:00:00:00:ff:00/00:00:00:00:ff:00->eth_dst',
  'set_field:1->reg0',
  'load:2->NXM_NX_REG0[]',
  'load:3->NXM_NX_REG1[3..9]',
  'move:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG2[4..19]',
  'move:NXM_NX_REG2[4..19]->NXM_OF_ETH_DST[0..15]',
  'output:NXM_NX_REG0[0..15]',
  'push:NXM_OF_ETH_SRC[]',
  'pop:NXM_OF_ETH_DST[]',
  'push:NXM_NX_REG0[]',
  'pop:NXM_NX_REG1[0..15]',
  'push_vlan:0x8100',
  'push_vlan:0x88a8,set_field:4106->vlan_vid',
  'push_vlan:0x8100,set_field:4116->vlan_vid,set_field:5->vlan_pcp',
  'push_vlan:0x8100,output:3,pop_vlan',
  'set_queue:5',
  'pop_queue',
  'set_field:7->pkt_mark',
  'clone(set_field:00:00:00:00:00:99->eth_dst,output:4)',
  'clone(push_vlan:0x8100,output:3)',
  'output(port=3,max_len=64)',
  'clone(output(port=2,max_len=64))',
  'exit',
  'load:0->NXM_OF_IN_PORT[]',
];
const ipActions: readonly string[] = [
  ...ADDRESSES.flatMap((address) => [`set_field:${address}->ip_src`, `set_field:${address}->ip_dst`]),
  'dec_ttl',
  'set_field:32->nw_tos',
  'set_field:5->ip_dscp',
  'set_field:1->nw_ecn',
  'mod_nw_ttl:9',
  'load:7->NXM_OF_IP_SRC[0..7]',
  'move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]',
  'move:NXM_OF_IP_DST[]->NXM_NX_REG3[]',
];
const ip6Actions: readonly string[] = [
  ...ADDRESSES6.map((address) => `set_field:${address}->ipv6_src`),
  'move:NXM_NX_IPV6_SRC[0..63]->NXM_NX_IPV6_DST[64..127]',
  'dec_ttl',
  'mod_nw_ttl:7',
];
const tcpActions: readonly string[] = [
  'set_field:99->tcp_src',
  'set_field:0x10/0xf0->tcp_dst',
  'move:NXM_OF_TCP_SRC[]->NXM_OF_TCP_DST[]',
];

const actionsOf: Readonly<Record<Protocol, readonly string[]>> = {
  any: anyActions,
  ip: [...anyActions, ...ipActions],
  tcp: [...anyActions, ...ipActions, ...tcpActions],
  udp: [...anyActions, ...ipActions, 'set_field:77->udp_dst'],
  ipv6: [...anyActions, ...ip6Actions],
  tcp6: [...anyActions, ...ip6Actions, ...tcpActions],
  arp: [...anyActions, 'set_field:2->arp_op', 'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]', 'set_field:9.9.9.9->arp_spa'],
  icmp: [...anyActions, ...ipActions, 'set_field:0->icmp_type'],
};

/** For packets that have a tag. */
const tagActions: readonly string[] = [
  'pop_vlan',
  'clone(pop_vlan,output:3)',
  'set_field:2->vlan_pcp',
  'set_field:4126->vlan_vid',
];

function randomActions(random: Random, protocol: Protocol, table: number, hasTag: boolean): string {
  const actions = Array.from({ length: 1 + random.below(4) }, () => random.pick(actionsOf[protocol]));
  if (hasTag && random.chance(0.6)) actions.unshift(random.pick(tagActions));
  if (random.chance(0.5)) {
    const next = random.chance(0.9) ? Math.min(TABLES - 1, table + 1 + random.below(2)) : table;
    const call = random.chance(0.2) ? `resubmit(${1 + random.below(4)},${next})` : `resubmit(,${next})`;
    if (next > table) actions.splice(random.below(actions.length + 1), 0, call);
  }
  // Where ICMP goes out of sight the reference matches sixteen bits of its type, of which the datapath has eight
  if (protocol !== 'icmp' && protocol !== 'ip' && protocol !== 'any' && random.chance(0.15))
    actions.push('push_mpls:0x8847', 'set_field:5->mpls_label', 'output:2');
  if (random.chance(0.2)) {
    const inSet = random.pick(['output:2', 'output:3', 'set_field:00:00:00:00:00:77->eth_src', 'push_vlan:0x8100']);
    actions.push(`write_actions(${random.chance(0.5) ? inSet : `output:4,${inSet}`})`);
  }
  if (random.chance(0.2)) actions.push(`write_metadata:0x${random.below(16).toString(16)}/0xf`);
  if (random.chance(0.3) && table < TABLES - 1) actions.push(`goto_table:${table + 1}`);
  return actions.join(',');
}

function randomFlow(random: Random, table: number, priority: number): string {
  const protocol = random.pick(protocols);
  const fields = new Map<string, string>();
  for (let i = random.below(4); i > 0; i--) {
    const field = random.pick(fieldsOf[protocol])(random);
    fields.set(field.slice(0, field.indexOf('=')), field);
  }
  // One of them says the tag
  if (fields.has('dl_vlan')) fields.delete('vlan_tci');
  const cookie = random.chance(0.3) ? `cookie=0x${(1 + random.below(255)).toString(16)},` : '';
  const match = [...(protocol === 'any' ? [] : [protocol]), ...fields.values()].join(',');
  const actions = randomActions(random, protocol, table, fields.has('dl_vlan'));
  return `${cookie}table=${table},priority=${priority}${match === '' ? '' : `,${match}`},actions=${actions}`;
}

/** Each flow of a table has its own priority: which of two equal ones wins is nobody's to say. */
export function randomTables(random: Random): string[] {
  return Array.from({ length: TABLES }, (_, table) =>
    Array.from({ length: 1 + random.below(FLOWS) }, (_, i) => randomFlow(random, table, 1000 - i)),
  ).flat();
}

export function randomPacket(random: Random): string {
  const base = [pick('in_port', [1, 2, 3, 4])(random), pick('dl_src', MACS)(random), pick('dl_dst', MACS)(random)];
  if (random.chance(0.4)) base.push(pick('dl_vlan', [10, 20, 30])(random), `dl_vlan_pcp=${random.below(8)}`);
  const ip = [
    pick('nw_src', ADDRESSES)(random),
    pick('nw_dst', ADDRESSES)(random),
    pick('nw_ttl', [1, 2, 64])(random),
    pick('nw_tos', [0, 32])(random),
  ];
  const ip6 = [pick('ipv6_src', ADDRESSES6)(random), pick('ipv6_dst', ADDRESSES6)(random), 'nw_ttl=64'];
  const ports = (word: string): string[] => [`${word}_src=${random.pick(PORTS)}`, `${word}_dst=${random.pick(PORTS)}`];
  const kinds: readonly (readonly string[])[] = [
    ['tcp', ...ip, ...ports('tcp')],
    ['tcp', ...ip, ...ports('tcp')],
    ['udp', ...ip, ...ports('udp')],
    ['tcp6', ...ip6, ...ports('tcp')],
    ['arp', `arp_op=${1 + random.below(2)}`, pick('arp_spa', ADDRESSES)(random), pick('arp_tpa', ADDRESSES)(random)],
    ['icmp', ...ip, `icmp_type=${random.pick([0, 8])}`, 'icmp_code=0'],
    ['tcp', ...ip, 'nw_frag=first', ...ports('tcp')],
    ['udp', ...ip, 'nw_frag=later'],
    ['dl_type=0x1234'],
  ];
  return [...base, ...random.pick(kinds)].join(',');
}
