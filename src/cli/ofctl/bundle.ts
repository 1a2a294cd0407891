/** Changes that become visible together: the bundle conversation, and the bundle command. */

import { u32At } from '../../lib/bytes.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import { decodeMessage } from '../../openflow/message/message.ts';
import { Fatal } from '../common/io.ts';
import type { Session } from './connection.ts';
import type { Context } from './context.ts';
import { linesOf, readText } from './files.ts';
import { parseFlowMod } from './flow-text.ts';
import { parseGroupMod } from './group-text.ts';
import { fetchNames } from './names.ts';
import { parsePacketOut } from './packet-out-text.ts';
import { P } from './protocols.ts';
import { openForFlowMods } from './session.ts';

const flagBits = { atomic: 1, ordered: 2 } as const;
export type BundleFlag = keyof typeof flagBits;

type ControlType = 'open_request' | 'commit_request' | 'discard_request';

/** One error, as it is told of a message that was sent. */
function errorLine(error: Uint8Array, sent: ReadonlyMap<number, Uint8Array>): string {
  const read = decodeMessage(error, { isLoose: true });
  const name = read.ok && read.value.message.kind === 'error' ? read.value.message.error : 'unknown';
  const request = sent.get(u32At(error, 4));
  return `Error ${name} for: ${request ? formatBytes(request, 2) : '\n'}`;
}

/** Sends all messages in one bundle. @throws Exit or Fatal when the switch refuses one, or the whole */
export async function runBundle(
  context: Context,
  session: Session,
  messages: readonly OfMessage[],
  flags: readonly BundleFlag[],
): Promise<void> {
  const bits = flags.reduce((all, flag) => all | flagBits[flag], 0);
  const bundle = 0;
  const inner = messages.map((message) => session.encode(message));
  const sent = new Map<number, Uint8Array>(inner.map((bytes) => [u32At(bytes, 4), bytes]));
  const errors: Uint8Array[] = [];
  const control = async (type: ControlType): Promise<boolean> => {
    const bytes = session.encode({ kind: 'bundle_control', bundle, type, flags: bits });
    sent.set(u32At(bytes, 4), bytes);
    session.sendBytes(bytes);
    const reply = await session.answerTo(u32At(bytes, 4), errors);
    const read = decodeMessage(reply, { isLoose: true });
    if (read.ok && read.value.message.kind === 'bundle_control') return true;
    errors.push(reply);
    return false;
  };
  const failed = (): never => {
    for (const error of errors) context.io.err(errorLine(error, sent));
    throw new Fatal(`talking to ${session.name} (Protocol error)`);
  };
  if (!(await control('open_request'))) failed();
  for (const bytes of inner) session.sendBytes(session.encodeBundled(bundle, bits, bytes));
  errors.push(...(await session.barrier()));
  if (errors.length > 0) {
    await control('discard_request');
    failed();
  }
  if (!(await control('commit_request'))) failed();
}

/** `flow add …`, `group …`, `packet-out …`, a line each. */
export async function bundle(context: Context, [name, file]: readonly string[]): Promise<void> {
  const names = await fetchNames(context, name!, 'tables');
  const text = readText(context, file!);
  let usable: number = P.OF13_UP | P.OF10;
  const messages: OfMessage[] = [];
  for (const { number, text: line } of linesOf(text)) {
    const [, type, rest] = /^(\S+)\s*(.*)$/.exec(line)!;
    const read =
      type === 'flow'
        ? parseFlowMod(rest!, null, names)
        : type === 'group'
          ? parseGroupMod(rest!, null, names)
          : type === 'packet-out'
            ? parsePacketOut(rest!, names)
            : null;
    if (!read) throw new Fatal(`${file}:${number}: Unsupported bundle message type: ${type}`);
    if (!read.ok) throw new Fatal(`${file}:${number}: ${read.error}`);
    usable &= read.value.protocols;
    messages.push(read.value.value);
  }
  const session = await openForFlowMods(context, name!, usable);
  try {
    await runBundle(context, session, messages, ['ordered', 'atomic']);
  } finally {
    session.close();
  }
}
