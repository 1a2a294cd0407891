/**
 * What the switch makes of every column of the Open_vSwitch schema that somebody else writes. Columns that the switch writes
 * itself are `status`; those that only people and their tools read are `notes`.
 */
import type { Replica, ReplicaRow } from '../../ovsdb/index.ts';

type State =
  /** Carried out. */
  | 'works'
  /** The switch writes it. */
  | 'status'
  /** Of no meaning to the switch. */
  | 'notes'
  /** Not carried out: a row that sets it is told of in the log. */
  | 'absent';

type Columns = Readonly<Record<string, State>>;

const all = (state: State, names: string): Columns => Object.fromEntries(names.split(' ').map((name) => [name, state]));

const absentTable = (names: string): Columns => ({ ...all('absent', names), external_ids: 'notes' });

export const columns: Readonly<Record<string, Columns>> = {
  Open_vSwitch: {
    ...all('works', 'bridges ssl other_config next_cfg'),
    ...all('status', 'cur_cfg datapath_types iface_types dpdk_initialized dpdk_version'),
    ...all('notes', 'external_ids ovs_version db_version system_type system_version manager_options'),
    ...all('absent', 'datapaths statistics'),
  },
  Bridge: {
    ...all('works', 'name datapath_type ports controller protocols fail_mode other_config flood_vlans flow_tables'),
    ...all('status', 'datapath_version datapath_id status rstp_status'),
    ...all('absent', 'stp_enable rstp_enable mcast_snooping_enable mirrors netflow sflow ipfix auto_attach'),
    external_ids: 'notes',
  },
  Port: {
    ...all('works', 'name interfaces trunks cvlans tag vlan_mode protected other_config'),
    ...all('status', 'status rstp_status rstp_statistics statistics bond_active_slave'),
    ...all('absent', 'qos mac bond_mode lacp bond_updelay bond_downdelay bond_fake_iface'),
    ...all('notes', 'fake_bridge external_ids'),
  },
  Interface: {
    ...all('works', 'name type options mac ofport_request mtu_request other_config'),
    ...all(
      'status',
      'mac_in_use ifindex ofport bfd_status cfm_flap_count cfm_fault cfm_fault_status cfm_remote_opstate cfm_health ' +
        'lacp_current statistics status admin_state link_state link_resets link_speed duplex mtu error',
    ),
    ...all(
      'absent',
      'ingress_policing_rate ingress_policing_burst ingress_policing_kpkts_rate ingress_policing_kpkts_burst bfd ' +
        'cfm_mpid cfm_remote_mpids lldp',
    ),
    external_ids: 'notes',
  },
  Flow_Table: { ...all('works', 'name flow_limit overflow_policy groups prefixes'), external_ids: 'notes' },
  QoS: absentTable('type queues other_config'),
  Queue: absentTable('dscp other_config'),
  Mirror: absentTable(
    'name select_all select_src_port select_dst_port select_vlan output_port output_vlan snaplen statistics',
  ),
  NetFlow: absentTable('targets engine_type engine_id add_id_to_interface active_timeout'),
  sFlow: absentTable('targets sampling polling header agent'),
  IPFIX: absentTable('targets sampling obs_domain_id obs_point_id cache_active_timeout cache_max_flows other_config'),
  Flow_Sample_Collector_Set: absentTable('id bridge ipfix'),
  Controller: {
    ...all(
      'works',
      'type target max_backoff inactivity_probe enable_async_messages controller_queue_size controller_rate_limit ' +
        'controller_burst_limit other_config',
    ),
    ...all('status', 'is_connected role status'),
    ...all('absent', 'connection_mode local_ip local_netmask local_gateway'),
    external_ids: 'notes',
  },
  // The database server's business
  Manager: all(
    'notes',
    'target max_backoff inactivity_probe connection_mode other_config external_ids is_connected status',
  ),
  Datapath: absentTable('datapath_version ct_zones capabilities'),
  CT_Zone: absentTable('timeout_policy'),
  CT_Timeout_Policy: absentTable('timeouts'),
  SSL: { ...all('works', 'private_key certificate ca_cert bootstrap_ca_cert'), external_ids: 'notes' },
  AutoAttach: all('absent', 'system_name system_description mappings'),
};

/** Tables whose rows hang from those that the switch reads: columns of the others are told of where they are referred to. */
const looked = ['Open_vSwitch', 'Bridge', 'Port', 'Interface', 'Controller'] as const;

/** Values that switch a feature off, and so ask for nothing. */
function asksForSomething(row: ReplicaRow, column: string): boolean {
  const { keys } = row.datum(column);
  return keys.some((key) => key !== false && key !== 0 && key !== 0n && key !== '');
}

/** Tells once of every column that a row sets and that the switch does nothing with. */
export class ColumnWatch {
  #said: ReadonlySet<string> = new Set();

  /** @param warn called for each that is new since the last time */
  look(replica: Replica, warn: (text: string) => void): void {
    const found = new Set<string>();
    for (const table of looked) {
      const absent = Object.entries(columns[table]!).filter(([, state]) => state === 'absent');
      for (const row of replica.table(table).values()) {
        const name = row.table.byName.has('name') ? ` ${row.string('name')}` : '';
        for (const [column] of absent) {
          if (row.table.byName.has(column) && asksForSomething(row, column))
            found.add(`${table.toLowerCase()}${name}: ${column} is not supported and has no effect`);
        }
      }
    }
    for (const text of found) if (!this.#said.has(text)) warn(text);
    this.#said = found;
  }
}
