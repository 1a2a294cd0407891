/** Conjunctive matches: rules that are one of several dimensions of a condition (ovs-fields(7), Conjunctive Match). */

/** That a rule is clause `clause` of the `clauseCount` clauses of conjunction `id`. */
export interface Conjunction {
  readonly id: number;
  /** From 0. */
  readonly clause: number;
  /** 2 to 64. */
  readonly clauseCount: number;
}

/** The ids of which every clause is in one of the sets, in the order in which they become complete. */
export function completeConjunctions(sets: readonly (readonly Conjunction[])[]): number[] {
  const seen = new Map<number, Set<number>>();
  const complete: number[] = [];
  for (const set of sets) {
    for (const { id, clause, clauseCount } of set) {
      let clauses = seen.get(id);
      if (!clauses) seen.set(id, (clauses = new Set()));
      if (clauses.has(clause)) continue;
      clauses.add(clause);
      if (clauses.size === clauseCount) complete.push(id);
    }
  }
  return complete;
}
