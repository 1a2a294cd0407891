/**
 * Who holds recirculation ids: a megaflow those that its actions name and the one that it matches; for frames that no megaflow
 * was made for, the ids are on loan until the datapath has surely sent the frame back.
 */
import { type Micros, SECOND } from '../lib/clock.ts';
import type { RecircView } from '../translate/recirc.ts';

/** @param own the id that the megaflow matches; 0 for none */
export function holdIds(recircs: RecircView, ids: readonly number[], own = 0): void {
  for (const id of ids) recircs.hold(id);
  if (own !== 0) recircs.hold(own);
}

export function releaseIds(recircs: RecircView, ids: readonly number[], own = 0): void {
  for (const id of ids) recircs.release(id);
  if (own !== 0) recircs.release(own);
}

/** Ids on loan, for one to two seconds. */
export class Loans {
  #recent: number[] = [];
  #older: number[] = [];
  #turned: Micros = 0;

  lend(recircs: RecircView, ids: readonly number[]): void {
    if (ids.length === 0) return;
    holdIds(recircs, ids);
    this.#recent.push(...ids);
  }

  /** Takes back what was lent long enough ago. */
  run(recircs: RecircView, now: Micros): void {
    if (now - this.#turned < SECOND && now >= this.#turned) return;
    this.#turned = now;
    if (this.#older.length > 0) releaseIds(recircs, this.#older);
    this.#older = this.#recent;
    this.#recent = [];
  }
}
