/** Flows as text → flow-mods of our tables. */
import type { Match } from '../../src/flow/key.ts';
import { must } from '../../src/lib/result.ts';
import type { FlowMod } from '../../src/ofproto/flow-mod.ts';
import { type OfAction, parseActions } from '../../src/openflow/action/index.ts';
import { parseMatch } from '../../src/openflow/match-text.ts';

const words = /^(table|priority|cookie)=(.*)$/;

/** A flow as ovs-ofctl takes it: `table=1,priority=5,tcp,actions=drop`. */
export function flowMod(text: string): FlowMod<readonly OfAction[]> {
  const at = text.indexOf('actions=');
  const settings: Record<string, string> = {};
  const rest: string[] = [];
  for (const word of text.slice(0, at).split(/[, ]+/)) {
    const found = words.exec(word);
    if (found) settings[found[1]!] = found[2]!;
    else if (word !== '') rest.push(word);
  }
  const actions = must(parseActions(text.slice(at + 'actions='.length)));
  const conjunctions = actions.flatMap((action) =>
    action.type === 'conjunction' ? [{ id: action.id, clause: action.clause, clauseCount: action.clauseCount }] : [],
  );
  return {
    command: 'add',
    tableId: Number(settings.table ?? 0),
    priority: Number(settings.priority ?? 0x8000),
    newCookie: BigInt(settings.cookie ?? 0),
    match: matchOf(rest.join(',')),
    actions,
    conjunctions,
  };
}

export function matchOf(text: string): Match {
  const { key, mask } = must(parseMatch(text));
  return { key, mask };
}
