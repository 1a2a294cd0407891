/** How most commands work: open, ask, print; and agreeing with the switch on a flow protocol. */

import type { OfMessage } from '../../openflow/message/families.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import { Fatal } from '../common/io.ts';
import { Session } from './connection.ts';
import type { Context } from './context.ts';
import { putNames, type SwitchNames } from './names.ts';
import { baseProtocol, protocolRow, protocolRows, protocolsText } from './protocols.ts';

/** Opens a connection for as long as it is used. */
export async function using<T>(context: Context, name: string, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await Session.open(context, name);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

export function printReply(context: Context, bytes: Uint8Array, names: SwitchNames | null = null): void {
  const text = formatBytes(bytes, context.options.verbosity + 1);
  context.io.out(names ? putNames(text, names) : text);
}

/** Asks and prints every part of the answer. */
export async function dump(
  context: Context,
  session: Session,
  message: OfMessage,
  names: SwitchNames | null = null,
): Promise<void> {
  for await (const reply of session.multipart(message)) printReply(context, reply, names);
}

export const dumpFrom = (context: Context, name: string, message: OfMessage): Promise<void> =>
  using(context, name, (session) => dump(context, session, message));

/** Tells the switch which form OpenFlow 1.0 is to have. False when it will not. */
async function trySetProtocol(session: Session, bit: number): Promise<boolean> {
  const want = protocolRow(bit);
  if (want.version !== session.version) return false;
  if (want.form.isNxm !== session.form.isNxm) {
    const value = want.form.isNxm ? 2 : 0;
    if ((await session.tryAll([{ kind: 'set_flow_format', value }])).length > 0) return false;
    session.form = { ...session.form, isNxm: want.form.isNxm };
  }
  if (want.form.hasTableId !== session.form.hasTableId) {
    const value = want.form.hasTableId ? 1 : 0;
    if ((await session.tryAll([{ kind: 'flow_mod_table_id', value }])).length > 0) return false;
    session.form = want.form;
  }
  return true;
}

function noneUsable(context: Context, usable: number): Fatal {
  const { protocols } = context.options;
  if ((usable & protocols) !== 0) {
    return new Fatal(`switch does not support any of the usable flow formats (${protocolsText(usable)})`);
  }
  return new Fatal(
    `none of the usable flow formats (${protocolsText(usable)}) is among the allowed flow formats ` +
      `(${protocolsText(protocols)})`,
  );
}

/** Opens a connection on which flows are changed, in a form that can say them. @param usable bits of protocols */
export async function openForFlowMods(context: Context, name: string, usable: number): Promise<Session> {
  const allowed = usable & context.options.protocols;
  if (allowed === 0) throw noneUsable(context, usable);
  const session = await Session.open(context, name);
  const current = baseProtocol(session.version);
  if ((allowed & current) !== 0) return session;
  for (const { bit } of protocolRows) {
    if (bit !== current && (allowed & bit) !== 0 && (await trySetProtocol(session, bit))) return session;
  }
  session.close();
  throw noneUsable(context, usable);
}

/** The forms in which flows are asked for, best first. */
const dumpOrder = [256, 128, 64, 32, 16, 4, 1];

/** Agrees on a form for asking for flows. */
export async function setDumpProtocol(context: Context, session: Session, usable: number): Promise<void> {
  const allowed = usable & context.options.protocols;
  for (const bit of dumpOrder) if ((allowed & bit) !== 0 && (await trySetProtocol(session, bit))) return;
  throw noneUsable(context, usable);
}
