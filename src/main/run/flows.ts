/** OpenFlow flows of a file: checked as text, and put into a bridge as one bundle, all or none. */
import { noNames, parseFlowMod } from '../../cli/ofctl/flow-text.ts';
import type { Micros } from '../../lib/clock.ts';
import type { OfPeer, OfRequest } from '../../ofproto/connections/types.ts';
import type { FlowModMessage } from '../../openflow/message/flow-mod.ts';
import { decodeMessage, encodeMessage } from '../../openflow/message/message.ts';
import type { Switch } from '../../vswitchd/switch.ts';

/** OpenFlow 1.5. */
const VERSION = 6;

/** What is wrong with a flow; null for nothing. */
export function checkFlow(line: string, isPort: (name: string) => boolean): string | null {
  const read = parseFlowMod(line, 'add', { ...noNames, port: (name) => (isPort(name) ? 1 : null) });
  return read.ok ? null : read.error;
}

/** Bundles are answered by their result; nothing else is asked of this peer. */
const peer: OfPeer = {
  id: 0,
  name: 'file',
  version: VERSION,
  hasTableIds: false,
  usesNxm: true,
  kind: 'primary',
  role: 'equal',
  missSendLength: 0,
  wantsInvalidTtl: false,
  reply: () => undefined,
  replyMultipart: () => undefined,
  fail: () => undefined,
};

/** As it would come from a controller. */
function requestOf(message: FlowModMessage, xid: number): OfRequest {
  const bytes = encodeMessage(message, VERSION, xid)!;
  const envelope = decodeMessage(bytes);
  if (!envelope.ok) throw new Error(`a flow that is not read back: ${JSON.stringify(envelope.error)}`);
  return { envelope: envelope.value, bytes };
}

/**
 * Puts flows in place of all that a bridge has.
 * @param lines null for the one flow of a bridge without any: NORMAL
 * @returns what is wrong; null for nothing
 */
export function setFlows(target: Switch, bridge: string, lines: readonly string[] | null, now: Micros): string | null {
  const port = (name: string): number | null => target.port(bridge, name)?.ofport ?? null;
  const messages: FlowModMessage[] = [];
  const all = lines ?? ['priority=0,actions=NORMAL'];
  for (const [line, command] of [['', 'delete'] as const, ...all.map((text) => [text, 'add'] as const)]) {
    const read = parseFlowMod(line, command, { ...noNames, port });
    if (!read.ok) return `${line}: ${read.error}`;
    messages.push(read.value.value);
  }
  const failure = target.ofproto(bridge).requests.commitBundle(peer, messages.map(requestOf), now);
  if (!failure) return null;
  const { error, request } = failure;
  const line = all[request.envelope.header.xid - 1] ?? '';
  return `${line}: ${typeof error === 'string' ? error : error.name}`;
}
