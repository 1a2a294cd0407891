/** Rows of the Flow_Table table (ovs-vswitchd.conf.db(5)): limits, eviction and names of a bridge's tables. */

import { type FlowTables, TABLES_MAX } from '../../ofproto/flow-tables.ts';
import type { EvictionSettings, TableSettings } from '../../ofproto/table.ts';
import { fieldOf, ownPlaceOf } from '../../openflow/field/index.ts';
import { parseSubfield } from '../../openflow/field/subfield.ts';
import type { Replica, ReplicaRow } from '../../ovsdb/index.ts';

type Settings = Required<TableSettings>;
type PrefixName = Settings['prefixes'][number];

/** Fields that the classifier can look up by prefix, by their names in the column. */
const prefixNames: Readonly<Record<string, PrefixName>> = {
  nw_src: 'ipv4_src',
  ip_src: 'ipv4_src',
  nw_dst: 'ipv4_dst',
  ip_dst: 'ipv4_dst',
  ipv6_src: 'ipv6_src',
  ipv6_dst: 'ipv6_dst',
  tun_src: 'tun_src',
  tun_dst: 'tun_dst',
  tun_ipv6_src: 'tun_ipv6_src',
  tun_ipv6_dst: 'tun_ipv6_dst',
  tun_id: 'tun_id',
  tunnel_id: 'tun_id',
};
const PREFIXES_DEFAULT: readonly PrefixName[] = ['ipv4_dst', 'ipv4_src'];
const PREFIXES_MAX = 3;

function prefixesOf(row: ReplicaRow, warn: (text: string) => void): readonly PrefixName[] {
  const names = row.strings('prefixes');
  if (names.length === 0) return PREFIXES_DEFAULT;
  const known: PrefixName[] = [];
  for (const text of names.slice(0, PREFIXES_MAX)) {
    if (text === 'none') return [];
    const name = Object.hasOwn(prefixNames, text) ? prefixNames[text] : undefined;
    if (name) known.push(name);
    else warn(`unsupported prefix field ${text}`);
  }
  return known;
}

function evictionOf(row: ReplicaRow, warn: (text: string) => void): EvictionSettings | null {
  if (row.string('overflow_policy') !== 'evict') return null;
  const groups = row.strings('groups').flatMap((text) => {
    const read = parseSubfield(text);
    const place = 'wrong' in read ? null : ownPlaceOf(fieldOf(read.field));
    if (place) return [place];
    warn(`invalid eviction group ${text}`);
    return [];
  });
  return { groups };
}

const usual: Settings = { name: '', flowLimit: null, prefixes: PREFIXES_DEFAULT, eviction: null };

/** Sets tables of a bridge to what its rows say, and those without a row to what is usual. */
export function configureTables(
  tables: Pick<FlowTables<unknown>, 'configure' | 'tables'>,
  bridge: ReplicaRow,
  replica: Replica,
  warn: (text: string) => void,
  done: Map<number, string>,
): void {
  const wanted = new Map<number, Settings>();
  for (const [id, uuid] of bridge.refMap('flow_tables')) {
    const row = replica.row('Flow_Table', uuid);
    if (!row) continue;
    const say = (text: string): void => warn(`bridge ${bridge.string('name')}: table ${id}: ${text}`);
    wanted.set(id, {
      name: row.string('name'),
      flowLimit: row.integer('flow_limit'),
      prefixes: prefixesOf(row, say),
      eviction: evictionOf(row, say),
    });
  }
  for (const id of new Set([...done.keys(), ...wanted.keys()])) {
    if (id >= TABLES_MAX) continue;
    const settings = wanted.get(id) ?? usual;
    const key = JSON.stringify(settings);
    if (done.get(id) === key) continue;
    tables.configure(id, settings);
    if (wanted.has(id)) done.set(id, key);
    else done.delete(id);
  }
}
