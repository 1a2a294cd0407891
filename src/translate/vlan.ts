/**
 * VLANs of a packet inside a bridge. A bundle translates the tags of a packet that comes in to what the bridge works
 * with (the first entry is the VLAN that MAC learning and flooding go by), and back when it goes out.
 */
import type { FlowKey } from '../flow/key.ts';
import { VLAN_CFI, VLAN_TAGS } from './tags.ts';
import type { BundlePicture, PriorityTags, VlanConfig } from './types.ts';

const VID = 0x0fff;
export const PCP = 0xe000;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;

export const isVlanType = (ethType: number): boolean => ethType === TPID_8021Q || ethType === TPID_8021AD;

/** One tag; all zero when it is not there. The priority stands in the upper three of its sixteen bits. */
interface Tag {
  readonly tpid: number;
  readonly vid: number;
  readonly pcp: number;
}

/** The tags of a packet, outermost first. */
export type PacketVlans = readonly [outer: Tag, inner: Tag];

const NO_TAG: Tag = { tpid: 0, vid: 0, pcp: 0 };
const NO_TAGS: PacketVlans = [NO_TAG, NO_TAG];

function extractTag(flow: FlowKey, i: 0 | 1): Tag {
  const tpid = flow.get(VLAN_TAGS[i].tpid);
  const tci = flow.get(VLAN_TAGS[i].tci);
  if (!isVlanType(tpid) || (tci & VLAN_CFI) === 0) return NO_TAG;
  return { tpid, vid: tci & VID, pcp: tci & PCP };
}

/** The tags that a key has. */
export function extractVlans(flow: FlowKey): PacketVlans {
  const outer = extractTag(flow, 0);
  return outer === NO_TAG ? NO_TAGS : [outer, extractTag(flow, 1)];
}

/** Writes tags to a key. A tag without VLAN and priority is left out, unless the port wants priority tags always. */
export function putVlans(flow: FlowKey, vlans: PacketVlans, priorityTags: PriorityTags): void {
  for (let i = 0; i < VLAN_TAGS.length; i++) {
    const { tpid, vid, pcp } = vlans[i]!;
    const bits = vid | pcp;
    const isPresent = bits !== 0 || (priorityTags === 'always' && tpid !== 0);
    if (isPresent) flow.set(VLAN_TAGS[i]!.tpid, tpid === 0 ? TPID_8021Q : tpid);
    flow.set(VLAN_TAGS[i]!.tci, isPresent ? bits | VLAN_CFI : 0);
  }
}

export const withPriority = (vlans: PacketVlans, pcp: number): PacketVlans => [{ ...vlans[0], pcp }, vlans[1]];

/** Tags of a packet that came in by a bundle → its VLANs inside the bridge. */
export function inputVlans(config: VlanConfig, vlans: PacketVlans): PacketVlans {
  const [outer, inner] = vlans;
  const tagged: Tag = { tpid: outer.tpid === 0 ? TPID_8021Q : outer.tpid, vid: config.tag, pcp: outer.pcp };
  switch (config.mode) {
    case 'access':
      return [tagged, NO_TAG];
    case 'trunk':
      return vlans;
    case 'native-tagged':
    case 'native-untagged':
      return outer.vid === 0 ? [tagged, inner] : vlans;
    case 'dot1q-tunnel':
      return [{ tpid: config.qinqEthertype, vid: config.tag, pcp: 0 }, outer];
  }
}

/** A packet's VLANs inside the bridge → the tags with which it leaves by a bundle. */
export function outputVlans(config: VlanConfig, vlans: PacketVlans): PacketVlans {
  const popped: PacketVlans = [vlans[1], NO_TAG];
  switch (config.mode) {
    case 'access':
      return NO_TAGS;
    case 'trunk':
    case 'native-tagged':
      return vlans;
    case 'native-untagged':
      return vlans[0].vid === config.tag ? popped : vlans;
    case 'dot1q-tunnel':
      return popped;
  }
}

const carries = (config: VlanConfig, vid: number): boolean => config.trunks === null || config.trunks.has(vid);
const admitsCustomer = (config: VlanConfig, vid: number): boolean => config.cvlans === null || config.cvlans.has(vid);

/** Whether packets of these VLANs may leave by a bundle. */
export function includesVlan({ vlan }: BundlePicture, vlans: PacketVlans): boolean {
  const [outer, inner] = [vlans[0].vid, vlans[1].vid];
  switch (vlan.mode) {
    case 'access':
      return outer === vlan.tag && inner === 0;
    case 'dot1q-tunnel':
      return outer === vlan.tag && admitsCustomer(vlan, inner);
    default:
      return carries(vlan, outer);
  }
}

/** Why a packet with this VLAN may not come in by a bundle; null when it may. */
export function refusal(
  bundle: BundlePicture,
  vid: number,
): { readonly reason: 'vlan_tagged_access' | 'vlan_not_member'; readonly text: string } | null {
  const { name, vlan } = bundle;
  switch (vlan.mode) {
    case 'access':
      if (vid === 0) return null;
      return {
        reason: 'vlan_tagged_access',
        text: `dropping VLAN ${vid} tagged packet received on port ${name} configured as VLAN ${vlan.tag} access port`,
      };
    case 'dot1q-tunnel':
      if (admitsCustomer(vlan, vid)) return null;
      return {
        reason: 'vlan_not_member',
        text: `dropping VLAN ${vid} packet received on dot1q-tunnel port ${name} that excludes this VLAN`,
      };
    default:
      // A port always carries its native VLAN
      if (vid === 0 && vlan.mode !== 'trunk') return null;
      if (carries(vlan, vid)) return null;
      return {
        reason: 'vlan_not_member',
        text: `dropping VLAN ${vid} packet received on port ${name} not configured for trunking VLAN ${vid}`,
      };
  }
}

/**
 * Settings as they take effect: an access port has no trunks, a native VLAN is always carried, and VLAN 0 then never is.
 */
export function effectiveVlan(config: Partial<VlanConfig>): VlanConfig {
  const mode = config.mode ?? (config.tag === undefined ? 'trunk' : 'access');
  const tag = mode === 'trunk' ? 0 : (config.tag ?? 0);
  return {
    mode,
    tag,
    trunks: mode === 'access' || mode === 'dot1q-tunnel' ? null : effectiveTrunks(mode, tag, config.trunks ?? null),
    cvlans: mode === 'dot1q-tunnel' ? (config.cvlans ?? null) : null,
    qinqEthertype: config.qinqEthertype ?? TPID_8021AD,
    priorityTags: config.priorityTags ?? 'never',
  };
}

function effectiveTrunks(mode: string, tag: number, trunks: ReadonlySet<number> | null): ReadonlySet<number> | null {
  if (mode === 'trunk' || tag === 0) return trunks;
  const all = trunks ?? new Set(Array.from({ length: 4096 }, (_, vid) => vid));
  const carried = new Set(all).add(tag);
  carried.delete(0);
  return carried;
}
