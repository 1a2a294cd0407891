/**
 * The commands dpif-netdev/* and odp-execute/*: threads, and which of several codings of one thing is used. This datapath has
 * one of each, under the reference's name for the plain one.
 */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { datapathNames } from './datapath-names.ts';

const ratio = (count: number, of: number): string => (of === 0 ? 0 : count / of).toFixed(2);

type Counters = Readonly<Record<string, number>>;

/** @param starts counters at moments to count from: the last of them counts */
function statistics(counters: Counters, starts: readonly Counters[]): string {
  const startOf = (name: string): number => Math.max(...starts.map((start) => start[name] ?? 0));
  const count = (name: string): number => (counters[name] ?? 0) - startOf(name);
  const recirculated = count('recirculated_packets');
  const lookups = count('cache_hits') + count('megaflow_hits') + count('misses');
  const received = lookups - recirculated;
  const rows: readonly (readonly [string, string | number])[] = [
    ['packets received', received],
    ['packet recirculations', recirculated],
    ['avg. datapath passes per packet', ratio(lookups, received)],
    ['phwol hits', 0],
    ['mfex opt hits', 0],
    ['simple match hits', 0],
    ['emc hits', count('cache_hits')],
    ['smc hits', 0],
    ['megaflow hits', count('megaflow_hits')],
    ['avg. subtable lookups per megaflow hit', ratio(count('subtables_visited'), count('megaflow_hits'))],
    ['miss with success upcall', count('upcalls')],
    ['miss with failed upcall', Math.max(0, count('misses') - count('upcalls'))],
    ['avg. packets per output batch', ratio(count('tx_packets'), count('bursts'))],
  ];
  return `main thread:\n${rows.map(([name, value]) => `  ${name}: ${value}\n`).join('')}`;
}

/** Words that are neither an option nor an option's value. */
function plainWords(args: readonly string[], valued: ReadonlySet<string>): string[] {
  return args.filter((arg, i) => !arg.startsWith('-') && !valued.has(args[i - 1] ?? ''));
}

const withPmd: ReadonlySet<string> = new Set(['-pmd', '-secs', '-it', '-ms']);

function registerThreads(control: ControlSocket, daemon: SwitchDaemon): void {
  let before: Counters = {};
  const hasDatapath = (): boolean => daemon.target.state.bridges.size > 0;
  const shown = (args: readonly string[], run: () => string): string => {
    // The main thread has no number
    if (args.includes('-pmd') || !hasDatapath()) return '';
    return run();
  };
  control.register('dpif-netdev/pmd-stats-show', '[-pmd core] [dp]', 0, 3, (args) =>
    shown(args, () => statistics(daemon.target.datapath.counters(), [before, daemon.countersBefore])),
  );
  control.register('dpif-netdev/pmd-stats-clear', '[-pmd core] [dp]', 0, 3, (args) => {
    if (!args.includes('-pmd')) before = daemon.target.datapath.counters();
    return '';
  });
  control.register('dpif-netdev/pmd-rxq-show', '[-pmd core] [-secs secs] [dp]', 0, 5, (args) => {
    const at = args.indexOf('-secs');
    const asked = at < 0 ? 60 : Number.parseInt(args[at + 1] ?? '', 10) || 60;
    const seconds = Math.min(60, Math.max(5, Math.ceil(asked / 5) * 5));
    return `Displaying last ${seconds} seconds pmd usage %\n`;
  });
  control.register('dpif-netdev/pmd-rxq-rebalance', '[dp]', 0, 1, () => 'pmd rxq rebalance requested.\n');
  const history = '[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]';
  control.register('dpif-netdev/pmd-perf-show', history, 0, 8, () => '');
  const logging = 'on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]';
  control.register('dpif-netdev/pmd-perf-log-set', logging, 0, 10, ([word]) => {
    if (word !== undefined && word !== 'on' && word !== 'off' && !word.startsWith('-'))
      throw new CommandError(`Usage: ovs-appctl dpif-netdev/pmd-perf-log-set ${logging.replace('on|off', '[on|off]')}`);
    return '';
  });
  control.register('dpif-netdev/bond-show', '[dp]', 0, 1, ([name]) => {
    if (name !== undefined && !datapathNames(daemon).has(name))
      throw new CommandError('please specify an existing datapath');
    return '';
  });
}

function registerCodings(control: ControlSocket): void {
  control.register(
    'dpif-netdev/dpif-impl-get',
    '',
    0,
    0,
    () => 'Available DPIF implementations:\n  dpif_scalar (pmds: none)\n',
  );
  control.register('dpif-netdev/dpif-impl-set', 'dpif_implementation_name', 1, 1, ([name]) => {
    if (name === 'dpif_scalar') return 'DPIF implementation set to dpif_scalar.\n';
    throw new CommandError(`DPIF implementation not available: Unknown DPIF implementation ${name}.`);
  });
  control.register(
    'dpif-netdev/miniflow-parser-get',
    '',
    0,
    0,
    () => 'Available MFEX implementations:\n  scalar (available: True pmds: none)\n',
  );
  const parser = '[-pmd core] miniflow_implementation_name [study_pkt_cnt]';
  control.register('dpif-netdev/miniflow-parser-set', parser, 1, 5, (args) => {
    const [name] = plainWords(args, withPmd);
    if (name !== 'scalar') throw new CommandError(`Error: unknown miniflow extract implementation ${name}.`);
    const at = args.indexOf('-pmd');
    if (at < 0) return 'Miniflow extract implementation set to scalar.\n';
    throw new CommandError(
      `Error: miniflow extract parser not changed, PMD thread ${args[at + 1]} not in use, pass a valid pmd thread ID.`,
    );
  });
  let priority = 1;
  control.register(
    'dpif-netdev/subtable-lookup-info-get',
    '',
    0,
    0,
    () => `Available dpcls implementations:\n  generic (Use count: 0, Priority: ${priority})\n`,
  );
  control.register('dpif-netdev/subtable-lookup-prio-set', '[lookup_func] [prio]', 2, 2, ([name, text]) => {
    if (name !== 'generic') throw new CommandError('error, subtable lookup function not found');
    priority = Number.parseInt(text!, 10) || 0;
    return 'Lookup priority change affected 0 dpcls ports and 0 subtables.\n';
  });
  control.register(
    'odp-execute/action-impl-show',
    '',
    0,
    0,
    () => 'Available Actions implementations:\n  scalar (available: Yes, active: Yes)\n',
  );
  control.register('odp-execute/action-impl-set', 'name', 1, 1, ([name]) => {
    if (name === 'scalar') return 'Action implementation set to scalar.\n';
    throw new CommandError(`Error: unknown action implementation, ${name}, specified!`);
  });
}

export function registerDpifNetdev(control: ControlSocket, daemon: SwitchDaemon): void {
  registerThreads(control, daemon);
  registerCodings(control);
}
