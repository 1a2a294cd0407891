/** The key's fields for VLAN tags, outermost first. */
import { KEY, type KeyField } from '../flow/key.ts';

export { VLAN_CFI } from '../gen/key.ts';

interface TagFields {
  readonly tpid: KeyField;
  readonly tci: KeyField;
}

export const VLAN_TAGS: readonly TagFields[] = [
  { tpid: KEY.vlan_tpid, tci: KEY.vlan_tci },
  { tpid: KEY.vlan2_tpid, tci: KEY.vlan2_tci },
];
