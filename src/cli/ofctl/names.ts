/** Names of a switch's ports and tables: asked for when a text may use them, and put into texts with --names. */

import { decodeMessage } from '../../openflow/message/message.ts';
import type { OfPort } from '../../openflow/message/port-desc.ts';
import { Session } from './connection.ts';
import type { Context } from './context.ts';
import type { Names } from './flow-text.ts';

const OFPP_ANY = 0xffff;

/** All ports of the switch at the other end. */
export async function fetchPorts(session: Session): Promise<OfPort[]> {
  if (session.version < 4) {
    const reply = decodeMessage(await session.transact({ kind: 'features_request' }), { isLoose: true });
    return reply.ok && reply.value.message.kind === 'features_reply' ? [...reply.value.message.ports] : [];
  }
  const ports: OfPort[] = [];
  for await (const bytes of session.multipart({ kind: 'port_desc_request', port: OFPP_ANY })) {
    const reply = decodeMessage(bytes, { isLoose: true });
    if (reply.ok && reply.value.message.kind === 'port_desc_reply') ports.push(...reply.value.message.ports);
  }
  return ports;
}

async function fetchTables(session: Session): Promise<Map<string, number>> {
  const names = new Map<string, number>();
  const request =
    session.version < 4
      ? ({ kind: 'table_stats_request' } as const)
      : ({ kind: 'table_features_request', tables: [] } as const);
  for await (const bytes of session.multipart(request)) {
    const reply = decodeMessage(bytes, { isLoose: true });
    if (!reply.ok) break;
    const { message } = reply.value;
    if (message.kind === 'table_features_reply') for (const t of message.tables) names.set(t.name, t.table);
    else if (message.kind === 'table_stats_reply')
      for (const t of message.tables) names.set(t.features.name, t.features.table);
  }
  names.delete('');
  return names;
}

async function withSession<T>(context: Context, name: string, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await Session.open(context, name);
  try {
    return await use(session);
  } finally {
    session.close();
  }
}

export interface SwitchNames extends Names {
  readonly portName: (port: number) => string | null;
  readonly tableName: (table: number) => string | null;
}

const nothing: SwitchNames = {
  port: () => null,
  table: () => null,
  portName: () => null,
  tableName: () => null,
};

/** Both kinds of names, each over a connection of its own. @param order which is asked for first */
export async function fetchNames(context: Context, name: string, order: 'ports' | 'tables'): Promise<SwitchNames> {
  if (context.options.usesNames === false) return nothing;
  let ports: OfPort[] = [];
  let tables = new Map<string, number>();
  const askPorts = async (): Promise<void> => {
    ports = await withSession(context, name, fetchPorts);
  };
  const askTables = async (): Promise<void> => {
    tables = await withSession(context, name, fetchTables);
  };
  for (const ask of order === 'ports' ? [askPorts, askTables] : [askTables, askPorts]) await ask();
  return {
    port: (text) => ports.find((p) => p.name === text)?.port ?? null,
    table: (text) => tables.get(text) ?? null,
    portName: (port) => ports.find((p) => p.port === port)?.name ?? null,
    tableName: (table) => [...tables].find(([, number]) => number === table)?.[0] ?? null,
  };
}

const quoted = (name: string): string => (/^[A-Za-z_][-A-Za-z0-9_.]*$/.test(name) ? name : JSON.stringify(name));
const portPlace =
  /\b((?:in_port|in_port_oxm|out_port|actset_output)=|output:|enqueue:|resubmit\(|watch_port:|port=)(\d+|LOCAL)\b/g;
const tablePlace = /\b((?:table|table_id)[=:]|goto_table:|resubmit\([^,()]*,)(\d+)\b/g;

/** Numbers of ports and tables in a text become names. */
export function putNames(text: string, names: SwitchNames): string {
  return text
    .replace(portPlace, (whole, place: string, port: string) => {
      const name = names.portName(port === 'LOCAL' ? 0xfffe : Number(port));
      return name === null ? whole : `${place}${port === 'LOCAL' ? port : quoted(name)}`;
    })
    .replace(tablePlace, (whole, place: string, table: string) => {
      const name = names.tableName(Number(table));
      return name === null ? whole : `${place}${quoted(name)}`;
    });
}
