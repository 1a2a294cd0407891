/** Output to a port of the bridge: a device, a patch port into another bridge, or a tunnel. */
import { KEY } from '../flow/key.ts';
import { commit } from './commit.ts';
import type { XlateContext } from './context.ts';
import { clearConnection, clearPipeline, clearTunnel, copyTunnel } from './protocols.ts';
import { nativeTunnelOutput, tunnelSend } from './tunnel/send.ts';
import { terminateTunnel } from './tunnel/terminate.ts';
import type { OfPort, PortPicture } from './types.ts';

export interface OutputOptions {
  /** Nothing comes behind it in the pipeline. */
  readonly isLast?: boolean;
  /** Its packet has been cut: it cannot go into another bridge. */
  readonly isTruncated?: boolean;
  /** ALL goes to ports that spanning tree blocks, too. */
  readonly ignoresStp?: boolean;
}

const NO_OPTIONS: OutputOptions = {};

/** Sends the packet as it is now out by a port. The flow is afterwards what it was before. */
export function composeOutput(ctx: XlateContext, ofport: OfPort, options: OutputOptions = NO_OPTIONS): void {
  const port = ctx.bridge.ports.get(ofport);
  if (!port) {
    ctx.report('warning', 'Nonexistent output port');
    ctx.noteDrop('output_no_port');
    return;
  }
  if (!mayLeave(ctx, port, options)) return;
  if (port.kind === 'patch') {
    if (options.isTruncated) ctx.report('error', 'Cannot truncate output to patch port');
    outputPatch(ctx, port, options.isLast ?? false);
    return;
  }
  if (port.kind === 'tunnel') {
    outputTunnel(ctx, port);
    return;
  }
  if (port.dpPort === null) return;
  commit(ctx);
  const tunnelPort = terminateTunnel(ctx, port);
  if (tunnelPort !== null) ctx.actions.push({ type: 'tnl_pop', port: tunnelPort });
  else ctx.actions.push({ type: 'output', port: port.dpPort });
}

function mayLeave(ctx: XlateContext, port: PortPicture, { ignoresStp }: OutputOptions): boolean {
  if (ctx.bridge.portConfig.get(port.ofport)?.noForward) {
    ctx.report('detail', 'OFPPC_NO_FWD set, skipping output');
    ctx.noteDrop('output_down');
    return false;
  }
  if (ctx.inPort?.bundle.protected && port.bundle.protected) {
    ctx.report('warning', 'Flow is between protected ports, skipping output.');
    ctx.noteDrop('no_output');
    return false;
  }
  if (!ignoresStp && !port.forwards) {
    ctx.report('warning', 'STP not in forwarding state, skipping output');
    ctx.noteDrop('output_down');
    return false;
  }
  if (ctx.flow.isZero(KEY.packet_type)) return true;
  const text = 'Trying to send non-Ethernet packet through legacy L2 port. Dropping packet.';
  ctx.report('warning', text);
  ctx.noteDrop('no_output');
  return false;
}

/** The port at the other end of a patch, when both ends name each other. */
function patchPeer(ctx: XlateContext, port: PortPicture): PortPicture | null {
  if (!port.peer) return null;
  const other = ctx.picture.bridges.get(port.peer.bridge)?.portsByName.get(port.peer.port);
  return other?.peer?.bridge === port.bridge && other.peer.port === port.name ? other : null;
}

function outputPatch(ctx: XlateContext, port: PortPicture, isLast: boolean): void {
  const peer = patchPeer(ctx, port);
  if (peer) enterBridge(ctx, port, peer, isLast);
  else ctx.noteDrop('output_no_port');
}

function outputTunnel(ctx: XlateContext, port: PortPicture): void {
  const { mark } = ctx.keys;
  const saved = ctx.keys.copy(ctx.flow);
  if (tunnelSend(ctx, port)) {
    ctx.report('detail', 'output to native tunnel');
    commit(ctx);
    nativeTunnelOutput(ctx, port, (underlay) => enterBridge(ctx, null, underlay, false));
  }
  ctx.flow.copyFrom(saved);
  ctx.keys.release(mark);
}

/**
 * Goes on in another bridge as a packet that comes in there. Its tables see the packet without tunnel and connection
 * metadata; its errors stay there, and what it changed of the packet is undone.
 * @param from the patch port that the packet left by; null when a tunnel pushed it out
 */
function enterBridge(ctx: XlateContext, from: PortPicture | null, to: PortPicture, isLast: boolean): void {
  const bridge = ctx.picture.bridges.get(to.bridge);
  if (!bridge) return;
  const { stack, actionSet, hasGroupInSet, isConntracked, wasMpls, bridge: outerBridge, tablesVersion } = ctx;
  const { mark } = ctx.keys;
  const outerFlow = ctx.keys.copy(ctx.flow);
  const outerWildcards = ctx.keys.copy(ctx.wildcards);
  const { flow } = ctx;
  flow.set(KEY.in_port, to.ofport);
  clearTunnel(flow);
  clearConnection(flow);
  clearTunnel(ctx.wildcards);
  clearPipeline(flow);
  ctx.isConntracked = false;
  ctx.stack = [];
  ctx.actionSet = [];
  ctx.hasGroupInSet = false;
  ctx.bridge = bridge;
  ctx.tablesVersion = bridge.pipeline.version;
  ctx.inBridge(bridge.name, () => receiveInBridge(ctx, to, isLast));
  ctx.bridge = outerBridge;
  ctx.tablesVersion = tablesVersion;
  ctx.stack = stack;
  ctx.actionSet = actionSet;
  ctx.hasGroupInSet = hasGroupInSet;
  ctx.isConntracked = isConntracked;
  ctx.wasMpls = wasMpls;
  flow.copyFrom(outerFlow);
  copyTunnel(ctx.wildcards, outerWildcards);
  ctx.keys.release(mark);
  // What happened there, errors included, is no matter of this bridge
  ctx.isExiting = false;
  ctx.error = 'none';
  if (!from) return;
  ctx.effects.creditPort(from.bridge, from.ofport, 'tx');
  ctx.effects.creditPort(to.bridge, to.ofport, 'rx');
}

function receiveInBridge(ctx: XlateContext, to: PortPicture, isLast: boolean): void {
  const call = { mayPacketIn: true, honorsMiss: true, isLast, isClone: true };
  if (ctx.bridge.portConfig.get(to.ofport)?.noReceive) {
    ctx.noteDrop('output_down');
    return;
  }
  if (to.forwards) {
    ctx.enterTable(ctx, 0, call);
    ctx.bodies.finish(ctx);
    return;
  }
  // The tables may learn from the packet, but it goes nowhere
  const { mark } = ctx.keys;
  const base = ctx.keys.copy(ctx.base);
  const { actions } = ctx;
  const count = actions.length;
  ctx.enterTable(ctx, 0, call);
  actions.length = count;
  ctx.base.copyFrom(base);
  ctx.cancelFreeze();
  ctx.noteDrop('output_down');
  ctx.keys.release(mark);
}
