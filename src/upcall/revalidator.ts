/**
 * Revalidation: reads the counters of megaflows, credits what their packets did, translates again when the picture
 * changed, and deletes what is idle or no longer true.
 *
 * A pass looks at every megaflow, a slice at a time: a slice has a budget, so that forwarding waits about a millisecond for
 * it however many megaflows there are. A pass begins when the interval is over, or soon after the picture changed: not
 * sooner than a microsecond a megaflow after the last one, so that a table that learns a thousand addresses a second is not
 * revalidated a thousand times.
 *
 * Invariants. A packet is credited once, by what translation says now: a megaflow of yesterday's configuration does not
 * teach yesterday's addresses. What a megaflow's packets did is credited before the megaflow is deleted. A megaflow whose
 * mask no longer covers all that is looked at is deleted, never widened.
 */
import { decodeActions } from '../datapath/actions.ts';
import { type DpFlowStats, workerOfFlow } from '../datapath/types.ts';
import { FlowKey, inPortOf, KEY, maskedMatch } from '../flow/key.ts';
import type { DpPort } from '../flow/odp/action.ts';
import { equalBytes } from '../lib/bytes.ts';
import type { Micros } from '../lib/clock.ts';
import { askingEffects, type RecordedEffect, recordEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { KeyScratch } from '../translate/scratch.ts';
import type { XlateOut } from '../translate/types.ts';
import { encodeInstalled, namesPort } from './installed.ts';
import { Interner } from './interner.ts';
import { coversMask, unpackKey } from './packed-key.ts';
import { holdIds, releaseIds } from './recirc-ids.ts';
import type { PictureSource, UpcallCounters, UpcallDatapath, UpcallOptions, UpcallParts } from './types.ts';
import type { Ukey, UkeyTable } from './ukey.ts';

/** What things take of the budget; to look at a megaflow takes 1. */
const LOOKUP_WORK = 16;
const DELETION_WORK = 8;

/** Megaflows that a pass may begin for without a pause since the last one: so many are looked at in a few milliseconds. */
const HURRIED_MAX = 1024;

/** Microseconds that each megaflow adds to the time between two passes. */
const PASS_COST_PER_FLOW: Micros = 1;

export class Revalidator {
  readonly #datapath: UpcallDatapath;
  readonly #source: PictureSource;
  readonly #ukeys: UkeyTable;
  readonly #options: UpcallOptions;
  readonly #counters: UpcallCounters;
  readonly #scratch = new KeyScratch();
  readonly #actions = new Interner<Uint8Array>();
  /** The key of the megaflow at hand. */
  readonly #key = new FlowKey();
  readonly #forgotten = new FlowKey();
  #pass: IterableIterator<Ukey> | null = null;
  #passGeneration = -1;
  #lastPass: Micros = Number.NEGATIVE_INFINITY;

  constructor({ datapath, source, ukeys, options, counters }: UpcallParts) {
    this.#datapath = datapath;
    this.#source = source;
    this.#ukeys = ukeys;
    this.#options = options;
    this.#counters = counters;
  }

  /** One slice, when there is something to do. Returns how much of the budget it took. */
  run(now: Micros, budget: number = this.#options.revalidationBudget): number {
    const next = this.wakeAt();
    if (next === null || now < next || budget <= 0) return 0;
    if (!this.#pass) {
      this.#pass = this.#ukeys.values();
      this.#passGeneration = this.#source.picture().generation;
      this.#lastPass = now;
      this.#counters.revalidations++;
    }
    let work = 0;
    while (work < budget) {
      const { value, done } = this.#pass.next();
      if (done) {
        this.#pass = null;
        break;
      }
      work += this.#revalidate(value, now);
    }
    return work;
  }

  /** When run() has something to do; null while there are no megaflows. */
  wakeAt(): Micros | null {
    if (this.#ukeys.size === 0) return null;
    if (this.#pass) return this.#lastPass;
    const isChanged = this.#passGeneration !== this.#source.picture().generation;
    const pause = isChanged ? this.#ukeys.size * PASS_COST_PER_FLOW : this.#options.interval;
    return this.#lastPass + Math.min(pause, this.#options.interval);
  }

  /** The next pass does not wait: flow tables have changed, and the next packet is to see it. */
  hurry(): void {
    if (this.#ukeys.size <= HURRIED_MAX) this.#lastPass = Number.NEGATIVE_INFINITY;
  }

  /** Credits what the datapath has counted since, as megaflows were translated last: before tables change, or are shown. */
  settle(now: Micros): void {
    for (const ukey of this.#ukeys.values()) {
      const stats = this.#datapath.flowStats(ukey.id);
      if (stats && this.#datapath.flowGeneration(ukey.id) === ukey.generation) this.#credit(ukey, stats, now);
    }
  }

  /** Credits everything and deletes every megaflow: for closing. */
  flush(now: Micros): void {
    for (const ukey of this.#ukeys.values()) this.#delete(ukey, now);
    this.#pass = null;
  }

  /**
   * Credits and deletes every megaflow that a datapath port has to do with: before the port goes, as a number that is free
   * again must not meet megaflows of the port that had it.
   */
  flushPort(port: DpPort, now: Micros): void {
    // Megaflows share their lists of actions
    const known = new Map<Uint8Array, boolean>();
    const names = (actions: Uint8Array): boolean => {
      let answer = known.get(actions);
      if (answer === undefined) known.set(actions, (answer = namesPort(decodeActions(actions), port)));
      return answer;
    };
    for (const ukey of this.#ukeys.values()) {
      const isFrom = inPortOf(unpackKey(ukey.key, this.#key)) === port;
      if (isFrom || names(ukey.actions)) this.#delete(ukey, now);
    }
  }

  /** Returns the work that it was. */
  #revalidate(ukey: Ukey, now: Micros): number {
    const stats = this.#datapath.flowStats(ukey.id);
    if (!stats || this.#datapath.flowGeneration(ukey.id) !== ukey.generation) {
      // Somebody else deleted it
      this.#forget(ukey);
      return 1;
    }
    const isIdle = now - Math.max(stats.used, ukey.created) >= this.#options.maxIdle;
    const isChanged = !isIdle && ukey.pictureGeneration !== this.#source.picture().generation;
    const out = isChanged ? this.#retranslate(ukey, now) : null;
    const isStale = out !== null && !this.#update(ukey, out);
    if (isIdle) this.#counters.deletedIdle++;
    if (isStale) this.#counters.deletedStale++;
    if (isIdle || isStale) this.#delete(ukey, now);
    else this.#credit(ukey, stats, now);
    return 1 + (out ? Math.max(1, out.lookups) * LOOKUP_WORK : 0) + (isIdle || isStale ? DELETION_WORK : 0);
  }

  #credit(ukey: Ukey, stats: DpFlowStats, now: Micros): void {
    const packets = stats.packets - ukey.packets;
    const bytes = stats.bytes - ukey.bytes;
    if (packets <= 0) return;
    ukey.packets = stats.packets;
    ukey.bytes = stats.bytes;
    // Addresses were last seen when the flow was last used, which may be a while ago
    const { tcpFlags } = stats;
    const effects = this.#source.effects({ now: Math.min(now, stats.used || now), packets, bytes, tcpFlags });
    for (const effect of ukey.effects) effect(effects);
  }

  #retranslate(ukey: Ukey, now: Micros): XlateOut {
    this.#counters.retranslated++;
    const picture = this.#source.picture();
    const scratch = this.#scratch;
    const key = unpackKey(ukey.key, this.#key);
    const effects: RecordedEffect[] = [];
    const asked = askingEffects(picture);
    const out = translate({ picture, key, frame: null, now, effects: recordEffects(asked, effects), scratch });
    holdIds(picture.recircs, out.recircIds);
    releaseIds(picture.recircs, ukey.recircIds);
    ukey.recircIds = out.recircIds;
    ukey.effects = effects;
    ukey.pictureGeneration = picture.generation;
    return out;
  }

  /** Makes the datapath do what translation says now. False when the megaflow must go. */
  #update(ukey: Ukey, out: XlateOut): boolean {
    if (out.error !== 'none' || !out.installable || !coversMask(ukey.mask, out.match.mask)) return false;
    return this.#replaceActions(ukey, encodeInstalled(out));
  }

  #replaceActions(ukey: Ukey, actions: Uint8Array): boolean {
    if (equalBytes(ukey.actions, actions)) return true;
    const match = maskedMatch(unpackKey(ukey.key, this.#key), unpackKey(ukey.mask, new FlowKey()));
    const put = this.#datapath.putFlow(match, actions, { replace: true, worker: workerOfFlow(ukey.id) });
    if (!put.ok || put.value !== ukey.id) return false;
    ukey.actions = this.#actions.intern(actions);
    this.#counters.modified++;
    return true;
  }

  #delete(ukey: Ukey, now: Micros): void {
    const deleted = this.#datapath.deleteFlow(ukey.id, ukey.generation);
    if (deleted.ok) this.#credit(ukey, deleted.value, now);
    this.#forget(ukey);
  }

  #forget(ukey: Ukey): void {
    this.#ukeys.delete(ukey);
    const { recircs } = this.#source.picture();
    releaseIds(recircs, ukey.recircIds, unpackKey(ukey.key, this.#forgotten).get(KEY.recirc_id));
  }
}
