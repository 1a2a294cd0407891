/**
 * Keys to work with. A key is half a kilobyte beyond the reach of V8's young generation: made anew for every translation,
 * they would cost more than the translation.
 */
import { FlowKey } from '../flow/key.ts';

export class KeyScratch {
  readonly #keys: FlowKey[] = [];
  #used = 0;

  /** Keys handed out so far: release() takes back those that come after. */
  get mark(): number {
    return this.#used;
  }

  release(mark: number): void {
    this.#used = mark;
  }

  #take(): FlowKey {
    let key = this.#keys[this.#used];
    if (!key) this.#keys.push((key = new FlowKey()));
    this.#used++;
    return key;
  }

  zero(): FlowKey {
    return this.#take().clear();
  }

  copy(of: FlowKey): FlowKey {
    return this.#take().copyFrom(of);
  }
}
