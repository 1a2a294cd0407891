/** Words that stand for a whole protocol: `tcp` is dl_type=0x0800,nw_proto=6. */
import type { Layers } from '../odp/match/prerequisites.ts';
import type { Needs } from './field.ts';

export interface Protocol {
  readonly name: string;
  readonly ethType: number;
  readonly nwProto: number | null;
  /** Read, but never written. */
  readonly isAlias?: boolean;
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;

export const protocols: readonly Protocol[] = [
  { name: 'ip', ethType: IPV4, nwProto: null },
  { name: 'ipv4', ethType: IPV4, nwProto: null, isAlias: true },
  { name: 'ip4', ethType: IPV4, nwProto: null, isAlias: true },
  { name: 'icmp', ethType: IPV4, nwProto: 1 },
  { name: 'tcp', ethType: IPV4, nwProto: 6 },
  { name: 'udp', ethType: IPV4, nwProto: 17 },
  { name: 'sctp', ethType: IPV4, nwProto: 132 },
  { name: 'ipv6', ethType: IPV6, nwProto: null },
  { name: 'ip6', ethType: IPV6, nwProto: null, isAlias: true },
  { name: 'icmp6', ethType: IPV6, nwProto: 58 },
  { name: 'icmpv6', ethType: IPV6, nwProto: 58, isAlias: true },
  { name: 'tcp6', ethType: IPV6, nwProto: 6 },
  { name: 'udp6', ethType: IPV6, nwProto: 17 },
  { name: 'sctp6', ethType: IPV6, nwProto: 132 },
  { name: 'arp', ethType: 0x0806, nwProto: null },
  { name: 'rarp', ethType: 0x8035, nwProto: null },
  { name: 'mpls', ethType: 0x8847, nwProto: null },
  { name: 'mplsm', ethType: 0x8848, nwProto: null },
];

/** The word that says most of what is known wholly; null when there is none. */
export function protocolOf({ ethType, protocol }: Layers): Protocol | null {
  const candidates = protocols.filter((p) => !p.isAlias && p.ethType === ethType);
  return (
    candidates.find((p) => p.nwProto !== null && p.nwProto === protocol) ??
    candidates.find((p) => p.nwProto === null) ??
    null
  );
}

const needsType =
  (...types: number[]): Needs =>
  ({ ethType }) =>
    ethType !== null && types.includes(ethType) ? null : 'its Ethertype';

export const needsIp: Needs = needsType(IPV4, IPV6);
export const needsIpv4: Needs = needsType(IPV4);
export const needsIpv6: Needs = needsType(IPV6);
export const needsArp: Needs = needsType(0x0806, 0x8035);
export const needsMpls: Needs = needsType(0x8847, 0x8848);
export const needsNsh: Needs = needsType(0x894f);

export const needsTransport =
  (...numbers: number[]): Needs =>
  (layers) =>
    needsIp(layers) ?? (numbers.includes(layers.protocol ?? -1) ? null : 'its protocol');

export const needsIcmp =
  (number: 1 | 58): Needs =>
  (layers) =>
    (number === 1 ? needsIpv4 : needsIpv6)(layers) ?? (layers.protocol === number ? null : 'its protocol');

export const needsNd =
  (...types: number[]): Needs =>
  (layers) =>
    needsIcmp(58)(layers) ?? (types.includes(layers.icmpType ?? -1) ? null : 'its ICMPv6 type');
