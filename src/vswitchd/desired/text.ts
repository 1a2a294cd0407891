/** What a desired state says, in words for a person. */
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import type { TunnelConfig, VlanConfig } from '../../translate/types.ts';
import type { DesiredBridge, DesiredPort } from './types.ts';

const addressText = (bytes: Uint8Array): string => (bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes));

function vlanText({ mode, tag, trunks, cvlans }: Partial<VlanConfig>): string {
  const parts = [
    mode === undefined ? '' : ` ${mode}`,
    tag === undefined ? '' : ` tag ${tag}`,
    trunks ? ` trunks ${[...trunks].join(',')}` : '',
    cvlans ? ` cvlans ${[...cvlans].join(',')}` : '',
  ];
  return parts.join('');
}

function tunnelText({ type, remoteIp, localIp, inKey, outKey }: TunnelConfig): string {
  const end = (at: Uint8Array | 'flow' | null): string => (at === null ? 'any' : at === 'flow' ? at : addressText(at));
  const key = inKey === outKey ? `${inKey ?? 'none'}` : `${inKey ?? 'none'}/${outKey ?? 'none'}`;
  return `${type} from ${end(localIp)} to ${end(remoteIp)}, key ${key}`;
}

function targetText({ name, target }: DesiredPort): string {
  if (target.kind === 'patch') return `patch to ${target.peer.port}`;
  if (target.kind === 'tunnel') return tunnelText(target.tunnel);
  return target.interface === name ? target.backend : `${target.backend} ${target.interface}`;
}

export const portText = (port: DesiredPort): string => `${targetText(port)}${vlanText(port.vlan)}`;

export function bridgeText({ mac, local, failMode, addresses }: DesiredBridge): string {
  const own = addresses.map(({ address, prefixLength }) => ` ${addressText(address)}/${prefixLength}`).join('');
  return `${formatMac(mac)}, ${failMode}, local ${local}${own}`;
}
