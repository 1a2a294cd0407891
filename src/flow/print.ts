/**
 * A whole flow key as OpenFlow-style text: what Open vSwitch prints for a packet (ovs-ofctl parse-pcap, the first line
 * of ofproto/trace). Metadata that is zero is left out; header fields that the packet's type has are all shown.
 */
import { FRAG_ANY, FRAG_LATER, TUNNEL_FLAG_KEY, TUNNEL_FLAG_OAM, VLAN_CFI } from '../gen/key.ts';
import { formatIpv4, formatIpv6, formatMac } from '../lib/addresses.ts';
import { toHex } from '../lib/bytes.ts';
import { type FlowKey, KEY, type KeyField, PIPELINE } from './key.ts';

export interface PrintOptions {
  /** The OpenFlow port to show for in_port: a number (0 to leave it out) or a name. The key's in_port when left out. */
  readonly inPort?: number | string;
}

/** Names of OpenFlow's reserved ports (OpenFlow 1.5 §7.2.1.1, Open vSwitch's spelling). */
const reservedPorts: Readonly<Record<number, string>> = {
  65527: 'UNSET',
  65528: 'IN_PORT',
  65529: 'TABLE',
  65530: 'NORMAL',
  65531: 'FLOOD',
  65532: 'ALL',
  65533: 'CONTROLLER',
  65534: 'LOCAL',
  65535: 'ANY',
};

/** Bit 0 first. */
const tcpFlagNames = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]'];
const ctStateNames = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const hex = (value: number | bigint, digits = 1): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** Names of the bits that are set, or 0 when none is. */
const flagNames = (value: number, names: readonly string[]): string =>
  names.filter((_, bit) => value & (1 << bit)).join('|') || '0';

/** The key as text, fields separated by commas. */
export function printKey(key: FlowKey, options: PrintOptions = {}): string {
  const isEthernet = key.get(KEY.packet_type) === 0;
  const shorthand = isEthernet ? protocolWord(key) : '';
  const out = [...metadata(key), ...packetType(key)];
  if (shorthand) out.push(shorthand);
  out.push(...registers(key), ...tunnel(key), ...pipelineMetadata(key), ...inPort(key, options));
  if (isEthernet) {
    out.push(...vlans(key), `dl_src=${formatMac(key.at(KEY.eth_src))}`, `dl_dst=${formatMac(key.at(KEY.eth_dst))}`);
    if (!shorthand) out.push(`dl_type=${hex(key.get(KEY.eth_type), 4)}`);
  }
  out.push(...network(key, shorthand));
  return out.join(',');
}

const ipWords: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 132: 'sctp' };
const ip6Words: Readonly<Record<number, string>> = { 6: 'tcp6', 17: 'udp6', 58: 'icmp6', 132: 'sctp6' };

/** The word that stands for eth_type, and for nw_proto when it can; '' when no word says it. */
function protocolWord(key: FlowKey): string {
  const proto = key.get(KEY.nw_proto);
  switch (key.get(KEY.eth_type)) {
    case 0x0800:
      return ipWords[proto] ?? 'ip';
    case 0x86dd:
      return ip6Words[proto] ?? 'ipv6';
    case 0x0806:
      return 'arp';
    case 0x8035:
      return 'rarp';
    case 0x8847:
      return 'mpls';
    case 0x8848:
      return 'mplsm';
    default:
      return '';
  }
}

/** Ethernet goes without saying, but for a packet that came round: Open vSwitch then takes the key for a megaflow's. */
function packetType(key: FlowKey): string[] {
  const type = key.get(KEY.packet_type);
  if (type === 0) return key.isZero(KEY.recirc_id) ? [] : ['eth'];
  return [`packet_type=(${type >>> 16},${hex(type & 0xffff)})`];
}

/** `name=value` when the field is not all zero. */
function ifSet(key: FlowKey, field: KeyField, format: (key: FlowKey) => string, name: string = field.name): string[] {
  return key.isZero(field) ? [] : [`${name}=${format(key)}`];
}

const number = (field: KeyField) => (key: FlowKey) => String(key.get(field));
const hexNumber = (field: KeyField) => (key: FlowKey) => hex(key.get(field));
const ipv4 = (field: KeyField) => (key: FlowKey) => formatIpv4(key.at(field));
const ipv6 = (field: KeyField) => (key: FlowKey) => formatIpv6(key.at(field));

/** Pipeline fields lie behind the packet's key: only a PipelineKey has them. */
const hasPipeline = (key: FlowKey): boolean => key.bytes.length > PIPELINE.metadata.offset;
const pipelineField = (name: keyof typeof PIPELINE): KeyField => PIPELINE[name] as unknown as KeyField;

const conjunctionId = (key: FlowKey): string[] =>
  hasPipeline(key) ? ifSet(key, pipelineField('conj_id'), number(pipelineField('conj_id'))) : [];

function registers(key: FlowKey): string[] {
  if (!hasPipeline(key)) return [];
  return Array.from({ length: 16 }, (_, i) => pipelineField(`reg${i}` as keyof typeof PIPELINE)).flatMap((field) =>
    ifSet(key, field, hexNumber(field)),
  );
}

const pipelineMetadata = (key: FlowKey): string[] =>
  hasPipeline(key) ? ifSet(key, pipelineField('metadata'), () => hex(key.getU64(pipelineField('metadata')))) : [];

function metadata(key: FlowKey): string[] {
  const words = [
    ...ifSet(key, KEY.pkt_mark, hexNumber(KEY.pkt_mark)),
    ...ifSet(key, KEY.recirc_id, hexNumber(KEY.recirc_id)),
    ...ifSet(key, KEY.dp_hash, hexNumber(KEY.dp_hash)),
    ...conjunctionId(key),
    ...ifSet(key, KEY.skb_priority, hexNumber(KEY.skb_priority)),
    ...ifSet(key, KEY.ct_state, () => flagNames(key.get(KEY.ct_state), ctStateNames)),
    ...ifSet(key, KEY.ct_zone, number(KEY.ct_zone)),
    ...ifSet(key, KEY.ct_mark, hexNumber(KEY.ct_mark)),
    ...ifSet(key, KEY.ct_label, () => hex(BigInt(`0x${toHex(key.at(KEY.ct_label))}`))),
  ];
  if (key.isZero(KEY.ct_nw_proto)) return words;
  const isIpv6 = key.get(KEY.eth_type) === 0x86dd;
  const tuple = isIpv6
    ? [`ct_ipv6_src=${ipv6(KEY.ct_ipv6_src)(key)}`, `ct_ipv6_dst=${ipv6(KEY.ct_ipv6_dst)(key)}`]
    : [`ct_nw_src=${ipv4(KEY.ct_nw_src)(key)}`, `ct_nw_dst=${ipv4(KEY.ct_nw_dst)(key)}`];
  const ports = [`ct_tp_src=${key.get(KEY.ct_tp_src)}`, `ct_tp_dst=${key.get(KEY.ct_tp_dst)}`];
  return [...words, ...tuple, `ct_nw_proto=${key.get(KEY.ct_nw_proto)}`, ...ports];
}

function inPort(key: FlowKey, options: PrintOptions): string[] {
  const port = options.inPort ?? key.get(KEY.in_port);
  if (port === 0) return [];
  return [`in_port=${typeof port === 'number' ? (reservedPorts[port & 0xffff] ?? port) : port}`];
}

/** The tunnel that the packet came out of, all of it; only tun_id for a packet without an outer destination. */
function tunnel(key: FlowKey): string[] {
  const id = hex(key.getU64(KEY.tun_id));
  if (key.isZero(KEY.tun_dst) && key.isZero(KEY.tun_ipv6_dst)) return key.isZero(KEY.tun_id) ? [] : [`tun_id=${id}`];
  const flags = key.get(KEY.tun_flags);
  return [
    ...(flags & TUNNEL_FLAG_KEY ? [`tun_id=${id}`] : []),
    `tun_src=${ipv4(KEY.tun_src)(key)}`,
    `tun_dst=${ipv4(KEY.tun_dst)(key)}`,
    `tun_ipv6_src=${ipv6(KEY.tun_ipv6_src)(key)}`,
    `tun_ipv6_dst=${ipv6(KEY.tun_ipv6_dst)(key)}`,
    `tun_gbp_id=${key.get(KEY.tun_gbp_id)}`,
    // a zero is printed without 0x in front, as C's %#x does
    `tun_gbp_flags=${key.isZero(KEY.tun_gbp_flags) ? '0' : hexNumber(KEY.tun_gbp_flags)(key)}`,
    `tun_tos=${key.get(KEY.tun_tos).toString(16)}`,
    `tun_ttl=${key.get(KEY.tun_ttl)}`,
    // ERSPAN and GTP-U are not in the key
    'tun_erspan_ver=0,gtpu_flags=0,gtpu_msgtype=0',
    `tun_flags=${flags & TUNNEL_FLAG_OAM ? 'oam' : '0'}`,
  ];
}

/** Both tags, up to and with the first that is not there. */
function vlans(key: FlowKey): string[] {
  const out: string[] = [];
  for (const [field, suffix] of [
    [KEY.vlan_tci, ''],
    [KEY.vlan2_tci, '1'],
  ] as const) {
    const tci = key.get(field);
    if (tci !== 0 && (tci & VLAN_CFI) === 0) {
      // Only an action can make such a tag
      out.push(`vlan_tci${suffix}=${hex(tci, 4)}`);
      continue;
    }
    if (tci === 0) return [...out, `vlan_tci${suffix}=0x0000`];
    out.push(`dl_vlan${suffix}=${tci & 0xfff}`, `dl_vlan_pcp${suffix}=${tci >>> 13}`);
  }
  return out;
}

function network(key: FlowKey, shorthand: string): string[] {
  switch (key.get(KEY.eth_type)) {
    case 0x0800:
      return [
        `nw_src=${ipv4(KEY.ipv4_src)(key)}`,
        `nw_dst=${ipv4(KEY.ipv4_dst)(key)}`,
        ...ip(key, shorthand),
        ...transport(key),
      ];
    case 0x86dd:
      return [
        `ipv6_src=${ipv6(KEY.ipv6_src)(key)}`,
        `ipv6_dst=${ipv6(KEY.ipv6_dst)(key)}`,
        `ipv6_label=${hex(key.get(KEY.ipv6_label), 5)}`,
        ...ip(key, shorthand),
        ...transport(key),
      ];
    case 0x0806:
    case 0x8035:
      return [
        `arp_spa=${ipv4(KEY.ipv4_src)(key)}`,
        `arp_tpa=${ipv4(KEY.ipv4_dst)(key)}`,
        `arp_op=${key.get(KEY.nw_proto)}`,
        `arp_sha=${formatMac(key.at(KEY.arp_sha))}`,
        `arp_tha=${formatMac(key.at(KEY.arp_tha))}`,
      ];
    case 0x8847:
    case 0x8848:
      return mpls(key);
    case 0x894f:
      return [...nsh(key), ...ip(key, shorthand)];
    default:
      return [];
  }
}

/** The part that IPv4 and IPv6 have in common. */
function ip(key: FlowKey, shorthand: string): string[] {
  const isSaid = !['', 'ip', 'ipv6'].includes(shorthand);
  const tos = key.get(KEY.nw_tos);
  const frag = key.get(KEY.nw_frag);
  const fragWord = frag & FRAG_LATER ? 'later' : frag & FRAG_ANY ? 'first' : 'no';
  return [
    ...(isSaid ? [] : [`nw_proto=${key.get(KEY.nw_proto)}`]),
    `nw_tos=${tos & 0xfc}`,
    `nw_ecn=${tos & 3}`,
    `nw_ttl=${key.get(KEY.nw_ttl)}`,
    `nw_frag=${fragWord}`,
  ];
}

function transport(key: FlowKey): string[] {
  const proto = key.get(KEY.nw_proto);
  const hasPorts = [1, 2, 6, 17, 58, 132].includes(proto) && !(key.get(KEY.nw_frag) & FRAG_LATER);
  if (!hasPorts) return [];
  const isIpv6 = key.get(KEY.eth_type) === 0x86dd;
  const isIcmp = proto === (isIpv6 ? 58 : 1);
  const [src, dst] = isIcmp ? ['icmp_type', 'icmp_code'] : ['tp_src', 'tp_dst'];
  const out = [`${src}=${key.get(KEY.tp_src)}`, `${dst}=${key.get(KEY.tp_dst)}`];
  if (proto === 6) out.push(`tcp_flags=${flagNames(key.get(KEY.tcp_flags), tcpFlagNames)}`);
  if (isIpv6 && isIcmp) out.push(...neighbourDiscovery(key));
  return out;
}

function neighbourDiscovery(key: FlowKey): string[] {
  const type = key.get(KEY.tp_src);
  if (key.get(KEY.tp_dst) !== 0 || (type !== 135 && type !== 136)) return [];
  return [
    `nd_target=${formatIpv6(key.at(KEY.nd_target))}`,
    `nd_sll=${formatMac(key.at(KEY.arp_sha))}`,
    `nd_tll=${formatMac(key.at(KEY.arp_tha))}`,
  ];
}

/** Labels up to the bottom of the stack: the first in its parts, the others whole. */
function mpls(key: FlowKey): string[] {
  const first = key.get(KEY.mpls_lse0);
  const out = [
    `mpls_label=${first >>> 12}`,
    `mpls_tc=${(first >>> 9) & 7}`,
    `mpls_ttl=${first & 0xff}`,
    `mpls_bos=${(first >>> 8) & 1}`,
  ];
  if (first & 0x100) return out;
  out.push(`mpls_lse1=${key.get(KEY.mpls_lse1)}`);
  return key.get(KEY.mpls_lse1) & 0x100 ? out : [...out, `mpls_lse2=${key.get(KEY.mpls_lse2)}`];
}

function nsh(key: FlowKey): string[] {
  const path = key.get(KEY.nsh_path);
  const mdType = key.get(KEY.nsh_mdtype);
  const out = [
    `nsh_flags=${key.get(KEY.nsh_flags)}`,
    `nsh_ttl=${key.get(KEY.nsh_ttl)}`,
    `nsh_mdtype=${mdType}`,
    `nsh_np=${key.get(KEY.nsh_np)}`,
    `nsh_spi=${hex(path >>> 8)}`,
    `nsh_si=${path & 0xff}`,
  ];
  if (mdType !== 1) return out;
  const context = [KEY.nsh_c1, KEY.nsh_c2, KEY.nsh_c3, KEY.nsh_c4];
  return [...out, ...context.map((field, i) => `nsh_c${i + 1}=${hex(key.get(field))}`)];
}
