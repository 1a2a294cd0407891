/** pcapng's times: 64 bits of ticks, as many a second as the interface says. */

export interface TickTime {
  seconds: number;
  nanos: number;
}

/** if_tsresol: ten, or two when the top bit is set, to the power of minus the other bits. */
export const ticksPerSecondOf = (resolution: number): number =>
  resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution;

/** Below this, one step of the division by digits of 16 bits stays exact in a double. */
const EXACT_MAX = 2 ** 37;

/** Divides high × 2^32 + low ticks into seconds and nanoseconds, rounded down. */
export function splitTicks(high: number, low: number, ticksPerSecond: number, out: TickTime): void {
  if (ticksPerSecond > EXACT_MAX) {
    splitWide(high, low, ticksPerSecond, out);
    return;
  }
  let seconds = 0;
  let rest = 0;
  for (const digit of [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff]) {
    const value = rest * 65536 + digit;
    const quotient = Math.floor(value / ticksPerSecond);
    seconds = seconds * 65536 + quotient;
    rest = value - quotient * ticksPerSecond;
  }
  out.seconds = seconds;
  const nanosPerTick = 1e9 / ticksPerSecond;
  if (Number.isInteger(nanosPerTick)) out.nanos = rest * nanosPerTick;
  else out.nanos = Number((BigInt(rest) * 1_000_000_000n) / BigInt(ticksPerSecond));
}

function splitWide(high: number, low: number, ticksPerSecond: number, out: TickTime): void {
  const ticks = (BigInt(high) << 32n) | BigInt(low);
  const unit = BigInt(ticksPerSecond);
  out.seconds = Number(ticks / unit);
  out.nanos = Number(((ticks % unit) * 1_000_000_000n) / unit);
}

/** Seconds and nanoseconds as 64 bits of nanoseconds: [high, low]. */
export function joinNanos(seconds: number, nanos: number, out: [high: number, low: number]): void {
  // 1e9 = 15258 × 65536 + 51712: the partial products stay below 2^53 for any 48-bit number of seconds
  const lower = seconds % 0x10000;
  const upper = Math.floor(seconds / 0x10000);
  const low = lower * 1e9 + nanos;
  const middle = upper * 1e9;
  const sum = (middle % 0x10000) * 0x10000 + low;
  out[1] = sum % 0x100000000;
  out[0] = Math.floor(middle / 0x10000) + Math.floor(sum / 0x100000000);
}
