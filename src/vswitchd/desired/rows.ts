/**
 * The desired state as rows of the Open_vSwitch database (ovs-vswitchd.conf.db(5)).
 *
 * Terms. *Columns*: of them the whole value is meant. *Maps*: of them only the keys that MANAGED names are meant; other keys are
 * somebody else's.
 */
import { formatIpv4, formatIpv6, formatMac } from '../../lib/addresses.ts';
import { SECOND } from '../../lib/clock.ts';
import type { Json } from '../../ovsdb/index.ts';
import type { TunnelConfig } from '../../translate/types.ts';
import type { DesiredBridge, DesiredPort, DesiredState } from './types.ts';

export type Picture = Omit<DesiredState, 'settings'>;

export interface WantedRow {
  readonly columns: Readonly<Record<string, Json>>;
  readonly maps: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface WantedPort {
  readonly port: DesiredPort;
  readonly row: WantedRow;
  readonly interface: WantedRow;
}

export interface WantedBridge {
  readonly bridge: DesiredBridge;
  readonly row: WantedRow;
  /** Of the bridge's own interface. */
  readonly interface: WantedRow;
  /** By name. */
  readonly ports: ReadonlyMap<string, WantedPort>;
}

/** The mark of rows that come from a file: its value is the file's name. */
export const OWNER = 'weft-owner';
/** Of a bridge whose flows come from a file. */
export const FLOWS = 'weft-flows';

/** Keys of maps that are the file's; null for all. */
export const MANAGED: Readonly<Record<string, Readonly<Record<string, readonly string[] | null>>>> = {
  Bridge: {
    other_config: [
      'hwaddr',
      'mac-aging-time',
      'mac-table-size',
      'forward-bpdu',
      'weft-local',
      'weft-addresses',
      'weft-routes',
      'weft-neighbors',
    ],
    external_ids: [OWNER, FLOWS],
  },
  Port: { other_config: ['qinq-ethertype', 'priority-tags'], external_ids: [OWNER] },
  Interface: { options: null, external_ids: [OWNER] },
};

const MAC_AGING_DEFAULT = 300;
const MAC_TABLE_SIZE_DEFAULT = 8192;

const setOf = (values: readonly Json[]): Json => ['set', [...values]];
const optional = (value: Json | undefined | null): Json => (value === undefined || value === null ? setOf([]) : value);
const addressText = (bytes: Uint8Array): string => (bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes));

/** Settings that are there, as text. */
function texts(settings: Readonly<Record<string, string | number | bigint | boolean | null>>): Record<string, string> {
  const known = Object.entries(settings).filter(([, value]) => value !== null);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

function bridgeRow(state: Picture, bridge: DesiredBridge, owner: string): WantedRow {
  const { name, mac, local, addresses, failMode, forwardBpdu, macTableSize } = bridge;
  const networks = addresses.map(({ address, prefixLength }) => `${addressText(address)}/${prefixLength}`);
  const routes = state.routes.filter((route) => route.bridge === name);
  const routeTexts = routes.map(
    ({ prefix, prefixLength, gateway }) =>
      `${addressText(prefix)}/${prefixLength}${gateway ? ` ${addressText(gateway)}` : ''}`,
  );
  const neighbors = state.neighbors.filter((neighbor) => neighbor.bridge === name);
  const neighborTexts = neighbors.map(({ address, mac: to }) => `${addressText(address)} ${formatMac(to)}`);
  const macAging = bridge.macAging / SECOND;
  const list = (entries: readonly string[]): string | null => (entries.length > 0 ? entries.join(',') : null);
  return {
    columns: {
      datapath_type: 'netdev',
      fail_mode: failMode === 'secure' ? 'secure' : setOf([]),
    },
    maps: {
      other_config: texts({
        hwaddr: formatMac(mac),
        'mac-aging-time': macAging === MAC_AGING_DEFAULT ? null : macAging,
        'mac-table-size': macTableSize === MAC_TABLE_SIZE_DEFAULT ? null : macTableSize,
        'forward-bpdu': forwardBpdu || null,
        'weft-local': local,
        'weft-addresses': list(networks),
        'weft-routes': list(routeTexts),
        'weft-neighbors': list(neighborTexts),
      }),
      external_ids: texts({ [OWNER]: owner, [FLOWS]: state.flows.has(name) || null }),
    },
  };
}

function portRow({ vlan, protected: isProtected }: DesiredPort, owner: string): WantedRow {
  return {
    columns: {
      tag: optional(vlan.tag),
      vlan_mode: optional(vlan.mode),
      trunks: setOf([...(vlan.trunks ?? [])]),
      cvlans: setOf([...(vlan.cvlans ?? [])]),
      protected: isProtected,
    },
    maps: {
      other_config: texts({
        'qinq-ethertype':
          vlan.qinqEthertype === undefined ? null : vlan.qinqEthertype === 0x8100 ? '802.1q' : '802.1ad',
        'priority-tags': vlan.priorityTags ?? null,
      }),
      external_ids: { [OWNER]: owner },
    },
  };
}

const tunnelEnd = (at: Uint8Array | 'flow' | null): string | null =>
  at === null || at === 'flow' ? at : addressText(at);

const tunnelOptions = (tunnel: TunnelConfig): Record<string, string> =>
  texts({
    remote_ip: tunnelEnd(tunnel.remoteIp),
    local_ip: tunnelEnd(tunnel.localIp),
    ...(tunnel.inKey === tunnel.outKey ? { key: tunnel.inKey } : { in_key: tunnel.inKey, out_key: tunnel.outKey }),
    dst_port: tunnel.type === 'gre' ? null : tunnel.dstPort,
    tos: tunnel.tos === 0 ? null : tunnel.tos,
    ttl: tunnel.ttl === 64 ? null : tunnel.ttl,
    df_default: tunnel.dontFragment ? null : false,
    csum: tunnel.csum || null,
  });

const interfaceTypes: Readonly<Record<string, string>> = { packet: 'system' };
const xdpModes: Readonly<Record<string, string>> = { auto: 'best-effort', zerocopy: 'native-with-zerocopy' };

function interfaceRow({ name, ofport, target }: DesiredPort, owner: string): WantedRow {
  const common = { ofport_request: optional(ofport) };
  const ids = { external_ids: { [OWNER]: owner } };
  const none = { mtu_request: setOf([]), mac: setOf([]) };
  if (target.kind === 'patch')
    return { columns: { ...common, ...none, type: 'patch' }, maps: { options: { peer: target.peer.port }, ...ids } };
  if (target.kind === 'tunnel') {
    const { tunnel } = target;
    return { columns: { ...common, ...none, type: tunnel.type }, maps: { options: tunnelOptions(tunnel), ...ids } };
  }
  const { backend, interface: device, options } = target;
  const { mtu, mac, mode, queues, ...rest } = options as Record<string, string | number | boolean | undefined>;
  return {
    columns: {
      ...common,
      type: interfaceTypes[backend] ?? backend,
      mtu_request: optional(mtu),
      mac: optional(mac),
    },
    maps: {
      options: texts({
        ...(rest as Record<string, string | number | boolean>),
        n_rxq: queues ?? null,
        'xdp-mode': mode === undefined ? null : (xdpModes[String(mode)] ?? String(mode)),
        'weft-interface': device === name ? null : device,
      }),
      ...ids,
    },
  };
}

/** Bridges by name. @param owner what the rows are marked with */
export function wantedRows(state: Picture, owner: string): Map<string, WantedBridge> {
  const bridges = new Map<string, WantedBridge>();
  for (const bridge of state.bridges.values()) {
    const ports = [...state.ports.values()].filter((port) => port.bridge === bridge.name);
    bridges.set(bridge.name, {
      bridge,
      row: bridgeRow(state, bridge, owner),
      interface: {
        columns: { type: 'internal', mtu_request: optional(bridge.mtu) },
        maps: { options: {}, external_ids: { [OWNER]: owner } },
      },
      ports: new Map(
        ports.map((port) => [port.name, { port, row: portRow(port, owner), interface: interfaceRow(port, owner) }]),
      ),
    });
  }
  return bridges;
}
