/**
 * Ofproto: the state of bridges, and the pictures of it that translation works on.
 *
 * What. bridge.ts is one bridge; picture.ts puts all bridges, routes and neighbours of a switch into one picture with a
 * generation. Translation sees pictures only, and never comes back here but through its effects.
 * ofproto.ts is the OpenFlow side of a bridge; requests/ carries requests out, connections/ speaks with controllers.
 * flow-tables.ts is the flow tables of a bridge: flow-mod.ts says what may be asked, flow-transaction.ts does it, table.ts
 * and rule.ts hold it, select.ts finds rules, eviction.ts makes room. groups.ts and meters.ts are the other two tables.
 * Actions are opaque to the tables: actions.ts says what must be known of them. pipeline.ts shows them to translation.
 *
 * Terms. *flow-mod*: a change without a protocol version. *transaction*: changes that appear whole or not at all.
 * *retired*: a rule that the current version does not have, kept until it has been reported and nobody looks at its version.
 *
 * Invariants. A picture is never changed. Two pictures with the same generation are the same object. A refused change leaves
 * nothing behind. Errors are the reference's, by name.
 *
 * Not supported. Groups know no versions: a bundle that fails puts them back, and nothing looks at them in between.
 */
export { Bridge, type BridgePortSettings } from './bridge.ts';
export type { Ofproto } from './ofproto.ts';
export { SwitchState } from './picture.ts';
export { type OfHost, OfRequests, type PortTraffic } from './requests/index.ts';
