/**
 * From what a switch is to what it should be: the steps between two desired states.
 *
 * Invariants. What is the same in both is not touched. Steps come in an order in which each can be carried out: removals, then
 * bridges, ports, routes. A port of which only the VLANs change stays; a bridge of which something changes is made anew
 * with its ports, and so is one that loses a route or a neighbour.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import type { TunnelConfig, VlanConfig } from '../../translate/types.ts';
import type { DesiredBridge, DesiredNeighbor, DesiredPort, DesiredRoute, DesiredState } from './types.ts';

export type Step =
  | { readonly does: 'remove-port'; readonly port: DesiredPort }
  | { readonly does: 'remove-bridge'; readonly bridge: DesiredBridge }
  | { readonly does: 'add-bridge'; readonly bridge: DesiredBridge }
  | { readonly does: 'add-port'; readonly port: DesiredPort }
  | { readonly does: 'set-vlan'; readonly port: DesiredPort }
  | { readonly does: 'add-route'; readonly route: DesiredRoute }
  | { readonly does: 'set-neighbor'; readonly neighbor: DesiredNeighbor }
  /** All flows of a bridge, in place of those that it has; null for those of a bridge of which nobody says anything. */
  | { readonly does: 'set-flows'; readonly bridge: string; readonly flows: readonly string[] | null };

/** A switch with nothing on it. */
export const nothing: Omit<DesiredState, 'settings'> = {
  bridges: new Map(),
  ports: new Map(),
  routes: [],
  neighbors: [],
  flows: new Map(),
};

type Picture = Omit<DesiredState, 'settings'>;

const has = (list: readonly unknown[], one: unknown): boolean => list.some((other) => isDeepStrictEqual(one, other));

/** Bridges that are there before and after, but cannot stay. */
function remade(from: Picture, to: Picture): Set<string> {
  const names = new Set<string>();
  for (const bridge of from.bridges.values()) {
    const next = to.bridges.get(bridge.name);
    if (next && !isDeepStrictEqual(bridge, next)) names.add(bridge.name);
  }
  for (const route of from.routes) if (!has(to.routes, route)) names.add(route.bridge);
  for (const neighbor of from.neighbors) if (!has(to.neighbors, neighbor)) names.add(neighbor.bridge);
  return names;
}

export function planSteps(from: Picture, to: Picture): Step[] {
  const again = remade(from, to);
  const leaves = (bridge: string): boolean => again.has(bridge) || !to.bridges.has(bridge);
  const comes = (bridge: string): boolean => again.has(bridge) || !from.bridges.has(bridge);
  const steps: Step[] = [];
  const stays = new Set<string>();
  for (const port of from.ports.values()) {
    const next = to.ports.get(port.name);
    const isSame = next !== undefined && isDeepStrictEqual({ ...port, vlan: null }, { ...next, vlan: null });
    if (leaves(port.bridge) || !isSame) steps.push({ does: 'remove-port', port });
    else stays.add(port.name);
  }
  for (const bridge of from.bridges.values()) if (leaves(bridge.name)) steps.push({ does: 'remove-bridge', bridge });
  for (const bridge of to.bridges.values()) if (comes(bridge.name)) steps.push({ does: 'add-bridge', bridge });
  for (const port of to.ports.values()) {
    if (!stays.has(port.name)) steps.push({ does: 'add-port', port });
    else if (!isDeepStrictEqual(from.ports.get(port.name)!.vlan, port.vlan)) steps.push({ does: 'set-vlan', port });
  }
  for (const route of to.routes)
    if (comes(route.bridge) || !has(from.routes, route)) steps.push({ does: 'add-route', route });
  for (const neighbor of to.neighbors)
    if (comes(neighbor.bridge) || !has(from.neighbors, neighbor)) steps.push({ does: 'set-neighbor', neighbor });
  for (const bridge of to.bridges.keys()) {
    const [old, flows] = [comes(bridge) ? undefined : from.flows.get(bridge), to.flows.get(bridge)];
    if (!isDeepStrictEqual(old, flows)) steps.push({ does: 'set-flows', bridge, flows: flows ?? null });
  }
  return steps;
}

const formatAddress = (bytes: Uint8Array): string => (bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes));

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
  const end = (at: Uint8Array | 'flow' | null): string =>
    at === null ? 'any' : at === 'flow' ? at : formatAddress(at);
  const key = inKey === outKey ? `${inKey ?? 'none'}` : `${inKey ?? 'none'}/${outKey ?? 'none'}`;
  return `${type} from ${end(localIp)} to ${end(remoteIp)}, key ${key}`;
}

/** What stands behind a port, in words. */
export function targetText({ name, target }: DesiredPort): string {
  if (target.kind === 'patch') return `patch to ${target.peer.port}`;
  if (target.kind === 'tunnel') return tunnelText(target.tunnel);
  return target.interface === name ? target.backend : `${target.backend} ${target.interface}`;
}

const routeText = ({ prefix, prefixLength, bridge, gateway }: DesiredRoute): string =>
  `${formatAddress(prefix)}/${prefixLength} by ${bridge}${gateway ? ` via ${formatAddress(gateway)}` : ''}`;

/** One line: a sign (+ comes, - goes, ~ changes), and what. */
export function stepText(step: Step): string {
  switch (step.does) {
    case 'remove-port':
      return `- port ${step.port.name} of ${step.port.bridge}`;
    case 'remove-bridge':
      return `- bridge ${step.bridge.name}`;
    case 'add-bridge': {
      const { name, mac, local, failMode, addresses } = step.bridge;
      const own = addresses.map(({ address, prefixLength }) => ` ${formatAddress(address)}/${prefixLength}`).join('');
      return `+ bridge ${name}: ${formatMac(mac)}, ${failMode}, local ${local}${own}`;
    }
    case 'add-port':
      return `+ port ${step.port.name} of ${step.port.bridge}: ${targetText(step.port)}${vlanText(step.port.vlan)}`;
    case 'set-vlan':
      return `~ port ${step.port.name} of ${step.port.bridge}:${vlanText(step.port.vlan) || ' all VLANs'}`;
    case 'add-route':
      return `+ route ${routeText(step.route)}`;
    case 'set-flows':
      return `~ flows of ${step.bridge}: ${step.flows?.length ?? 'the default'}`;
    case 'set-neighbor':
      return `+ neighbour ${formatAddress(step.neighbor.address)} of ${step.neighbor.bridge} at ${formatMac(step.neighbor.mac)}`;
  }
}
