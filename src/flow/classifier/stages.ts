/**
 * Stages that subtables share: the masks of many of them begin alike, and what one lookup has computed of a key for one of them
 * holds for the others. A table of a thousand masks hashes metadata and Ethernet type once a packet, not a thousand times.
 *
 * Terms. *node*: a stage of some mask behind the same stages before. *epoch*: the number of a search; what a node remembers is of
 * one search of one key.
 *
 * Invariants. hashOf() is what Shape.mix() and finish() give over all words up to the node's end. A node is there as long as a
 * subtable has it.
 */
import type { Shape } from './shape.ts';

/** Gates behind one node that are shared. */
const GATES_MAX = 256;

export class StageNode {
  readonly parent: StageNode | null;
  readonly name: string;
  readonly #shape: Shape;
  readonly #from: number;
  readonly #to: number;
  /** Subtables that have it. */
  users = 0;
  #mixed = 0;
  #finished = 0;
  #hashed = -1;
  #added = -1;

  constructor(parent: StageNode | null, name: string, shape: Shape, from: number, to: number) {
    this.parent = parent;
    this.name = name;
    this.#shape = shape;
    this.#from = from;
    this.#to = to;
  }

  #mix(key: Int32Array, epoch: number): number {
    if (this.#hashed !== epoch) {
      this.#hashed = epoch;
      const before = this.parent === null ? 0 : this.parent.#mix(key, epoch);
      this.#mixed = this.#shape.mix(before, key, this.#from, this.#to);
      this.#finished = this.#shape.finish(this.#mixed);
    }
    return this.#mixed;
  }

  /** Of the key's words up to the node's end, fit for a hash table. */
  hashOf(key: Int32Array, epoch: number): number {
    if (this.#hashed !== epoch) this.#mix(key, epoch);
    return this.#finished;
  }

  /** Adds the masks up to the node's end to the wildcards of this search. */
  addTo(wildcards: Int32Array, epoch: number): void {
    if (this.#added === epoch) return;
    this.#added = epoch;
    this.parent?.addTo(wildcards, epoch);
    this.#shape.addSome(wildcards, this.#from, this.#to);
  }
}

/**
 * What a flow must have in the stages before prefixes are looked at, for subtables all of whose rules have the same there: most
 * tables hold IPv4 and nothing else. Passed or not, it is known once a search.
 */
export class Gate {
  readonly #node: StageNode;
  /** The first one is of the first stage. */
  readonly #hashes: readonly number[];
  #epoch = -1;
  #isOpen = false;

  constructor(node: StageNode, hashes: readonly number[]) {
    this.#node = node;
    this.#hashes = hashes;
  }

  /** Whether the key passes. When it does not, what shows it is in the wildcards. */
  passes(key: Int32Array, wildcards: Int32Array, epoch: number): boolean {
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#isOpen = this.#walk(this.#node, this.#hashes.length - 1, key, wildcards, epoch);
    }
    return this.#isOpen;
  }

  #walk(node: StageNode, stage: number, key: Int32Array, wildcards: Int32Array, epoch: number): boolean {
    if (node.parent !== null && !this.#walk(node.parent, stage - 1, key, wildcards, epoch)) return false;
    if (node.hashOf(key, epoch) === this.#hashes[stage]) return true;
    node.addTo(wildcards, epoch);
    return false;
  }

  /** Adds the stages before prefixes to the wildcards. */
  addTo(wildcards: Int32Array, epoch: number): void {
    this.#node.addTo(wildcards, epoch);
  }
}

/** The nodes of one classifier. */
export class StageNodes {
  readonly #byName = new Map<string, StageNode>();
  readonly #gates = new WeakMap<StageNode, Map<string, Gate>>();

  /** @param node the last stage before prefixes @param hashes of it and those before, as all rules have them */
  gate(node: StageNode, hashes: readonly number[]): Gate {
    let gates = this.#gates.get(node);
    if (!gates) this.#gates.set(node, (gates = new Map()));
    const name = hashes.join();
    let gate = gates.get(name);
    if (!gate) {
      // Masks are few and what they ask for differs seldom: a table that is otherwise begins anew
      if (gates.size >= GATES_MAX) gates.clear();
      gates.set(name, (gate = new Gate(node, hashes)));
    }
    return gate;
  }

  /** One a stage of the shape. */
  take(shape: Shape): StageNode[] {
    const nodes: StageNode[] = [];
    let parent: StageNode | null = null;
    let from = 0;
    for (const to of shape.ends) {
      const own = `${shape.words.subarray(from, to)}/${shape.masks.subarray(from, to)}`;
      const name: string = `${parent?.name ?? ''};${own}`;
      let node: StageNode | undefined = this.#byName.get(name);
      if (!node) this.#byName.set(name, (node = new StageNode(parent, name, shape, from, to)));
      node.users++;
      nodes.push(node);
      parent = node;
      from = to;
    }
    return nodes;
  }

  /** They are not used any more by one who took them. */
  give(nodes: readonly StageNode[]): void {
    for (const node of nodes) if (--node.users === 0) this.#byName.delete(node.name);
  }
}
