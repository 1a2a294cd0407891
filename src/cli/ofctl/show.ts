/** What a switch is: show, dump-desc, dump-tables, table features and descriptions, fragments, mod-table. */

import type { ConfigMessage } from '../../openflow/message/features.ts';
import { decodeMessage } from '../../openflow/message/message.ts';
import type { OfTableDesc } from '../../openflow/message/table.ts';
import { Fatal } from '../common/io.ts';
import type { Session } from './connection.ts';
import type { Context } from './context.ts';
import { parseTable } from './flow-text.ts';
import { parseUint } from './key-value.ts';
import { fetchNames } from './names.ts';
import { dump, dumpFrom, printReply, using } from './session.ts';

export async function show(context: Context, [name]: readonly string[]): Promise<void> {
  await using(context, name!, async (session) => {
    printReply(context, await session.transact({ kind: 'features_request' }));
    if (session.version >= 4) await dump(context, session, { kind: 'port_desc_request', port: 0xffff });
  });
  await dumpFrom(context, name!, { kind: 'get_config_request' });
}

export const dumpDesc = (context: Context, [name]: readonly string[]): Promise<void> =>
  dumpFrom(context, name!, { kind: 'desc_request' });

export const dumpTables = (context: Context, [name]: readonly string[]): Promise<void> =>
  dumpFrom(context, name!, { kind: 'table_stats_request' });

const needs = (session: Session, least: number, command: string): void => {
  if (session.version >= least) return;
  const minor = least - 1;
  throw new Fatal(`${command} needs OpenFlow 1.${minor} or later ('-O OpenFlow1${minor}')`);
};

/** All parts of the answer as one text, as one table is told against the one before it. */
export const dumpTableFeatures = (context: Context, [name]: readonly string[]): Promise<void> =>
  using(context, name!, async (session) => {
    needs(session, 4, 'dump-table-features');
    const tables = [];
    for await (const bytes of session.multipart({ kind: 'table_features_request', tables: [] })) {
      const reply = decodeMessage(bytes, { isLoose: true });
      if (!reply.ok || reply.value.message.kind !== 'table_features_reply') {
        printReply(context, bytes);
        return;
      }
      tables.push(...reply.value.message.tables);
    }
    const { formatTables } = await import('../../openflow/message/table-features-text.ts');
    context.io.out(
      formatTables(
        tables.map((features) => ({ features, stats: null })),
        String,
      ).replace(/^\n/, ''),
    );
  });

export const dumpTableDesc = (context: Context, [name]: readonly string[]): Promise<void> =>
  using(context, name!, async (session) => {
    needs(session, 5, 'dump-table-desc');
    await dump(context, session, { kind: 'table_desc_request' });
  });

async function fetchConfig(session: Session): Promise<ConfigMessage> {
  const reply = decodeMessage(await session.transact({ kind: 'get_config_request' }), { isLoose: true });
  if (!reply.ok || reply.value.message.kind !== 'get_config_reply') {
    throw new Fatal(`${session.name}: bad reply to config request`);
  }
  return reply.value.message;
}

export const getFrags = (context: Context, [name]: readonly string[]): Promise<void> =>
  using(context, name!, async (session) => {
    context.io.out(`${(await fetchConfig(session)).fragments}\n`);
  });

const fragmentWords = ['normal', 'drop', 'reassemble', 'nx-match'] as const;

export const setFrags = (context: Context, [name, mode]: readonly string[]): Promise<void> =>
  using(context, name!, async (session) => {
    const fragments = fragmentWords.find((word) => word === mode!.toLowerCase());
    if (!fragments) throw new Fatal(`${mode}: unknown fragment handling mode`);
    const config = await fetchConfig(session);
    if (config.fragments === fragments) return;
    const errors = await session.tryAll([{ ...config, kind: 'set_config', fragments }]);
    const now = await fetchConfig(session);
    if (errors.length === 0 && now.fragments === fragments) return;
    throw new Fatal(
      `${name}: setting fragment handling mode failed (this switch probably doesn't support mode "${fragments}")`,
    );
  });

// mod-table

const noTable: OfTableDesc = { table: 0, eviction: null, evictionFlags: null, vacancy: null, miss: 'default' };

interface Setting {
  readonly desc: OfTableDesc;
  /** Bits of versions. */
  readonly versions: number;
}

const OF11_12 = (1 << 2) | (1 << 3);
const OF14_15 = (1 << 5) | (1 << 6);

function parseVacancy(setting: string): OfTableDesc {
  const [down, up] = (setting.split(':')[1] ?? '').split(',') as [string, string | undefined];
  if (down === '') throw new Fatal('Vacancy down value missing');
  const [low, high] = [parseUint(down, 16), up === undefined ? null : parseUint(up, 16)];
  if (low === null || low > 100) throw new Fatal(`Invalid vacancy down value "${down}"`);
  if (up === undefined) throw new Fatal('Vacancy up value missing');
  if (high === null || high > 100) throw new Fatal(`Invalid vacancy up value "${up}"`);
  if (low > high) {
    throw new Fatal('Invalid vacancy range, vacancy up should be greater than vacancy down (OFPBPC_BAD_VALUE)');
  }
  return { ...noTable, vacancy: { down: low, up: high, now: 0 } };
}

function parseSetting(setting: string): Setting {
  if (setting === 'controller' || setting === 'continue' || setting === 'drop') {
    return { desc: { ...noTable, miss: setting }, versions: OF11_12 };
  }
  if (setting === 'evict' || setting === 'noevict') {
    return { desc: { ...noTable, eviction: setting === 'evict' }, versions: OF14_15 };
  }
  if (setting.startsWith('vacancy:')) return { desc: parseVacancy(setting), versions: OF14_15 };
  if (setting === 'novacancy') return { desc: noTable, versions: OF14_15 };
  throw new Fatal(`invalid table_mod setting ${setting}`);
}

/** What the table is now, so that what is not changed stays. */
async function fetchDesc(session: Session, table: number): Promise<OfTableDesc | null> {
  for await (const bytes of session.multipart({ kind: 'table_desc_request' })) {
    const reply = decodeMessage(bytes, { isLoose: true });
    if (!reply.ok || reply.value.message.kind !== 'table_desc_reply') return null;
    const found = reply.value.message.tables.find((t) => t.table === table);
    if (found) return found;
  }
  return null;
}

const ALL_TABLES = 0xff;
const NAME = 'name:';

const versionNames = (versions: number): string =>
  [1, 2, 3, 4, 5, 6]
    .filter((v) => (versions & (1 << v)) !== 0)
    .map((v) => `OpenFlow1${v - 1}`)
    .join(', ');

async function renameTable(context: Context, name: string, table: number, newName: string): Promise<void> {
  await using(context, name, async (session) => {
    needs(session, 4, 'mod-table');
    for await (const bytes of session.multipart({ kind: 'table_features_request', tables: [] })) {
      const reply = decodeMessage(bytes, { isLoose: true });
      if (!reply.ok || reply.value.message.kind !== 'table_features_reply') continue;
      const found = reply.value.message.tables.find((t) => t.table === table);
      if (found) {
        const changed = { ...found, name: newName, command: 1 };
        await session.transactAll([{ kind: 'table_features_request', tables: [changed] }]);
        return;
      }
    }
  });
}

export async function modTable(context: Context, [name, tableText, setting]: readonly string[]): Promise<void> {
  const isAll = tableText!.toLowerCase() === 'all';
  let table = isAll ? ALL_TABLES : parseTable(tableText!, { port: () => null, table: () => null });
  if (table === null) {
    const names = await fetchNames(context, name!, 'tables');
    table = parseTable(tableText!, names);
  }
  if (table === null) throw new Fatal(`unknown table "${tableText}"`);
  if (setting!.startsWith(NAME)) {
    await renameTable(context, name!, table, setting!.slice(NAME.length));
    return;
  }
  const { desc, versions } = parseSetting(setting!);
  if ((versions & context.options.versions) === 0) {
    throw new Fatal(`table_mod '${setting}' requires one of the OpenFlow versions ${versionNames(versions)}`);
  }
  await using(context, name!, async (session) => {
    let wanted: OfTableDesc = { ...desc, table };
    if (session.version >= 5) {
      const now = isAll ? null : await fetchDesc(session, table);
      wanted = {
        ...wanted,
        eviction: desc.eviction ?? now?.eviction ?? false,
        evictionFlags: null,
        vacancy: desc.vacancy ?? (setting === 'novacancy' ? null : (now?.vacancy ?? null)),
      };
    }
    await session.transactAll([{ kind: 'table_mod', desc: wanted }]);
  });
}
