/**
 * The tunnel port that takes a decapsulated packet: the one whose settings fit the packet's tunnel metadata most closely.
 * A key that is fixed beats one from the flow, then a fixed remote address, then a fixed local one (ovs-vswitchd.conf.db(5),
 * "Tunnel Options").
 */
import { type FlowKey, KEY } from '../../flow/key.ts';
import { equalBytes } from '../../lib/bytes.ts';
import type { PortPicture, SwitchPicture, TunnelConfig } from '../types.ts';

const outer = (flow: FlowKey, end: 'src' | 'dst'): Uint8Array => {
  const [v4, v6] = end === 'src' ? [KEY.tun_src, KEY.tun_ipv6_src] : [KEY.tun_dst, KEY.tun_ipv6_dst];
  return flow.isZero(v4) ? flow.at(v6) : flow.at(v4);
};

/** How closely settings fit, higher is closer; -1 when they do not. */
function closeness({ inKey, remoteIp, localIp }: TunnelConfig, flow: FlowKey): number {
  if (inKey !== 'flow' && (inKey ?? 0n) !== flow.getU64(KEY.tun_id)) return -1;
  if (remoteIp !== 'flow' && !equalBytes(remoteIp, outer(flow, 'src'))) return -1;
  if (localIp !== 'flow' && localIp !== null && !equalBytes(localIp, outer(flow, 'dst'))) return -1;
  const local = localIp === 'flow' ? 0 : localIp === null ? 1 : 2;
  return (inKey === 'flow' ? 0 : 8) + (remoteIp === 'flow' ? 0 : 4) + local;
}

/** @param key a datapath key whose in_port is a tunnel's datapath port */
export function findTunnelPort(picture: SwitchPicture, key: FlowKey): PortPicture | null {
  const dpPort = key.get(KEY.in_port);
  let best: PortPicture | null = null;
  let bestScore = -1;
  for (const port of picture.tunnelPorts) {
    if (port.dpPort !== dpPort) continue;
    const score = closeness(port.tunnel!, key);
    if (score > bestScore) [best, bestScore] = [port, score];
  }
  return best;
}
