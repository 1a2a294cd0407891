/** The tables of a bridge as translation sees them: always the newest version. */
import { formatMatch } from '../openflow/match-text.ts';
import type { FragHandling, PipelineView } from '../translate/types.ts';
import type { OfActions } from './connections/types.ts';
import type { FlowTables } from './flow-tables.ts';
import type { GroupTable } from './groups.ts';
import type { MeterTable } from './meters.ts';
import type { Rule } from './rule.ts';

/** Whose tables they are: Ofproto. */
interface PipelineParts {
  readonly tables: FlowTables<OfActions>;
  readonly groups: GroupTable<OfActions>;
  readonly meters: MeterTable;
  readonly fragments: FragHandling;
  readonly wantsPacketInOnMiss: boolean;
}

export const pipelineOf = (parts: PipelineParts): PipelineView => ({
  lookup: (tableId, flow, wildcards) => parts.tables.lookup(tableId, flow, wildcards),
  matchText(rule) {
    const { key, mask } = parts.tables.matchOf(rule as Rule<OfActions>);
    return formatMatch({ key: key as never, mask: mask as never, tunMetadata: [] });
  },
  tableMiss: (tableId) => parts.tables.table(tableId)?.miss ?? 'default',
  tableName: (tableId) => parts.tables.table(tableId)?.name ?? '',
  get wantsPacketInOnMiss() {
    return parts.wantsPacketInOnMiss;
  },
  get fragments() {
    return parts.fragments;
  },
  group: (id) => parts.groups.get(id),
  meter: (id) => parts.meters.get(id)?.number ?? null,
});
