/** Which rules a request is about: cookie, output port and group, table and match. */
import type { Version } from '../flow/classifier/index.ts';
import type { Match } from '../flow/key.ts';
import type { ActionFacts } from './flow-mod.ts';
import type { Rule } from './rule.ts';
import type { OfTable } from './table.ts';

export interface RuleCriteria {
  readonly match: Match;
  /** Only the rule of exactly this match and priority; null for all whose flows fall under the match. */
  readonly strictPriority?: number | null;
  readonly cookie?: bigint;
  readonly cookieMask?: bigint;
  /** Null for any. */
  readonly outPort?: number | null;
  readonly outGroup?: number | null;
  /** Also rules of priorities that only the switch may use. */
  readonly includesHidden?: boolean;
}

function fits<A>(criteria: RuleCriteria, facts: ActionFacts<A>, rule: Rule<A>): boolean {
  const { cookie = 0n, cookieMask = 0n, outPort = null, outGroup = null, includesHidden = false } = criteria;
  return (
    (includesHidden || !rule.isHidden) &&
    ((rule.cookie ^ cookie) & cookieMask) === 0n &&
    (outPort === null || facts.outputsTo(rule.actions, outPort)) &&
    (outGroup === null || facts.usesGroup(rule.actions, outGroup))
  );
}

/** The rules of one table in a version, in the table's order. */
export function selectRules<A>(
  { classifier }: OfTable<A>,
  version: Version,
  facts: ActionFacts<A>,
  criteria: RuleCriteria,
): Rule<A>[] {
  const { strictPriority = null, match } = criteria;
  if (strictPriority !== null) {
    const id = classifier.find(match, strictPriority, version);
    return id >= 0 && fits(criteria, facts, classifier.value(id)) ? [classifier.value(id)] : [];
  }
  const rules: Rule<A>[] = [];
  classifier.forEach(version, match, (_, rule) => {
    if (fits(criteria, facts, rule)) rules.push(rule);
  });
  return rules;
}
