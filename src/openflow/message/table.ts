/** Tables: how one behaves when it is full (table-mod, table-desc) and that it nearly is (table-status). */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, u32At, Writer } from '../wire.ts';
import { bitNames, type Decoded, type DecodeInput, type Encoded, type Family, readProperties } from './codec.ts';
import { specIn } from './header.ts';

/** All tables. */
export const OFPTT_ALL = 0xff;

export interface TableVacancy {
  /** Percent. */
  readonly down: number;
  readonly up: number;
  readonly now: number;
}

export interface OfTableDesc {
  readonly table: number;
  /** Null where the version does not say. */
  readonly eviction: boolean | null;
  /** Bits: 0 other, 1 importance, 2 lifetime. Null when the switch keeps its own choice. */
  readonly evictionFlags: number | null;
  /** Null: no vacancy events. */
  readonly vacancy: TableVacancy | null;
  /** OpenFlow 1.1 and 1.2: what a miss does. */
  readonly miss: 'controller' | 'continue' | 'drop' | 'default';
}

export interface TableModMessage {
  readonly kind: 'table_mod';
  readonly desc: OfTableDesc;
}

export interface TableStatusMessage {
  readonly kind: 'table_status';
  readonly reason: 'vacancy_down' | 'vacancy_up';
  readonly desc: OfTableDesc;
}

export interface TableDescRequestMessage {
  readonly kind: 'table_desc_request';
}

export interface TableDescReplyMessage {
  readonly kind: 'table_desc_reply';
  readonly tables: readonly OfTableDesc[];
}

export type TableMessage = TableModMessage | TableStatusMessage | TableDescRequestMessage | TableDescReplyMessage;

const EVICTION = 4;
const VACANCY_EVENTS = 8;
const EVICTION_PROPERTY = 2;
const VACANCY_PROPERTY = 3;
const misses = ['controller', 'continue', 'drop'] as const;

const noVacancy: TableVacancy = { down: 0, up: 0, now: 0 };

/** @param isMod of a request: what nobody knows is refused, and the vacancy of this moment is not the sender's to say */
function readDesc(table: number, config: number, properties: Uint8Array, isMod: boolean): Decoded<OfTableDesc> {
  const list = readProperties(properties);
  if (!list.ok) return list;
  let evictionFlags: number | null = null;
  let vacancy = (config & VACANCY_EVENTS) !== 0 ? noVacancy : null;
  for (const property of list.value) {
    const { bytes } = property;
    if (property.type === EVICTION_PROPERTY) {
      if (bytes.length !== 8) return ofFail('OFPBPC_BAD_LEN');
      evictionFlags = u32At(bytes, 4);
    } else if (property.type === VACANCY_PROPERTY) {
      if (bytes.length !== 8) return ofFail('OFPBPC_BAD_LEN');
      if (isMod && (bytes[6] !== 0 || bytes[4]! > bytes[5]!)) return ofFail('OFPBPC_BAD_VALUE');
      if (vacancy) vacancy = { down: bytes[4]!, up: bytes[5]!, now: bytes[6]! };
    } else if (isMod) return ofFail('OFPBRC_BAD_TYPE');
  }
  return ok({ table, eviction: (config & EVICTION) !== 0, evictionFlags, vacancy, miss: 'default' });
}

function decodeMod({ version, body }: DecodeInput): Decoded<TableModMessage> {
  const table = body[0]!;
  const config = u32At(body, 4);
  if (version >= 5) {
    const desc = readDesc(table, config & 0xc, body.subarray(8), true);
    if (!desc.ok) return desc;
    return ok({ kind: 'table_mod', desc: desc.value });
  }
  const miss = version < 4 ? (misses[config & 3] ?? 'controller') : 'default';
  return ok({ kind: 'table_mod', desc: { table, eviction: null, evictionFlags: null, vacancy: null, miss } });
}

/** @param withNow whether the vacancy of this moment is told */
function writeDesc(out: Writer, desc: OfTableDesc, withNow: boolean): void {
  if (desc.evictionFlags !== null) out.u16(EVICTION_PROPERTY).u16(8).u32(desc.evictionFlags);
  if (!desc.vacancy) return;
  const { down, up, now } = desc.vacancy;
  out
    .u16(VACANCY_PROPERTY)
    .u16(8)
    .u8(down)
    .u8(up)
    .u8(withNow ? now : 0)
    .zeros(1);
}

const configOf = (desc: OfTableDesc): number => (desc.eviction ? EVICTION : 0) | (desc.vacancy ? VACANCY_EVENTS : 0);

function encodeMod({ desc }: TableModMessage, version: number): Encoded | null {
  const spec = specIn(version, 'OFPT11_TABLE_MOD', 'OFPT14_TABLE_MOD');
  const out = new Writer().u8(desc.table).zeros(3);
  if (version < 5) out.u32(version < 4 && desc.miss !== 'default' ? misses.indexOf(desc.miss) : 0);
  else writeDesc(out.u32(configOf(desc)), desc, false);
  return spec && { spec, body: out.done() };
}

const evictionBits = [
  [1, 'OTHER'],
  [2, 'IMPORTANCE'],
  [4, 'LIFETIME'],
] as const;

function formatMod({ desc }: TableModMessage): string {
  const name = desc.table === OFPTT_ALL ? ' table_id: ALL_TABLES' : ` table_id=${desc.table}`;
  const miss = desc.miss === 'default' ? '' : `, flow_miss_config=${desc.miss}`;
  if (desc.eviction === null) return `${name}${miss}\n`;
  const eviction = desc.evictionFlags !== null ? '***error***' : desc.eviction ? 'on' : 'off';
  const { vacancy } = desc;
  const vacancyText = vacancy ? `on vacancy:${vacancy.down},${vacancy.up}` : 'off';
  return `${name}${miss}, eviction=${eviction}, vacancy=${vacancyText}\n`;
}

function formatDesc(desc: OfTableDesc): string {
  const flags = desc.evictionFlags === null ? '(default)' : bitNames(desc.evictionFlags, evictionBits, '|');
  const { vacancy } = desc;
  const vacancyText = vacancy
    ? `on vacancy_down=${vacancy.down}% vacancy_up=${vacancy.up}% vacancy=${vacancy.now}%`
    : 'off';
  return (
    `\n  table ${desc.table}:\n   eviction=${desc.eviction ? 'on' : 'off'} eviction_flags=${flags}\n` +
    `   vacancy=${vacancyText}\n`
  );
}

/** Descriptions one after the other. */
function readDescs(bytes: Uint8Array): Decoded<OfTableDesc[]> {
  const tables: OfTableDesc[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < 8) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(bytes, at);
    if (size < 8 || size > left) return ofFail('OFPBRC_BAD_LEN');
    const desc = readDesc(bytes[at + 2]!, u32At(bytes, at + 4), bytes.subarray(at + 8, at + size), false);
    if (!desc.ok) return desc;
    tables.push(desc.value);
    at += size;
  }
  return ok(tables);
}

function encodeDescs(tables: readonly OfTableDesc[]): Uint8Array {
  const out = new Writer();
  for (const desc of tables) {
    const start = out.size;
    out.u16(0).u8(desc.table).zeros(1).u32(configOf(desc));
    writeDesc(out, desc, true);
    out.putU16(start, out.size - start);
  }
  return out.done();
}

const reasons: Readonly<Record<number, TableStatusMessage['reason']>> = { 3: 'vacancy_down', 4: 'vacancy_up' };

function decodeStatus({ body }: DecodeInput): Decoded<TableStatusMessage> {
  const reason = reasons[body[0]!];
  if (!reason) return ofFail('OFPBPC_BAD_VALUE');
  const tables = readDescs(body.subarray(8));
  if (!tables.ok) return tables;
  const [desc] = tables.value;
  return desc ? ok({ kind: 'table_status', reason, desc }) : ofFail('OFPBRC_BAD_LEN');
}

export const tableFamily: Family<TableMessage> = {
  decode: {
    OFPT11_TABLE_MOD: decodeMod,
    OFPT14_TABLE_MOD: decodeMod,
    OFPT14_TABLE_STATUS: decodeStatus,
    OFPST14_TABLE_DESC_REQUEST: () => ok({ kind: 'table_desc_request' }),
    OFPST14_TABLE_DESC_REPLY: ({ body }) => {
      const tables = readDescs(body);
      return tables.ok ? ok({ kind: 'table_desc_reply', tables: tables.value }) : tables;
    },
  },
  encode: {
    table_mod: encodeMod,
    table_status: ({ reason, desc }, version) => {
      const spec = specIn(version, 'OFPT14_TABLE_STATUS');
      const out = new Writer()
        .u8(reason === 'vacancy_down' ? 3 : 4)
        .zeros(7)
        .bytes(encodeDescs([desc]));
      return spec && { spec, body: out.done() };
    },
    table_desc_request: (_, version) => {
      const spec = specIn(version, 'OFPST14_TABLE_DESC_REQUEST');
      return spec && { spec, body: new Uint8Array(0) };
    },
    table_desc_reply: ({ tables }, version) => {
      const spec = specIn(version, 'OFPST14_TABLE_DESC_REPLY');
      return spec && { spec, body: encodeDescs(tables) };
    },
  },
  format: {
    table_mod: formatMod,
    table_status: ({ reason, desc }) => ` reason=${reason.toUpperCase()}\ntable_desc:-${formatDesc(desc)}`,
    table_desc_request: () => '',
    table_desc_reply: ({ tables }) => tables.map(formatDesc).join(''),
  },
};
