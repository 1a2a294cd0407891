/** Trace: what would happen to a packet, told step by step. */
import { extractKey } from '../flow/extract.ts';
import { type FlowKey, KEY, maskedMatch, PipelineKey } from '../flow/key.ts';
import { formatActions } from '../flow/odp/format.ts';
import { printKey } from '../flow/print.ts';
import { formatMegaflow, formatOfPort, parseFlowKeyText } from '../flow/text.ts';
import { NONE_U32 } from '../gen/layout.ts';
import type { Micros } from '../lib/clock.ts';
import { must } from '../lib/result.ts';
import type { OfAction } from '../openflow/action/types.ts';
import { noEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { clearPipeline } from '../translate/protocols.ts';
import type { RecircFork } from '../translate/recirc.ts';
import { afterActions, formatTrace } from '../translate/trace.ts';
import {
  type BridgePicture,
  type Effects,
  OFPP_NONE,
  type OfPort,
  type SwitchPicture,
  type TraceNode,
  type XlateOut,
} from '../translate/types.ts';
import { resumeFork } from './trace-recirc.ts';
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

export interface TraceOptions {
  /** States of the connections that conntrack finds, one for each time a copy comes back (parseCtNext); new ones after them. */
  readonly ctNext?: readonly number[];
  /** What a packet-out would do in place of a lookup in table 0. */
  readonly actions?: readonly OfAction[];
}

/** Copies that one trace goes on with at the most. */
const FORKS_MAX = 4096;

/** What one translation of a trace is about. */
interface Leg extends Ingress {
  readonly initialFlow: PipelineKey;
  readonly frame: Uint8Array | null;
  readonly actions?: readonly OfAction[];
}

/** What stays the same from leg to leg. */
interface Journey {
  readonly picture: SwitchPicture;
  readonly bridge: BridgePicture;
  readonly now: Micros;
  readonly effects: Effects;
  /** Copies that are still to come back. */
  readonly forks: RecircFork[];
  /** Ids that the translations made: held until the trace is over. */
  readonly held: number[];
}

function traceLeg({ picture, bridge, now, effects, forks, held }: Journey, leg: Leg): TraceReport {
  const { key, ofport, initialFlow, frame, actions } = leg;
  const trace: TraceNode[] = [];
  const ingress = { bridge: bridge.name, ofport };
  const out = translate({ picture, key, ingress, frame, now, effects, trace, forks, ...(actions ? { actions } : {}) });
  for (const id of out.recircIds) {
    picture.recircs.hold(id);
    held.push(id);
  }
  const { finalFlow, drop } = out;
  const texts = {
    flow: printKey(initialFlow),
    finalFlow: finalFlow.equals(initialFlow) ? 'unchanged' : printKey(finalFlow),
    megaflow: megaflowText(initialFlow, out),
    actions: out.actions.length === 0 ? 'drop' : formatActions(out.actions),
    ...afterActions(out),
  };
  return { ...texts, text: formatTrace(trace, texts), drop, steps: steps(trace) };
}

/**
 * Translates one packet without doing anything but what `effects` do, and then the copies that conntrack sends back. The
 * report is the packet's; its text and its steps tell of the copies too.
 */
export function traceSwitch(
  picture: SwitchPicture,
  bridgeName: string,
  target: TraceTarget,
  now: Micros,
  effects: Effects = noEffects,
  { ctNext = [], actions }: TraceOptions = {},
): TraceReport {
  const bridge = picture.bridges.get(bridgeName)!;
  const ingress = ingressOf(bridge, target);
  const initialFlow = PipelineKey.of(ingress.key).set(KEY.in_port, ingress.ofport);
  clearPipeline(initialFlow);
  const journey: Journey = { picture, bridge, now, effects, forks: [], held: [] };
  const frame = 'frame' in target ? target.frame : null;
  const report = traceLeg(journey, { ...ingress, initialFlow, frame, ...(actions ? { actions } : {}) });
  let { text } = report;
  const allSteps = [...report.steps];
  for (let i = 0; i < journey.forks.length && i < FORKS_MAX; i++) {
    const fork = journey.forks[i]!;
    const { flow } = fork;
    text += resumeFork(fork, ctNext[i] ?? null);
    const back = withIngress(bridge, flow.packet, flow.get(KEY.in_port));
    const leg = traceLeg(journey, { ...back, initialFlow: flow, frame: null });
    text += leg.text;
    allSteps.push(...leg.steps);
  }
  for (const id of journey.held) picture.recircs.release(id);
  return { ...report, text, steps: allSteps };
}
