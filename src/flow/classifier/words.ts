/** Keys as 32-bit words of the host, and the stage of a lookup at which each byte of a key is looked at. */
import { PIPELINE, PIPELINE_KEY_SIZE } from '../../gen/tables.ts';
import type { KeyFieldSpec } from '../../spec/key.ts';
import { type FlowKey, KEY } from '../key.ts';

export const KEY_WORDS = PIPELINE_KEY_SIZE / 4;

/** Metadata, L2, L3, L4: a lookup goes on to the next only when what it has seen so far fits some rule. */
export const STAGE_COUNT = 4;

const l2 = /^(eth_|vlan|mpls_)/;
const l4 = /^(ct_)?tp_(src|dst)$|^igmp_group$|^nd_|^arp_|^tcp_flags$|^nsh_/;
const l3 = /^(ct_)?(nw_(src|dst)|ipv[46]_)|^nw_/;
const metadata = /^ct_nw_proto$/;

/** The stages are Open vSwitch's, so that both un-wildcard the same bits (struct flow's segments). */
function stageOf({ name }: KeyFieldSpec): number {
  if (metadata.test(name)) return 0;
  if (l2.test(name)) return 1;
  if (l4.test(name)) return 3;
  return l3.test(name) ? 2 : 0;
}

/** By byte of the key. */
export const stageOfByte = new Uint8Array(PIPELINE_KEY_SIZE);
for (const field of [...Object.values(KEY), ...Object.values(PIPELINE)])
  stageOfByte.fill(stageOf(field), field.offset, field.offset + field.size);

/** A word of the host as the number that its bytes are in network order, and the other way round. */
export const swap = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);

/**
 * The words of the key last asked for. A packet's key goes through many tables, so one view is made for all of them.
 * @throws when the key does not lie on a word boundary
 */
export class WordView {
  #of: Uint8Array | null = null;
  #words: Int32Array = new Int32Array(0);

  get(key: FlowKey): Int32Array {
    const { bytes } = key;
    if (bytes !== this.#of) {
      this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
      this.#of = bytes;
    }
    return this.#words;
  }
}
