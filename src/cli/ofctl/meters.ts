/** Meters: their syntax (ovs-ofctl(8), Meter Syntax), changing them, and what they are, counted and can. */
import { fail, ok, type Result } from '../../lib/result.ts';
import {
  type MeterBand,
  type MeterModMessage,
  OFPM_ALL,
  OFPM_CONTROLLER,
  OFPM_SLOWPATH,
  type OfMeter,
} from '../../openflow/message/meter.ts';
import { Fatal } from '../common/io.ts';
import type { Context } from './context.ts';
import { parseUint, splitWords } from './key-value.ts';
import { P } from './protocols.ts';
import { dump, openForFlowMods } from './session.ts';

type MeterCommand = MeterModMessage['command'];

const idWords: Readonly<Record<string, number>> = {
  all: OFPM_ALL,
  controller: OFPM_CONTROLLER,
  slowpath: OFPM_SLOWPATH,
};
const METER_MAX = 0xffff0000;
const flagBits: Readonly<Record<string, number>> = { kbps: 1, pktps: 2, burst: 4, stats: 8 };
const RATE_FLAGS = 3;

interface Draft {
  id: number | null;
  flags: number;
}

/** Null, or what is wrong. */
function takeWord(draft: Draft, key: string, value: string, takesFlags: boolean): string | null {
  if (takesFlags && flagBits[key] !== undefined) {
    draft.flags |= flagBits[key];
    return null;
  }
  if (value === '') return `field ${key} missing value`;
  if (key !== 'meter') return `unknown keyword ${key}`;
  draft.id = idWords[value] ?? parseUint(value, 32);
  if (draft.id === null) return `invalid numeric format ${value}`;
  return idWords[value] === undefined && (draft.id === 0 || draft.id > METER_MAX) ? `invalid value for ${key}` : null;
}

type BandDraft = { -readonly [K in keyof MeterBand]: MeterBand[K] };

function takeBandWord(bands: BandDraft[], key: string, value: string): string | null {
  if (key === 'type') {
    if (value !== 'drop' && value !== 'dscp_remark') return `field ${key} unknown value ${value}`;
    bands.push({ type: value, rate: 0, burst: 0, precedence: 0 });
    return null;
  }
  const band = bands.at(-1);
  if (!band) return "band must start with the 'type' keyword";
  const number = parseUint(value, key === 'prec_level' ? 8 : 32);
  if (number === null) return `invalid ${key} "${value}"`;
  if (key === 'rate') band.rate = number;
  else if (key === 'burst_size') band.burst = number;
  else if (key === 'prec_level') band.precedence = number;
  else return `unknown keyword ${key}`;
  return null;
}

function parseBands(text: string): Result<MeterBand[]> {
  const bands: BandDraft[] = [];
  for (const { key, value } of splitWords(text)) {
    if (value === '') return fail(`field ${key} missing value`);
    const wrong = takeBandWord(bands, key, value);
    if (wrong !== null) return fail(wrong);
  }
  return ok(bands);
}

/** `meter=1,kbps,band=type=drop,rate=5` */
function parseMeter(text: string, command: MeterCommand): Result<OfMeter> {
  const takesBands = command !== 'delete';
  const at = text.indexOf('band');
  if (takesBands && at < 0) return fail('must specify bands');
  const draft: Draft = { id: null, flags: 0 };
  for (const { key, value } of splitWords(takesBands ? text.slice(0, at) : text)) {
    const wrong = takeWord(draft, key, value, takesBands);
    if (wrong !== null) return fail(wrong);
  }
  if (draft.id === null) return fail('must specify a meter');
  if (!takesBands) return ok({ id: draft.id, flags: 0, bands: [] });
  if ((draft.flags & RATE_FLAGS) === 0) return fail("meter must specify either 'kbps' or 'pktps'");
  const bandText = text.slice(text.indexOf('=', at) + 1).replace(/\bbands?=/g, '');
  const bands = parseBands(bandText);
  return bands.ok ? ok({ id: draft.id, flags: draft.flags, bands: bands.value }) : bands;
}

const noMeter: OfMeter = { id: OFPM_ALL, flags: 0, bands: [] };

const change =
  (command: MeterCommand) =>
  async (context: Context, [name, text]: readonly string[]): Promise<void> => {
    const read = text === undefined ? ok(noMeter) : parseMeter(text, command);
    if (!read.ok) throw new Fatal(read.error);
    const session = await openForFlowMods(context, name!, P.OF13_UP);
    try {
      await session.transactAll([{ kind: 'meter_mod', command, meter: read.value }]);
    } finally {
      session.close();
    }
  };

export const addMeter = change('add');
export const modMeter = change('modify');
export const delMeters = change('delete');

const ask =
  (kind: 'meter_stats_request' | 'meter_config_request') =>
  async (context: Context, [name, text]: readonly string[]): Promise<void> => {
    const read = text === undefined ? ok(noMeter) : parseMeter(text, 'delete');
    if (!read.ok) throw new Fatal(read.error);
    const session = await openForFlowMods(context, name!, P.OF13_UP);
    try {
      await dump(context, session, { kind, id: read.value.id });
    } finally {
      session.close();
    }
  };

export const dumpMeters = ask('meter_config_request');
export const meterStats = ask('meter_stats_request');

export async function meterFeatures(context: Context, [name]: readonly string[]): Promise<void> {
  const session = await openForFlowMods(context, name!, P.OF13_UP);
  try {
    await dump(context, session, { kind: 'meter_features_request' });
  } finally {
    session.close();
  }
}
