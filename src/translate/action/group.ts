/**
 * group: the packet goes to all buckets of a group, or to one of them (OpenFlow 1.1 §5.4.1).
 *
 * A bucket is an action set and works on its own copy of the packet: what it changes is put back behind it, and an `exit` in
 * it ends the bucket only. A select group by dp_hash first sends the packet back to the datapath for the hash.
 */
import { KEY } from '../../flow/key.ts';
import { bigToBytes, bytesToBig } from '../../flow/odp/number.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import { fieldOf, type OfFieldSpec, readValue, writeValue } from '../../openflow/field/index.ts';
import { ofFields } from '../../spec/of-fields.ts';
import type { ActionContext, XlateContext } from '../context.ts';
import { finishFreezing } from '../freeze.ts';
import { hashBytes, hashSymmetricL4, hashU64, hashWords } from '../hash.ts';
import { firstLiveBucket, isBucketLive, reportDead } from '../liveness.ts';
import { type Selector, selectorOf } from '../select.ts';
import { mayEnter } from '../table.ts';
import type { BucketView, GroupView } from '../types.ts';
import { orderActionSet } from './action-set.ts';
import { unwildcardHashed } from './hash-result.ts';
import { hasField } from './prerequisites.ts';

/** Buckets done in one translation at the most: groups that lead to groups can multiply without ever being deep. */
const BUCKETS_MAX = 65_536;

/** Does a bucket on a copy of the packet. */
function doBucket(ctx: XlateContext, bucket: BucketView, isLast: boolean): void {
  if (++ctx.bucketVisits > BUCKETS_MAX) {
    ctx.report('error', `over ${BUCKETS_MAX} buckets`);
    ctx.error = 'resubmits';
    ctx.noteDrop('resubmits');
    return;
  }
  const { wasMpls, keys } = ctx;
  const mark = keys.mark;
  const saved = keys.copy(ctx.flow);
  ctx.depth++;
  const actions = orderActionSet(bucket.actions);
  const act = (): void => ctx.bodies.translate(ctx, actions, isLast, true);
  if (ctx.isTracing) ctx.within('bucket', `bucket ${bucket.id}`, act);
  else act();
  ctx.depth--;
  if (ctx.isFreezing) finishFreezing(ctx);
  ctx.flow.copyFrom(saved);
  keys.release(mark);
  ctx.wasMpls = wasMpls;
  ctx.isExiting = false;
}

/** Fields that a group hashes, in the order in which the reference numbers them. */
const hashedFields = new WeakMap<GroupView, readonly { readonly field: OfFieldSpec; readonly mask: bigint }[]>();
const fieldOrder = new Map(ofFields.map(({ name }, i) => [name as string, i]));

function fieldsOf(group: GroupView): readonly { readonly field: OfFieldSpec; readonly mask: bigint }[] {
  let fields = hashedFields.get(group);
  if (!fields) {
    const named = [...group.selection!.fields].map(([name, mask]) => ({
      field: fieldOf(name),
      mask: bytesToBig(mask),
    }));
    named.sort((a, b) => fieldOrder.get(a.field.name)! - fieldOrder.get(b.field.name)!);
    hashedFields.set(group, (fields = named));
  }
  return fields;
}

function hashOfFields(ctx: XlateContext, group: GroupView): number {
  let hash = hashU64(group.selection!.parameter);
  for (const { field, mask } of fieldsOf(group)) {
    if (!hasField(ctx, field)) continue;
    hash = hashBytes(bigToBytes(readValue(ctx.flow, field) & mask, field.size), hash);
    writeValue(ctx.wildcards, field, readValue(ctx.wildcards, field) | mask);
  }
  return hash;
}

/** The live bucket that the hash likes best: a bucket's chance is its weight's share. */
function bestLiveBucket(ctx: XlateContext, { buckets }: GroupView, hash: number): BucketView | null {
  let best: BucketView | null = null;
  let bestScore = 0;
  for (const bucket of buckets) {
    if (bucket.weight === 0 || !isBucketLive(ctx, bucket)) {
      reportDead(ctx, bucket);
      continue;
    }
    const score = ((hashWords(bucket.id, hash) & 0xffff) * bucket.weight) >>> 0;
    if (ctx.isTracing) ctx.report('detail', `bucket ${bucket.id}: score ${score}`);
    if (score >= bestScore) [best, bestScore] = [bucket, score];
  }
  return best;
}

/** By the datapath's hash; a packet that has none yet (0) goes to fetch it. */
function hashedBucket(ctx: XlateContext, { algorithm, basis, map }: Extract<Selector, { method: 'dp_hash' }>) {
  const hash = ctx.flow.get(KEY.dp_hash);
  if (hash === 0) {
    ctx.freezeHash = { algorithm, basis };
    ctx.triggerFreeze();
    return null;
  }
  const mask = map.length - 1;
  ctx.unwildcardBits(KEY.dp_hash, mask);
  for (let i = 0; i <= mask; i++) {
    const bucket = map[(hash + i) & mask]!;
    if (isBucketLive(ctx, bucket)) return bucket;
  }
  return null;
}

function selectedBucket(ctx: XlateContext, group: GroupView): BucketView | null {
  // What is behind the labels that were taken off must be parsed before it can be hashed
  if (ctx.wasMpls) {
    ctx.triggerFreeze();
    return null;
  }
  const selector = selectorOf(group);
  switch (selector.method) {
    case 'dp_hash':
      return hashedBucket(ctx, selector);
    case 'hash':
      return bestLiveBucket(ctx, group, hashOfFields(ctx, group));
    case 'default':
      unwildcardHashed(ctx, 'symmetric_l4');
      return bestLiveBucket(ctx, group, hashSymmetricL4(ctx.flow, 0));
  }
}

function doAll(ctx: XlateContext, { id, buckets }: GroupView, isLast: boolean): void {
  buckets.forEach((bucket, i) => {
    if (ctx.error === 'none') doBucket(ctx, bucket, isLast && i === buckets.length - 1);
  });
  ctx.effects.creditGroup(ctx.bridge.name, id, null);
  for (const bucket of buckets) ctx.effects.creditGroup(ctx.bridge.name, id, bucket.id);
}

function doOne(ctx: XlateContext, { id }: GroupView, bucket: BucketView | null, isLast: boolean): void {
  if (!bucket) {
    ctx.report('detail', 'no live bucket');
    return;
  }
  if (ctx.isTracing) ctx.report('detail', `using bucket ${bucket.id}`);
  doBucket(ctx, bucket, isLast);
  ctx.effects.creditGroup(ctx.bridge.name, id, null);
  ctx.effects.creditGroup(ctx.bridge.name, id, bucket.id);
}

/** A group that is not there ends the list that named it. */
export function group(ctx: XlateContext, action: ActionOf<'group'>, { isLast }: ActionContext): 'stop' | undefined {
  if (!mayEnter(ctx)) return undefined;
  const found = ctx.bridge.pipeline.group(action.group);
  if (!found) {
    ctx.report('warning', `output to nonexistent group ${action.group}`);
    return 'stop';
  }
  const wasInGroup = ctx.isInGroup;
  ctx.isInGroup = true;
  if (found.type === 'all' || found.type === 'indirect') doAll(ctx, found, isLast);
  else doOne(ctx, found, found.type === 'select' ? selectedBucket(ctx, found) : firstLiveBucket(ctx, found), isLast);
  ctx.isInGroup = wasInGroup;
  return undefined;
}
