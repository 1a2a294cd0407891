/** Datapaths by the names that the reference gives them: bridges of one datapath_type are on one datapath. */
import type { LiveBridge } from '../database/configurator.ts';
import type { SwitchDaemon } from '../database/daemon.ts';

/** The datapath that a bridge of this datapath_type is on. */
const datapathOf = (type: string): string =>
  type === '' || type === 'system' ? 'system@ovs-system' : type === 'dummy' ? 'dummy@ovs-dummy' : `${type}@ovs-${type}`;

export function byDatapath(daemon: SwitchDaemon): Map<string, LiveBridge[]> {
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
