/** multipath: a hash of the packet chooses a number (ovs-actions(7)). */
import type { ActionOf } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { hashFlow, hashWords } from '../hash.ts';
import { loadResult, unwildcardHashed } from './hash-result.ts';

type Multipath = ActionOf<'multipath'>;

/** The link whose own hash is highest: few packets change their way when a link is added. */
function highestRandomWeight(hash: number, links: number): number {
  let [best, bestHash] = [0, hashWords(hash, 0)];
  for (let link = 1; link < links; link++) {
    const linkHash = hashWords(hash, link);
    if (linkHash > bestHash) [best, bestHash] = [link, linkHash];
  }
  return best;
}

/** Hashes again until the number is one of a link. */
function iterated(hash: number, links: number, arg: number): number {
  let modulo = arg;
  if (arg < links || Math.floor(arg / 2) > links) for (modulo = 1; modulo < links; ) modulo *= 2;
  for (let i = 0; ; i++) {
    const link = hashWords(hash, i) % modulo;
    if (link < links) return link;
  }
}

function linkOf({ algorithm, linkCount, arg }: Multipath, hash: number): number {
  switch (algorithm) {
    case 'modulo_n':
      return hash % linkCount;
    case 'hash_threshold':
      return linkCount === 1 ? 0 : Math.floor(hash / (Math.floor(0xffffffff / linkCount) + 1));
    case 'hrw':
      return highestRandomWeight(hash, linkCount);
    case 'iter_hash':
      return iterated(hash, linkCount, arg);
  }
}

export function multipath(ctx: XlateContext, action: Multipath): void {
  const link = linkOf(action, hashFlow(ctx.flow, action.fields, action.basis));
  unwildcardHashed(ctx, action.fields);
  loadResult(ctx, action.target, link);
}
