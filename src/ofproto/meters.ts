/** The meter table: what OFPT_METER_MOD says and what comes of it, with the reference's errors. */
import type { Micros } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { OfErrorName } from '../spec/of-errors.ts';

/** Highest number of an ordinary meter (OFPM_MAX). */
export const METER_MAX = 0xffff0000;
/** OFPM_ALL: in a delete, every meter. */
export const METER_ALL = 0xffffffff;
export const METER_SLOWPATH = 0xfffffffd;
export const METER_CONTROLLER = 0xfffffffe;

export interface MeterBand {
  readonly type: 'drop' | 'dscp_remark';
  /** Kilobits or packets a second. */
  readonly rate: number;
  /** Kilobits or packets; 0 for the default. */
  readonly burst: number;
  /** dscp_remark: levels by which the drop precedence rises. */
  readonly precLevel: number;
}

export interface MeterConfig {
  readonly id: number;
  readonly unit: 'kbps' | 'pktps';
  readonly hasBurst: boolean;
  readonly countsStats: boolean;
  readonly bands: readonly MeterBand[];
}

export interface MeterMod {
  readonly command: 'add' | 'modify' | 'delete';
  readonly config: MeterConfig;
}

export interface BandStats {
  readonly packets: number;
  readonly bytes: number;
}

export interface Meter {
  readonly config: MeterConfig;
  /** Its number in the datapath. */
  readonly number: number;
  readonly created: Micros;
}

/** What a meter has seen, and what its bands dropped. */
export interface MeterStats {
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly bands: readonly BandStats[];
}

export interface MeterChange {
  readonly kind: 'added' | 'modified' | 'removed';
  readonly meter: Meter;
}

export interface MeterLimits {
  readonly metersMax: number;
  readonly bandsMax: number;
  readonly bandTypes: readonly MeterBand['type'][];
}

export type MeterError = Extract<OfErrorName, `OFPMMFC_${string}`>;

/** What the reference's userspace datapath has. */
const METER_LIMITS: MeterLimits = { metersMax: 262_144, bandsMax: 8, bandTypes: ['drop'] };

/** The datapath's meters, by numbers of its own. */
export interface DatapathMeters {
  /** The number of a new meter; null when there is no room for it. */
  add(config: MeterConfig): number | null;
  /** False when it cannot do what is asked. */
  change(number: number, config: MeterConfig): boolean;
  delete(number: number): void;
  /** Null when there is no such meter. */
  stats(number: number): DatapathMeterStats | null;
}

export interface DatapathMeterStats {
  readonly packets: number;
  readonly bytes: number;
  readonly bands: readonly { readonly packets: number; readonly bytes: number }[];
}

/** For tables without a datapath: every meter is let in and counts nothing. */
export const noDatapathMeters: DatapathMeters = {
  add: ({ id }) => id,
  change: () => true,
  delete: () => undefined,
  stats: () => null,
};

const isVirtual = (id: number): boolean => id === METER_SLOWPATH || id === METER_CONTROLLER;

export class MeterTable {
  readonly limits: MeterLimits;
  readonly #datapath: DatapathMeters;
  readonly #meters = new Map<number, Meter>();
  #generation = 0;

  constructor(limits: Partial<MeterLimits> = {}, datapath: DatapathMeters = noDatapathMeters) {
    this.limits = { ...METER_LIMITS, ...limits };
    this.#datapath = datapath;
  }

  /** Changes with every change of the table. */
  get generation(): number {
    return this.#generation;
  }

  get(id: number): Meter | null {
    return this.#meters.get(id) ?? null;
  }

  /** In the order in which they were put in. */
  get meters(): readonly Meter[] {
    return [...this.#meters.values()];
  }

  /** @returns what happened; whoever asked removes the rules that used a removed meter */
  execute({ command, config }: MeterMod, now: Micros): Result<MeterChange[], MeterError> {
    if (command === 'delete') return ok(this.#delete(config.id));
    const wrong = this.#check(config);
    if (wrong) return fail(wrong);
    const old = this.#meters.get(config.id);
    if (command === 'add' && old) return fail('OFPMMFC_METER_EXISTS');
    if (command === 'modify' && !old) return fail('OFPMMFC_UNKNOWN_METER');
    if (!old && this.#meters.size >= this.limits.metersMax) return fail('OFPMMFC_OUT_OF_METERS');
    const number = old ? old.number : this.#datapath.add(config);
    if (number === null || (old && !this.#datapath.change(number, config))) return fail('OFPMMFC_OUT_OF_METERS');
    const meter: Meter = { config, number, created: old?.created ?? now };
    this.#meters.set(config.id, meter);
    this.#generation++;
    return ok([{ kind: old ? 'modified' : 'added', meter }]);
  }

  /** Zeros when the datapath knows nothing of it. */
  stats({ number, config }: Meter): MeterStats {
    const stats = this.#datapath.stats(number);
    const bands = config.bands.map((_, i) => stats?.bands[i] ?? { packets: 0, bytes: 0 });
    return { packetsIn: stats?.packets ?? 0, bytesIn: stats?.bytes ?? 0, bands };
  }

  #check({ id, bands }: MeterConfig): MeterError | null {
    if (id === 0 || (id > METER_MAX && !isVirtual(id))) return 'OFPMMFC_INVALID_METER';
    if (bands.length === 0 || bands.length > this.limits.bandsMax) return 'OFPMMFC_OUT_OF_BANDS';
    for (const { type, rate } of bands) {
      if (!this.limits.bandTypes.includes(type)) return 'OFPMMFC_BAD_BAND';
      if (rate === 0) return 'OFPMMFC_BAD_RATE';
    }
    return null;
  }

  /** Gives every meter back. */
  clear(): void {
    this.#delete(METER_ALL);
  }

  #delete(id: number): MeterChange[] {
    const gone = this.meters.filter(({ config }) => id === METER_ALL || config.id === id);
    for (const { config, number } of gone) {
      this.#meters.delete(config.id);
      this.#datapath.delete(number);
    }
    if (gone.length > 0) this.#generation++;
    return gone.map((meter) => ({ kind: 'removed', meter }));
  }
}
