/** What a match must hold for a field to be there (ovs-fields(7), Prerequisites). */
import { KEY, type KeyField, type PipelineKey } from '../../flow/key.ts';
import type { Prerequisite } from '../../spec/of-fields.ts';

interface Masked {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
}

const onesOf = ({ size }: KeyField): number => (size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff);

/** The field's value when all its bits are matched; null otherwise. */
function exact({ key, mask }: Masked, field: KeyField, bits = onesOf(field)): number | null {
  return (mask.get(field) & bits) >>> 0 === bits ? (key.get(field) & bits) >>> 0 : null;
}

const IPV4 = 0x0800;
const IPV6 = 0x86dd;

/** The Ethertype, or what a packet type of that namespace says in its place. */
function typeOf(m: Masked): number {
  const packetType = exact(m, KEY.packet_type) ?? 0;
  return packetType >>> 16 === 1 ? packetType & 0xffff : (exact(m, KEY.eth_type) ?? -1);
}

const isType = (m: Masked, type: number): boolean => typeOf(m) === type;
function isIp(m: Masked): boolean {
  const type = typeOf(m);
  return type === IPV4 || type === IPV6;
}
const isProtocol = (m: Masked, protocol: number): boolean => isIp(m) && exact(m, KEY.nw_proto) === protocol;
const isIcmpv6 = (m: Masked, ...types: number[]): boolean =>
  isType(m, IPV6) &&
  exact(m, KEY.nw_proto) === 58 &&
  (types.length === 0 || types.includes(exact(m, KEY.tp_src, 0xff) ?? -1));

const CT = { NEW: 1, ESTABLISHED: 2, RELATED: 4, INVALID: 16, TRACKED: 32 } as const;

/** The state says that there is a connection: +new, +est, +rel, or +trk-inv (ovs-actions(7), resubmit). */
function isTracked({ key, mask }: Masked): boolean {
  const [state, known] = [key.get(KEY.ct_state), mask.get(KEY.ct_state)];
  if ((state & known & (CT.NEW | CT.ESTABLISHED | CT.RELATED)) !== 0) return true;
  return (state & known & CT.TRACKED) !== 0 && (known & CT.INVALID) !== 0 && (state & CT.INVALID) === 0;
}

const checks: Readonly<Record<Prerequisite, (m: Masked) => boolean>> = {
  none: () => true,
  ethernet: (m) => m.mask.isZero(KEY.packet_type) || m.key.get(KEY.packet_type) === 0,
  ct: isTracked,
  vlan: (m) => (m.key.get(KEY.vlan_tci) & m.mask.get(KEY.vlan_tci) & 0x1000) !== 0,
  ipv4: (m) => isType(m, IPV4),
  ipv6: (m) => isType(m, IPV6),
  ip: isIp,
  arp: (m) => isType(m, 0x0806) || isType(m, 0x8035),
  mpls: (m) => isType(m, 0x8847) || isType(m, 0x8848),
  nsh: (m) => isType(m, 0x894f),
  tcp: (m) => isProtocol(m, 6),
  udp: (m) => isProtocol(m, 17),
  sctp: (m) => isProtocol(m, 132),
  icmpv4: (m) => isType(m, IPV4) && exact(m, KEY.nw_proto) === 1,
  icmpv6: (m) => isIcmpv6(m),
  nd: (m) => isIcmpv6(m, 135, 136),
  nd_solicit: (m) => isIcmpv6(m, 135),
  nd_advert: (m) => isIcmpv6(m, 136),
};

export const meetsPrerequisite = (match: Masked, needs: Prerequisite): boolean => checks[needs](match);
