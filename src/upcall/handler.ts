/**
 * Misses: frames that no megaflow took. Each is translated, its megaflow is installed, and the frame itself goes on with
 * the same actions.
 *
 * Invariants. Every upcall that is taken is answered. Frames with the same key in one batch share one translation. A
 * frame goes on though its megaflow could not be installed.
 */
import { encodeActions } from '../datapath/actions.ts';
import type { Upcall } from '../datapath/types.ts';
import type { Match } from '../flow/key.ts';
import type { DpAction } from '../flow/odp/action.ts';
import type { Micros } from '../lib/clock.ts';
import { type RecordedEffect, recordEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import type { XlateOut } from '../translate/types.ts';
import { keyText } from './packed-key.ts';
import type { PictureSource, UpcallCounters, UpcallDatapath, UpcallOptions } from './types.ts';
import type { Ukey, UkeyTable } from './ukey.ts';

/** What the frames of one key in a batch share. */
interface Answer {
  readonly actions: Uint8Array;
  readonly effects: readonly RecordedEffect[];
  /** null when it is not installed. */
  readonly ukey: Ukey | null;
}

/** The actions as the datapath gets them: a drop says why. */
export const installedActions = ({ actions, drop }: Pick<XlateOut, 'actions' | 'drop'>): readonly DpAction[] =>
  actions.length > 0 ? actions : [{ type: 'drop', reason: drop }];

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
    const answers = new Map<string, Answer>();
    return this.#datapath.takeUpcalls((upcall) => this.#answer(upcall, answers, now), this.#options.batchMax);
  }

  #answer(upcall: Upcall, answers: Map<string, Answer>, now: Micros): void {
    if (upcall.reason !== 'miss') {
      // Nobody is there yet who wants frames sent up by an action
      this.#datapath.release(upcall, 'consumed');
      return;
    }
    this.#counters.handled++;
    const credit = { now, packets: 1, bytes: upcall.frame.length };
    const text = keyText(upcall.key);
    let answer = answers.get(text);
    if (answer) {
      const effects = this.#source.effects(credit);
      for (const effect of answer.effects) effect(effects);
      if (answer.ukey) countCredited(answer.ukey, upcall);
    } else {
      answer = this.#translate(upcall, now);
      answers.set(text, answer);
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
    });
    const actions = encodeActions(installedActions(out));
    if (!out.installable) {
      this.#counters.notInstalledOnce++;
      return { actions, effects, ukey: null };
    }
    const installed = this.#install(out.match, actions);
    if (!installed) return { actions, effects, ukey: null };
    const pictureGeneration = picture.generation;
    const ukey = this.#ukeys.add({
      ...installed,
      key: upcall.key,
      match: out.match,
      actions,
      effects,
      pictureGeneration,
      now,
    });
    countCredited(ukey, upcall);
    return { actions, effects, ukey };
  }

  #install(match: Match, actions: Uint8Array): { readonly id: number; readonly generation: number } | null {
    if (this.#datapath.flowCount >= this.#options.flowLimit) {
      this.#counters.notInstalledLimit++;
      return null;
    }
    const put = this.#datapath.putFlow(match, actions);
    if (!put.ok) {
      this.#counters.notInstalledRefused++;
      return null;
    }
    this.#counters.installed++;
    return { id: put.value, generation: this.#datapath.flowGeneration(put.value)! };
  }
}
