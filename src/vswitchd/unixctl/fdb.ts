/** The commands fdb/* and ofproto/list: bridges and what they have learned. */
import { formatMac, parseMac } from '../../lib/addresses.ts';
import { SECOND } from '../../lib/clock.ts';
import type { Bridge } from '../../ofproto/index.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { inNameOrder } from '../database/reference-order.ts';

const OFPP_LOCAL = 0xfffe;

export function bridgeOf(daemon: SwitchDaemon, name: string, error = 'no such bridge'): Bridge {
  const bridge = daemon.target.state.bridges.get(name);
  if (!bridge) throw new CommandError(error);
  return bridge;
}

function show(daemon: SwitchDaemon, bridge: Bridge): string {
  const now = daemon.clock.now();
  const { portsByName } = bridge.picture();
  const lines = bridge.macs.entries(now).map(({ mac, vlan, port, age }) => {
    const ofport = portsByName.get(port)?.ofport;
    const number = ofport === OFPP_LOCAL ? 'LOCAL' : String(ofport ?? '?');
    const old = age === 'static' ? 'static' : String(Math.floor(now / SECOND) - Math.floor((now - age) / SECOND));
    const ageText = age === 'static' ? ' static' : ` ${old.padStart(3)}`;
    return `${number.padStart(5)}  ${String(vlan).padStart(4)}  ${formatMac(mac)} ${ageText}\n`;
  });
  return ` port  VLAN  MAC                Age\n${lines.join('')}`;
}

function statistics(daemon: SwitchDaemon, bridge: Bridge): string {
  const { macs, settings } = bridge;
  const entries = macs.entries(daemon.clock.now());
  const statics = entries.filter(({ age }) => age === 'static').length;
  const { learned, expired, evicted, moved } = macs.counters;
  return `Statistics for bridge "${bridge.name}":
  Current/maximum MAC entries in the table: ${entries.length}/${settings.macTableSize ?? 8192}
  Current static MAC entries in the table : ${statics}
  Total number of learned MAC entries     : ${learned}
  Total number of expired MAC entries     : ${expired}
  Total number of evicted MAC entries     : ${evicted}
  Total number of port moved MAC entries  : ${moved}
`;
}

function macOf(text: string): Uint8Array {
  const mac = parseMac(text);
  if (!mac) throw new CommandError('bad MAC address');
  return mac;
}

function add(daemon: SwitchDaemon, [name, port, vlan, mac]: readonly string[]): string {
  const bridge = bridgeOf(daemon, name!);
  if (!bridge.hasPort(port!)) throw new CommandError('software error, odp port is present but no ofp port');
  bridge.macs.addStatic(macOf(mac!), Number.parseInt(vlan!, 10) & 0xfff, port!);
  return '';
}

function remove(daemon: SwitchDaemon, [name, vlan, mac]: readonly string[]): string {
  const bridge = bridgeOf(daemon, name!);
  if (!bridge.macs.removeStatic(macOf(mac!), Number.parseInt(vlan!, 10) & 0xfff))
    throw new CommandError('could not find static mac entry');
  return '';
}

const some = (daemon: SwitchDaemon, name: string | undefined): Bridge[] =>
  name === undefined ? [...daemon.target.state.bridges.values()] : [bridgeOf(daemon, name)];

export function registerMacTable(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('ofproto/list', '', 0, 0, () =>
    inNameOrder([...daemon.target.state.bridges.keys()], (name) => name)
      .map((name) => `${name}\n`)
      .join(''),
  );
  control.register('fdb/add', 'bridge port vlan mac', 4, 4, (args) => add(daemon, args));
  control.register('fdb/del', 'bridge vlan mac', 3, 3, (args) => remove(daemon, args));
  control.register('fdb/show', 'bridge', 1, 1, ([name]) => show(daemon, bridgeOf(daemon, name!)));
  control.register('fdb/stats-show', 'bridge', 1, 1, ([name]) => statistics(daemon, bridgeOf(daemon, name!)));
  control.register('fdb/flush', '[bridge]', 0, 1, ([name]) => {
    for (const bridge of some(daemon, name)) bridge.macs.flush();
    daemon.turn();
    return 'table successfully flushed';
  });
  control.register('fdb/stats-clear', '[bridge]', 0, 1, ([name]) => {
    for (const { macs } of some(daemon, name))
      Object.assign(macs.counters, { learned: 0, moved: 0, expired: 0, evicted: 0 });
    return 'statistics successfully cleared';
  });
}
