/** The story of a translation as text, in the form of `ovs-appctl ofproto/trace`. */
import type { TraceKind, TraceNode } from './types.ts';

/** Kinds whose lines stand one step in from the heading above them, even the last of them. */
const terminal: ReadonlySet<TraceKind> = new Set(['action', 'detail', 'warning', 'error']);

const line: Readonly<Record<TraceKind, (text: string) => string>> = {
  bridge: (text) => text,
  table: (text) => text,
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
}

/** The whole of it, with a line end behind every line. */
export function formatTrace(roots: readonly TraceNode[], texts: TraceTexts): string {
  const { flow, finalFlow, megaflow, actions } = texts;
  return [
    `Flow: ${flow}`,
    ...lines(roots, 0),
    '',
    `Final flow: ${finalFlow}`,
    `Megaflow: ${megaflow}`,
    `Datapath actions: ${actions}`,
    '',
  ].join('\n');
}
