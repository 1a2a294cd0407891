/** Flow tables as a whole: statistics, features, what they do when they are full. */

import type { TableModMessage } from '../../openflow/message/table.ts';
import type { TableFeaturesMessage } from '../../openflow/message/table-features.ts';
import {
  actionsFromBits,
  type InstructionFeatures,
  type OfTableFeatures,
} from '../../openflow/message/table-features.ts';
import { ofFields } from '../../spec/of-fields.ts';
import type { Bridge } from '../bridge.ts';
import type { OfActions } from '../connections/types.ts';
import { TABLE_ALL } from '../flow-mod.ts';
import { TABLES_MAX } from '../flow-tables.ts';
import type { OfTable } from '../table.ts';
import { describeTable } from '../table-description.ts';
import type { Call, Refusal } from './call.ts';

/** What the reference says of a table without a limit. */
const ENTRIES_MAX = 1_000_000;
const ALL_METADATA = 0xffff_ffff_ffff_ffffn;

/** Every action that some version of OpenFlow can name here: encoders leave out what theirs cannot. */
export const everyAction = [...new Set([1, 2, 3].flatMap((version) => actionsFromBits(0xffffffff, version)))];
const instructions = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
] as const;
const fields = ofFields.filter(({ headers }) => headers.length > 0);
const names = (rows: typeof fields) => rows.map(({ name }) => name);
const matchable = names(fields);
const maskable = names(fields.filter(({ isMaskable }) => isMaskable));
const setFields = names(fields.filter(({ isWritable }) => isWritable));

function instructionsOf(table: number): InstructionFeatures {
  const isLast = table === TABLES_MAX - 1;
  const each = { actions: everyAction, setFields };
  return {
    instructions: isLast ? instructions.slice(0, -1) : instructions,
    nextTables: Array.from({ length: TABLES_MAX - 1 - table }, (_, i) => table + 1 + i),
    write: each,
    apply: each,
  };
}

function featuresOf({ id, name, flowLimit, miss }: OfTable<OfActions>): OfTableFeatures {
  const allowed = instructionsOf(id);
  return {
    table: id,
    command: 0,
    name,
    metadataMatch: ALL_METADATA,
    metadataWrite: ALL_METADATA,
    missConfig: miss,
    supportsEviction: false,
    supportsVacancyEvents: false,
    maxEntries: Math.min(flowLimit, ENTRIES_MAX),
    nonmiss: allowed,
    miss: allowed,
    match: matchable,
    mask: maskable,
    wildcard: matchable,
  };
}

const visible = ({ ofproto }: Bridge): OfTable<OfActions>[] => ofproto.tables.tablesOf(TABLE_ALL);

export function tableStats({ bridge, peer, request }: Call): Refusal {
  bridge.ofproto.settle();
  const parts = visible(bridge).map((table) => {
    const { flowCount: active, lookups, matches } = table;
    const counts = { active, lookups: BigInt(lookups), matches: BigInt(matches), features: featuresOf(table) };
    return { kind: 'table_stats_reply', tables: [counts] } as const;
  });
  peer.replyMultipart(request, parts, { kind: 'table_stats_reply', tables: [] });
  return null;
}

const COMMANDS_SINCE = 6;
const MODIFY = 1;

/** A request with tables changes them: only their names can be changed. */
function rename(bridge: Bridge, tables: readonly OfTableFeatures[]): Refusal {
  for (const { table } of tables) if (table >= TABLES_MAX) return 'OFPTFFC_BAD_TABLE';
  for (const { table, name } of tables) bridge.ofproto.tables.configure(table, { name });
  return null;
}

export function tableFeatures({ bridge, peer, request }: Call, { tables }: TableFeaturesMessage): Refusal {
  if (tables.length > 0) {
    if (peer.role === 'secondary') return 'OFPBRC_IS_SECONDARY';
    // OpenFlow 1.5 names the change: only OFPTFC_MODIFY is allowed here
    if (peer.version >= COMMANDS_SINCE && tables.some(({ command }) => command !== MODIFY)) return 'OFPTFFC_EPERM';
    const wrong = rename(bridge, tables);
    if (wrong) return wrong;
  }
  const told = visible(bridge).filter(({ id }) => tables.length === 0 || tables.some(({ table }) => table === id));
  const parts = told.map((table) => ({ kind: 'table_features_reply', tables: [featuresOf(table)] }) as const);
  peer.replyMultipart(request, parts, { kind: 'table_features_reply', tables: [] });
  return null;
}

export function tableDesc({ bridge, peer, request }: Call): Refusal {
  const parts = visible(bridge).map((table) => ({ kind: 'table_desc_reply', tables: [describeTable(table)] }) as const);
  peer.replyMultipart(request, parts, { kind: 'table_desc_reply', tables: [] });
  return null;
}

/** OpenFlow 1.4: the first with eviction and vacancy events. */
const FULL_SINCE = 5;

export function tableMod({ bridge, peer }: Call, { desc }: TableModMessage): Refusal {
  const { ofproto } = bridge;
  if (desc.table !== TABLE_ALL) {
    const table = ofproto.tables.table(desc.table);
    if (!table) return 'OFPTMFC_BAD_TABLE';
    if (table.isReadOnly) return 'OFPTMFC_EPERM';
  }
  for (const table of ofproto.tables.tablesOf(desc.table)) {
    if (desc.miss !== 'default') table.miss = desc.miss;
    if (peer.version < FULL_SINCE) continue;
    if (desc.eviction !== null) table.isEvicting = desc.eviction;
    table.watchVacancy(desc.vacancy && { down: desc.vacancy.down, up: desc.vacancy.up });
  }
  ofproto.touch();
  return null;
}
