/** The commands dpif/*, dpctl/*, dpif-netdev/*, upcall/*, revalidator/* and bridge/*: what the datapath has and does. */

import { KEY } from '../../flow/key.ts';
import type { DpPort } from '../../flow/odp/action.ts';
import { formatFlow } from '../../flow/odp/format.ts';
import { parseMatch } from '../../flow/odp/parse.ts';
import { MILLISECOND } from '../../lib/clock.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { LiveBridge, LiveInterface } from '../database/configurator.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { bridgeOf } from './fdb.ts';
import { nameOf } from './routes.ts';

/** The datapath that a bridge of this datapath_type is on. */
const datapathOf = (type: string): string =>
  type === '' || type === 'system' ? 'system@ovs-system' : type === 'dummy' ? 'dummy@ovs-dummy' : `${type}@ovs-${type}`;

function byDatapath(daemon: SwitchDaemon): Map<string, LiveBridge[]> {
  const datapaths = new Map<string, LiveBridge[]>();
  for (const bridge of daemon.config.bridges.values()) {
    const name = datapathOf(bridge.row.string('datapath_type'));
    datapaths.set(name, [...(datapaths.get(name) ?? []), bridge]);
  }
  return new Map([...datapaths].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names that a datapath may be given by: with its type and without. */
export function datapathNames(daemon: SwitchDaemon): Set<string> {
  return new Set([...byDatapath(daemon).keys()].flatMap((name) => [name, name.split('@')[1]!]));
}

const typeText = ({ kind, type }: LiveInterface): string =>
  kind?.kind === 'dummy' && type === 'internal' ? 'dummy-internal' : type;

function configText({ row, type }: LiveInterface): string {
  const options = row.map('options');
  const names = type === 'patch' ? ['peer'] : ['ifindex'];
  if (type === 'vxlan' || type === 'geneve' || type === 'gre') names.splice(0, 1, ...tunnelNames);
  const pairs = names.filter((name) => options.has(name)).map((name) => `${name}=${options.get(name)}`);
  return pairs.length > 0 ? `: ${pairs.join(', ')}` : '';
}

const tunnelNames = [
  'csum',
  'df_default',
  'dst_port',
  'in_key',
  'key',
  'local_ip',
  'out_key',
  'remote_ip',
  'tos',
  'ttl',
];

const byName = <T extends { readonly name: string }>(items: Iterable<T>): T[] =>
  [...items].sort((a, b) => (a.name < b.name ? -1 : 1));

function hits(daemon: SwitchDaemon): { readonly hit: number; readonly missed: number } {
  const counters = daemon.target.datapath.counters();
  const since = (name: string): number => (counters[name] ?? 0) - (daemon.countersBefore[name] ?? 0);
  return { hit: since('cache_hits') + since('megaflow_hits'), missed: since('misses') };
}

function show(daemon: SwitchDaemon): string {
  const { hit, missed } = hits(daemon);
  let text = '';
  for (const [name, bridges] of byDatapath(daemon)) {
    text += `${name}: hit:${hit} missed:${missed}\n`;
    for (const bridge of byName(bridges)) {
      text += `  ${bridge.name}:\n`;
      for (const live of byName(bridge.interfaces.values())) {
        if (live.number === null) continue;
        const port = daemon.target.port(bridge.name, live.name)?.dpPort ?? null;
        text += `    ${live.name} ${live.number}/${port ?? 'none'}: (${typeText(live)}${configText(live)})\n`;
      }
    }
  }
  return text;
}

interface DatapathPort {
  readonly number: DpPort;
  readonly name: string;
  readonly type: string;
}

function portsOf(daemon: SwitchDaemon, bridges: readonly LiveBridge[]): DatapathPort[] {
  const ports = new Map<DpPort, DatapathPort>();
  for (const bridge of bridges) {
    for (const live of bridge.interfaces.values()) {
      const number = daemon.target.port(bridge.name, live.name)?.dpPort ?? null;
      if (number === null) continue;
      const { tunnel } = daemon.target.state.bridges.get(bridge.name)!.picture().portsByName.get(live.name)!;
      const name = tunnel ? nameOf(tunnel.type, tunnel.dstPort) : live.name;
      ports.set(number, { number, name, type: typeText(live) });
    }
  }
  return [...ports.values()].sort((a, b) => a.number - b.number);
}

function showDatapaths(daemon: SwitchDaemon, args: readonly string[]): string {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const { hit, missed } = hits(daemon);
  const all = [...byDatapath(daemon)];
  const some = names.length === 0 ? all : names.map((name) => found(all, name));
  return some
    .map(([name, bridges]) => {
      const own = name.split('@')[1]!;
      const rows = [{ number: 0, name: own, type: 'dummy-internal' }, ...portsOf(daemon, bridges)];
      const ports = rows.map((port) => {
        const type = port.type === 'system' ? '' : ` (${port.type})`;
        return `  port ${port.number}: ${port.name}${type}\n${args.includes('-s') ? statistics(daemon, port.number) : ''}`;
      });
      return `${name}:\n  lookups: hit:${hit} missed:${missed} lost:0\n  flows: ${daemon.target.datapath.flowCount}\n${ports.join('')}`;
    })
    .join('');
}

function found<T>(all: readonly (readonly [string, T])[], name: string): readonly [string, T] {
  const one = all.find(([known]) => known === name || known.split('@')[1] === name);
  if (!one) throw new CommandError(`ovs-vswitchd: opening datapath ${name} failed (No such device)`);
  return one;
}

function statistics(daemon: SwitchDaemon, number: DpPort): string {
  const stats = daemon.target.datapath.portStats(number);
  return (
    `    RX packets:${stats?.rxPackets ?? 0} errors:? dropped:? overruns:? frame:?\n` +
    `    TX packets:${stats?.txPackets ?? 0} errors:? dropped:? aborted:? carrier:?\n` +
    `    collisions:?\n    RX bytes:${stats?.rxBytes ?? 0}  TX bytes:${stats?.txBytes ?? 0}\n`
  );
}

interface FlowOptions {
  readonly names: boolean;
  readonly bridge: string | null;
}

function flowLines(daemon: SwitchDaemon, { names, bridge }: FlowOptions): string[] {
  const { target } = daemon;
  const now = daemon.clock.now();
  const ports = new Map(portsOf(daemon, [...daemon.config.bridges.values()]).map(({ number, name }) => [number, name]));
  const portName = (number: DpPort): string | null => ports.get(number) ?? null;
  const { portsByDpPort } = target.state.picture();
  return [...target.datapath.flowIds()].flatMap((id) => {
    const flow = target.datapath.flow(id);
    if (!flow) return [];
    const { match, actions, stats } = flow;
    if (bridge !== null && portsByDpPort.get(match.key.get(KEY.in_port))?.bridge !== bridge) return [];
    const { packets, bytes, used, tcpFlags } = stats;
    const idleMs = used === 0 ? null : (now - used) / MILLISECOND;
    const odp = { match, actions, stats: { packets, bytes, idleMs, tcpFlags } };
    return [formatFlow(odp, names ? { portName } : {})];
  });
}

function dumpFlows(daemon: SwitchDaemon, args: readonly string[]): string {
  for (const arg of args) {
    if (arg.startsWith('-') || arg.startsWith('filter=') || arg.startsWith('pmd=')) continue;
    const type = /^type=(.*)$/.exec(arg)?.[1];
    if (type !== undefined && !flowTypes.has(type))
      throw new CommandError(`ovs-vswitchd: Failed to parse type (${type}) (Invalid argument)`);
    if (type === undefined && !datapathNames(daemon).has(arg))
      throw new CommandError('ovs-vswitchd: datapath not found (Invalid argument)');
  }
  const lines = flowLines(daemon, { names: args.includes('--names') || args.includes('-m'), bridge: null });
  return lines.length > 0 ? `flow-dump from the main thread:\n${lines.join('\n')}\n` : '';
}

const flowTypes: ReadonlySet<string> = new Set([
  'ovs',
  'tc',
  'dpdk',
  'offloaded',
  'non-offloaded',
  'partially-offloaded',
  'all',
]);

function deleteFlows(daemon: SwitchDaemon): string {
  daemon.target.flushFlows(daemon.clock.now());
  return '';
}

/** Removes the one megaflow of a match. */
function deleteFlow(daemon: SwitchDaemon, text: string): string {
  const match = parseMatch(text);
  const { datapath } = daemon.target;
  for (const id of datapath.flowIds()) {
    const flow = datapath.flow(id)!;
    if (!match.ok || !flow.match.key.equals(match.value.key) || !flow.match.mask.equals(match.value.mask)) continue;
    datapath.deleteFlow(id, datapath.flowGeneration(id)!);
    return '';
  }
  throw new CommandError(
    'ovs-vswitchd: deleting flow (No such file or directory)\nPerhaps you need to specify a UFID?',
  );
}

function showUpcalls(daemon: SwitchDaemon, ufid: boolean): string {
  const flows = daemon.target.datapath.flowCount;
  return [...byDatapath(daemon).keys()]
    .map(
      (name) =>
        `${name}:\n  flows         : (current ${flows}) (avg ${flows}) (max ${flows}) (limit ${daemon.target.flowLimit})\n` +
        `  dump duration : 1ms\n  ufid enabled : ${ufid}\n\n  5: (keys ${flows})\n`,
    )
    .join('\n');
}

export function registerDatapath(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('dpif/show', '', 0, 0, () => show(daemon));
  control.register('dpif/dump-dps', '', 0, 0, () =>
    [...byDatapath(daemon)]
      .flatMap(([name, bridges]) => bridges.map((one) => `${name.split('@')[0]}@${one.name}\n`))
      .join(''),
  );
  control.register('dpif/dump-flows', '[-m] [--names | --no-names] bridge', 1, 2000, (args) => {
    const { name } = bridgeOf(daemon, args.at(-1)!);
    return flowLines(daemon, { names: args.includes('--names') || args.includes('-m'), bridge: name })
      .map((line) => `${line}\n`)
      .join('');
  });
  control.register('dpctl/dump-dps', '', 0, 2000, () =>
    [...byDatapath(daemon).keys()].map((name) => `${name}\n`).join(''),
  );
  control.register('dpctl/show', '[-s] [dp...]', 0, 2000, (args) => showDatapaths(daemon, args));
  control.register('dpctl/dump-flows', '[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]', 0, 2000, (args) =>
    dumpFlows(daemon, args),
  );
  control.register('dpctl/del-flow', '[dp] flow', 1, 2000, (args) => deleteFlow(daemon, args.at(-1)!));
  control.register('dpctl/del-flows', '[dp] [file]', 0, 2000, () => deleteFlows(daemon));
  control.register('revalidator/purge', '', 0, 0, () => deleteFlows(daemon));
  control.register('revalidator/wait', '', 0, 0, () => {
    daemon.turn();
    return '';
  });
  let ufid = true;
  control.register('upcall/show', '', 0, 0, () => showUpcalls(daemon, ufid));
  control.register('upcall/enable-ufid', '', 0, 0, () => {
    ufid = true;
    return 'Datapath dumping tersely using UFID enabled for supported datapaths';
  });
  control.register('upcall/disable-ufid', '', 0, 0, () => {
    ufid = false;
    return 'Datapath dumping tersely using UFID disabled';
  });
  control.register('upcall/set-flow-limit', 'flow-limit-number', 1, 1, ([text]) => {
    const limit = Number.parseInt(text!, 10) || 0;
    daemon.target.flowLimit = limit;
    return `set flow_limit to ${limit}\n`;
  });
  control.register('bridge/reconnect', '[bridge]', 0, 1, ([name]) => {
    if (name !== undefined) bridgeOf(daemon, name, 'Unknown bridge');
    daemon.agents.reconnect(name ?? null);
    return '';
  });
}
