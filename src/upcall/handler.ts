/**
 * Misses: frames that no megaflow took. Each is translated, its megaflow is installed, and the frame itself goes on with
 * the same actions.
 *
 * Invariants. Every upcall that is taken is answered. Frames with the same key in one batch share one translation. A
 * frame goes on though its megaflow could not be installed. Frames of one batch that need the same megaflow and have
 * different keys are translated each; the first of them installs it.
 */
import { type Upcall, workerOfUpcall } from '../datapath/types.ts';
import { KEY, type Match } from '../flow/key.ts';
import type { Micros } from '../lib/clock.ts';
import { askingEffects, type RecordedEffect, recordEffects } from '../translate/effects.ts';
import { translate } from '../translate/index.ts';
import { KeyScratch } from '../translate/scratch.ts';
import { encodeActionsOf, encodeInstalled } from './installed.ts';
import { Interner } from './interner.ts';
import { isPackedFrom, type PackedKey, packKey } from './packed-key.ts';
import { deliverPacketIn } from './packet-in.ts';
import { holdIds, Loans } from './recirc-ids.ts';
import type { Credit, PictureSource, UpcallCounters, UpcallDatapath, UpcallOptions, UpcallParts } from './types.ts';
import type { Ukey, UkeyTable } from './ukey.ts';

/** What the frames of one key in a batch share. */
interface Answer {
  readonly key: PackedKey;
  /** Index of the worker that has them. */
  readonly worker: number;
  /** What the frames go on with: the installed actions, but for those of a slow path. */
  readonly direct: Uint8Array;
  readonly effects: readonly RecordedEffect[];
  /** null when it is not installed. */
  readonly ukey: Ukey | null;
}

/** By hash of their keys. */
type Answers = Map<number, Answer[]>;

const creditOf = ({ frame, tcpFlags }: Upcall, now: Micros): Credit => ({
  now,
  packets: 1,
  bytes: frame.length,
  tcpFlags,
});

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
  readonly #loans = new Loans();
  readonly #masks = new Interner<PackedKey>();
  readonly #actions = new Interner<Uint8Array>();

  constructor({ datapath, source, ukeys, options, counters }: UpcallParts) {
    this.#datapath = datapath;
    this.#source = source;
    this.#ukeys = ukeys;
    this.#options = options;
    this.#counters = counters;
  }

  /** Answers what waits, one batch. Returns how many there were: call again until it is 0. */
  run(now: Micros): number {
    this.#loans.run(this.#source.picture().recircs, now);
    const answers: Answers = new Map();
    return this.#datapath.takeUpcalls((upcall) => this.#answer(upcall, answers, now), this.#options.batchMax);
  }

  #answer(upcall: Upcall, answers: Answers, now: Micros): void {
    if (upcall.reason !== 'miss') {
      this.#answerAction(upcall, now);
      return;
    }
    this.#counters.handled++;
    const alike = answers.get(upcall.hash);
    let answer = alike?.find(({ key, worker }) => worker === workerOfUpcall(upcall) && isPackedFrom(key, upcall.key));
    if (answer) {
      const effects = this.#source.effects(creditOf(upcall, now));
      for (const effect of answer.effects) effect(effects);
      if (answer.ukey) countCredited(answer.ukey, upcall);
    } else {
      answer = this.#translate(upcall, now);
      if (alike) alike.push(answer);
      else answers.set(upcall.hash, [answer]);
    }
    const options = answer.ukey ? { flowId: answer.ukey.id } : {};
    if (!this.#datapath.execute(upcall, answer.direct, options).ok) this.#counters.failed++;
  }

  /** A frame that an action of a megaflow sent up. Its packet is counted for that megaflow, and credited with it. */
  #answerAction(upcall: Upcall, now: Micros): void {
    if (upcall.reason === 'slow_path') {
      this.#counters.slowPath++;
      this.#forwardSlowly(upcall, now);
      return;
    }
    if (upcall.reason === 'controller') {
      const effects = this.#source.effects(creditOf(upcall, now));
      const isSent = deliverPacketIn(upcall, this.#source.picture(), effects);
      if (isSent) this.#counters.packetIns++;
      else this.#counters.lostPacketIns++;
    } else this.#counters.samples++;
    this.#datapath.release(upcall, 'consumed');
  }

  #forwardSlowly(upcall: Upcall, now: Micros): void {
    const { key, frame } = upcall;
    const picture = this.#source.picture();
    // The revalidator does for the packet what is to be done
    const effects = askingEffects(picture);
    const out = translate({ picture, key, frame, now, effects, scratch: this.#scratch });
    this.#loans.lend(picture.recircs, out.recircIds);
    if (!this.#datapath.execute(upcall, encodeActionsOf(out), {}).ok) this.#counters.failed++;
  }

  #translate(upcall: Upcall, now: Micros): Answer {
    this.#counters.translated++;
    const picture = this.#source.picture();
    const effects: RecordedEffect[] = [];
    const inner = this.#source.effects(creditOf(upcall, now));
    const out = translate({
      picture,
      key: upcall.key,
      frame: upcall.frame,
      now,
      effects: recordEffects(inner, effects),
      scratch: this.#scratch,
    });
    const key = packKey(upcall.key);
    const worker = workerOfUpcall(upcall);
    const actions = this.#actions.intern(encodeInstalled(out));
    const direct = out.slowPath === 0 ? actions : encodeActionsOf(out);
    const id = out.installable ? this.#install(out.match, actions, worker) : null;
    if (!out.installable) this.#counters.notInstalledOnce++;
    const { recircIds } = out;
    const { recircs } = picture;
    if (id === null) {
      this.#loans.lend(recircs, recircIds);
      return { key, worker, direct, effects, ukey: null };
    }
    const generation = this.#datapath.flowGeneration(id)!;
    const mask = this.#masks.intern(packKey(out.match.mask));
    const pictureGeneration = picture.generation;
    const ukey = this.#ukeys.add({ id, generation, key, mask, actions, effects, recircIds, pictureGeneration, now });
    holdIds(recircs, recircIds, upcall.key.get(KEY.recirc_id));
    countCredited(ukey, upcall);
    return { key, worker, direct, effects, ukey };
  }

  /** The new megaflow's id; null when it is not installed. */
  #install(match: Match, actions: Uint8Array, worker: number): number | null {
    if (this.#datapath.flowCount >= this.#options.flowLimit) {
      this.#counters.notInstalledLimit++;
      return null;
    }
    const put = this.#datapath.putFlow(match, actions, { worker });
    if (!put.ok) {
      if (put.error === 'exists') this.#counters.installedBefore++;
      else this.#counters.notInstalledRefused++;
      return null;
    }
    this.#counters.installed++;
    return put.value;
  }
}
