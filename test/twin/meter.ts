/** The twin's meters: token buckets in whole milliseconds and thousandths. */
import type { MeterConfig } from '../../src/datapath/types.ts';
import type { TwinPacket } from './packet.ts';

export interface TwinMeter {
  readonly config: MeterConfig;
  /** Bits, or thousandths of a packet. */
  readonly buckets: number[];
  /** Microseconds. */
  used: number | null;
}

export type TwinMeters = Map<number, TwinMeter>;

export const twinMeter = (config: MeterConfig): TwinMeter => ({
  config,
  buckets: config.bands.map(({ rate, burst }) => (burst || rate) * 1000),
  used: null,
});

/** Charges a packet; false when a band drops it. A meter that is not there lets everything pass. */
export function takesMeter(meters: TwinMeters, id: number, { frame }: TwinPacket, now: number): boolean {
  const meter = meters.get(id);
  if (!meter) return true;
  const elapsed = (now - (meter.used ?? now)) / 1000;
  meter.used = now;
  const tokens = meter.config.unit === 'kbps' ? frame.length * 8 : 1000;
  let isTaken = true;
  meter.config.bands.forEach(({ rate, burst }, i) => {
    const filled = Math.min((burst || rate) * 1000, meter.buckets[i]! + elapsed * rate);
    meter.buckets[i] = filled >= tokens ? filled - tokens : filled;
    if (filled < tokens) isTaken = false;
  });
  return isTaken;
}
