/** What the actions that hash a packet have in common. */
import { KEY } from '../../flow/key.ts';
import type { HashFields, Subfield } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';
import { hashedFields, hashedVlanBits, hashesLink } from '../hash.ts';
import { VLAN_TAGS } from '../tags.ts';
import { reportSubfield, writeSubfield } from './fields.ts';

/** The hash looked at these bits. */
export function unwildcardHashed(ctx: XlateContext, fields: HashFields): void {
  ctx.unwildcard(...hashedFields(ctx.flow, fields));
  const bits = hashedVlanBits(fields);
  if (bits !== 0) for (const { tci } of VLAN_TAGS) ctx.unwildcardBits(tci, bits);
  if (!hashesLink(ctx.flow, fields)) return;
  // The reference forgets these; a megaflow that does not match on them would send other packets the wrong way
  ctx.claims.setAllOnes(KEY.eth_src).setAllOnes(KEY.eth_dst);
  for (const { tci } of VLAN_TAGS) ctx.claims.setAllOnes(tci);
}

/** Writes a number of sixteen bits and tells it. */
export function loadResult(ctx: XlateContext, target: Subfield, value: number): void {
  writeSubfield(ctx, target, Uint8Array.of(value >>> 8, value & 0xff));
  reportSubfield(ctx, target);
}
