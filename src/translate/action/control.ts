/** Actions that steer translation itself, or do nothing. */
import { SLOW_ACTION, type XlateContext } from '../context.ts';

export function exit(ctx: XlateContext): void {
  ctx.isExiting = true;
}

/** For people who read flows. */
export function note(): void {}

/** A rule with conjunctions is part of another one: a packet reaches it only by way of a packet-out. */
export function conjunction(ctx: XlateContext): void {
  ctx.report('error', 'executing no-op conjunction action');
}

export function debugRecirc(ctx: XlateContext): 'done' {
  ctx.triggerFreeze();
  return 'done';
}

export function debugSlow(ctx: XlateContext): void {
  ctx.slowPath |= SLOW_ACTION;
}
