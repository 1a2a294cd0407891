/**
 * What the switch tells the database: the columns that ovs-vswitchd.conf.db(5) calls status. Only what differs from the replica
 * is written.
 */
import { formatMac } from '../../lib/addresses.ts';
import { datumFromJson, equalData } from '../../ovsdb/data.ts';
import type { Json, JsonObject, ReplicaRow } from '../../ovsdb/index.ts';
import { DummyDevice } from '../dummy/device.ts';
import type { PortCounters } from '../types.ts';
import { datapathIdOf } from './bridge-settings.ts';
import type { LiveBridge, LiveInterface } from './configurator.ts';

const none: Json = ['set', []];
const optional = (value: Json | null): Json => (value === null ? none : value);
const mapOf = (entries: Iterable<readonly [string, Json]>): Json => ['map', [...entries].map(([k, v]) => [k, v])];

/** Collects changes of rows into operations of one transaction. */
export class RowChanges {
  readonly #rows = new Map<string, { readonly row: ReplicaRow; readonly columns: Record<string, Json> }>();

  /** Sets a column, unless the row has that value already. Columns that an older schema has not are passed over. */
  set(row: ReplicaRow, column: string, value: Json): void {
    const schema = row.table.byName.get(column);
    if (!schema || equalData(datumFromJson(schema.type, value, null), row.datum(column))) return;
    let change = this.#rows.get(row.uuid);
    if (!change) this.#rows.set(row.uuid, (change = { row, columns: {} }));
    change.columns[column] = value;
  }

  get operations(): JsonObject[] {
    return [...this.#rows.values()].map(({ row, columns }) => ({
      op: 'update',
      table: row.table.name,
      where: [['_uuid', '==', ['uuid', row.uuid]]],
      row: columns,
    }));
  }
}

const state = (isUp: boolean): string => (isUp ? 'up' : 'down');

/** Columns of an interface but its statistics. */
export function interfaceStatus(changes: RowChanges, live: LiveInterface): void {
  const { row, device, number, error, kind } = live;
  const set = (column: string, value: Json): void => changes.set(row, column, value);
  set('ofport', number ?? -1);
  set('error', optional(error));
  if (number === null) {
    for (const column of ['admin_state', 'link_state', 'mtu', 'mac_in_use', 'ifindex', 'link_resets'])
      set(column, none);
    set('status', mapOf([]));
    set('statistics', mapOf([]));
    return;
  }
  const isAdminUp = device instanceof DummyDevice ? device.isAdminUp : true;
  set('admin_state', state(isAdminUp));
  set('link_state', state(isAdminUp && (device?.isUp ?? true)));
  set('mtu', optional(device?.mtu ?? null));
  set('mac_in_use', formatMac(device?.mac ?? live.mac ?? virtualMac(live)));
  set('ifindex', device instanceof DummyDevice ? device.ifindex : 0);
  set('link_resets', 0);
  set('status', mapOf(statusOf(kind?.kind ?? '', device)));
}

const statusOf = (kind: string, device: LiveInterface['device']): readonly (readonly [string, string])[] =>
  kind === 'device' && device ? [['driver_name', device.type]] : [];

/** Patch ports and tunnels have no device: an address that follows from the row stands for theirs. */
const virtualMac = ({ row }: LiveInterface): Uint8Array => {
  const mac = Uint8Array.from(Buffer.from(row.uuid.replaceAll('-', '').slice(0, 12), 'hex'));
  mac[0] = (mac[0]! & 0xfe) | 0x02;
  return mac;
};

/** The statistics column of an interface. */
export function interfaceStatistics(
  changes: RowChanges,
  live: LiveInterface,
  counters: PortCounters | undefined,
): void {
  if (live.number === null) return;
  const { device } = live;
  if (device instanceof DummyDevice) {
    const { rxPackets, rxBytes, txPackets, txBytes } = device.counts;
    const pairs: Record<string, number> = {
      rx_bytes: rxBytes,
      rx_custom_packets_1: rxPackets,
      rx_custom_packets_2: rxPackets,
      rx_packets: rxPackets,
      rx_q0_bytes: rxBytes,
      rx_q0_packets: rxPackets,
      tx_bytes: txBytes,
      tx_packets: txPackets,
      tx_q0_bytes: txBytes,
      tx_q0_packets: txPackets,
    };
    changes.set(live.row, 'statistics', mapOf(Object.entries(pairs)));
    return;
  }
  if (!counters) return;
  const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = counters;
  const pairs: Record<string, number> = {
    rx_bytes: rxBytes,
    rx_packets: rxPackets,
    tx_bytes: txBytes,
    tx_packets: txPackets,
    ...(device ? { rx_dropped: rxDropped, tx_dropped: txDropped } : {}),
  };
  changes.set(live.row, 'statistics', mapOf(Object.entries(pairs)));
}

export function bridgeStatus(changes: RowChanges, { row, settings, mac }: LiveBridge): void {
  changes.set(row, 'datapath_id', datapathIdOf(settings, mac).toString(16).padStart(16, '0'));
  changes.set(row, 'datapath_version', '<built-in>');
}

/** A controller's connection, as a row of the Controller table shows it. */
export function controllerStatus(
  changes: RowChanges,
  row: ReplicaRow,
  status:
    | { readonly isConnected: boolean; readonly role: string | null; readonly status: Readonly<Record<string, string>> }
    | undefined,
): void {
  changes.set(row, 'is_connected', status?.isConnected ?? false);
  changes.set(row, 'role', status?.role ?? none);
  changes.set(row, 'status', mapOf(Object.entries(status?.status ?? {})));
}

/** Columns of the one row of Open_vSwitch that do not change while the daemon runs. */
export function rootStatus(changes: RowChanges, row: ReplicaRow, types: readonly string[], hasDummies: boolean): void {
  changes.set(row, 'iface_types', ['set', types]);
  changes.set(row, 'datapath_types', ['set', hasDummies ? ['dummy', 'netdev', 'system'] : ['netdev', 'system']]);
  changes.set(row, 'dpdk_initialized', false);
  changes.set(row, 'dpdk_version', 'none');
}
