/** The attributes of a datapath flow, in the order in which they are written. */
import type { Attribute } from './attribute.ts';
import { ctAttributes } from './ct.ts';
import { ethAttribute, ethTypeAttribute, vlanAttribute } from './ethernet.ts';
import { arpAttribute, ipv4Attribute, ipv6Attribute } from './ip.ts';
import { metaAfterTunnel, metaBeforeEthernet, metaBeforeTunnel } from './meta.ts';
import { mplsAttribute } from './mpls.ts';
import { nshAttribute } from './nsh.ts';
import {
  icmpAttribute,
  icmpv6Attribute,
  ndAttribute,
  ndExtAttribute,
  sctpAttribute,
  tcpAttribute,
  tcpFlagsAttribute,
  udpAttribute,
} from './transport.ts';
import { tunnelAttribute } from './tunnel.ts';

/** What stands before any tag. */
export const outerAttributes: readonly Attribute[] = [
  ...metaBeforeTunnel,
  tunnelAttribute,
  ...metaAfterTunnel,
  ...ctAttributes,
  ...metaBeforeEthernet,
  ethAttribute,
];

/** What stands behind the tags. */
export const innerAttributes: readonly Attribute[] = [
  ethTypeAttribute,
  ipv4Attribute,
  ipv6Attribute,
  arpAttribute,
  mplsAttribute,
  nshAttribute,
  tcpAttribute,
  tcpFlagsAttribute,
  udpAttribute,
  sctpAttribute,
  icmpAttribute,
  icmpv6Attribute,
  ndAttribute,
  ndExtAttribute,
];

const byName = new Map([...outerAttributes, ...innerAttributes, vlanAttribute].map((a) => [a.name, a]));

export const attributeByName = (name: string): Attribute | undefined => byName.get(name);
