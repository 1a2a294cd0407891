/**
 * meter: token buckets, as Open vSwitch's userspace datapath counts them.
 *
 * A band's bucket holds `burst` kilobits or packets (without METER_FLAG_BURST: one second of its rate) and starts full.
 * It is filled with `rate` tokens a second: a token is a thousandth of a packet, or a bit. The packets of one list come to
 * the meter at one time. A packet that finds too little in a band's bucket exceeds that band and takes nothing from it; of
 * the bands that it exceeds, the one with the highest rate drops and counts it. A meter that is not there passes
 * everything.
 *
 * All workers share one table, so that a meter allows its rate and not as many times that as there are workers. Nobody
 * waits: who moves METER_USED on owns the time in between and puts its tokens into the buckets, and tokens are put and
 * taken by compare and exchange. A worker whose clock is behind fills nothing. While a meter is replaced, packets of
 * that moment may be counted by either configuration.
 */
import { ACT_METER_METER_ID } from '../../src/gen/actions';
import { DROP_METER } from '../../src/gen/counters';
import {
  METER_BAND_BUCKET,
  METER_BAND_BURST,
  METER_BAND_BYTES,
  METER_BAND_COUNT,
  METER_BAND_PACKETS,
  METER_BAND_RATE,
  METER_BAND_SIZEOF,
  METER_BANDS,
  METER_BYTES,
  METER_FLAG_BURST,
  METER_FLAG_KBPS,
  METER_FLAG_PRESENT,
  METER_FLAGS,
  METER_PACKETS,
  METER_SET_BAND_COUNT,
  METER_SET_FLAGS,
  METER_SET_METER_ID,
  METER_SET_SIZEOF,
  METER_SIZEOF,
  METER_USED,
  STATUS_INVALID,
  STATUS_OK,
  WORKER_METERS,
  WORKER_NOW,
} from '../../src/gen/layout';
import { METER_BANDS_MAX, METERS_MAX } from '../../src/gen/limits';
import { dropPacket } from '../layout/packets';
import { listGet, listSet } from '../layout/worker';
import { sizeOf } from './frame';

const TOKENS_PER_UNIT: f64 = 1000;
const MICROSECONDS_PER_MILLISECOND: f64 = 1000;

// @inline
function bandAt(meter: usize, index: u32): usize {
  return meter + METER_BANDS + <usize>index * METER_BAND_SIZEOF;
}

// @inline
function bandCount(meter: usize): u32 {
  return min<u32>(load<u32>(meter, METER_BAND_COUNT), METER_BANDS_MAX);
}

// @inline
function count64(at: usize, n: u64): void {
  atomic.add<u64>(at, n);
}

/** Adds what has trickled in since the last time. */
function fillBuckets(meter: usize, flags: u32, now: f64): void {
  const used = atomic.load<u64>(meter, METER_USED);
  const elapsed = (now - reinterpret<f64>(used)) / MICROSECONDS_PER_MILLISECOND;
  if (elapsed <= 0) return;
  // another worker was quicker: the time is its
  if (atomic.cmpxchg<u64>(meter, used, reinterpret<u64>(now), METER_USED) != used) return;
  for (let i: u32 = 0; i < bandCount(meter); i++) {
    const band = bandAt(meter, i);
    const rate = load<u32>(band, METER_BAND_RATE);
    fillBucket(band, elapsed * <f64>rate, roomOf(band, flags));
  }
}

/** Tokens that a band's bucket holds. */
function roomOf(band: usize, flags: u32): f64 {
  const burst = flags & METER_FLAG_BURST ? load<u32>(band, METER_BAND_BURST) : load<u32>(band, METER_BAND_RATE);
  return <f64>burst * TOKENS_PER_UNIT;
}

function fillBucket(band: usize, tokens: f64, room: f64): void {
  let seen = atomic.load<u64>(band, METER_BAND_BUCKET);
  while (true) {
    const filled = min<f64>(reinterpret<f64>(seen) + tokens, room);
    const found = atomic.cmpxchg<u64>(band, seen, reinterpret<u64>(filled), METER_BAND_BUCKET);
    if (found == seen) return;
    seen = found;
  }
}

/** Takes tokens from a bucket that has them; false when it has not. */
function takeTokens(band: usize, tokens: f64): bool {
  let seen = atomic.load<u64>(band, METER_BAND_BUCKET);
  while (true) {
    const bucket = reinterpret<f64>(seen);
    if (bucket < tokens) return false;
    const found = atomic.cmpxchg<u64>(band, seen, reinterpret<u64>(bucket - tokens), METER_BAND_BUCKET);
    if (found == seen) return true;
    seen = found;
  }
}

/** Takes the packet's tokens from every band that has them. @returns the exceeded band of the highest rate, 0 for none */
function charge(meter: usize, tokens: f64): usize {
  let exceeded: usize = 0;
  let rateMax: u32 = 0;
  for (let i: u32 = 0; i < bandCount(meter); i++) {
    const band = bandAt(meter, i);
    if (takeTokens(band, tokens)) continue;
    const rate = load<u32>(band, METER_BAND_RATE);
    if (exceeded != 0 && rate <= rateMax) continue;
    exceeded = band;
    rateMax = rate;
  }
  return exceeded;
}

/** Returns how many packets are left in the list. */
export function runMeter(w: usize, list: usize, count: u32, at: usize): u32 {
  const id = load<u32>(at, ACT_METER_METER_ID);
  if (id >= METERS_MAX) return count;
  const meter = <usize>load<u32>(w, WORKER_METERS) + <usize>id * METER_SIZEOF;
  const flags = atomic.load<u32>(meter, METER_FLAGS);
  if ((flags & METER_FLAG_PRESENT) == 0) return count;
  fillBuckets(meter, flags, load<f64>(w, WORKER_NOW));
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = listGet(list, i);
    const size = sizeOf(p);
    count64(meter + METER_PACKETS, 1);
    count64(meter + METER_BYTES, size);
    const band = charge(meter, flags & METER_FLAG_KBPS ? <f64>size * 8 : TOKENS_PER_UNIT);
    if (band == 0) {
      listSet(list, kept++, p);
      continue;
    }
    count64(band + METER_BAND_PACKETS, 1);
    count64(band + METER_BAND_BYTES, size);
    dropPacket(w, p, DROP_METER);
  }
  return kept;
}

/**
 * Makes, replaces or deletes a meter: buckets full, statistics zero.
 * @param record a MeterSet with its MeterBands behind it
 * @param size bytes of the record
 * @returns a STATUS
 */
export function meterSet(w: usize, record: usize, size: u32): u32 {
  const id = load<u32>(record, METER_SET_METER_ID);
  const count = load<u32>(record, METER_SET_BAND_COUNT);
  const flags = load<u32>(record, METER_SET_FLAGS);
  if (id >= METERS_MAX || count > METER_BANDS_MAX) return STATUS_INVALID;
  if (size < <u32>METER_SET_SIZEOF + count * <u32>METER_BAND_SIZEOF) return STATUS_INVALID;
  const meter = <usize>load<u32>(w, WORKER_METERS) + <usize>id * METER_SIZEOF;
  // first, as others may be counting, and the flags come back last
  atomic.store<u32>(meter, 0, METER_FLAGS);
  memory.fill(meter, 0, METER_SIZEOF);
  if ((flags & METER_FLAG_PRESENT) == 0) return STATUS_OK;
  for (let i: u32 = 0; i < count; i++) {
    const from = record + METER_SET_SIZEOF + <usize>i * METER_BAND_SIZEOF;
    const band = bandAt(meter, i);
    store<u32>(band, load<u32>(from, METER_BAND_RATE), METER_BAND_RATE);
    store<u32>(band, load<u32>(from, METER_BAND_BURST), METER_BAND_BURST);
    store<f64>(band, roomOf(band, flags), METER_BAND_BUCKET);
  }
  store<u32>(meter, count, METER_BAND_COUNT);
  atomic.store<u32>(meter, flags, METER_FLAGS);
  return STATUS_OK;
}
