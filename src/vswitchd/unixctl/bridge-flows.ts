/** The command bridge/dump-flows: all rules of a bridge, those that controllers do not see among them. */
import { SECOND } from '../../lib/clock.ts';
import { TABLE_INTERNAL } from '../../ofproto/flow-tables.ts';
import { everything } from '../../ofproto/ofproto.ts';
import { toOfMatch } from '../../ofproto/requests/flows.ts';
import { formatActions } from '../../openflow/action/index.ts';
import { formatMatch } from '../../openflow/match-text.ts';
import type { ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { bridgeOf } from './fdb.ts';

const PRIORITY_DEFAULT = 0x8000;

interface Line {
  readonly table: number;
  readonly age: number;
  readonly packets: number;
  readonly bytes: number;
  readonly match: string;
  readonly actions: string;
}

function textOf({ table, age, packets, bytes, match, actions }: Line, tellsOffload: boolean): string {
  const offload = tellsOffload ? 'n_offload_packets=0, n_offload_bytes=0, ' : '';
  return (
    `${table === 0 ? '' : `table_id=${table}, `}duration=${age}s, n_packets=${packets}, n_bytes=${bytes}, ` +
    `${offload}${match},actions=${actions}\n`
  );
}

const matchText = (priority: number, match: string): string =>
  [...(priority === PRIORITY_DEFAULT ? [] : [`priority=${priority}`]), ...(match === '' ? [] : [match])].join(',');

/** The switch's own table has its rules by priority, and then by what they match. */
const ownOrder = (a: Line, b: Line): number =>
  Number(b.match.startsWith('priority=2')) - Number(a.match.startsWith('priority=2')) || (a.match < b.match ? -1 : 1);

export function registerBridgeFlows(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('bridge/dump-flows', '[--offload-stats] bridge', 1, 2, (args) => {
    const bridge = bridgeOf(daemon, args.at(-1)!, 'Unknown bridge');
    const now = daemon.clock.now();
    const { ofproto } = bridge;
    ofproto.settle();
    const ageOf = (created: number): number => Math.floor((now - created) / SECOND);
    const criteria = { match: everything(), includesHidden: true };
    const all = ofproto.tables.tables.flatMap(({ id }) => {
      const lines = ofproto.tables.select(id, criteria).map((rule): Line => {
        const { key, mask } = ofproto.tables.matchOf(rule);
        const match = matchText(rule.priority, formatMatch(toOfMatch({ key, mask })));
        const { packets, bytes, actions } = rule;
        return { table: id, age: ageOf(rule.created), packets, bytes, match, actions: formatActions(actions) };
      });
      return id === TABLE_INTERNAL ? lines.sort(ownOrder) : lines;
    });
    return all.map((line) => textOf(line, args[0] === '--offload-stats')).join('');
  });
}
