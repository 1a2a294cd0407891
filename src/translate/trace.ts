/** The story of a translation as text, in the form of `ovs-appctl ofproto/trace`. */
import type { TraceKind, TraceNode, XlateError, XlateOut } from './types.ts';

/** Kinds whose lines stand one step in from the heading above them, even the last of them. */
const terminal: ReadonlySet<TraceKind> = new Set(['action', 'bucket', 'detail', 'warning', 'error']);

const line: Readonly<Record<TraceKind, (text: string) => string>> = {
  bridge: (text) => text,
  table: (text) => text,
  thaw: (text) => text,
  bucket: (text) => text,
  action: (text) => text,
  detail: (text) => ` -> ${text}`,
  warning: (text) => ` >> ${text}`,
  error: (text) => ` >>>> ${text} <<<<`,
};

/**
 * Lines of the tree. What comes last at its level is not moved in: a chain of bridges reads like a chain, and only what
 * the story comes back from stands further in.
 */
function lines(nodes: readonly TraceNode[], level: number): string[] {
  return nodes.flatMap((node, i) => {
    const step = i < nodes.length - 1 || terminal.has(node.kind) ? 1 : 0;
    const indent = ' '.repeat(4 * (level + step));
    const heading = node.kind === 'bridge' ? ['', indent + node.text, indent + '-'.repeat(node.text.length)] : [];
    const own = node.kind === 'bridge' ? heading : [indent + line[node.kind](node.text)];
    return [...own, ...lines(node.children, level + 2 * step)];
  });
}

export interface TraceTexts {
  readonly flow: string;
  readonly finalFlow: string;
  readonly megaflow: string;
  readonly actions: string;
  /** Why translation gave up; null when it did not. */
  readonly failure?: string | null;
  /** Why the datapath cannot do it by itself: what each bit of XlateOut.slowPath means. */
  readonly slowPath?: readonly string[];
}

/** The whole of it, with a line end behind every line. */
export function formatTrace(roots: readonly TraceNode[], texts: TraceTexts): string {
  const { flow, finalFlow, megaflow, actions, failure = null, slowPath = [] } = texts;
  return [
    `Flow: ${flow}`,
    ...lines(roots, 0),
    '',
    `Final flow: ${finalFlow}`,
    `Megaflow: ${megaflow}`,
    `Datapath actions: ${actions}`,
    ...(failure === null ? [] : [`Translation failed (${failure}), packet is dropped.`]),
    ...(failure === null && slowPath.length > 0 ? ['This flow is handled by the userspace slow path because it:'] : []),
    ...(failure === null ? slowPath.map((reason) => `  - ${reason}.`) : []),
    '',
  ].join('\n');
}

/** Errors as the trace says them. */
const failures: Readonly<Record<XlateError, string | null>> = {
  none: null,
  recursion: 'Recursion too deep',
  resubmits: 'Too many resubmits',
  in_port_invalid: 'No ofproto-dpif port',
  tunnel_no_config: 'No ofproto-dpif port',
  stack_too_deep: 'Stack too deep',
  no_recirculation_context: 'No recirculation context',
  recirculation_conflict: 'Recirculation conflict',
  too_many_mpls_labels: 'Too many MPLS labels',
  invalid_tunnel_metadata: 'Invalid tunnel metadata',
  unsupported_packet_type: 'Unsupported packet type',
  too_many_vlans: 'Invalid number of VLANs',
  forwarding_disabled: 'Forwarding is disabled',
};

/** Bit i of XlateOut.slowPath. */
const slowPathReasons = [
  'Consists of CFM packets',
  'Consists of BFD packets',
  'Consists of LACP packets',
  'Consists of STP packets',
  'Consists of LLDP packets',
  'Uses action(s) not supported by datapath',
  "Datapath can't match specifically enough",
];

/** What a trace says below the datapath actions. */
export const afterActions = ({ error, slowPath }: XlateOut): Pick<TraceTexts, 'failure' | 'slowPath'> => ({
  failure: failures[error],
  slowPath: slowPathReasons.filter((_, bit) => (slowPath & (1 << bit)) !== 0),
});
