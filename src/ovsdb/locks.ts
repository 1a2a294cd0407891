/** Named locks that sessions hold or wait for (RFC 7047 §4.1.8). */

/** Who holds a lock comes first, then who waits, in the order of their asking. */
export class Locks<Holder> {
  readonly #locks = new Map<string, Holder[]>();

  isOwner(name: string, holder: Holder): boolean {
    return this.#locks.get(name)?.[0] === holder;
  }

  /** True when the holder has asked for the lock, whether it has it or not. */
  hasAsked(name: string, holder: Holder): boolean {
    return this.#locks.get(name)?.includes(holder) ?? false;
  }

  /** Asks for a lock that one has not asked for. Returns whether one has it. */
  lock(name: string, holder: Holder): boolean {
    const queue = this.#locks.get(name) ?? [];
    this.#locks.set(name, queue);
    queue.push(holder);
    return queue[0] === holder;
  }

  /** Takes a lock from whoever has it; returns the victim, who then waits as the first one. */
  steal(name: string, holder: Holder): Holder | null {
    const queue = this.#locks.get(name) ?? [];
    this.#locks.set(name, queue);
    queue.unshift(holder);
    return queue[1] ?? null;
  }

  /** Gives a lock back, or stops waiting for it. Returns who has it now, if that is somebody new. */
  unlock(name: string, holder: Holder): Holder | null {
    const queue = this.#locks.get(name);
    if (!queue) return null;
    const wasOwner = queue[0] === holder;
    queue.splice(queue.indexOf(holder), 1);
    if (queue.length === 0) this.#locks.delete(name);
    return wasOwner ? (queue[0] ?? null) : null;
  }

  /** The locks that a holder has asked for. */
  of(holder: Holder): string[] {
    return [...this.#locks].filter(([, queue]) => queue.includes(holder)).map(([name]) => name);
  }
}
