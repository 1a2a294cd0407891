/** The classifier itself: index.ts says what it is and what it promises. */
import type { FlowKey, Match, PipelineKey } from '../key.ts';
import { type Conjunction, completeConjunctions } from './conjunction.ts';
import { Entries, NEVER, type RuleId, type Version } from './entries.ts';
import { PrefixTracker } from './prefix-tracker.ts';
import { CONJ_ID_WORD, PORTS_WORD, PREFIXES_DEFAULT, type PrefixField } from './prefixes.ts';
import { hashMask, Shape, wholeKey } from './shape.ts';
import { StageNodes } from './stages.ts';
import { Subtable } from './subtable.ts';
import { KEY_WORDS, swap, WordView } from './words.ts';

/** What is put in. */
export interface NewRule<T> {
  readonly match: Match;
  /** Higher ones win. Any whole number of 32 bits. */
  readonly priority: number;
  readonly value: T;
  /** First version that sees it; 0 when left out. */
  readonly version?: Version;
  /** Makes it one dimension of conjunctive matches. */
  readonly conjunctions?: readonly Conjunction[];
}

/** Subtables that are tried before the hash table of masks. */
const LAST_FOUND = 4;
const none: readonly Conjunction[] = [];
// One packet goes through the classifiers of many tables
const flowView = new WordView();
const wildcardsView = new WordView();
const keyView = new WordView();
const maskView = new WordView();

export class Classifier<T> {
  readonly #entries = new Entries<T>();
  readonly #conjunctions = new Map<RuleId, readonly Conjunction[]>();
  readonly #byMask = new Map<number, Subtable[]>();
  /** By number; null for a number that is free. */
  readonly #subtables: (Subtable | null)[] = [];
  /** As lookups visit them: by priority, the longest-standing first among equals. */
  #published: Subtable[] = [];
  #unpublished: Subtable[] = [];
  #isStale = false;
  #isDeferred = false;
  #prefixes: PrefixTracker;
  readonly #packed = new Int32Array(2 * KEY_WORDS);
  readonly #soft: RuleId[] = [];
  /** Flow-mods come in runs of a few masks. */
  readonly #lastFound: (Subtable | null)[] = Array.from({ length: LAST_FOUND }, () => null);
  #lastFoundAt = 0;
  /** What seek() found: the words of the key stand in the caller's memory. */
  #sought: Subtable | null = null;
  #soughtKey: Int32Array = new Int32Array(0);
  #soughtMask: Int32Array = new Int32Array(0);
  #size = 0;
  readonly #stages = new StageNodes();
  /** Searches so far. */
  #epoch = 0;

  constructor(prefixes: readonly PrefixField[] = PREFIXES_DEFAULT) {
    this.#prefixes = new PrefixTracker(prefixes);
  }

  /** Rules of all versions. */
  get size(): number {
    return this.#size;
  }

  get subtableCount(): number {
    return this.#subtables.filter((subtable) => subtable !== null).length;
  }

  /** Tracks prefixes of other fields from now on. */
  setPrefixes(prefixes: readonly PrefixField[]): void {
    this.#prefixes = new PrefixTracker(prefixes);
    for (const subtable of this.#subtables) {
      if (!subtable) continue;
      const { shape } = subtable;
      this.#prefixes.prepare(subtable, maskView.get(shape.unpack()));
      this.#forEachIn(subtable, (id) => this.#prefixes.change(subtable, this.#keyWords(subtable, id), 1));
    }
  }

  /** A rule's value as words of a key: good until the next call. */
  #keyWords(subtable: Subtable, id: RuleId): Int32Array {
    return subtable.shape.view(subtable.values, subtable.valueAt(this.#entries.slot[id]!));
  }

  /** What is put in or taken out from here to publish() does not change which subtables lookups visit, nor their order. */
  defer(): void {
    this.#isDeferred = true;
  }

  publish(): void {
    this.#isDeferred = false;
    if (this.#isStale) this.#arrange();
  }

  #arrange(): void {
    this.#isStale = false;
    const all = this.#all();
    this.#unpublished = [];
    for (const subtable of all) subtable.publishedPriority = subtable.maxPriority;
    this.#published = all.sort((a, b) => b.publishedPriority - a.publishedPriority);
  }

  /** Subtables that have rules, in the order in which lookups visit them, as far as they do. */
  #all(): Subtable[] {
    return [...this.#published, ...this.#unpublished].filter((subtable) => !subtable.isEmpty);
  }

  #findSubtable(mask: Int32Array): Subtable | null {
    for (const last of this.#lastFound) if (last?.shape.isOf(mask)) return last;
    const found = this.#byMask.get(hashMask(mask))?.find(({ shape }) => shape.isOf(mask)) ?? null;
    if (found) this.#remember(found);
    return found;
  }

  #remember(subtable: Subtable): void {
    this.#lastFound[this.#lastFoundAt] = subtable;
    this.#lastFoundAt = (this.#lastFoundAt + 1) % LAST_FOUND;
  }

  #addSubtable(mask: Int32Array): Subtable {
    const free = this.#subtables.indexOf(null);
    const shape = new Shape(mask);
    const subtable = new Subtable(free < 0 ? this.#subtables.length : free, shape, this.#stages.take(shape));
    this.#prefixes.prepare(subtable, mask);
    this.#subtables[subtable.number] = subtable;
    const hash = hashMask(mask);
    const same = this.#byMask.get(hash);
    if (same) same.push(subtable);
    else this.#byMask.set(hash, [subtable]);
    this.#unpublished.push(subtable);
    return subtable;
  }

  #dropSubtable(subtable: Subtable): void {
    const hash = hashMask(maskView.get(subtable.shape.unpack()));
    const left = this.#byMask.get(hash)!.filter((other) => other !== subtable);
    if (left.length > 0) this.#byMask.set(hash, left);
    else this.#byMask.delete(hash);
    this.#subtables[subtable.number] = null;
    this.#stages.give(subtable.nodes);
    this.#lastFound.fill(null);
    if (this.#sought === subtable) this.#sought = null;
    this.#isStale = true;
    // Lookups come by it until the next publish(); it is empty
  }

  /**
   * Puts a rule in. Rules of the same match and priority may stand side by side as long as no version sees two of them:
   * the caller hides the older one first.
   */
  insert(rule: NewRule<T>): RuleId {
    this.seek(rule.match);
    return this.insertSought(rule);
  }

  /** Makes a match ready for findSought() and insertSought(): it must not change until then, and nothing else be sought. */
  seek({ key, mask }: Match): void {
    this.#soughtMask = maskView.get(wholeKey(mask));
    this.#soughtKey = keyView.get(wholeKey(key));
    this.#sought = this.#findSubtable(this.#soughtMask);
    this.#sought?.shape.pack(this.#soughtKey, this.#packed, 0);
  }

  /** insert() of the match that was sought. */
  insertSought({ priority, value, version = 0, conjunctions = none }: Omit<NewRule<T>, 'match'>): RuleId {
    const key = this.#soughtKey;
    const subtable = this.#sought ?? this.#addSubtable(this.#soughtMask);
    if (this.#sought === null) {
      subtable.shape.pack(key, this.#packed, 0);
      this.#sought = subtable;
    }
    const entries = this.#entries;
    const id = entries.allocate();
    entries.values[id] = value;
    entries.priority[id] = priority;
    entries.added[id] = version;
    entries.removed[id] = NEVER;
    subtable.insert(entries, id, this.#packed);
    this.#prefixes.change(subtable, key, 1);
    if (conjunctions.length > 0) this.#conjunctions.set(id, conjunctions);
    if (subtable.publishedPriority < priority) this.#isStale = true;
    this.#size++;
    return id;
  }

  /** Takes a rule out of every version. */
  remove(id: RuleId): void {
    const subtable = this.#subtableOf(id);
    if (subtable.hasPrefixes) this.#prefixes.change(subtable, this.#keyWords(subtable, id), -1);
    subtable.remove(this.#entries, id);
    this.#conjunctions.delete(id);
    if (subtable.isEmpty) this.#dropSubtable(subtable);
    else if (!subtable.hasPriority(subtable.publishedPriority)) this.#isStale = true;
    this.#entries.release(id);
    this.#size--;
  }

  /** @throws when there is no such rule */
  #subtableOf(id: RuleId): Subtable {
    const subtable = this.#subtables[this.#entries.subtable[id] ?? -1];
    if (!subtable || id >= this.#entries.end) throw new Error(`the classifier has no rule ${id}`);
    return subtable;
  }

  /** Hides a rule from a version and all later ones. */
  hide(id: RuleId, version: Version): void {
    this.#subtableOf(id);
    this.#entries.removed[id] = version;
  }

  /** Takes hide() back. */
  restore(id: RuleId): void {
    this.hide(id, NEVER);
  }

  isVisible(id: RuleId, version: Version): boolean {
    return this.#entries.isVisible(id, version);
  }

  value(id: RuleId): T {
    this.#subtableOf(id);
    return this.#entries.values[id]!;
  }

  priority(id: RuleId): number {
    return this.#entries.priority[id]!;
  }

  /** A new copy of a rule's match; its keys are PipelineKeys. */
  match(id: RuleId): Match {
    const subtable = this.#subtableOf(id);
    const { shape, values } = subtable;
    return { key: shape.unpack(values, subtable.valueAt(this.#entries.slot[id]!)), mask: shape.unpack() };
  }

  /**
   * The rule of the highest priority that a flow falls under. Adds to the wildcards, unless they are null, the bits of the
   * flow that decided it: every flow with the same bits there gets the same answer in this version. The flow's conj_id may
   * change during the call.
   */
  lookup(version: Version, flow: PipelineKey, wildcards: FlowKey | null): T | null {
    const id = this.lookupId(version, flow, wildcards);
    return id < 0 ? null : this.#entries.values[id]!;
  }

  /** The same; -1 when no rule takes the flow. */
  lookupId(version: Version, flow: PipelineKey, wildcards: FlowKey | null): RuleId {
    if (this.#isStale && !this.#isDeferred) this.#arrange();
    const key = flowView.get(flow);
    const into = wildcards === null ? null : wildcardsView.get(wildcards);
    if (this.#conjunctions.size === 0) return this.#search(version, key, into, null);
    const soft = this.#soft;
    soft.length = 0;
    const hard = this.#search(version, key, into, soft);
    return soft.length === 0 ? hard : this.#resolve(version, key, into, hard, soft);
  }

  /**
   * The best rule that is not part of a conjunctive match. Those that are go to `soft`, or are passed over; either way
   * they stand before lower rules of the same match.
   */
  #search(version: Version, key: Int32Array, wildcards: Int32Array | null, soft: RuleId[] | null): RuleId {
    const entries = this.#entries;
    const published = this.#published;
    const hasSoft = this.#conjunctions.size > 0;
    let best: RuleId = -1;
    let bestPriority = Number.NEGATIVE_INFINITY;
    if (wildcards !== null) this.#prefixes.begin();
    const epoch = ++this.#epoch;
    for (let i = 0; i < published.length; i++) {
      const subtable = published[i]!;
      if (subtable.publishedPriority <= bestPriority) break;
      const id =
        wildcards === null
          ? subtable.find(entries, key, subtable.nodes.at(-1)!.hashOf(key, epoch), version)
          : this.#findStaged(subtable, version, key, wildcards, epoch);
      if (id < 0 || entries.priority[id]! <= bestPriority) continue;
      if (hasSoft && this.#conjunctions.has(id)) soft?.push(id);
      else {
        best = id;
        bestPriority = entries.priority[id]!;
      }
    }
    return best;
  }

  /** Looks a flow up in one subtable, stage by stage, and un-wildcards as far as it had to go. */
  #findStaged(subtable: Subtable, version: Version, key: Int32Array, wildcards: Int32Array, epoch: number): RuleId {
    let from = 0;
    const gate = subtable.gate === undefined ? subtable.findGate(this.#stages) : subtable.gate;
    if (gate !== null) {
      if (!gate.passes(key, wildcards, epoch)) return -1;
      if (this.#prefixes.rulesOutFirst(subtable.stageLengths, key, wildcards)) {
        gate.addTo(wildcards, epoch);
        return -1;
      }
      from = subtable.prefixStage;
    }
    const { nodes, prefixStages } = subtable;
    const last = nodes.length - 1;
    for (let stage = from; stage < last; stage++) {
      // The gate has asked for those of its own stage
      const fields = gate !== null && stage === from ? 0 : prefixStages[stage]!;
      if (fields !== 0 && this.#prefixes.rulesOut(subtable, fields, key, wildcards)) {
        if (stage > 0) nodes[stage - 1]!.addTo(wildcards, epoch);
        return -1;
      }
      const node = nodes[stage]!;
      if (subtable.mayHave(stage, node.hashOf(key, epoch))) continue;
      node.addTo(wildcards, epoch);
      return -1;
    }
    const fields = gate !== null && last === from ? 0 : prefixStages[last]!;
    if (fields !== 0 && this.#prefixes.rulesOut(subtable, fields, key, wildcards)) {
      if (last > 0) nodes[last - 1]!.addTo(wildcards, epoch);
      return -1;
    }
    const node = nodes[last]!;
    const id = subtable.find(this.#entries, key, node.hashOf(key, epoch), version);
    if (id >= 0 || subtable.shape.portsMask === 0) node.addTo(wildcards, epoch);
    else this.#addDecidingPorts(subtable, key, wildcards);
    return id;
  }

  /** The whole mask, but of the ports only what shows that no rule has them. */
  #addDecidingPorts(subtable: Subtable, key: Int32Array, wildcards: Int32Array): void {
    const { shape } = subtable;
    const ports = wildcards[PORTS_WORD]!;
    shape.addSome(wildcards, 0, shape.size);
    wildcards[PORTS_WORD] = ports | swap(subtable.decidingPorts(key));
  }

  /**
   * Whether conjunctions of higher priority than the hard match are complete: then the flow is looked up again with their
   * id. Goes down by priority; a rule of a conjunction that came to nothing makes way for the next one of its match.
   */
  #resolve(
    version: Version,
    flow: Int32Array,
    wildcards: Int32Array | null,
    hard: RuleId,
    candidates: readonly RuleId[],
  ): RuleId {
    const { priority, next } = this.#entries;
    let best = hard;
    let soft = [...candidates];
    for (;;) {
      const floor = best < 0 ? Number.NEGATIVE_INFINITY : priority[best]!;
      soft = soft.filter((id) => priority[id]! > floor);
      if (soft.length === 0) return best;
      const top = Math.max(...soft.map((id) => priority[id]!));
      const sets = soft.filter((id) => priority[id] === top).map((id) => this.#conjunctions.get(id)!);
      for (const conjunction of completeConjunctions(sets)) {
        const id = this.#searchAs(conjunction, version, flow, wildcards);
        if (id >= 0) return id;
      }
      const lower: RuleId[] = [];
      for (const id of soft) {
        if (priority[id] !== top) lower.push(id);
        else {
          let below = next[id]!;
          while (below >= 0 && !this.#entries.isVisible(below, version)) below = next[below]!;
          if (below < 0) continue;
          if (this.#conjunctions.has(below)) lower.push(below);
          else if (best < 0 || priority[below]! > priority[best]!) best = below;
        }
      }
      soft = lower;
    }
  }

  #searchAs(conjunction: number, version: Version, flow: Int32Array, wildcards: Int32Array | null): RuleId {
    const saved = flow[CONJ_ID_WORD]!;
    flow[CONJ_ID_WORD] = swap(conjunction);
    const id = this.#search(version, flow, wildcards, null);
    flow[CONJ_ID_WORD] = saved;
    return id;
  }

  /** The rule of exactly this match and priority in a version; -1 when there is none. */
  find(match: Match, priority: number, version: Version): RuleId {
    this.seek(match);
    return this.findSought(priority, version);
  }

  /** find() of the match that was sought. */
  findSought(priority: number, version: Version): RuleId {
    const subtable = this.#sought;
    if (!subtable?.hasPriority(priority)) return -1;
    const entries = this.#entries;
    let id = subtable.first(entries, this.#packed, 0);
    while (id >= 0 && (entries.priority[id] !== priority || !entries.isVisible(id, version))) id = entries.next[id]!;
    return id;
  }

  /** A rule of this priority that some flow of the match falls under too, in a version; -1 when there is none. */
  findOverlapping(match: Match, priority: number, version: Version): RuleId {
    const key = keyView.get(wholeKey(match.key));
    const mask = maskView.get(wholeKey(match.mask));
    for (const subtable of this.#all()) {
      if (!subtable.hasPriority(priority)) continue;
      const { shape, values } = subtable;
      const { words, masks, size } = shape;
      const found = this.#findIn(subtable, (id) => {
        if (this.#entries.priority[id] !== priority || !this.#entries.isVisible(id, version)) return false;
        const at = subtable.valueAt(this.#entries.slot[id]!);
        for (let i = 0; i < size; i++) {
          const both = masks[i]! & mask[words[i]!]!;
          if (((values[at + i]! ^ key[words[i]!]!) & both) !== 0) return false;
        }
        return true;
      });
      if (found >= 0) return found;
    }
    return -1;
  }

  /**
   * Visits the rules of a version whose every flow falls under a match: all of them without one. The rules may be hidden
   * during the visit, but not removed, and none may be put in.
   */
  forEach(version: Version, within: Match | null, visit: (id: RuleId, value: T) => void): void {
    if (this.#isStale && !this.#isDeferred) this.#arrange();
    const entries = this.#entries;
    const key = within && new Int32Array(new Uint8Array(wholeKey(within.key).bytes).buffer);
    const limit = within && new Shape(maskView.get(wholeKey(within.mask)));
    for (const subtable of this.#all()) {
      const mask = new Int32Array(subtable.shape.unpack().bytes.buffer);
      if (limit && !limit.isWithin(mask)) continue;
      this.#forEachIn(subtable, (id) => {
        if (!entries.isVisible(id, version)) return;
        if (limit && limit.size > 0 && !subtable.isWithin(entries.slot[id]!, limit, key!)) return;
        visit(id, entries.values[id]!);
      });
    }
  }

  #forEachIn(subtable: Subtable, visit: (id: RuleId) => void): void {
    subtable.forEachFirst((first) => {
      for (let id = first; id >= 0; id = this.#entries.next[id]!) visit(id);
    });
  }

  #findIn(subtable: Subtable, test: (id: RuleId) => boolean): RuleId {
    let found: RuleId = -1;
    this.#forEachIn(subtable, (id) => {
      if (found < 0 && test(id)) found = id;
    });
    return found;
  }
}
