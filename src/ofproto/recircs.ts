/** The switch's frozen states and their numbers. */
import { equalBytes, toHex } from '../lib/bytes.ts';
import type { FrozenAction, FrozenState, RecircView } from '../translate/recirc.ts';

interface Entry {
  readonly id: number;
  readonly hash: number;
  readonly state: FrozenState;
  holders: number;
}

/** FNV-1a over what differs most between states. */
function hashOf({ pipeline, tableId, inPort, actions, stack }: FrozenState): number {
  let hash = 0x811c9dc5 ^ tableId ^ (inPort << 8) ^ (actions.length << 24) ^ (stack.length << 20);
  for (let i = 0; i < pipeline.length; i++) hash = Math.imul(hash ^ pipeline[i]!, 0x01000193);
  return hash;
}

/** An action in one text; different actions have different texts. */
const textOf = (action: FrozenAction): string =>
  JSON.stringify(action, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? toHex(value) : value;
  });

/** Actions are a rule's: the same objects most of the time. */
const sameActions = (a: readonly FrozenAction[], b: readonly FrozenAction[]): boolean =>
  a.length === b.length && a.every((action, i) => action === b[i] || textOf(action) === textOf(b[i]!));

const isSame = (a: FrozenState, b: FrozenState): boolean =>
  a.bridge === b.bridge &&
  a.tableId === b.tableId &&
  a.ruleCookie === b.ruleCookie &&
  a.inPort === b.inPort &&
  a.isConntracked === b.isConntracked &&
  equalBytes(a.pipeline, b.pipeline) &&
  equalBytes(a.tunnel, b.tunnel) &&
  equalBytes(a.userdata, b.userdata) &&
  a.stack.length === b.stack.length &&
  a.stack.every((value, i) => equalBytes(value, b.stack[i]!)) &&
  sameActions(a.actions, b.actions) &&
  sameActions(a.actionSet, b.actionSet);

export class RecircTable implements RecircView {
  readonly #byId = new Map<number, Entry>();
  readonly #byHash = new Map<number, Entry[]>();
  #last = 0;

  intern(state: FrozenState): number {
    const hash = hashOf(state);
    const alike = this.#byHash.get(hash);
    const known = alike?.find((entry) => isSame(entry.state, state));
    if (known) return known.id;
    do this.#last = (this.#last + 1) >>> 0;
    while (this.#last === 0 || this.#byId.has(this.#last));
    const entry: Entry = { id: this.#last, hash, state, holders: 0 };
    this.#byId.set(entry.id, entry);
    if (alike) alike.push(entry);
    else this.#byHash.set(hash, [entry]);
    return entry.id;
  }

  get(id: number): FrozenState | null {
    return this.#byId.get(id)?.state ?? null;
  }

  hold(id: number): void {
    const entry = this.#byId.get(id);
    if (entry) entry.holders++;
  }

  release(id: number): void {
    const entry = this.#byId.get(id);
    if (!entry || --entry.holders > 0) return;
    this.#byId.delete(id);
    const others = this.#byHash.get(entry.hash)!.filter((other) => other !== entry);
    if (others.length > 0) this.#byHash.set(entry.hash, others);
    else this.#byHash.delete(entry.hash);
  }
}
