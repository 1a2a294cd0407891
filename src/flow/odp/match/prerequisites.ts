/** What must be known of a flow before an attribute makes sense. */
import { type FlowKey, type FlowMask, KEY, type KeyField } from '../../key.ts';

/** What decides which headers a flow can have. Null stands for what is not known wholly. */
export interface Layers {
  readonly ethType: number | null;
  readonly protocol: number | null;
  readonly isLaterFragment: boolean;
  readonly icmpType: number | null;
}

/** What is wrong with an attribute in a flow; null when it fits. */
export type Misfit = (layers: Layers) => string | null;

export function layersOf(key: FlowKey, mask: FlowMask): Layers {
  const exact = (field: KeyField, bits: number): number | null =>
    (mask.get(field) & bits) === bits ? key.get(field) & bits : null;
  return {
    ethType: exact(KEY.eth_type, 0xffff),
    protocol: exact(KEY.nw_proto, 0xff),
    isLaterFragment: (key.get(KEY.nw_frag) & 2) !== 0,
    icmpType: exact(KEY.tp_src, 0xff),
  };
}

const hexWord = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

export const needsEthType =
  (...types: number[]): Misfit =>
  ({ ethType }) =>
    ethType !== null && types.includes(ethType) ? null : `needs eth_type(${types.map(hexWord).join(' or ')})`;

/** The protocol is known, and the packet is not a fragment without its header. */
export const needsProtocol =
  (protocol: number, ...ethTypes: number[]): Misfit =>
  (layers) => {
    if (layers.protocol !== protocol) return needsEthType(...ethTypes)(layers) ?? `needs proto=${protocol}`;
    if (layers.isLaterFragment) return 'does not go with frag=later';
    return needsEthType(...ethTypes)(layers);
  };

const ND_TYPES = [135, 136];

export const needsNeighborDiscovery: Misfit = (layers) =>
  needsProtocol(58, 0x86dd)(layers) ??
  (ND_TYPES.includes(layers.icmpType ?? -1) ? null : 'needs icmpv6(type=135 or 136)');
