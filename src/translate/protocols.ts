/** Questions about a flow key that translation asks again and again. */
import { type FlowKey, KEY } from '../flow/key.ts';

export const ETH_TYPE_IP = 0x0800;
export const ETH_TYPE_ARP = 0x0806;
export const ETH_TYPE_IPV6 = 0x86dd;

export const isIp = (flow: FlowKey): boolean => {
  const type = flow.get(KEY.eth_type);
  return type === ETH_TYPE_IP || type === ETH_TYPE_IPV6;
};

/** Whether a packet came out of a tunnel: it has an outer destination. */
export const hasTunnel = (flow: FlowKey): boolean => !flow.isZero(KEY.tun_dst) || !flow.isZero(KEY.tun_ipv6_dst);

export const isBroadcast = (mac: Uint8Array): boolean => mac.every((byte) => byte === 0xff);
