/** Flow tables whose actions are lists of words: `output:1`, `group:2`, `meter:3`. */
import { KEY, type Match, PipelineKey } from '../../../src/flow/key.ts';
import { parseFlowText } from '../../../src/flow/text.ts';
import { must } from '../../../src/lib/result.ts';
import type { ActionFacts, FlowChange, FlowMod, FlowModCommand } from '../../../src/ofproto/flow-mod.ts';
import type { FlowTables } from '../../../src/ofproto/flow-tables.ts';

export type Words = readonly string[];

export const facts: ActionFacts<Words> = {
  outputsTo: (actions, port) => actions.includes(`output:${port}`),
  usesGroup: (actions, group) => actions.includes(`group:${group}`),
  usesMeter: (actions, meter) => actions.includes(`meter:${meter}`),
  equal: (a, b) => a.join() === b.join(),
};

export function matchOf(text: string): Match {
  const { match, inPort } = must(parseFlowText(text));
  const [key, mask] = [PipelineKey.of(match.key), PipelineKey.of(match.mask)];
  if (inPort !== null) {
    key.set(KEY.in_port, inPort);
    mask.setAllOnes(KEY.in_port);
  }
  return { key, mask };
}

/** @param settings what differs from a rule without timeouts and flags in table 0 */
export const mod = (
  command: FlowModCommand,
  match: string,
  actions: string,
  settings: Partial<FlowMod<Words>> = {},
): FlowMod<Words> => ({
  command,
  tableId: 0,
  match: matchOf(match),
  priority: 100,
  newCookie: command === 'add' ? 0n : null,
  actions: actions === '' ? [] : actions.split(','),
  ...settings,
});

export const kinds = (changes: readonly FlowChange<Words>[]): string[] =>
  changes.map((change) => (change.kind === 'removed' ? `removed:${change.reason}` : change.kind));

/** Everything that can be seen of the tables, one line a rule. */
export function dump(tables: FlowTables<Words>): string[] {
  const lines: string[] = [];
  for (const table of tables.tables) {
    let count = 0;
    table.classifier.forEach(tables.version, null, (_, rule) => {
      count++;
      const { key, mask } = tables.matchOf(rule);
      const hex = [key, mask].map(({ bytes }) => Buffer.from(bytes).toString('hex').replaceAll('00', '')).join('/');
      const { priority, cookie, actions, idleTimeout, hardTimeout, importance, packets, created } = rule;
      const numbers = [priority, cookie, idleTimeout, hardTimeout, importance, packets, created];
      lines.push(`${table.id} ${hex} ${numbers.join()} ${actions.join()}`);
    });
    lines.push(...(table.flowCount === count ? [] : [`table ${table.id} counts ${table.flowCount}, not ${count}`]));
  }
  return lines.sort();
}
