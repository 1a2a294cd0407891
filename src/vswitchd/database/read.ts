/** What the rows of the Open_vSwitch database ask for (ovs-vswitchd.conf.db(5)): bridges, ports and interfaces. */
import type { Replica, ReplicaRow } from '../../ovsdb/index.ts';
import type { PriorityTags, VlanConfig, VlanMode } from '../../translate/types.ts';
import { inNameOrder } from './reference-order.ts';

export interface WantedInterface {
  readonly name: string;
  /** `internal` for a bridge's own interface, whatever the row says; `system` for an empty type. */
  readonly type: string;
  readonly row: ReplicaRow;
  readonly port: WantedPort;
}

export interface WantedPort {
  readonly name: string;
  readonly row: ReplicaRow;
  readonly interfaces: readonly ReplicaRow[];
}

export interface WantedBridge {
  readonly name: string;
  readonly row: ReplicaRow;
  /** In the order in which they are numbered: those that ask for a number first. */
  readonly interfaces: readonly WantedInterface[];
}

const OFPP_MAX = 0xff00;

/** A number of an OpenFlow port that a column holds; null when it is none. */
export function portNumber(row: ReplicaRow, column: 'ofport' | 'ofport_request'): number | null {
  const number = row.integer(column);
  return number !== null && number >= 1 && number < OFPP_MAX ? number : null;
}

export const rootOf = (replica: Replica): ReplicaRow | null =>
  replica.table('Open_vSwitch').values().next().value ?? null;

const rowsOf = (replica: Replica, table: string, uuids: readonly string[]): ReplicaRow[] =>
  uuids.map((uuid) => replica.row(table, uuid)).filter((row) => row !== null);

function interfacesOf(bridge: string, ports: readonly WantedPort[]): WantedInterface[] {
  const all = ports.flatMap((port) =>
    port.interfaces.map((row): WantedInterface => {
      const name = row.string('name');
      const type = name === bridge ? 'internal' : row.string('type') || 'system';
      return { name, type, row, port };
    }),
  );
  const asks = ({ row }: WantedInterface): boolean => portNumber(row, 'ofport_request') !== null;
  return [...all.filter(asks), ...all.filter((one) => !asks(one))];
}

/** Bridges by name; names that slashes or repetition make useless are left out, with a line for the log. */
export function readBridges(replica: Replica, warn: (text: string) => void): Map<string, WantedBridge> {
  const root = rootOf(replica);
  const bridges = new Map<string, WantedBridge>();
  const rows = rowsOf(replica, 'Bridge', root?.refs('bridges') ?? []);
  for (const row of inNameOrder(rows, (one) => one.string('name'))) {
    const name = row.string('name');
    if (name.includes('/')) {
      warn(`ignoring bridge with invalid name "${name}"`);
      continue;
    }
    if (bridges.has(name)) {
      warn(`bridge ${name} specified twice`);
      continue;
    }
    const ports = rowsOf(replica, 'Port', row.refs('ports')).map(
      (port): WantedPort => ({
        name: port.string('name'),
        row: port,
        interfaces: rowsOf(replica, 'Interface', port.refs('interfaces')),
      }),
    );
    const ordered = inNameOrder(ports, (port) => port.name);
    bridges.set(name, { name, row, interfaces: interfacesOf(name, ordered) });
  }
  return bridges;
}

const vlanModes: ReadonlySet<string> = new Set(['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel']);

function priorityTags(text: string | undefined): PriorityTags {
  switch (text) {
    case 'true':
    case 'if-nonzero':
      return 'if-nonzero';
    case 'always':
      return 'always';
    default:
      return 'never';
  }
}

/** VLAN settings of a row of the Port table. */
export function vlanOf(row: ReplicaRow): Partial<VlanConfig> {
  const tag = row.integer('tag');
  const mode = row.string('vlan_mode');
  const other = row.map('other_config');
  const trunks = row.integers('trunks');
  const cvlans = row.integers('cvlans');
  const usual: VlanMode = tag === null ? 'trunk' : 'access';
  return {
    mode: vlanModes.has(mode) ? (mode as VlanMode) : usual,
    tag: tag ?? 0,
    ...(trunks.length > 0 ? { trunks: new Set(trunks) } : {}),
    ...(cvlans.length > 0 ? { cvlans: new Set(cvlans) } : {}),
    qinqEthertype: other.get('qinq-ethertype') === '802.1q' ? 0x8100 : 0x88a8,
    priorityTags: priorityTags(other.get('priority-tags')),
  };
}
