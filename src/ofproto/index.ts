/**
 * Ofproto: the state of bridges, and the pictures of it that translation works on.
 *
 * What. bridge.ts is one bridge; picture.ts puts all bridges, routes and neighbours of a switch into one picture with a
 * generation. Translation sees pictures only, and never comes back here but through its effects.
 * flow-tables.ts is the flow tables of a bridge: flow-mod.ts says what may be asked, flow-transaction.ts does it, table.ts
 * and rule.ts hold it, select.ts finds rules, eviction.ts makes room. groups.ts and meters.ts are the other two tables.
 * Actions are opaque here: whoever makes the tables says what must be known of them.
 *
 * Terms. *flow-mod*: a change without a protocol version. *transaction*: changes that appear whole or not at all.
 * *retired*: a rule that the current version does not have, kept until it has been reported and nobody looks at its version.
 *
 * Invariants. A picture is never changed. Two pictures with the same generation are the same object. A refused change leaves
 * nothing behind. Errors are the reference's, by name.
 *
 * Not supported. Vacancy events. Groups and meters within bundles: their tables know no versions. Flow tables, groups and
 * meters are not in the pictures' pipelines yet.
 */
export { Bridge, type BridgePortSettings } from './bridge.ts';
export { SwitchState } from './picture.ts';
