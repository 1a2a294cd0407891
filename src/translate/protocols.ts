/** Questions about a flow key that translation asks again and again. */
import { type FlowKey, KEY, type KeyField, PIPELINE } from '../flow/key.ts';

export const ETH_TYPE_IP = 0x0800;
export const ETH_TYPE_ARP = 0x0806;
export const ETH_TYPE_IPV6 = 0x86dd;

export const isIp = (flow: FlowKey): boolean => {
  const type = flow.get(KEY.eth_type);
  return type === ETH_TYPE_IP || type === ETH_TYPE_IPV6;
};

export const isMpls = (flow: FlowKey): boolean => {
  const type = flow.get(KEY.eth_type);
  return type === 0x8847 || type === 0x8848;
};

/** Whether a packet came out of a tunnel: it has an outer destination. */
export const hasTunnel = (flow: FlowKey): boolean => !flow.isZero(KEY.tun_dst) || !flow.isZero(KEY.tun_ipv6_dst);

/** Tunnel metadata lies in one run of words. */
const TUNNEL_WORDS = [KEY.tun_id.offset / 4, (KEY.tun_opts.offset + KEY.tun_opts.size) / 4] as const;

export function clearTunnel(key: FlowKey): void {
  key.words.fill(0, ...TUNNEL_WORDS);
}

export function copyTunnel(to: FlowKey, from: FlowKey): void {
  for (let i = TUNNEL_WORDS[0]; i < TUNNEL_WORDS[1]; i++) to.words[i] = from.words[i]!;
}

/** Connection metadata lies in one run of words before it, ct_mark aside. */
const CONNECTION_WORDS = [KEY.ct_state.offset / 4, KEY.tun_id.offset / 4] as const;

export function clearConnection(key: FlowKey): void {
  key.setZero(KEY.ct_mark).words.fill(0, ...CONNECTION_WORDS);
}

/** What actset_output says while the action set has no output: no port has this number. */
export const ACTSET_UNSET = 0xfffffff7;

/** Another bridge knows nothing of this one's registers and metadata. */
export function clearPipeline(key: FlowKey): void {
  key.bytes.fill(0, PIPELINE.metadata.offset);
  key.set(PIPELINE.actset_output as KeyField, ACTSET_UNSET);
}
