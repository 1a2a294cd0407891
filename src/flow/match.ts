/** Sets of flow keys: what two matches have to do with each other, and how to write one so that it says what it means. */
import { VLAN_CFI } from '../gen/key.ts';
import { KEY_SIZE } from '../gen/layout.ts';
import { FlowKey, KEY, type KeyField, keyFieldList, type Match, maskedMatch } from './key.ts';

/** Every key falls under it. */
export const matchAll = (): Match => ({ key: new FlowKey(), mask: new FlowKey() });

/** Only this key falls under it. */
export function exactMatch(key: FlowKey): Match {
  const mask = new FlowKey();
  mask.bytes.fill(0xff);
  return { key: key.clone(), mask };
}

export const equalMatches = (a: Match, b: Match): boolean => a.mask.equals(b.mask) && a.key.equals(b.key);

/** Whether some key falls under both: no bit that counts in both differs. */
export function overlaps(a: Match, b: Match): boolean {
  for (let i = 0; i < KEY_SIZE; i++) {
    const both = a.mask.bytes[i]! & b.mask.bytes[i]!;
    if (((a.key.bytes[i]! ^ b.key.bytes[i]!) & both) !== 0) return false;
  }
  return true;
}

/** Whether every key that falls under `inner` also falls under `outer`. */
export function isSubset(inner: Match, outer: Match): boolean {
  for (let i = 0; i < KEY_SIZE; i++) {
    const need = outer.mask.bytes[i]!;
    if ((need & ~inner.mask.bytes[i]!) !== 0) return false;
    if (((inner.key.bytes[i]! ^ outer.key.bytes[i]!) & need) !== 0) return false;
  }
  return true;
}

/** The fields of which some bit counts. */
export const matchedFields = (match: Match): KeyField[] => keyFieldList.filter((field) => !match.mask.isZero(field));

const tags: readonly (readonly [tpid: KeyField, tci: KeyField])[] = [
  [KEY.vlan_tpid, KEY.vlan_tci],
  [KEY.vlan2_tpid, KEY.vlan2_tci],
];

/** The way of the packet so far: a datapath flow is for one port and one recirculation. */
const alwaysExact = [KEY.in_port, KEY.recirc_id];

/**
 * The match of a megaflow as the datapath's text form can say it: port and recirculation id count wholly, and so does the
 * presence of each VLAN tag, since leaving vlan() out says that there is none (Open vSwitch widens masks so as well).
 * @param key a key that falls under the match: it says what is there
 */
export function datapathMatch(key: FlowKey, mask: FlowKey): Match {
  const wide = mask.clone();
  for (const field of alwaysExact) wide.setAllOnes(field);
  for (const [tpid, tci] of tags) {
    if ((key.get(tci) & VLAN_CFI) === 0) {
      wide.setAllOnes(tci);
      break;
    }
    wide.setAllOnes(tpid).set(tci, wide.get(tci) | VLAN_CFI);
  }
  return maskedMatch(key, wide);
}
