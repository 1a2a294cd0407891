/** All families together. */
import { type BundleMessage, bundleFamily } from './bundle.ts';
import type { Family } from './codec.ts';
import { type CtFlushMessage, ctFlushFamily } from './ct-flush.ts';
import { type SwitchMessage, switchFamily } from './features.ts';
import { type FlowModMessage, flowModFamily } from './flow-mod.ts';
import { type FlowMonitorMessage, flowMonitorFamily } from './flow-monitor.ts';
import { type FlowRemovedMessage, flowRemovedFamily } from './flow-removed.ts';
import { type FlowStatsMessage, flowStatsFamily } from './flow-stats.ts';
import { type GroupMessage, groupFamily } from './group.ts';
import { type GroupFeaturesMessage, groupFeaturesFamily } from './group-features.ts';
import { type SymmetricMessage, symmetricFamily } from './hello.ts';
import { type MeterMessage, meterFamily } from './meter.ts';
import { type NiciraMessage, niciraFamily } from './nicira.ts';
import { type PacketInMessage, packetInFamily } from './packet-in.ts';
import { type PacketOutMessage, packetOutFamily } from './packet-out.ts';
import { type PortMessage, portFamily } from './port.ts';
import { type PortStatsMessage, portStatsFamily } from './port-stats.ts';
import { type QueueMessage, queueFamily } from './queue.ts';
import { type RoleFamilyMessage, roleFamily } from './role.ts';
import { type TableMessage, tableFamily } from './table.ts';
import { type TableFeaturesMessage, tableFeaturesFamily } from './table-features.ts';
import { type TableStatsMessage, tableStatsFamily } from './table-stats.ts';

export type OfMessage =
  | SymmetricMessage
  | SwitchMessage
  | PortMessage
  | PortStatsMessage
  | QueueMessage
  | MeterMessage
  | RoleFamilyMessage
  | TableMessage
  | BundleMessage
  | NiciraMessage
  | PacketOutMessage
  | PacketInMessage
  | FlowModMessage
  | FlowRemovedMessage
  | FlowStatsMessage
  | GroupMessage
  | GroupFeaturesMessage
  | TableFeaturesMessage
  | TableStatsMessage
  | FlowMonitorMessage
  | CtFlushMessage;

// biome-ignore lint/suspicious/noExplicitAny: each family's functions are only called with messages of its own kinds
export const families: readonly Family<any>[] = [
  symmetricFamily,
  switchFamily,
  portFamily,
  portStatsFamily,
  queueFamily,
  meterFamily,
  roleFamily,
  tableFamily,
  bundleFamily,
  niciraFamily,
  packetOutFamily,
  packetInFamily,
  flowModFamily,
  flowRemovedFamily,
  flowStatsFamily,
  groupFamily,
  groupFeaturesFamily,
  tableFeaturesFamily,
  tableStatsFamily,
  flowMonitorFamily,
  ctFlushFamily,
];
