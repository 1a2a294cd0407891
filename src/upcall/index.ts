/**
 * Upcalls: what happens when the datapath does not know what to do with a frame, and how it comes to know.
 *
 * What. The handler takes misses in batches, translates them, installs megaflows and sends the held frames on. Frames that
 * actions send up go to controllers, or are translated one by one (slow path), or are let go (samples). The revalidator
 * keeps the installed megaflows true and their statistics credited.
 *
 * Terms. *ukey*: what the control side remembers of a megaflow. *Credit*: to do for the packets of a megaflow what
 * translation did for the first of them: keep the source address fresh, count a patch port's packets. *Budget*: how much
 * revalidation one poll may do.
 *
 * Invariants. Every upcall is answered. A megaflow that is not idle and not stale stays. A megaflow holds the recirculation
 * ids that it names and the one that it matches. The order of events decides everything: no clock and no chance is asked.
 *
 * Not supported: what becomes of samples, limits on the rate of frames for controllers, a flow limit that follows the
 * revalidator's speed. A change of anything, a learned address too, makes every megaflow of the switch due for translation.
 */
export { UpcallHandler } from './handler.ts';
export { Revalidator } from './revalidator.ts';
export {
  type Credit,
  newUpcallCounters,
  type UpcallCounters,
  type UpcallDatapath,
  type UpcallOptions,
  upcallDefaults,
} from './types.ts';
export { UkeyTable } from './ukey.ts';
