/** The tables of a bridge as translation sees them. */
import { formatMatch } from '../openflow/match-text.ts';
import type { FragHandling, LearnedFlow, PipelineView } from '../translate/types.ts';
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
  mayLearn(flow: LearnedFlow): boolean;
}

export const pipelineOf = (parts: PipelineParts): PipelineView => ({
  get version() {
    return parts.tables.version;
  },
  lookup: (tableId, flow, wildcards, version) => parts.tables.lookup(tableId, flow, wildcards, version),
  hold: () => parts.tables.hold().release,
  mayLearn: (flow) => parts.mayLearn(flow),
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
