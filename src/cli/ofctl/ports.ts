/** Ports and queues: what they are and counted, and changing a port. */
import { parseOfPort } from '../../flow/text.ts';
import type { OfPort } from '../../openflow/message/port-desc.ts';
import { Fatal } from '../common/io.ts';
import type { Session } from './connection.ts';
import type { Context } from './context.ts';
import { fetchPorts } from './names.ts';
import { dump, using } from './session.ts';

const OFPP_ANY = 0xffff;
const OFPP_MAX = 0xff00;
const ALL_QUEUES = 0xffffffff;

/** A port by number or, when it is none, by a name that the switch is asked for. */
async function portOf(context: Context, name: string, text: string): Promise<number> {
  const port = parseOfPort(text);
  if (port !== null) return port;
  const ports = await using(context, name, fetchPorts);
  const found = ports.find((p) => p.name === text.replace(/^"(.*)"$/, '$1'));
  if (!found) throw new Fatal(`${name}: unknown port \`${text}'`);
  return found.port;
}

export async function dumpPorts(context: Context, [name, text]: readonly string[]): Promise<void> {
  const port = text === undefined ? OFPP_ANY : await portOf(context, name!, text);
  await using(context, name!, (session) => dump(context, session, { kind: 'port_stats_request', port }));
}

export async function dumpPortsDesc(context: Context, [name, text]: readonly string[]): Promise<void> {
  const port = text === undefined ? OFPP_ANY : await portOf(context, name!, text);
  await using(context, name!, (session) => dump(context, session, { kind: 'port_desc_request', port }));
}

const isAll = (text: string | undefined): boolean => text === undefined || text === '' || text.toLowerCase() === 'all';

export async function queueStats(context: Context, [name, portText, queueText]: readonly string[]): Promise<void> {
  const port = isAll(portText) ? OFPP_ANY : await portOf(context, name!, portText!);
  const queue = isAll(queueText) ? ALL_QUEUES : Number.parseInt(queueText!, 10) || 0;
  await using(context, name!, (session) => dump(context, session, { kind: 'queue_stats_request', port, queue }));
}

/** In OpenFlow 1.0 a switch can be asked about one port only. */
export async function queueGetConfig(context: Context, [name, portText, queueText]: readonly string[]): Promise<void> {
  const isAny = portText === undefined || portText.toUpperCase() === 'ANY';
  const port = isAny ? OFPP_ANY : await portOf(context, name!, portText!);
  const isAnyQueue = queueText === undefined || queueText.toUpperCase() === 'ANY';
  const queue = isAnyQueue ? ALL_QUEUES : Number.parseInt(queueText, 10) || 0;
  await using(context, name!, async (session) => {
    const ask = (p: number): Promise<void> => dump(context, session, { kind: 'queue_config_request', port: p, queue });
    if (!isAny || session.version >= 2) {
      await ask(port);
      return;
    }
    const ports = await using(context, name!, fetchPorts);
    for (const one of ports) if (one.port < OFPP_MAX) await ask(one.port);
  });
}

/** Word, bit, whether the word sets it. */
const actions: readonly (readonly [word: string, bit: number, sets: boolean])[] = [
  ['up', 0x01, false],
  ['down', 0x01, true],
  ['stp', 0x02, false],
  ['receive', 0x04, false],
  ['receive-stp', 0x08, false],
  ['flood', 0x10, false],
  ['forward', 0x20, false],
  ['packet-in', 0x40, false],
];

function configOf(action: string): { bit: number; sets: boolean } | null {
  const isNegated = action.toLowerCase().startsWith('no-');
  const word = isNegated ? action.slice(3).toLowerCase() : action.toLowerCase();
  const row = actions.find(([name]) => name === word);
  if (!row || (isNegated && row[1] === 1)) return null;
  return { bit: row[1], sets: isNegated || row[2] };
}

async function findPort(context: Context, name: string, text: string): Promise<OfPort> {
  const number = parseOfPort(text);
  const ports = await using(context, name, fetchPorts);
  const found = ports.find((p) => (number === null ? p.name === text : p.port === number));
  if (!found) throw new Fatal(`${name}: couldn't find port \`${text}'`);
  return found;
}

export async function modPort(context: Context, [name, portText, action]: readonly string[]): Promise<void> {
  const port = await findPort(context, name!, portText!);
  const change = configOf(action!);
  if (!change) throw new Fatal(`unknown mod-port command '${action}'`);
  const { bit, sets } = change;
  await using(context, name!, (session: Session) =>
    session.transactAll([
      { kind: 'port_mod', port: port.port, mac: port.mac, config: sets ? bit : 0, mask: bit, advertise: 0 },
    ]),
  );
}
