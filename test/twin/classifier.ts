/**
 * The slow, obvious twin of the OpenFlow classifier: a list of rules, tried one after the other.
 *
 * Two rules of one priority that take the same flow have no order, so answers are sets.
 */
import type { Conjunction, Version } from '../../src/flow/classifier/index.ts';
import { type Match, PIPELINE, type PipelineKey } from '../../src/flow/key.ts';
import { equalMatches } from '../../src/flow/match.ts';

export interface TwinRule<T> {
  readonly match: Match;
  readonly priority: number;
  readonly value: T;
  readonly conjunctions: readonly Conjunction[];
  readonly added: Version;
  removed: Version;
}

function takes(match: Match, flow: PipelineKey): boolean {
  for (let i = 0; i < flow.bytes.length; i++) {
    const mask = match.mask.bytes[i] ?? 0;
    if ((flow.bytes[i]! & mask) !== ((match.key.bytes[i] ?? 0) & mask)) return false;
  }
  return true;
}

export class LinearClassifier<T> {
  readonly rules: TwinRule<T>[] = [];

  /** The rules of the highest priority that may take the flow; empty when none does. */
  lookup(version: Version, flow: PipelineKey): TwinRule<T>[] {
    const taking = this.rules.filter(
      ({ match, added, removed }) => added <= version && version < removed && takes(match, flow),
    );
    const hard = taking.filter(({ conjunctions }) => conjunctions.length === 0);
    const best = Math.max(...hard.map(({ priority }) => priority));
    const soft = taking.filter(({ conjunctions, priority }) => conjunctions.length > 0 && priority > best);
    for (const priority of [...new Set(soft.map((rule) => rule.priority))].sort((a, b) => b - a)) {
      const answers = this.#complete(soft.filter((rule) => rule.priority === priority)).flatMap((id) => {
        const again = flow.clone().set(PIPELINE.conj_id, id);
        return this.#hardOnly(version, again);
      });
      if (answers.length > 0) return answers;
    }
    return hard.filter((rule) => rule.priority === best);
  }

  /** A rule that stands behind a soft one of the same match is not seen here, as in the reference. */
  #hardOnly(version: Version, flow: PipelineKey): TwinRule<T>[] {
    const visible = this.rules.filter(({ added, removed }) => added <= version && version < removed);
    const soft = visible.filter(({ conjunctions }) => conjunctions.length > 0);
    const hides = (rule: TwinRule<T>): boolean =>
      soft.some((front) => front.priority > rule.priority && equalMatches(front.match, rule.match));
    const without = new LinearClassifier<T>();
    without.rules.push(...visible.filter((rule) => rule.conjunctions.length === 0 && !hides(rule)));
    return without.lookup(version, flow);
  }

  #complete(soft: readonly TwinRule<T>[]): number[] {
    const all = soft.flatMap(({ conjunctions }) => conjunctions);
    const ids = [...new Set(all.map(({ id }) => id))];
    return ids.filter((id) => {
      const own = all.filter((clause) => clause.id === id);
      return own.some(({ clauseCount }) => new Set(own.map(({ clause }) => clause)).size >= clauseCount);
    });
  }
}
