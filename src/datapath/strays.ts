/**
 * Chunks that a device took with it. By zero copy a network card keeps chunks in an order of its own, and what it had when
 * its port was closed is on no ring: only exclusion finds it. While another such device is open nobody can tell whose a
 * chunk is that is nowhere; they wait then, as *strays*, and the audit knows how many there are.
 */
import * as L from '../gen/layout.ts';
import { type AuditInput, ChunkMap, seeAll, seeHeld } from './audit.ts';
import type { PortEntry } from './ports.ts';

export const keepOrder = (ports: readonly PortEntry[]): boolean =>
  ports.every(({ netdev }) => netdev.keepsOrder !== false);

/** Gives strays to the workers in turn, when they can be told. The workers stand still. Returns how many are left. */
export function settleStrays(input: AuditInput): number {
  const { views, plan, workers, ports } = input;
  const map = new ChunkMap(plan);
  const held = seeAll(map, input);
  if (!keepOrder(ports)) return Math.max(0, map.unseen().length - map.counts.device);
  ports.forEach((port, i) => {
    seeHeld(map, views, port, held[i]!);
  });
  map.unseen().forEach((chunk, i) => {
    const { host } = workers[i % workers.length]!;
    const count = views.getU32(host.w + L.WORKER_FREE_COUNT);
    views.setU32(host.plan.freeChunks.start + 4 * count, chunk);
    views.setU32(host.w + L.WORKER_FREE_COUNT, count + 1);
  });
  return 0;
}
