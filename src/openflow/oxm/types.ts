/** A match of OpenFlow as its codecs see it. */
import type { PipelineKey } from '../../flow/key.ts';
import type { TunMetadata } from '../../flow/text.ts';

export type { TunMetadata } from '../../flow/text.ts';

export interface OfMatch {
  /** Bits outside the mask are zero. `in_port` is an OpenFlow port in its sixteen-bit form. */
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
  /** Beside the key: where it lies in tun_opts is for the bridge's TLV table to say. */
  readonly tunMetadata: readonly TunMetadata[];
}

/** Of Nicira's messages, in which the cookie stands among the match's fields. */
export interface Cookie {
  readonly value: bigint;
  readonly mask: bigint;
}

export interface TlvMatch {
  readonly match: OfMatch;
  /** Only Nicira's messages may have one. */
  readonly cookie: Cookie | null;
}

/** Two keys that one decoded match after the other is made of. */
export interface MatchScratch {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
}
