/**
 * meter: token buckets, as Open vSwitch's userspace datapath counts them.
 *
 * A band's bucket holds `burst` kilobits or packets (without METER_FLAG_BURST: one second of its rate) and starts full.
 * It is filled with `rate` tokens a second: a token is a thousandth of a packet, or a bit. The packets of one list come to
 * the meter at one time. A packet that finds too little in a band's bucket exceeds that band and takes nothing from it; of
 * the bands that it exceeds, the one with the highest rate drops and counts it. A meter that is not there passes
 * everything.
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
  METER_FLAG_STARTED,
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
  store<u64>(at, load<u64>(at) + n);
}

/** Adds what has trickled in since the last time; a meter that is used for the first time gets full buckets. */
function fillBuckets(meter: usize, flags: u32, now: f64): void {
  const isNew = (flags & METER_FLAG_STARTED) == 0;
  const elapsed = (now - load<f64>(meter, METER_USED)) / MICROSECONDS_PER_MILLISECOND;
  if (!isNew && elapsed <= 0) return;
  store<u32>(meter, flags | METER_FLAG_STARTED, METER_FLAGS);
  store<f64>(meter, now, METER_USED);
  for (let i: u32 = 0; i < bandCount(meter); i++) {
    const band = bandAt(meter, i);
    const rate = load<u32>(band, METER_BAND_RATE);
    const burst = flags & METER_FLAG_BURST ? load<u32>(band, METER_BAND_BURST) : rate;
    const room = <f64>burst * TOKENS_PER_UNIT;
    const filled = load<f64>(band, METER_BAND_BUCKET) + elapsed * <f64>rate;
    store<f64>(band, isNew ? room : min<f64>(filled, room), METER_BAND_BUCKET);
  }
}

/** Takes the packet's tokens from every band that has them. @returns the exceeded band of the highest rate, 0 for none */
function charge(meter: usize, tokens: f64): usize {
  let exceeded: usize = 0;
  let rateMax: u32 = 0;
  for (let i: u32 = 0; i < bandCount(meter); i++) {
    const band = bandAt(meter, i);
    const bucket = load<f64>(band, METER_BAND_BUCKET);
    if (bucket >= tokens) {
      store<f64>(band, bucket - tokens, METER_BAND_BUCKET);
      continue;
    }
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
  const flags = load<u32>(meter, METER_FLAGS);
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
  memory.fill(meter, 0, METER_SIZEOF);
  if ((flags & METER_FLAG_PRESENT) == 0) return STATUS_OK;
  store<u32>(meter, flags & ~METER_FLAG_STARTED, METER_FLAGS);
  store<u32>(meter, count, METER_BAND_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const from = record + METER_SET_SIZEOF + <usize>i * METER_BAND_SIZEOF;
    const band = bandAt(meter, i);
    store<u32>(band, load<u32>(from, METER_BAND_RATE), METER_BAND_RATE);
    store<u32>(band, load<u32>(from, METER_BAND_BURST), METER_BAND_BURST);
  }
  return STATUS_OK;
}
