/** Matches as text: `reg0=5,in_port=1,tcp,tp_dst=80`. The port lies in the key here, beside it in src/flow. */
import { KEY } from '../flow/key.ts';
import { type FlowTextOptions, formatOfFlowText, parseOfFlowText } from '../flow/text.ts';
import { ok, type Result } from '../lib/result.ts';
import type { OfMatch } from './oxm/types.ts';

export function parseMatch(text: string, options: FlowTextOptions = {}): Result<OfMatch> {
  const read = parseOfFlowText(text, options);
  if (!read.ok) return read;
  const { match, inPort, tunMetadata } = read.value;
  if (inPort !== null) {
    match.key.set(KEY.in_port, inPort);
    match.mask.setAllOnes(KEY.in_port);
  }
  return ok({ ...match, tunMetadata });
}

/** As ovs-ofctl prints it; empty for a match of everything. */
export function formatMatch({ key, mask, tunMetadata }: OfMatch): string {
  const inPort = mask.isZero(KEY.in_port) ? null : key.get(KEY.in_port);
  return formatOfFlowText({ match: { key, mask }, inPort, tunMetadata });
}
