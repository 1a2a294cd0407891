/** Small messages of the Nicira extension: formats, controller id, TLV table, connection tracker, IPFIX; and descriptions. */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { fixedText, u16At, u32At, u64At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, hexNumber } from './codec.ts';
import { messageSpec } from './header.ts';

export interface NiciraNumberMessage {
  readonly kind:
    | 'set_flow_format'
    | 'set_packet_in_format'
    | 'flow_mod_table_id'
    | 'set_controller_id'
    | 'flow_monitor_cancel'
    | 'ct_flush_zone';
  /** The format, id, zone; 1 and 0 for on and off. */
  readonly value: number;
}

export interface NiciraEmptyMessage {
  readonly kind:
    | 'flow_age'
    | 'tlv_table_request'
    | 'flow_monitor_paused'
    | 'flow_monitor_resumed'
    | 'ipfix_bridge_request'
    | 'ipfix_flow_request'
    | 'desc_request';
}

export interface TlvMapping {
  readonly optionClass: number;
  readonly optionType: number;
  /** Bytes. */
  readonly optionSize: number;
  /** Of tun_metadata: 0 to 63. */
  readonly index: number;
}

export interface TlvTableModMessage {
  readonly kind: 'tlv_table_mod';
  readonly command: 'add' | 'delete' | 'clear';
  readonly mappings: readonly TlvMapping[];
}

export interface TlvTableReplyMessage {
  readonly kind: 'tlv_table_reply';
  readonly spaceMax: number;
  readonly fieldMax: number;
  readonly mappings: readonly TlvMapping[];
}

export interface IpfixStats {
  readonly collectorSet: number;
  /** In the order of the wire: flows, current flows, sampled packets, then of IPv4, of IPv6, sent; errors of packets, IPv4, IPv6, sending. */
  readonly counts: readonly bigint[];
}

export interface IpfixReplyMessage {
  readonly kind: 'ipfix_bridge_reply' | 'ipfix_flow_reply';
  readonly stats: readonly IpfixStats[];
}

export interface DescReplyMessage {
  readonly kind: 'desc_reply';
  readonly manufacturer: string;
  readonly hardware: string;
  readonly software: string;
  readonly serial: string;
  readonly datapath: string;
}

export type NiciraMessage =
  | NiciraNumberMessage
  | NiciraEmptyMessage
  | TlvTableModMessage
  | TlvTableReplyMessage
  | IpfixReplyMessage
  | DescReplyMessage;

type NumberKind = NiciraNumberMessage['kind'];

const number =
  (kind: NumberKind, read: (body: Uint8Array) => number) =>
  ({ body }: DecodeInput): Decoded<NiciraMessage> =>
    ok({ kind, value: read(body) });
const empty = (kind: NiciraEmptyMessage['kind']) => (): Decoded<NiciraMessage> => ok({ kind });

const fits = (version: number, raw: string, body: Uint8Array): Encoded | null => {
  const spec = messageSpec(raw);
  return spec.first <= version && version <= spec.last ? { spec, body } : null;
};

const encodeEmpty =
  (...raws: string[]) =>
  (_: NiciraEmptyMessage, version: number): Encoded | null =>
    raws.map((raw) => fits(version, raw, new Uint8Array(0))).find((encoded) => encoded !== null) ?? null;

const monitorRaw = (version: number, name: string): string =>
  `${version === 4 ? 'ONFT13' : 'NXT'}_FLOW_MONITOR_${name}`;

const packetInFormats = ['standard', 'nxt_packet_in', 'nxt_packet_in2'];
const flowFormats: Readonly<Record<number, string>> = { 0: 'openflow10', 2: 'nxm' };

const tlvCommands = ['add', 'delete', 'clear'] as const;
const TLV_SIZE_MAX = 124;

function readMappings(bytes: Uint8Array): Decoded<TlvMapping[]> {
  const mappings: TlvMapping[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const optionSize = bytes[at + 3]!;
    if (optionSize % 4 !== 0 || optionSize > TLV_SIZE_MAX) return ofFail('NXTTMFC_BAD_OPT_LEN');
    const index = u16At(bytes, at + 4);
    if (index > 63) return ofFail('NXTTMFC_BAD_FIELD_IDX');
    mappings.push({ optionClass: u16At(bytes, at), optionType: bytes[at + 2]!, optionSize, index });
  }
  return ok(mappings);
}

function writeMappings(out: Writer, mappings: readonly TlvMapping[]): Uint8Array {
  for (const m of mappings) out.u16(m.optionClass).u8(m.optionType).u8(m.optionSize).u16(m.index).zeros(2);
  return out.done();
}

const formatMappings = (mappings: readonly TlvMapping[]): string =>
  'mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------' +
  mappings
    .map((m) => {
      // A zero is written without its prefix
      const [optionClass, type] = [m.optionClass, m.optionType].map((n) => (n === 0 ? '0' : hexNumber(n))) as [
        string,
        string,
      ];
      return `\n ${optionClass.padStart(6)}  ${type.padStart(4)}  ${String(m.optionSize).padStart(6)}  tun_metadata${m.index}`;
    })
    .join('');

function decodeTlvMod({ body }: DecodeInput): Decoded<TlvTableModMessage> {
  const command = tlvCommands[u16At(body, 0)];
  if (!command) return ofFail('NXTTMFC_BAD_COMMAND');
  const mappings = readMappings(body.subarray(8));
  return mappings.ok ? ok({ kind: 'tlv_table_mod', command, mappings: mappings.value }) : mappings;
}

function decodeTlvReply({ body }: DecodeInput): Decoded<TlvTableReplyMessage> {
  const mappings = readMappings(body.subarray(16));
  if (!mappings.ok) return mappings;
  return ok({ kind: 'tlv_table_reply', spaceMax: u32At(body, 0), fieldMax: u16At(body, 4), mappings: mappings.value });
}

const tlvWords = { add: 'ADD', delete: 'DEL', clear: 'CLEAR' } as const;

const IPFIX_SIZE = 88;
const IPFIX_COUNTS = 10;

const readIpfix = (bytes: Uint8Array, at: number): IpfixStats => ({
  counts: Array.from({ length: IPFIX_COUNTS }, (_, i) => u64At(bytes, at + 8 * i)),
  collectorSet: u32At(bytes, at + 8 * IPFIX_COUNTS),
});

const decodeIpfix =
  (kind: IpfixReplyMessage['kind']) =>
  ({ body }: DecodeInput): Decoded<IpfixReplyMessage> =>
    ok({ kind, stats: Array.from({ length: body.length / IPFIX_SIZE }, (_, i) => readIpfix(body, i * IPFIX_SIZE)) });

function encodeIpfix(message: IpfixReplyMessage, version: number): Encoded | null {
  const out = new Writer();
  for (const { counts, collectorSet } of message.stats) {
    for (const count of counts) out.u64(count);
    out.u32(collectorSet).zeros(4);
  }
  const raw = message.kind === 'ipfix_bridge_reply' ? 'NXST_IPFIX_BRIDGE_REPLY' : 'NXST_IPFIX_FLOW_REPLY';
  return fits(version, raw, out.done());
}

/** The wire has the errors of packets and of IPv4 and IPv6 between the good ones. */
function formatIpfix({ counts }: IpfixStats, label: string, indent: number): string {
  const [flows, current, sampled, ipv4, ipv6, errors, ipv4Errors, ipv6Errors, sent, sentErrors] = counts;
  return (
    `${label}: flows=${flows}, current flows=${current}, sampled pkts=${sampled}, ipv4 ok=${ipv4}, ipv6 ok=${ipv6}, ` +
    `tx pkts=${sent}\n${' '.repeat(indent)}pkts errs=${errors}, ipv4 errs=${ipv4Errors}, ipv6 errs=${ipv6Errors}, ` +
    `tx errs=${sentErrors}\n`
  );
}

const DESC_SIZE = 256;
const SERIAL_SIZE = 32;

const decodeDesc = ({ body }: DecodeInput): Decoded<DescReplyMessage> =>
  ok({
    kind: 'desc_reply',
    manufacturer: fixedText(body, 0, DESC_SIZE),
    hardware: fixedText(body, DESC_SIZE, DESC_SIZE),
    software: fixedText(body, 2 * DESC_SIZE, DESC_SIZE),
    serial: fixedText(body, 3 * DESC_SIZE, SERIAL_SIZE),
    datapath: fixedText(body, 3 * DESC_SIZE + SERIAL_SIZE, DESC_SIZE),
  });

function encodeDesc(m: DescReplyMessage): Encoded {
  const out = new Writer().text(m.manufacturer, DESC_SIZE).text(m.hardware, DESC_SIZE).text(m.software, DESC_SIZE);
  out.text(m.serial, SERIAL_SIZE).text(m.datapath, DESC_SIZE);
  return { spec: messageSpec('OFPST_DESC_REPLY'), body: out.done() };
}

const word = (value: number): Uint8Array => new Writer().u32(value).done();
const nothing = (): string => '';

export const niciraFamily: Family<NiciraMessage> = {
  decode: {
    NXT_SET_FLOW_FORMAT: number('set_flow_format', (body) => u32At(body, 0)),
    NXT_SET_PACKET_IN_FORMAT: ({ body }) => {
      const value = u32At(body, 0);
      return value < packetInFormats.length ? ok({ kind: 'set_packet_in_format', value }) : ofFail('OFPBRC_EPERM');
    },
    NXT_FLOW_MOD_TABLE_ID: number('flow_mod_table_id', (body) => (body[0] === 0 ? 0 : 1)),
    NXT_SET_CONTROLLER_ID: number('set_controller_id', (body) => u16At(body, 6)),
    NXT_FLOW_MONITOR_CANCEL: number('flow_monitor_cancel', (body) => u32At(body, 0)),
    ONFT13_FLOW_MONITOR_CANCEL: number('flow_monitor_cancel', (body) => u32At(body, 0)),
    NXT_CT_FLUSH_ZONE: number('ct_flush_zone', (body) => u16At(body, 6)),
    NXT_FLOW_AGE: empty('flow_age'),
    NXT_TLV_TABLE_REQUEST: empty('tlv_table_request'),
    NXT_FLOW_MONITOR_PAUSED: empty('flow_monitor_paused'),
    ONFT13_FLOW_MONITOR_PAUSED: empty('flow_monitor_paused'),
    NXT_FLOW_MONITOR_RESUMED: empty('flow_monitor_resumed'),
    ONFT13_FLOW_MONITOR_RESUMED: empty('flow_monitor_resumed'),
    NXST_IPFIX_BRIDGE_REQUEST: empty('ipfix_bridge_request'),
    NXST_IPFIX_FLOW_REQUEST: empty('ipfix_flow_request'),
    OFPST_DESC_REQUEST: empty('desc_request'),
    NXT_TLV_TABLE_MOD: decodeTlvMod,
    NXT_TLV_TABLE_REPLY: decodeTlvReply,
    NXST_IPFIX_BRIDGE_REPLY: decodeIpfix('ipfix_bridge_reply'),
    NXST_IPFIX_FLOW_REPLY: decodeIpfix('ipfix_flow_reply'),
    OFPST_DESC_REPLY: decodeDesc,
  },
  encode: {
    set_flow_format: ({ value }, version) => fits(version, 'NXT_SET_FLOW_FORMAT', word(value)),
    set_packet_in_format: ({ value }, version) => fits(version, 'NXT_SET_PACKET_IN_FORMAT', word(value)),
    flow_mod_table_id: ({ value }, version) =>
      fits(version, 'NXT_FLOW_MOD_TABLE_ID', new Writer().u8(value).zeros(7).done()),
    set_controller_id: ({ value }, version) =>
      fits(version, 'NXT_SET_CONTROLLER_ID', new Writer().zeros(6).u16(value).done()),
    flow_monitor_cancel: ({ value }, version) => fits(version, monitorRaw(version, 'CANCEL'), word(value)),
    ct_flush_zone: ({ value }, version) => fits(version, 'NXT_CT_FLUSH_ZONE', new Writer().zeros(6).u16(value).done()),
    flow_age: encodeEmpty('NXT_FLOW_AGE'),
    tlv_table_request: encodeEmpty('NXT_TLV_TABLE_REQUEST'),
    flow_monitor_paused: encodeEmpty('NXT_FLOW_MONITOR_PAUSED', 'ONFT13_FLOW_MONITOR_PAUSED'),
    flow_monitor_resumed: encodeEmpty('NXT_FLOW_MONITOR_RESUMED', 'ONFT13_FLOW_MONITOR_RESUMED'),
    ipfix_bridge_request: encodeEmpty('NXST_IPFIX_BRIDGE_REQUEST'),
    ipfix_flow_request: encodeEmpty('NXST_IPFIX_FLOW_REQUEST'),
    desc_request: encodeEmpty('OFPST_DESC_REQUEST'),
    tlv_table_mod: ({ command, mappings }, version) => {
      const out = new Writer().u16(tlvCommands.indexOf(command)).zeros(6);
      return fits(version, 'NXT_TLV_TABLE_MOD', writeMappings(out, mappings));
    },
    tlv_table_reply: ({ spaceMax, fieldMax, mappings }, version) =>
      fits(version, 'NXT_TLV_TABLE_REPLY', writeMappings(new Writer().u32(spaceMax).u16(fieldMax).zeros(10), mappings)),
    ipfix_bridge_reply: encodeIpfix,
    ipfix_flow_reply: encodeIpfix,
    desc_reply: encodeDesc,
  },
  format: {
    set_flow_format: ({ value }) => ` format=${flowFormats[value] ?? '(unknown)'}\n`,
    set_packet_in_format: ({ value }) => ` format=${packetInFormats[value]}\n`,
    flow_mod_table_id: ({ value }) => ` ${value === 0 ? 'disable' : 'enable'}\n`,
    set_controller_id: ({ value }) => ` id=${value}\n`,
    flow_monitor_cancel: ({ value }) => ` id=${value}\n`,
    ct_flush_zone: ({ value }) => ` zone_id=${value}\n`,
    flow_age: nothing,
    tlv_table_request: nothing,
    flow_monitor_paused: nothing,
    flow_monitor_resumed: nothing,
    ipfix_bridge_request: nothing,
    ipfix_flow_request: nothing,
    desc_request: nothing,
    tlv_table_mod: ({ command, mappings }) =>
      `\n ${tlvWords[command]}${command === 'clear' ? '' : ` ${formatMappings(mappings)}`}\n`,
    tlv_table_reply: ({ spaceMax, fieldMax, mappings }) => {
      const used = mappings.reduce((sum, m) => sum + m.optionSize, 0);
      return (
        `\n max option space=${spaceMax} max fields=${fieldMax}\n allocated option space=${used}\n\n ` +
        `${formatMappings(mappings)}\n`
      );
    },
    ipfix_bridge_reply: ({ stats }) => `\n${stats.map((s) => formatIpfix(s, '  bridge ipfix', 16)).join('')}`,
    ipfix_flow_reply: ({ stats }) =>
      ` ${stats.length} ids\n${stats.map((s) => formatIpfix(s, `  id ${String(s.collectorSet).padStart(3)}`, 10)).join('')}`,
    desc_reply: (m) =>
      `\nManufacturer: ${m.manufacturer}\nHardware: ${m.hardware}\nSoftware: ${m.software}\n` +
      `Serial Num: ${m.serial}\nDP Description: ${m.datapath}\n`,
  },
};
