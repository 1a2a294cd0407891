/**
 * Protocol machines: state that packets teach, without any input or output of its own.
 *
 * What. MAC learning (which port is a station on), the tunnel neighbour cache (which MAC address has a next hop), and the
 * routing table of tunnel endpoints.
 *
 * Terms. *generation*: a number that changes when an answer may have become another one; pictures are compared by it.
 *
 * Invariants. Time is an argument. `run(now)` ages, `wakeAt()` says when it next has something to do. Every table has a
 * limit. A lookup changes nothing.
 *
 * Not supported yet: multicast snooping, STP, RSTP, LACP, BFD, CFM, LLDP.
 */
export { MacLearning } from './mac-learning.ts';
export { NeighborCache } from './neighbor.ts';
export { RouteTable } from './route.ts';
