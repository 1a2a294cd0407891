/** Rounds → rows → Markdown tables. */
import { medianRatio, type Spread, spreadOf } from './statistics.ts';
import type { Round } from './weft.ts';

export interface Series {
  /** The first pass over the trace, right after set-up. */
  readonly cold: Round;
  readonly rounds: readonly Round[];
}

export interface Row {
  readonly workload: string;
  readonly frames: number;
  readonly flows: number;
  readonly masks: number;
  /** By switch: weft, native, native-cpu, ovs-dpdk. */
  readonly series: Readonly<Record<string, Series>>;
}

const nsOf = (series: Series): number[] => series.rounds.map((r) => r.ns_per_packet);

export const spread = (series: Series): Spread => spreadOf(nsOf(series));

/** How many times as fast as `other` Weft is, round by round; null when the other did not run. */
export function speedOver(row: Row, other: string): number | null {
  const [weft, them] = [row.series.weft, row.series[other]];
  return weft && them ? medianRatio(nsOf(them), nsOf(weft)) : null;
}

const digits = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toFixed(1));
const ratio = (value: number | null): string => (value === null ? '—' : value.toFixed(2));

function cost(series: Series | undefined): string {
  if (!series) return '—';
  const { min, median, max } = spread(series);
  return `${digits(median)} (${digits(min)}–${digits(max)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

const total = (rounds: readonly Round[], of: (round: Round) => number): number =>
  rounds.reduce((sum, round) => sum + of(round), 0);

function mainRow(row: Row): string[] {
  const weft = row.series.weft;
  const rounds = weft?.rounds ?? [];
  const lookups = total(rounds, (r) => r.cache_hits + r.megaflow_hits + r.misses);
  const hits = total(rounds, (r) => r.cache_hits);
  return [
    row.workload,
    cost(weft),
    weft ? (1e3 / spread(weft).median).toFixed(2) : '—',
    weft ? digits(weft.cold.ns_per_packet) : '—',
    lookups > 0 ? `${((hits / lookups) * 100).toFixed(0)} %` : '—',
    cost(row.series.native),
    ratio(speedOver(row, 'native')),
    cost(row.series['ovs-dpdk']),
    ratio(speedOver(row, 'ovs-dpdk')),
  ];
}

export const mainTable = (rows: readonly Row[]): string =>
  table(
    ['workload', 'Weft ns', 'Mpps a CPU-s', 'cold ns', 'cache', 'native ns', '÷ native', 'OVS-DPDK ns', '× OVS'],
    rows.map(mainRow),
  );

/** What a megaflow lookup costs: a packet with the caches off, less a packet of W1 on the same switch. */
export function lookupCost(
  row: Row,
  w1: Row,
  name: string,
): { readonly ns: number; readonly subtables: number } | null {
  const [series, base] = [row.series[name], w1.series[name]];
  if (!series || !base) return null;
  const lookups = total(series.rounds, (r) => r.megaflow_hits);
  return {
    ns: spread(series).median - spread(base).median,
    subtables: total(series.rounds, (r) => r.subtables_visited) / Math.max(1, lookups),
  };
}

/** Megaflow lookups of W5 without caches; empty when W1 did not run. */
export function lookupTable(rows: readonly Row[]): string {
  const w1 = rows.find((row) => row.workload === 'W1');
  const off = rows.filter((row) => row.workload.endsWith('/off'));
  if (!w1 || off.length === 0) return '';
  const cells = off.map((row) => {
    const weft = lookupCost(row, w1, 'weft');
    const ovs = lookupCost(row, w1, 'ovs-dpdk');
    const native = lookupCost(row, w1, 'native');
    const show = (of: typeof weft): string[] =>
      of ? [digits(of.ns), of.subtables.toFixed(1), digits(of.ns / of.subtables)] : ['—', '—', '—'];
    const times = weft && ovs ? ratio(ovs.ns / weft.ns) : '—';
    return [row.workload, `${row.flows}`, `${row.masks}`, ...show(weft), ...show(native), ...show(ovs), times];
  });
  const columns = (name: string): string[] => [`${name} ns`, 'subtables', 'ns each'];
  const head = ['set', 'megaflows', 'masks', ...columns('Weft'), ...columns('native'), ...columns('OVS'), '× OVS'];
  return table(head, cells);
}

/** Bytes and collections of the JavaScript heap while Weft switched: a round's own bookkeeping is in them. */
export function heapTable(rows: readonly Row[]): string {
  const cells = rows.flatMap((row) => {
    const rounds = row.series.weft?.rounds ?? [];
    if (rounds.length === 0) return [];
    const packets = total(rounds, (r) => r.packets);
    const bytes = spreadOf(rounds.map((r) => r.heap_growth ?? 0)).median;
    const collections = total(rounds, (r) => r.collections ?? 0);
    return [[row.workload, `${(packets / 1e6).toFixed(1)} M`, digits(bytes), `${collections}`]];
  });
  return table(['workload', 'packets', 'heap growth a round, bytes', 'collections'], cells);
}

export function report(rows: readonly Row[], context: { readonly command: string; readonly machine: string }): string {
  const parts = [`Made by \`${context.command}\` on ${context.machine}.`, '', mainTable(rows)];
  const lookups = lookupTable(rows);
  if (lookups) parts.push('', 'Megaflow lookup, caches off: a packet less a packet of W1.', '', lookups);
  parts.push('', 'The JavaScript heap while switching.', '', heapTable(rows));
  return parts.join('\n');
}
