/**
 * Misses: frames that no megaflow took. Each is translated, its megaflow is installed, and the frame itself goes on with
 * the same actions.
 *
 * Invariants. Every upcall that is taken is answered. Frames with the same key in one batch share one translation. A
 * frame goes on though its megaflow could not be installed. Frames of one batch that need the same megaflow and have
 * different keys are translated each; the first of them installs it.
 */
import type { Upcall } from '../datapath/types.ts';
import type { Match } from '../flow/key.ts';
import type { Micros } from '../lib/clock.ts';
import { type RecordedEffect, recordEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { KeyScratch } from '../translate/scratch.ts';
import { encodeInstalled } from './installed.ts';
import { Interner } from './interner.ts';
import { isPackedFrom, type PackedKey, packKey } from './packed-key.ts';
import type { PictureSource, UpcallCounters, UpcallDatapath, UpcallOptions } from './types.ts';
import type { Ukey, UkeyTable } from './ukey.ts';

/** What the frames of one key in a batch share. */
interface Answer {
  readonly key: PackedKey;
  readonly actions: Uint8Array;
  readonly effects: readonly RecordedEffect[];
  /** null when it is not installed. */
  readonly ukey: Ukey | null;
}

/** By hash of their keys. */
type Answers = Map<number, Answer[]>;

/** The datapath counts the frame for its flow too: it is credited here, and must not be credited again. */
function countCredited(ukey: Ukey, upcall: Upcall): void {
  ukey.packets++;
  ukey.bytes += upcall.frame.length;
}

export class UpcallHandler {
  readonly #datapath: UpcallDatapath;
  readonly #source: PictureSource;
  readonly #ukeys: UkeyTable;
  readonly #options: UpcallOptions;
  readonly #counters: UpcallCounters;
  readonly #scratch = new KeyScratch();
  readonly #masks = new Interner<PackedKey>();
  readonly #actions = new Interner<Uint8Array>();

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

  /** Answers what waits, one batch. Returns how many there were: call again until it is 0. */
  run(now: Micros): number {
    const answers: Answers = new Map();
    return this.#datapath.takeUpcalls((upcall) => this.#answer(upcall, answers, now), this.#options.batchMax);
  }

  #answer(upcall: Upcall, answers: Answers, now: Micros): void {
    if (upcall.reason !== 'miss') {
      // Nobody is there yet who wants frames sent up by an action
      this.#datapath.release(upcall, 'consumed');
      return;
    }
    this.#counters.handled++;
    const alike = answers.get(upcall.hash);
    let answer = alike?.find(({ key }) => isPackedFrom(key, upcall.key));
    if (answer) {
      const effects = this.#source.effects({ now, packets: 1, bytes: upcall.frame.length });
      for (const effect of answer.effects) effect(effects);
      if (answer.ukey) countCredited(answer.ukey, upcall);
    } else {
      answer = this.#translate(upcall, now);
      if (alike) alike.push(answer);
      else answers.set(upcall.hash, [answer]);
    }
    const options = answer.ukey ? { flowId: answer.ukey.id } : {};
    if (!this.#datapath.execute(upcall, answer.actions, options).ok) this.#counters.failed++;
  }

  #translate(upcall: Upcall, now: Micros): Answer {
    this.#counters.translated++;
    const picture = this.#source.picture();
    const effects: RecordedEffect[] = [];
    const inner = this.#source.effects({ now, packets: 1, bytes: upcall.frame.length });
    const out = translate({
      picture,
      key: upcall.key,
      frame: upcall.frame,
      now,
      effects: recordEffects(inner, effects),
      scratch: this.#scratch,
    });
    const key = packKey(upcall.key);
    const actions = this.#actions.intern(encodeInstalled(out));
    const id = out.installable ? this.#install(out.match, actions) : null;
    if (!out.installable) this.#counters.notInstalledOnce++;
    if (id === null) return { key, actions, effects, ukey: null };
    const generation = this.#datapath.flowGeneration(id)!;
    const mask = this.#masks.intern(packKey(out.match.mask));
    const pictureGeneration = picture.generation;
    const ukey = this.#ukeys.add({ id, generation, key, mask, actions, effects, pictureGeneration, now });
    countCredited(ukey, upcall);
    return { key, actions, effects, ukey };
  }

  /** The new megaflow's id; null when it is not installed. */
  #install(match: Match, actions: Uint8Array): number | null {
    if (this.#datapath.flowCount >= this.#options.flowLimit) {
      this.#counters.notInstalledLimit++;
      return null;
    }
    const put = this.#datapath.putFlow(match, actions);
    if (!put.ok) {
      if (put.error === 'exists') this.#counters.installedBefore++;
      else this.#counters.notInstalledRefused++;
      return null;
    }
    this.#counters.installed++;
    return put.value;
  }
}
