/**
 * Keys to work with. A key is half a kilobyte beyond the reach of V8's young generation: made anew for every translation,
 * they would cost more than the translation.
 */
import { type FlowKey, PipelineKey } from '../flow/key.ts';

export class KeyScratch {
  readonly #keys: PipelineKey[] = [];
  #used = 0;

  /** Keys handed out so far: release() takes back those that come after. */
  get mark(): number {
    return this.#used;
  }

  release(mark: number): void {
    this.#used = mark;
  }

  #take(): PipelineKey {
    let key = this.#keys[this.#used];
    if (!key) this.#keys.push((key = new PipelineKey()));
    this.#used++;
    return key;
  }

  zero(): PipelineKey {
    return this.#take().clear();
  }

  /** A packet's key has nothing in the pipeline fields. */
  copy(of: FlowKey): PipelineKey {
    const key = this.#take();
    if (of.bytes.length === key.bytes.length) return key.copyFrom(of);
    const { words } = key;
    words.set(of.words);
    words.fill(0, of.words.length);
    return key;
  }
}
