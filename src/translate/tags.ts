/** The key's fields for VLAN tags, outermost first. */
import { type FlowKey, KEY, type KeyField } from '../flow/key.ts';

import { VLAN_CFI } from '../gen/key.ts';

export { VLAN_CFI };

interface TagFields {
  readonly tpid: KeyField;
  readonly tci: KeyField;
}

export const VLAN_TAGS: readonly [TagFields, TagFields] = [
  { tpid: KEY.vlan_tpid, tci: KEY.vlan_tci },
  { tpid: KEY.vlan2_tpid, tci: KEY.vlan2_tci },
];

/** The tags of a key, TPID and TCI of each in one number. */
type SavedTags = readonly [number, number];

const word = (flow: FlowKey, { tpid, tci }: TagFields): number => flow.get(tpid) * 0x10000 + flow.get(tci);

export const saveTags = (flow: FlowKey): SavedTags => [word(flow, VLAN_TAGS[0]), word(flow, VLAN_TAGS[1])];

export function restoreTags(flow: FlowKey, saved: SavedTags): void {
  for (let i = 0; i < VLAN_TAGS.length; i++) {
    const { tpid, tci } = VLAN_TAGS[i]!;
    flow.set(tpid, saved[i]! >>> 16).set(tci, saved[i]! & 0xffff);
  }
}

/** Tags that a key has. */
export const tagCount = (key: FlowKey): number =>
  (key.get(KEY.vlan_tci) & VLAN_CFI) === 0 ? 0 : (key.get(KEY.vlan2_tci) & VLAN_CFI) === 0 ? 1 : 2;
