/** Which bridge a packet is in, and by which of its ports it came. */
import { inPortOf, KEY } from '../flow/key.ts';
import { hasTunnel } from './protocols.ts';
import { findTunnelPort } from './tunnel/receive.ts';
import type { BridgePicture, OfPort, PortPicture, XlateIn } from './types.ts';

export interface Ingress {
  readonly bridge: BridgePicture;
  readonly ofport: OfPort;
  /** null for a packet that the control side made. */
  readonly port: PortPicture | null;
}

export function findIngress({ picture, key, ingress }: XlateIn): Ingress | 'in_port_invalid' | 'tunnel_no_config' {
  if (ingress) {
    const bridge = picture.bridges.get(ingress.bridge);
    if (!bridge) return 'in_port_invalid';
    return { bridge, ofport: ingress.ofport, port: bridge.ports.get(ingress.ofport) ?? null };
  }
  const port = hasTunnel(key) ? findTunnelPort(picture, key) : picture.portsByDpPort.get(inPortOf(key));
  const bridge = port && picture.bridges.get(port.bridge);
  if (!port || !bridge) return key.isZero(KEY.tun_dst) && !hasTunnel(key) ? 'in_port_invalid' : 'tunnel_no_config';
  return { bridge, ofport: port.ofport, port };
}
