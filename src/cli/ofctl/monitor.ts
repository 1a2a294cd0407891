/** Listening to a switch: monitor and snoop. */
import { fail, ok, type Result } from '../../lib/result.ts';
import { parseMatch } from '../../openflow/match-text.ts';
import type { FlowMonitorFlag, OfFlowMonitor } from '../../openflow/message/flow-monitor.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import { decodeMessage } from '../../openflow/message/message.ts';
import { Fatal } from '../common/io.ts';
import { Session } from './connection.ts';
import type { Context } from './context.ts';
import { type Names, parsePort, parseTable } from './flow-text.ts';
import { parseUint, splitWords } from './key-value.ts';
import { fetchNames } from './names.ts';
import { printReply } from './session.ts';

const OFPP_ANY = 0xffff;
const OFPG_ANY = 0xffffffff;
const ANY_TABLE = 0xff;
const allFlags: readonly FlowMonitorFlag[] = ['initial', 'add', 'delete', 'modify', 'actions', 'own'];

/** What stands behind `watch:`. */
export function parseMonitor(text: string, id: number, names: Names): Result<OfFlowMonitor> {
  let flags = [...allFlags];
  let [table, outPort, outGroup] = [ANY_TABLE, OFPP_ANY, OFPG_ANY];
  const fields: string[] = [];
  for (const { key, value } of splitWords(text)) {
    const refused = key.startsWith('!') ? allFlags.find((flag) => flag === key.slice(1)) : undefined;
    if (refused) flags = flags.filter((flag) => flag !== refused);
    else if (key === 'table') {
      const number = parseTable(value, names);
      if (number === null) return fail(`unknown table "${value}"`);
      table = number;
    } else if (key === 'out_port') {
      const port = parsePort(value, names);
      if (port === null) return fail(`${value} is not a valid OpenFlow port`);
      outPort = port;
    } else if (key === 'out_group') {
      const group = parseUint(value, 32);
      if (group === null) return fail(`invalid out_group "${value}"`);
      outGroup = group;
    } else fields.push(value === '' ? key : `${key}=${value}`);
  }
  const match = parseMatch(fields.join(','));
  if (!match.ok) return fail(`${text}: ${match.error.replace(/^unknown field "(.*)"$/, 'unknown keyword $1')}`);
  return ok({ id, command: 'add', flags, outPort, outGroup, table, match: match.value });
}

const formatNumbers = { nxm: 1, openflow10: 0, nxt_packet_in2: 2 } as const;

/** Which form packets come in: the one that was asked for, or the best there is. */
async function setPacketInFormat(context: Context, session: Session): Promise<void> {
  const { packetInFormat } = context.options;
  if (packetInFormat !== null) {
    await session.transactAll([{ kind: 'set_packet_in_format', value: formatNumbers[packetInFormat] }]);
    return;
  }
  for (const value of [2, 1]) {
    if ((await session.tryAll([{ kind: 'set_packet_in_format', value }])).length === 0) return;
  }
}

/** Time of day as it stands before messages. */
const stampOf = (date: number): string => `${new Date(date).toISOString().replace('T', ' ').replace('Z', '')}: `;

/** Prints what comes until the connection ends, or the run is broken off. */
async function listen(context: Context, session: Session): Promise<void> {
  const { io, options } = context;
  const stop = (): void => session.close();
  io.signal?.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      const message = await session.receiveOrEnd();
      if (message === null) return;
      if (options.timestamps) io.err(stampOf(io.date()));
      io.err(formatBytes(message, options.verbosity + 2));
      session.answerEcho(message);
    }
  } finally {
    io.signal?.removeEventListener('abort', stop);
  }
}

async function setMissLength(session: Session, length: number, invalidTtl: boolean): Promise<void> {
  const reply = decodeMessage(await session.transact({ kind: 'get_config_request' }), { isLoose: true });
  if (!reply.ok || reply.value.message.kind !== 'get_config_reply') return;
  const config = reply.value.message;
  const now = invalidTtl ? { invalidTtlToController: true } : {};
  await session.transactAll([{ ...config, ...now, kind: 'set_config', missSendLength: length }]);
}

export async function monitor(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  const watches = words.filter((word) => word.startsWith('watch:'));
  const names: Names =
    watches.length > 0 ? await fetchNames(context, name!, 'ports') : { port: () => null, table: () => null };
  const session = await Session.open(context, name!);
  try {
    const monitors = watches.map((word, i) => {
      const read = parseMonitor(word.slice('watch:'.length), i, names);
      if (!read.ok) throw new Fatal(read.error);
      return read.value;
    });
    const length = words.find((word) => /^\d+$/.test(word));
    if (length !== undefined) await setMissLength(session, Number(length), words.includes('invalid_ttl'));
    const unknown = words.find(
      (w) => !/^\d+$/.test(w) && w !== 'invalid_ttl' && w !== 'resume' && !watches.includes(w),
    );
    if (unknown !== undefined) throw new Fatal(`${unknown}: unsupported "monitor" argument`);
    for (const one of monitors) {
      const reply = await session.transact({ kind: 'flow_monitor_request', monitors: [one] });
      printReply(context, reply);
    }
    await setPacketInFormat(context, session);
    await listen(context, session);
  } finally {
    session.close();
  }
}

export async function snoop(context: Context, [name]: readonly string[]): Promise<void> {
  const session = await Session.open(context, name!, 'snoop');
  try {
    await listen(context, session);
  } finally {
    session.close();
  }
}
