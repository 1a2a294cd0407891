/** Meters from the host's end. All workers share them; any worker that lives writes them. */
import * as L from '../gen/layout.ts';
import { METER_BANDS_MAX, METERS_MAX } from '../gen/limits.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { MeterConfig } from './types.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

interface MeterBandStats {
  readonly packets: number;
  readonly bytes: number;
}

export interface MeterStats extends MeterBandStats {
  /** By band: what it dropped. */
  readonly bands: readonly MeterBandStats[];
}

function wrongMeter(id: number, config: MeterConfig): string | null {
  if (!(id >= 0 && id < METERS_MAX)) return `meter ${id} is not below ${METERS_MAX}`;
  if (config.bands.length < 1 || config.bands.length > METER_BANDS_MAX)
    return `a meter has 1 to ${METER_BANDS_MAX} bands, not ${config.bands.length}`;
  const wrong = config.bands.find(({ rate, burst }) => !isU32(rate) || rate === 0 || !isU32(burst));
  return wrong ? `rate ${wrong.rate} and burst ${wrong.burst} are not a meter band` : null;
}

const isU32 = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;

export class MeterTable {
  readonly #views: Views;
  readonly #workers: readonly WorkerHost[];

  constructor(views: Views, workers: readonly WorkerHost[]) {
    this.#views = views;
    this.#workers = workers;
  }

  get #worker(): WorkerHost {
    return this.#workers.find(({ remote }) => remote === null || remote.isAlive) ?? this.#workers[0]!;
  }

  /** Makes a meter or gives one a new configuration; its buckets start full and its statistics at 0. */
  set(id: number, config: MeterConfig): Result<void> {
    const wrong = wrongMeter(id, config);
    if (wrong) return fail(wrong);
    const views = this.#views;
    const record = this.#begin(id, config.bands.length, config.unit === 'kbps' ? L.METER_FLAG_KBPS : 0);
    config.bands.forEach(({ rate, burst }, index) => {
      const band = record + L.CONTROL_SIZEOF + L.METER_SET_SIZEOF + index * L.METER_BAND_SIZEOF;
      views.u8.fill(0, band, band + L.METER_BAND_SIZEOF);
      views.setU32(band + L.METER_BAND_RATE, rate);
      views.setU32(band + L.METER_BAND_BURST, burst === 0 ? rate : burst);
    });
    return this.#worker.run(record) === L.STATUS_OK ? ok(undefined) : fail(`meter ${id} was refused`);
  }

  #begin(id: number, bandCount: number, flags: number): number {
    const views = this.#views;
    const size = L.METER_SET_SIZEOF + bandCount * L.METER_BAND_SIZEOF;
    const record = this.#worker.begin(L.CONTROL_METER_SET, size);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.METER_SET_METER_ID, id);
    views.setU32(body + L.METER_SET_FLAGS, bandCount === 0 ? 0 : flags | L.METER_FLAG_PRESENT | L.METER_FLAG_BURST);
    views.setU32(body + L.METER_SET_BAND_COUNT, bandCount);
    return record;
  }

  delete(id: number): Result<void, 'not_found'> {
    if (!this.stats(id)) return fail('not_found');
    return this.#worker.run(this.#begin(id, 0, 0)) === L.STATUS_OK ? ok(undefined) : fail('not_found');
  }

  stats(id: number): MeterStats | null {
    if (!(id >= 0 && id < METERS_MAX)) return null;
    const views = this.#views;
    const meter = this.#worker.plan.meters.start + id * L.METER_SIZEOF;
    if (views.getU32(meter + L.METER_FLAGS) === 0) return null;
    const bandStats = (_: unknown, index: number): MeterBandStats => {
      const band = meter + L.METER_BANDS + index * L.METER_BAND_SIZEOF;
      return { packets: views.getU64(band + L.METER_BAND_PACKETS), bytes: views.getU64(band + L.METER_BAND_BYTES) };
    };
    return {
      packets: views.getU64(meter + L.METER_PACKETS),
      bytes: views.getU64(meter + L.METER_BYTES),
      bands: Array.from({ length: views.getU32(meter + L.METER_BAND_COUNT) }, bandStats),
    };
  }
}
