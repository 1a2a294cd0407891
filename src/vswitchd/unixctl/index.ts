/** The commands of the switch daemon's control socket (ovs-vswitchd(8), "RUNTIME MANAGEMENT COMMANDS"). */
import type { ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { registerBridgeFlows } from './bridge-flows.ts';
import { registerConntrack, registerDatapathChanges } from './conntrack.ts';
import { registerCoverage } from './coverage.ts';
import { registerDatapath } from './datapath.ts';
import { registerDpifNetdev } from './dpif-netdev.ts';
import { registerDummy } from './dummy.ts';
import { registerMacTable } from './fdb.ts';
import { registerFeatures } from './features.ts';
import { registerIdle } from './idle.ts';
import { registerRoutes } from './routes.ts';
import { registerTime } from './time.ts';
import { registerTrace } from './trace.ts';

export function registerCommands(control: ControlSocket, daemon: SwitchDaemon, version: string): void {
  control.register('version', '', 0, 0, () => version);
  registerIdle(control, daemon);
  registerDatapath(control, daemon);
  registerConntrack(control, daemon);
  registerDatapathChanges(control, daemon);
  registerDpifNetdev(control, daemon);
  registerFeatures(control, daemon);
  registerCoverage(control, daemon);
  registerBridgeFlows(control, daemon);
  registerMacTable(control, daemon);
  registerRoutes(control, daemon);
  registerTrace(control, daemon);
  if (daemon.options.dummies !== 'none') {
    registerDummy(control, daemon);
    registerTime(control, daemon);
  }
}
