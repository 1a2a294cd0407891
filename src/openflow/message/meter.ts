/** Meters (OpenFlow 1.3 and later): changing them, what they are, what they counted, what a switch can. */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import { bitNames, type Decoded, type DecodeInput, durationText, type Encoded, type Family } from './codec.ts';
import { specIn } from './header.ts';

export interface MeterBand {
  readonly type: 'drop' | 'dscp_remark';
  readonly rate: number;
  readonly burst: number;
  /** Of dscp_remark: drop precedence to add. */
  readonly precedence: number;
}

export interface OfMeter {
  readonly id: number;
  /** Bits: 0 kbps, 1 pktps, 2 burst, 3 stats. */
  readonly flags: number;
  readonly bands: readonly MeterBand[];
}

export interface MeterModMessage {
  readonly kind: 'meter_mod';
  readonly command: 'add' | 'modify' | 'delete';
  readonly meter: OfMeter;
}

export interface MeterRequestMessage {
  readonly kind: 'meter_stats_request' | 'meter_config_request';
  readonly id: number;
}

export interface OfMeterStats {
  readonly id: number;
  readonly flowCount: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly bands: readonly { readonly packets: bigint; readonly bytes: bigint }[];
}

export interface MeterStatsReplyMessage {
  readonly kind: 'meter_stats_reply';
  readonly stats: readonly OfMeterStats[];
}

export interface MeterConfigReplyMessage {
  readonly kind: 'meter_config_reply';
  readonly meters: readonly OfMeter[];
}

export interface MeterFeaturesRequestMessage {
  readonly kind: 'meter_features_request';
}

export interface MeterFeaturesReplyMessage {
  readonly kind: 'meter_features_reply';
  readonly meterMax: number;
  /** Bits of band types: 1 drop, 2 dscp_remark. */
  readonly bandTypes: number;
  readonly capabilities: number;
  readonly bandMax: number;
  readonly colorMax: number;
}

export type MeterMessage =
  | MeterModMessage
  | MeterRequestMessage
  | MeterStatsReplyMessage
  | MeterConfigReplyMessage
  | MeterFeaturesRequestMessage
  | MeterFeaturesReplyMessage;

export const OFPM_SLOWPATH = 0xfffffffd;
export const OFPM_CONTROLLER = 0xfffffffe;
export const OFPM_ALL = 0xffffffff;

const METER_MAX = 0xffff0000;

const commands = ['add', 'modify', 'delete'] as const;
const commandWords = { add: 'ADD', modify: 'MOD', delete: 'DEL' } as const;
const flagNames = [
  [1, 'kbps'],
  [2, 'pktps'],
  [4, 'burst'],
  [8, 'stats'],
] as const;
const BAND_SIZE = 16;
const DROP = 1;
const REMARK = 2;

/** Bands one after the other. */
function readBands(bytes: Uint8Array): Decoded<MeterBand[]> {
  const bands: MeterBand[] = [];
  for (let at = 0; at < bytes.length; at += BAND_SIZE) {
    if (bytes.length - at < 4) return ofFail('OFPBRC_BAD_LEN');
    const type = u16At(bytes, at);
    const size = u16At(bytes, at + 2);
    if (bytes.length - at < size) return ofFail('OFPBRC_BAD_LEN');
    if (type !== DROP && type !== REMARK) return ofFail('OFPMMFC_BAD_BAND');
    if (size !== BAND_SIZE) return ofFail('OFPBRC_BAD_LEN');
    bands.push({
      type: type === DROP ? 'drop' : 'dscp_remark',
      rate: u32At(bytes, at + 4),
      burst: u32At(bytes, at + 8),
      precedence: type === REMARK ? bytes[at + 12]! : 0,
    });
  }
  return ok(bands);
}

function writeBands(out: Writer, bands: readonly MeterBand[]): void {
  for (const band of bands) {
    out
      .u16(band.type === 'drop' ? DROP : REMARK)
      .u16(BAND_SIZE)
      .u32(band.rate)
      .u32(band.burst);
    out.u8(band.precedence).zeros(3);
  }
}

function decodeMod({ body }: DecodeInput): Decoded<MeterModMessage> {
  const command = commands[u16At(body, 0)];
  if (!command) return ofFail('OFPMMFC_BAD_COMMAND');
  const flags = u16At(body, 2);
  const id = u32At(body, 4);
  if (command === 'delete') return ok({ kind: 'meter_mod', command, meter: { id, flags: 0, bands: [] } });
  if ((flags & 3) === 3) return ofFail('OFPMMFC_BAD_FLAGS');
  const bands = readBands(body.subarray(8));
  if (!bands.ok) return bands;
  return ok({ kind: 'meter_mod', command, meter: { id, flags, bands: bands.value } });
}

function encodeMod({ command, meter }: MeterModMessage, version: number): Encoded | null {
  const spec = specIn(version, 'OFPT13_METER_MOD');
  const out = new Writer().u16(commands.indexOf(command)).u16(meter.flags).u32(meter.id);
  writeBands(out, meter.bands);
  return spec && { spec, body: out.done() };
}

const idText = (id: number): string => {
  if (id === OFPM_SLOWPATH) return 'slowpath';
  if (id === OFPM_CONTROLLER) return 'controller';
  if (id === OFPM_ALL) return 'all';
  return id <= METER_MAX ? String(id) : 'unknown';
};

function formatBand(flags: number, band: MeterBand): string {
  const burst = (flags & 4) !== 0 ? ` burst_size=${band.burst}` : '';
  const precedence = band.type === 'dscp_remark' ? ` prec_level=${band.precedence}` : '';
  return `\ntype=${band.type} rate=${band.rate}${burst}${precedence}`;
}

function flagsText(flags: number): string {
  const known = flags & 0xf;
  return `${known === 0 ? '' : `${bitNames(known, flagNames)} `}${flags === known ? '' : `flags:0x${(flags & ~0xf).toString(16)} `}`;
}

const formatMeter = ({ id, flags, bands }: OfMeter): string =>
  `meter=${idText(id)} ${flagsText(flags)}bands=` + `${bands.map((band) => formatBand(flags, band)).join('')}\n`;

function decodeStats({ body }: DecodeInput): Decoded<MeterStatsReplyMessage> {
  const stats: OfMeterStats[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < 40) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at + 4);
    if (size < 40 || size > left || size % 8 !== 0) return ofFail('OFPBRC_BAD_LEN');
    if ((size - 40) % 16 !== 0) return ofFail('OFPBRC_BAD_LEN');
    const bands = Array.from({ length: (size - 40) / 16 }, (_, i) => ({
      packets: u64At(body, at + 40 + 16 * i),
      bytes: u64At(body, at + 48 + 16 * i),
    }));
    stats.push({
      id: u32At(body, at),
      flowCount: u32At(body, at + 12),
      packets: u64At(body, at + 16),
      bytes: u64At(body, at + 24),
      seconds: u32At(body, at + 32),
      nanoseconds: u32At(body, at + 36),
      bands,
    });
    at += size;
  }
  return ok({ kind: 'meter_stats_reply', stats });
}

function encodeStats(message: MeterStatsReplyMessage, version: number): Encoded | null {
  const spec = specIn(version, 'OFPST13_METER_REPLY');
  const out = new Writer();
  for (const s of message.stats) {
    out
      .u32(s.id)
      .u16(40 + 16 * s.bands.length)
      .zeros(6)
      .u32(s.flowCount)
      .u64(s.packets)
      .u64(s.bytes);
    out.u32(s.seconds).u32(s.nanoseconds);
    for (const band of s.bands) out.u64(band.packets).u64(band.bytes);
  }
  return spec && { spec, body: out.done() };
}

const formatStats = (s: OfMeterStats): string =>
  `meter:${idText(s.id)} flow_count:${s.flowCount} packet_in_count:${s.packets} byte_in_count:${s.bytes} ` +
  `duration:${durationText(s.seconds, s.nanoseconds)} bands:\n` +
  s.bands.map((band, i) => `${i}: packet_count:${band.packets} byte_count:${band.bytes}\n`).join('');

function decodeConfig({ body }: DecodeInput): Decoded<MeterConfigReplyMessage> {
  const meters: OfMeter[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < 8) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at);
    if (size < 8 || size > left) return ofFail('OFPBRC_BAD_LEN');
    const bands = readBands(body.subarray(at + 8, at + size));
    if (!bands.ok) return bands;
    meters.push({ id: u32At(body, at + 4), flags: u16At(body, at + 2), bands: bands.value });
    at += size;
  }
  return ok({ kind: 'meter_config_reply', meters });
}

function encodeConfig(message: MeterConfigReplyMessage, version: number): Encoded | null {
  const spec = specIn(version, 'OFPST13_METER_CONFIG_REPLY');
  const out = new Writer();
  for (const meter of message.meters) {
    out
      .u16(8 + BAND_SIZE * meter.bands.length)
      .u16(meter.flags)
      .u32(meter.id);
    writeBands(out, meter.bands);
  }
  return spec && { spec, body: out.done() };
}

const decodeRequest =
  (kind: MeterRequestMessage['kind']) =>
  ({ body }: DecodeInput): Decoded<MeterRequestMessage> =>
    ok({ kind, id: u32At(body, 0) });
const encodeRequest = (message: MeterRequestMessage, version: number): Encoded | null => {
  const raw = message.kind === 'meter_stats_request' ? 'OFPST13_METER_REQUEST' : 'OFPST13_METER_CONFIG_REQUEST';
  const spec = specIn(version, raw);
  return spec && { spec, body: new Writer().u32(message.id).zeros(4).done() };
};

const bandNames = [
  [1 << DROP, 'drop'],
  [1 << REMARK, 'dscp_remark'],
] as const;

const formatFeatures = (m: MeterFeaturesReplyMessage): string =>
  `\nmax_meter:${m.meterMax} max_bands:${m.bandMax} max_color:${m.colorMax}\n` +
  `band_types: ${bitNames(m.bandTypes, bandNames)}\ncapabilities: ${bitNames(m.capabilities, flagNames)}\n`;

export const meterFamily: Family<MeterMessage> = {
  decode: {
    OFPT13_METER_MOD: decodeMod,
    OFPST13_METER_REQUEST: decodeRequest('meter_stats_request'),
    OFPST13_METER_REPLY: decodeStats,
    OFPST13_METER_CONFIG_REQUEST: decodeRequest('meter_config_request'),
    OFPST13_METER_CONFIG_REPLY: decodeConfig,
    OFPST13_METER_FEATURES_REQUEST: () => ok({ kind: 'meter_features_request' }),
    OFPST13_METER_FEATURES_REPLY: ({ body }) =>
      ok({
        kind: 'meter_features_reply',
        meterMax: u32At(body, 0),
        bandTypes: u32At(body, 4),
        capabilities: u32At(body, 8),
        bandMax: body[12]!,
        colorMax: body[13]!,
      }),
  },
  encode: {
    meter_mod: encodeMod,
    meter_stats_request: encodeRequest,
    meter_config_request: encodeRequest,
    meter_stats_reply: encodeStats,
    meter_config_reply: encodeConfig,
    meter_features_request: (_, version) => {
      const spec = specIn(version, 'OFPST13_METER_FEATURES_REQUEST');
      return spec && { spec, body: new Uint8Array(0) };
    },
    meter_features_reply: (m, version) => {
      const spec = specIn(version, 'OFPST13_METER_FEATURES_REPLY');
      const out = new Writer().u32(m.meterMax).u32(m.bandTypes).u32(m.capabilities).u8(m.bandMax).u8(m.colorMax);
      return spec && { spec, body: out.zeros(2).done() };
    },
  },
  format: {
    meter_mod: ({ command, meter }) => ` ${commandWords[command]} ${formatMeter(meter)}`,
    meter_stats_request: ({ id }) => ` meter=${idText(id)}\n`,
    meter_config_request: ({ id }) => ` meter=${idText(id)}\n`,
    meter_stats_reply: ({ stats }) => `\n${stats.map(formatStats).join('')}`,
    meter_config_reply: ({ meters }) => `\n${meters.map(formatMeter).join('')}`,
    meter_features_request: () => '',
    meter_features_reply: formatFeatures,
  },
};
