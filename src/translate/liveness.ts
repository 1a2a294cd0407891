/** Whether packets that are given to a port or a group come out of it. */
import type { XlateContext } from './context.ts';
import type { BucketView, GroupView, OfPort } from './types.ts';

/** Groups that watch each other, at the most. */
const WATCH_DEPTH_MAX = 128;

export const isPortLive = ({ bridge }: XlateContext, ofport: number): boolean => {
  if (!bridge.ports.has(ofport as OfPort)) return false;
  const config = bridge.portConfig.get(ofport as OfPort);
  return !config || (config.isLive && !config.isDown);
};

export const isBucketLive = (ctx: XlateContext, { watchPort, watchGroup }: BucketView, depth = 0): boolean => {
  if (depth >= WATCH_DEPTH_MAX) return false;
  if (watchPort === null && watchGroup === null) return true;
  if (watchPort !== null && isPortLive(ctx, watchPort)) return true;
  const group = watchGroup === null ? null : ctx.bridge.pipeline.group(watchGroup);
  return group !== null && firstLiveBucket(ctx, group, depth + 1) !== null;
};

/** Tells why a bucket is passed over. */
export function reportDead(ctx: XlateContext, { id, watchPort, watchGroup }: BucketView): void {
  if (!ctx.isTracing) return;
  // A group is called a port, too: so does the reference
  const watched = [watchPort, watchGroup].filter((number) => number !== null).map((number) => `port ${number}`);
  ctx.report('detail', `bucket ${id}: not live due to ${watched.join(' and ')}`);
}

export function firstLiveBucket(ctx: XlateContext, { buckets }: GroupView, depth = 0): BucketView | null {
  for (const bucket of buckets) {
    if (isBucketLive(ctx, bucket, depth)) return bucket;
    reportDead(ctx, bucket);
  }
  return null;
}
