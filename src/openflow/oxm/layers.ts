/** What the fixed match structs need to know: which headers a match speaks of. */
import { KEY } from '../../flow/key.ts';
import type { OfMatch } from './types.ts';

export interface MatchLayers {
  readonly isIpv4: boolean;
  readonly isIp: boolean;
  readonly isArp: boolean;
  readonly isMpls: boolean;
  /** Ports, or ICMP's type and code. */
  readonly hasPorts: boolean;
}

export function layersOfMatch({ key, mask }: OfMatch): MatchLayers {
  const type = mask.isAllOnes(KEY.eth_type) ? key.get(KEY.eth_type) : -1;
  const protocol = mask.isAllOnes(KEY.nw_proto) ? key.get(KEY.nw_proto) : -1;
  const isIpv4 = type === 0x0800;
  const isIp = isIpv4 || type === 0x86dd;
  return {
    isIpv4,
    isIp,
    isArp: type === 0x0806 || type === 0x8035,
    isMpls: type === 0x8847 || type === 0x8848,
    hasPorts: isIp && [1, 6, 17, 58, 132].includes(protocol),
  };
}

/** Length of a mask of ones and then zeros; null for another one. */
export function isPrefixMask(mask: number): number | null {
  const inverse = ~mask >>> 0;
  return (inverse & (inverse + 1)) === 0 ? Math.clz32(inverse) : null;
}
