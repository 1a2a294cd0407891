/** The commands coverage/*: how often what happened. Names are those of this datapath's own counters. */
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';

function counters(daemon: SwitchDaemon): [string, number][] {
  const { worker, upcall, drops } = daemon.target.counters();
  const dropped = Object.entries(drops).map(([name, count]): [string, number] => [`drop_${name}`, count]);
  return [...Object.entries(worker), ['worker_deaths', daemon.workerDeaths], ...Object.entries(upcall), ...dropped];
}

export function registerCoverage(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('coverage/show', '', 0, 0, () => {
    const all = counters(daemon);
    const hit = all.filter(([, count]) => count > 0);
    const lines = hit.map(([name, count]) => `${name.padEnd(24)} total: ${count}\n`);
    return `Event coverage:\n${lines.join('')}${all.length - hit.length} events never hit\n`;
  });
  control.register('coverage/read-counter', 'COUNTER', 1, 1, ([name]) => {
    const found = counters(daemon).find(([known]) => known === name);
    if (!found) throw new CommandError('No such counter');
    return `${found[1]}\n`;
  });
}
