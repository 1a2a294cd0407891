/**
 * The OpenFlow classifier: which rule of a flow table takes a flow, and which bits of the flow decided it.
 *
 * What. Rules are matches with priorities, put in and hidden by version. Rules of one mask make a subtable, packed to the
 * words that the mask touches; a lookup visits subtables by their highest priority and stops when none can do better. It
 * goes through a subtable in four stages (metadata, L2, L3, L4) and only as far as some rule still fits.
 *
 * Terms. *un-wildcard*: add to the wildcards of a translation (a mask) the bits that were looked at. *version*: a number;
 * a rule is seen from the one in which it was added to before the one from which it is hidden, so that many changes appear
 * at once. *soft* match: a rule that is one dimension of conjunctive matches; the others are *hard*. *published*: the
 * subtables and priorities that lookups go by.
 *
 * Invariants.
 *   Any flow that agrees with a looked-up one on the un-wildcarded bits gets the same rule in that version.
 *   What is un-wildcarded is what Open vSwitch un-wildcards: the stages, the order of subtables, the tries of address
 *   prefixes and of transport ports are its own (test/differential/classifier-megaflow.test.ts).
 *   A lookup allocates nothing, conjunctive matches and a change of key apart.
 *   What is kept for speed changes no answer and no wildcards (test/unit/classifier/churn.test.ts).
 *   No version sees two rules of one match and priority; the caller sees to it.
 *
 * Lie of the land. words.ts: keys as words, stages. shape.ts: a mask made ready. entries.ts: rules as rows of arrays.
 * counts.ts: hashes of the stages. stages.ts: what subtables share of them. subtable.ts. trie.ts, prefixes.ts,
 * prefix-tracker.ts: prefixes. conjunction.ts.
 *
 * Not supported. Prefixes of metadata and registers. Lookups while another thread changes the tables: there is one thread.
 */
export { Classifier } from './classifier.ts';
export type { Conjunction } from './conjunction.ts';
export type { RuleId, Version } from './entries.ts';
export type { PrefixField } from './prefixes.ts';
