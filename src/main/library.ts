/**
 * What the package gives to programs: networks in memory, the switch, the datapath, captures, and flows as text.
 * docs/simulator.md shows how to use it.
 */
export { MemoryNetdev, memoryPair } from '../../backends/memory/index.ts';
export { Datapath, type DatapathOptions } from '../datapath/datapath.ts';
export type { DpFlow, DpFlowStats } from '../datapath/types.ts';
export { FlowKey, KEY, type Match } from '../flow/key.ts';
export type { DpAction, DpPort } from '../flow/odp/action.ts';
export { formatActions, formatFlow, formatMatch } from '../flow/odp/format.ts';
export { parseActions, parseFlow, parseMatch } from '../flow/odp/parse.ts';
export { printKey } from '../flow/print.ts';
export { type DropReasonName, dropReasons } from '../gen/tables.ts';
export { MILLISECOND, type Micros, SECOND } from '../lib/clock.ts';
export { Random } from '../lib/random.ts';
export type { Result } from '../lib/result.ts';
export type { Netdev } from '../netdev/netdev.ts';
export * as packet from '../packet/index.ts';
export * as pcap from '../packet/pcap.ts';
export * from '../sim/index.ts';
export { createSwitch, Switch } from '../vswitchd/switch.ts';
export type {
  BridgeConfig,
  ConservationAudit,
  PortConfig,
  PortInfo,
  SwitchCounters,
  SwitchOptions,
  TraceReport,
  TraceTarget,
} from '../vswitchd/types.ts';
