/**
 * Revalidation: reads the counters of megaflows, credits what their packets did, translates again when the picture
 * changed, and deletes what is idle or no longer true.
 *
 * A pass looks at every megaflow, a slice at a time. It begins when the interval is over, or soon after the picture
 * changed: not sooner than a microsecond a megaflow after the last one, so that a table that learns a thousand addresses a
 * second is not revalidated a thousand times.
 *
 * Invariants. A packet is credited once. What a megaflow's packets did is credited before the megaflow is deleted. A
 * megaflow whose mask no longer covers all that is looked at is deleted, never widened.
 */
import { encodeActions } from '../datapath/actions.ts';
import type { DpFlowStats } from '../datapath/types.ts';
import { maskedMatch } from '../flow/key.ts';
import { equalBytes } from '../lib/bytes.ts';
import type { Micros } from '../lib/clock.ts';
import { noEffects, type RecordedEffect, recordEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { installedActions } from './handler.ts';
import { coversMask, unpackKey } from './packed-key.ts';
import type { PictureSource, UpcallCounters, UpcallDatapath, UpcallOptions } from './types.ts';
import type { Ukey, UkeyTable } from './ukey.ts';

/** Microseconds that each megaflow adds to the time between two passes. */
const PASS_COST_PER_FLOW: Micros = 1;

export class Revalidator {
  readonly #datapath: UpcallDatapath;
  readonly #source: PictureSource;
  readonly #ukeys: UkeyTable;
  readonly #options: UpcallOptions;
  readonly #counters: UpcallCounters;
  #pass: IterableIterator<Ukey> | null = null;
  #passGeneration = -1;
  #lastPass: Micros = Number.NEGATIVE_INFINITY;

  constructor(
    datapath: UpcallDatapath,
    source: PictureSource,
    ukeys: UkeyTable,
    options: UpcallOptions,
    counters: UpcallCounters,
  ) {
    this.#datapath = datapath;
    this.#source = source;
    this.#ukeys = ukeys;
    this.#options = options;
    this.#counters = counters;
  }

  /** One slice, when there is something to do. Returns the number of megaflows looked at. */
  run(now: Micros): number {
    const next = this.wakeAt();
    if (next === null || now < next) return 0;
    if (!this.#pass) {
      this.#pass = this.#ukeys.values();
      this.#passGeneration = this.#source.picture().generation;
      this.#lastPass = now;
      this.#counters.revalidations++;
    }
    let count = 0;
    for (; count < this.#options.sliceMax; count++) {
      const { value, done } = this.#pass.next();
      if (done) {
        this.#pass = null;
        break;
      }
      this.#revalidate(value, now);
    }
    return count;
  }

  /** When run() has something to do; null while there are no megaflows. */
  wakeAt(): Micros | null {
    if (this.#ukeys.size === 0) return null;
    if (this.#pass) return this.#lastPass;
    const isChanged = this.#passGeneration !== this.#source.picture().generation;
    const pause = isChanged ? this.#ukeys.size * PASS_COST_PER_FLOW : this.#options.interval;
    return this.#lastPass + Math.min(pause, this.#options.interval);
  }

  /** Credits everything and deletes every megaflow: for closing, and when a port goes away. */
  flush(now: Micros): void {
    for (const ukey of [...this.#ukeys.values()]) this.#delete(ukey, now);
    this.#pass = null;
  }

  #revalidate(ukey: Ukey, now: Micros): void {
    const stats = this.#datapath.flowStats(ukey.id);
    if (!stats || this.#datapath.flowGeneration(ukey.id) !== ukey.generation) {
      // Somebody else deleted it
      this.#ukeys.delete(ukey);
      return;
    }
    this.#credit(ukey, stats, now);
    if (now - Math.max(stats.used, ukey.created) >= this.#options.maxIdle) {
      this.#counters.deletedIdle++;
      this.#delete(ukey, now);
      return;
    }
    if (ukey.pictureGeneration !== this.#source.picture().generation) this.#retranslate(ukey, now);
  }

  #credit(ukey: Ukey, stats: DpFlowStats, now: Micros): void {
    const packets = stats.packets - ukey.packets;
    const bytes = stats.bytes - ukey.bytes;
    if (packets <= 0) return;
    ukey.packets = stats.packets;
    ukey.bytes = stats.bytes;
    // Addresses were last seen when the flow was last used, which may be a while ago
    const effects = this.#source.effects({ now: Math.min(now, stats.used || now), packets, bytes });
    for (const effect of ukey.effects) effect(effects);
  }

  #retranslate(ukey: Ukey, now: Micros): void {
    this.#counters.retranslated++;
    const picture = this.#source.picture();
    const key = unpackKey(ukey.key);
    const effects: RecordedEffect[] = [];
    const out = translate({ picture, key, frame: null, now, effects: recordEffects(noEffects, effects) });
    const isStale = out.error !== 'none' || !out.installable || !coversMask(ukey.mask, out.match.mask);
    const actions = encodeActions(installedActions(out));
    if (isStale || !this.#replaceActions(ukey, actions)) {
      this.#counters.deletedStale++;
      this.#delete(ukey, now);
      return;
    }
    ukey.effects = effects;
    ukey.pictureGeneration = picture.generation;
  }

  #replaceActions(ukey: Ukey, actions: Uint8Array): boolean {
    if (equalBytes(ukey.actions, actions)) return true;
    const match = maskedMatch(unpackKey(ukey.key), unpackKey(ukey.mask));
    const put = this.#datapath.putFlow(match, actions, { replace: true });
    if (!put.ok || put.value !== ukey.id) return false;
    ukey.actions = actions;
    this.#counters.modified++;
    return true;
  }

  #delete(ukey: Ukey, now: Micros): void {
    const deleted = this.#datapath.deleteFlow(ukey.id, ukey.generation);
    if (deleted.ok) this.#credit(ukey, deleted.value, now);
    this.#ukeys.delete(ukey);
  }
}
