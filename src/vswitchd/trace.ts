/** Trace: what would happen to a packet, told step by step. */
import { extractKey } from '../flow/extract.ts';
import { type FlowKey, KEY, maskedMatch, PipelineKey } from '../flow/key.ts';
import { formatActions } from '../flow/odp/format.ts';
import { printKey } from '../flow/print.ts';
import { formatMegaflow, formatOfPort, parseFlowKeyText } from '../flow/text.ts';
import { NONE_U32 } from '../gen/layout.ts';
import type { Micros } from '../lib/clock.ts';
import { must } from '../lib/result.ts';
import { noEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { formatTrace } from '../translate/trace.ts';
import {
  type BridgePicture,
  type Effects,
  OFPP_NONE,
  type OfPort,
  type SwitchPicture,
  type TraceNode,
  type XlateOut,
} from '../translate/types.ts';
import type { TraceReport, TraceStep, TraceTarget } from './types.ts';

/** A packet in a bridge: its key has the datapath's port number, and stands for a packet that came by `ofport`. */
interface Ingress {
  readonly key: FlowKey;
  readonly ofport: OfPort;
}

/** The key with the datapath port of an OpenFlow port, or none. */
function withIngress(bridge: BridgePicture, key: FlowKey, ofport: OfPort): Ingress {
  const dpPort = bridge.ports.get(ofport)?.dpPort ?? NONE_U32;
  return { key: key.clone().set(KEY.in_port, dpPort), ofport };
}

/** @throws for text that is no flow and for ports that are not there */
function ingressOf(bridge: BridgePicture, target: TraceTarget): Ingress {
  if ('key' in target) return withIngress(bridge, target.key, target.key.get(KEY.in_port));
  if ('flow' in target) {
    const portByName = (name: string): OfPort | null => bridge.portsByName.get(name)?.ofport ?? null;
    const { key, inPort } = must(parseFlowKeyText(target.flow, { portByName }));
    return withIngress(bridge, key, inPort ?? OFPP_NONE);
  }
  const port = bridge.portsByName.get(target.inPort);
  if (!port) throw new Error(`${bridge.name} has no port ${target.inPort}`);
  return withIngress(bridge, extractKey(target.frame).key, port.ofport);
}

const steps = (nodes: readonly TraceNode[]): TraceStep[] =>
  nodes.map(({ kind, text, children }) => ({ kind, text, steps: steps(children) }));

/** The megaflow with the OpenFlow port in the place of the datapath's. */
const megaflowText = (initial: FlowKey, { wildcards }: XlateOut): string =>
  formatMegaflow(maskedMatch(initial, wildcards), formatOfPort);

/** Translates one packet without doing anything but what `effects` do. */
export function traceSwitch(
  picture: SwitchPicture,
  bridgeName: string,
  target: TraceTarget,
  now: Micros,
  effects: Effects = noEffects,
): TraceReport {
  const bridge = picture.bridges.get(bridgeName)!;
  const { key, ofport } = ingressOf(bridge, target);
  const trace: TraceNode[] = [];
  const frame = 'frame' in target ? target.frame : null;
  const out = translate({ picture, key, ingress: { bridge: bridgeName, ofport }, frame, now, effects, trace });
  const initialFlow = PipelineKey.of(key).set(KEY.in_port, ofport);
  const { finalFlow, drop } = out;
  const texts = {
    flow: printKey(initialFlow),
    finalFlow: finalFlow.equals(initialFlow) ? 'unchanged' : printKey(finalFlow),
    megaflow: megaflowText(initialFlow, out),
    actions: out.actions.length === 0 ? 'drop' : formatActions(out.actions),
  };
  return { ...texts, text: formatTrace(trace, texts), drop, steps: steps(trace) };
}
