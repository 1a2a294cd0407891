/** The datapath's text form, written: what `ovs-appctl dpctl/dump-flows` prints. parse.ts says what the form is. */
import type { Match } from '../key.ts';
import type { DpAction } from './action.ts';
import { formatActionList } from './actions/index.ts';
import type { FormatOptions } from './match/attribute.ts';
import { formatTag, hasTag, tags } from './match/ethernet.ts';
import { innerAttributes, outerAttributes } from './match/index.ts';
import { layersOf } from './match/prerequisites.ts';
import type { OdpFlow } from './parse.ts';
import { formatStats } from './stats.ts';

export type { FormatOptions } from './match/attribute.ts';

function formatInner(match: Match, options: FormatOptions): string {
  const layers = layersOf(match.key, match.mask);
  return innerAttributes
    .filter((attribute) => !attribute.misfit?.(layers))
    .map((attribute) => attribute.format(match, options))
    .filter((text) => text !== null)
    .join(',');
}

/** The Ethertype and all behind it, within the tags that are there. */
function formatTagged(match: Match, options: FormatOptions, depth = 0): string {
  if (depth >= tags.length || !hasTag(match, depth)) return formatInner(match, options);
  return `${formatTag(match, depth)},encap(${formatTagged(match, options, depth + 1)})`;
}

/** Fields of which no bit counts are left out; `formatMatch` of what parseMatch read is that text in its usual order. */
export function formatMatch(match: Match, options: FormatOptions = {}): string {
  const layers = layersOf(match.key, match.mask);
  const outer = outerAttributes
    .filter((attribute) => !attribute.misfit?.(layers))
    .map((attribute) => attribute.format(match, options))
    .filter((text) => text !== null);
  return [...outer, formatTagged(match, options)].filter((text) => text !== '').join(',');
}

/** An empty list is `drop`. */
export const formatActions = (actions: readonly DpAction[], options: FormatOptions = {}): string =>
  formatActionList(actions, options.portName);

/** One line of dpctl/dump-flows, without its end of line. */
export const formatFlow = (flow: OdpFlow, options: FormatOptions = {}): string =>
  `${formatMatch(flow.match, options)}, ${formatStats(flow.stats)}, actions:${formatActions(flow.actions, options)}`;
