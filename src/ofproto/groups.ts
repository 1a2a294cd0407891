/**
 * The group table: what OFPT_GROUP_MOD says and what comes of it, with the reference's errors.
 *
 * Invariants. A Group is never changed but for its counters: a modify makes a new one that keeps the time of creation.
 * Bucket ids are unique in a group. Where a group leads back to itself it does no harm here: translation limits depth, and
 * the reference accepts such groups; refuseLoops turns that into an error for those who want it.
 */
import type { Micros } from '../lib/clock.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { OfErrorName } from '../spec/of-errors.ts';

export type GroupType = 'all' | 'select' | 'indirect' | 'fast_failover';

/** Highest number of a group (OFPG_MAX). */
export const GROUP_MAX = 0xffffff00;
/** OFPG_ALL: in a delete, every group. */
export const GROUP_ALL = 0xfffffffc;

export interface Bucket<A> {
  readonly id: number;
  /** Share of a select group; 0 in others. */
  readonly weight: number;
  /** Null for none. */
  readonly watchPort: number | null;
  readonly watchGroup: number | null;
  readonly actions: A;
}

/** A bucket as a message brings it; one without an id is given one. */
export type NewBucket<A> = Omit<Bucket<A>, 'id'> & { readonly id: number | null };

/** How a select group chooses (Netronome's extension). */
export interface Selection {
  readonly method: 'default' | 'dp_hash' | 'hash';
  readonly parameter: bigint;
  /** Fields and their masks, by name. */
  readonly fields: ReadonlyMap<string, Uint8Array>;
  /** The fields as they came in OXM, for whoever asks for the group. */
  readonly wire?: Uint8Array;
}

export interface BucketStats {
  packets: number;
  bytes: number;
}

export interface Group<A> {
  readonly id: number;
  readonly type: GroupType;
  readonly buckets: readonly Bucket<A>[];
  readonly selection: Selection | null;
  readonly created: Micros;
  readonly modified: Micros;
  packets: number;
  bytes: number;
  /** By position of the bucket. */
  readonly bucketStats: readonly BucketStats[];
}

export type BucketPlace = 'first' | 'last' | 'all' | number;

/** Type and selection are ignored by delete and by the commands on buckets. */
export interface GroupMod<A> {
  readonly command: 'add' | 'modify' | 'add_or_modify' | 'delete' | 'insert_bucket' | 'remove_bucket';
  readonly id: number;
  readonly type: GroupType;
  readonly buckets: readonly NewBucket<A>[];
  readonly selection?: Selection | null;
  /** Where buckets are inserted (behind a number) or which are removed. */
  readonly place?: BucketPlace;
}

export type GroupError = Extract<OfErrorName, `OFPGMFC_${string}`>;

export interface GroupChange<A> {
  readonly kind: 'added' | 'modified' | 'removed';
  readonly group: Group<A>;
}

export interface GroupFacts<A> {
  /** Groups that the actions lead to. */
  groupsOf(actions: A): readonly number[];
}

export interface GroupTableOptions<A> {
  readonly facts: GroupFacts<A>;
  readonly refuseLoops?: boolean;
  /** Groups of one type at most. */
  readonly limit?: number;
}

/** Ids for buckets that bring none: the lowest that are free. */
function numberBuckets<A>(buckets: readonly NewBucket<A>[], others: readonly Bucket<A>[]): Bucket<A>[] {
  const taken = new Set([...buckets, ...others].map(({ id }) => id));
  let next = 0;
  return buckets.map((bucket) => {
    if (bucket.id !== null) return { ...bucket, id: bucket.id };
    while (taken.has(next)) next++;
    taken.add(next);
    return { ...bucket, id: next };
  });
}

/** What is wrong with a message by itself. */
function checkMod<A>({ command, type, buckets }: GroupMod<A>): GroupError | null {
  if (command === 'delete') return null;
  if (command === 'remove_bucket') return buckets.length > 0 ? 'OFPGMFC_BAD_BUCKET' : null;
  if (type === 'indirect' && buckets.length !== 1) return 'OFPGMFC_INVALID_GROUP';
  const ids = buckets.map(({ id }) => id).filter((id) => id !== null);
  if (new Set(ids).size < ids.length) return 'OFPGMFC_BUCKET_EXISTS';
  for (const { weight, watchPort, watchGroup } of buckets) {
    const hasWatch = watchPort !== null || watchGroup !== null;
    if (weight !== 0 && type !== 'select') return 'OFPGMFC_INVALID_GROUP';
    if (hasWatch && (type === 'all' || type === 'indirect')) return 'OFPGMFC_WATCH_UNSUPPORTED';
    if (!hasWatch && type === 'fast_failover') return 'OFPGMFC_INVALID_GROUP';
  }
  return null;
}

/** The buckets with new ones put in; or null when the place is not there. */
function inserted<A>(old: readonly Bucket<A>[], added: readonly Bucket<A>[], place: BucketPlace): Bucket<A>[] | null {
  if (place === 'first') return [...added, ...old];
  if (place === 'last' || place === 'all') return [...old, ...added];
  const at = old.findIndex(({ id }) => id === place);
  return at < 0 ? null : [...old.slice(0, at + 1), ...added, ...old.slice(at + 1)];
}

function without<A>(old: readonly Bucket<A>[], place: BucketPlace): readonly Bucket<A>[] | null {
  if (place === 'all') return [];
  if (place === 'first') return old.slice(1);
  if (place === 'last') return old.slice(0, -1);
  return old.some(({ id }) => id === place) ? old.filter(({ id }) => id !== place) : null;
}

const zero = { packets: 0, bytes: 0 };

const countsOf = <A>({ buckets, bucketStats }: Group<A>, id: number): typeof zero | undefined =>
  bucketStats[buckets.findIndex((bucket) => bucket.id === id)];

export class GroupTable<A> {
  readonly #groups = new Map<number, Group<A>>();
  readonly #facts: GroupFacts<A>;
  readonly #refuseLoops: boolean;
  readonly #limit: number;
  #generation = 0;

  constructor({ facts, refuseLoops = false, limit = GROUP_MAX }: GroupTableOptions<A>) {
    this.#facts = facts;
    this.#refuseLoops = refuseLoops;
    this.#limit = limit;
  }

  /** Changes with every change of the table. */
  get generation(): number {
    return this.#generation;
  }

  get(id: number): Group<A> | null {
    return this.#groups.get(id) ?? null;
  }

  /** In the order in which they were put in. */
  get groups(): readonly Group<A>[] {
    return [...this.#groups.values()];
  }

  /** @returns what happened; whoever asked removes the rules that used a removed group */
  execute(mod: GroupMod<A>, now: Micros): Result<GroupChange<A>[], GroupError> {
    const wrong = checkMod(mod);
    if (wrong) return fail(wrong);
    if (mod.command === 'delete') return ok(this.#delete(mod.id));
    const mayAdd = mod.command === 'add' || mod.command === 'add_or_modify';
    if (mod.id > GROUP_MAX) return fail(mayAdd ? 'OFPGMFC_INVALID_GROUP' : 'OFPGMFC_UNKNOWN_GROUP');
    const old = this.#groups.get(mod.id);
    if (mod.command === 'add' && old) return fail('OFPGMFC_GROUP_EXISTS');
    if (mod.command === 'add' || (mod.command === 'add_or_modify' && !old)) return this.#put(mod, null, now);
    return old ? this.#change(mod, old, now) : fail('OFPGMFC_UNKNOWN_GROUP');
  }

  #delete(id: number): GroupChange<A>[] {
    const gone = id === GROUP_ALL ? this.groups : this.groups.filter((group) => group.id === id);
    for (const group of gone) this.#groups.delete(group.id);
    if (gone.length > 0) this.#generation++;
    return gone.map((group) => ({ kind: 'removed', group }));
  }

  #change(mod: GroupMod<A>, old: Group<A>, now: Micros): Result<GroupChange<A>[], GroupError> {
    const { place = 'all' } = mod;
    if (mod.command === 'insert_bucket') {
      const ids = new Set(old.buckets.map(({ id }) => id));
      if (mod.buckets.some(({ id }) => id !== null && ids.has(id))) return fail('OFPGMFC_BUCKET_EXISTS');
      const buckets = inserted(old.buckets, numberBuckets(mod.buckets, old.buckets), place);
      return buckets ? this.#put({ ...old, buckets }, old, now, true) : fail('OFPGMFC_UNKNOWN_BUCKET');
    }
    if (mod.command === 'remove_bucket') {
      const buckets = without(old.buckets, place);
      return buckets ? this.#put({ ...old, buckets }, old, now, true) : fail('OFPGMFC_UNKNOWN_BUCKET');
    }
    return this.#put(mod, old, now);
  }

  #put(
    mod: Pick<GroupMod<A>, 'id' | 'type' | 'buckets' | 'selection'>,
    old: Group<A> | null,
    now: Micros,
    keepsBucketCounts = false,
  ): Result<GroupChange<A>[], GroupError> {
    if (old?.type !== mod.type && this.groups.filter(({ type }) => type === mod.type).length >= this.#limit)
      return fail('OFPGMFC_OUT_OF_GROUPS');
    const buckets = numberBuckets(mod.buckets, []);
    if (this.#refuseLoops && this.#leadsTo(mod.id, buckets)) return fail('OFPGMFC_LOOP');
    const group: Group<A> = {
      id: mod.id,
      type: mod.type,
      buckets,
      selection: mod.selection ?? null,
      created: old?.created ?? now,
      modified: now,
      packets: 0,
      bytes: 0,
      bucketStats: buckets.map(({ id }) => ({ ...zero, ...(keepsBucketCounts ? countsOf(old!, id) : {}) })),
    };
    this.#groups.set(mod.id, group);
    this.#generation++;
    return ok([{ kind: old ? 'modified' : 'added', group }]);
  }

  /** Whether buckets lead, by whatever many groups, to a group. */
  #leadsTo(target: number, buckets: readonly Bucket<A>[]): boolean {
    const seen = new Set<number>();
    const open = [...buckets];
    for (let bucket = open.pop(); bucket; bucket = open.pop()) {
      for (const id of this.#facts.groupsOf(bucket.actions)) {
        if (id === target) return true;
        if (seen.has(id)) continue;
        seen.add(id);
        open.push(...(this.#groups.get(id)?.buckets ?? []));
      }
    }
    return false;
  }

  /** Remembers all groups as they are now. @returns what makes them so again */
  snapshot(): () => void {
    const groups = new Map(this.#groups);
    return () => {
      this.#groups.clear();
      for (const [id, group] of groups) this.#groups.set(id, group);
      this.#generation++;
    };
  }

  /** Counts packets that a group took, or with a bucket's id those that the bucket took. */
  creditPart(id: number, bucketId: number | null, packets: number, bytes: number): void {
    if (bucketId !== null) {
      this.credit(id, bucketId, packets, bytes, false);
      return;
    }
    const group = this.#groups.get(id);
    if (!group) return;
    group.packets += packets;
    group.bytes += bytes;
  }

  /** Counts packets of a bucket; of the group as a whole, once, with `counted` true. False when there is no such group. */
  credit(id: number, bucketId: number, packets: number, bytes: number, counted = true): boolean {
    const group = this.#groups.get(id);
    if (!group) return false;
    const stats = group.bucketStats[group.buckets.findIndex((bucket) => bucket.id === bucketId)];
    if (stats) {
      stats.packets += packets;
      stats.bytes += bytes;
    }
    if (counted) {
      group.packets += packets;
      group.bytes += bytes;
    }
    return true;
  }
}
