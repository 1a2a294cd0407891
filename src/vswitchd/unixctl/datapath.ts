/** The commands dpif/*, dpctl/*, dpif-netdev/*, upcall/*, revalidator/* and bridge/*: what the datapath has and does. */

import { KEY } from '../../flow/key.ts';
import type { DpPort } from '../../flow/odp/action.ts';
import { formatFlow } from '../../flow/odp/format.ts';
import { MILLISECOND } from '../../lib/clock.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { LiveBridge, LiveInterface } from '../database/configurator.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { tunnelPortName } from '../database/tunnel-options.ts';
import { behindDatapath, dpctlError, dpctlUsages, registerDpctl } from './datapath-argument.ts';
import { byDatapath, datapathNames } from './datapath-names.ts';
import { registerFlowCommands } from './dpctl-flows.ts';
import { bridgeOf } from './fdb.ts';

/** The datapath's number of a port; null when there is none. */
function portByName(daemon: SwitchDaemon, name: string): DpPort | null {
  const live = daemon.config.interfaceOf(name);
  return live ? (daemon.target.port(live.bridge, name)?.dpPort ?? null) : null;
}

const typeText = ({ kind, type }: LiveInterface): string =>
  kind?.kind === 'dummy' && type === 'internal' ? 'dummy-internal' : type;

function configText({ row, type }: LiveInterface): string {
  const options = row.map('options');
  const names = type === 'patch' ? ['peer'] : ['ifindex'];
  if (type === 'vxlan' || type === 'geneve' || type === 'gre') names.splice(0, 1, ...tunnelNames);
  const pairs = names
    .filter((name) => options.has(name))
    .map((name) => `${name}=${optionText(name, options.get(name)!)}`);
  return pairs.length > 0 ? `: ${pairs.join(', ')}` : '';
}

/** Keys are told as decimal numbers, types of service as hexadecimal ones. */
function optionText(name: string, text: string): string {
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) return text;
  if (name === 'tos') return `0x${Number(text).toString(16)}`;
  return name.endsWith('key') ? BigInt(text).toString() : text;
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
      const name = tunnel ? tunnelPortName(tunnel) : live.name;
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
  if (byDatapath(daemon).size === 0) behindDatapath(daemon, [], 1);
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
  const { target } = daemon;
  target.flushFlows(daemon.clock.now());
  // Those that were put in by hand are not the revalidator's
  for (const id of [...target.datapath.flowIds()]) target.datapath.deleteFlow(id, target.datapath.flowGeneration(id)!);
  return '';
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
  registerDpctl(control, 'show', (args) => showDatapaths(daemon, args));
  registerDpctl(control, 'dump-flows', (args) => dumpFlows(daemon, args));
  registerDpctl(control, 'offload-stats-show', (args) => {
    behindDatapath(daemon, args, 1);
    throw dpctlError('retrieving offload statistics', 'EINVAL');
  });
  registerDpctl(control, 'cache-get-size', ([name]) => {
    const all = [...byDatapath(daemon).keys()];
    if (name !== undefined && !all.includes(name)) throw dpctlError(`Opening datapath ${name} failed`, 'EINVAL');
    return (name === undefined ? all : [name]).map((one) => `${one}:\n`).join('');
  });
  registerDpctl(control, 'cache-set-size', ([name]) => {
    const isKnown = byDatapath(daemon).has(name!);
    throw dpctlError(
      isKnown ? 'Setting cache size failed' : `Opening datapath ${name} failed`,
      isKnown ? 'EOPNOTSUPP' : 'EINVAL',
    );
  });
  control.register('dpctl/list-commands', '', 0, 2000, () => {
    const lines = Object.entries(dpctlUsages).map(([name, usage]) => `  dpctl/${name.padEnd(23)} ${usage}\n`);
    return `The available commands are:\n${lines.join('')}`;
  });
  registerFlowCommands(control, daemon, () => void deleteFlows(daemon));
  control.register('revalidator/purge', '', 0, 0, () => deleteFlows(daemon));
  control.register('revalidator/wait', '', 0, 0, () => {
    daemon.turn();
    return '';
  });
  if (daemon.options.dummies !== 'none') {
    control.register('dpif-dummy/change-port-number', 'dp port new-number', 3, 3, ([datapath, port]) => {
      if (!datapathNames(daemon).has(datapath!)) throw new CommandError('unknown datapath or not a dummy');
      const number = portByName(daemon, port!);
      throw new CommandError(number === null ? 'unknown port' : 'ports keep their numbers');
    });
  }
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
  control.register('upcall/disable-megaflows', '', 0, 0, () => {
    throw new CommandError('megaflows cannot be disabled: the datapath has no other flows');
  });
  control.register('upcall/enable-megaflows', '', 0, 0, () => {
    deleteFlows(daemon);
    return 'megaflows enabled\n';
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
