/** A bridge with flows and groups: what tests of groups and recirculation begin with. */
import { must } from '../../../src/lib/result.ts';
import type { SwitchState } from '../../../src/ofproto/index.ts';
import { parseActions } from '../../../src/openflow/action/index.ts';
import { parseMatch } from '../../../src/openflow/match-text.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import { translate } from '../../../src/translate/index.ts';
import type { Effects, GroupKind, TraceNode, XlateOut } from '../../../src/translate/types.ts';
import { buildState, packet, type TestPacket } from '../translate/fixture.ts';

export interface TestBucket {
  readonly weight?: number;
  readonly watchPort?: number;
  readonly watchGroup?: number;
  readonly actions: string;
}

export const tcp: TestPacket = {
  inPort: 1,
  proto: 6,
  ttl: 64,
  ipSrc: '10.0.0.1',
  ipDst: '10.0.0.2',
  tpSrc: 1,
  tpDst: 2,
};

/** Ports 1 to 4, no flows: OpenFlow and datapath ports have the same numbers. */
export const bridge = (name = 'br0'): SwitchState =>
  buildState({ name, local: 100, failMode: 'secure', ports: [1, 2, 3, 4].map((dp) => ({ name: `p${dp}`, dp })) });

/** `table=1,priority=5,tcp` and the actions. */
export function addFlow(state: SwitchState, match: string, actions: string, cookie = 0n): void {
  const tableId = Number(/table=(\d+)/.exec(match)?.[1] ?? 0);
  const priority = Number(/priority=(\d+)/.exec(match)?.[1] ?? 0x8000);
  const { key, mask } = must(parseMatch(match.replace(/(table|priority)=\d+,?/g, '')));
  const mod = {
    command: 'add' as const,
    tableId,
    priority,
    match: { key, mask },
    newCookie: cookie,
    actions: must(parseActions(actions)),
  };
  const error = state.bridges.get('br0')!.ofproto.execute(mod, null, 0);
  if (error) throw new Error(error);
}

export function addGroup(state: SwitchState, id: number, type: GroupKind, buckets: readonly TestBucket[]): void {
  const made = buckets.map(({ weight = type === 'select' ? 1 : 0, watchPort = null, watchGroup = null, actions }) => ({
    id: null,
    weight,
    watchPort,
    watchGroup,
    actions: must(parseActions(actions)),
  }));
  const { groups } = state.bridges.get('br0')!.ofproto;
  must(groups.execute({ command: 'add', id, type, buckets: made, selection: null }, 0));
}

export interface Traced extends XlateOut {
  /** Texts of the trace, whatever their level. */
  readonly texts: readonly string[];
}

export function run(state: SwitchState, spec: TestPacket = tcp, effects: Effects = noEffects, change = {}): Traced {
  const trace: TraceNode[] = [];
  const out = translate({
    picture: state.picture(),
    key: packet(spec),
    frame: null,
    now: 0,
    effects,
    trace,
    ...change,
  });
  const texts = (nodes: readonly TraceNode[]): string[] => nodes.flatMap((n) => [n.text, ...texts(n.children)]);
  return { ...out, actions: [...out.actions], texts: texts(trace) };
}
