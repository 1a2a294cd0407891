/** Sequence numbers: modulo 2^32, compared by the sign of their distance (RFC 9293 §3.4). */

export const seqAdd = (a: number, b: number): number => (a + b) >>> 0;

/** a - b: negative when a is the older one. */
export const seqDiff = (a: number, b: number): number => (a - b) | 0;
