/** Groups: changes, descriptions, statistics. */

import type { GroupModMessage, GroupRequestMessage, OfBucket, OfGroup } from '../../openflow/message/group.ts';
import { BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, OFPG_ALL } from '../../openflow/message/group.ts';
import { readOxmHeader } from '../../openflow/oxm/header.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Bridge } from '../bridge.ts';
import type { OfActions } from '../connections/types.ts';
import type { Group, GroupChange, GroupMod, GroupType, NewBucket, Selection } from '../groups.ts';
import { type Call, durationOf, OFPG_ANY, OFPP_ANY, type Refusal } from './call.ts';

const TYPES: Readonly<Record<OfGroup['type'], GroupType>> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'fast_failover',
};
const WIRE_TYPES = { all: 'all', select: 'select', indirect: 'indirect', fast_failover: 'ff' } as const;

const PLACES: ReadonlyMap<number, 'first' | 'last' | 'all'> = new Map([
  [BUCKET_FIRST, 'first'],
  [BUCKET_LAST, 'last'],
  [BUCKET_ALL, 'all'],
]);

const newBucket = ({ id, weight, watchPort, watchGroup, actions }: OfBucket): NewBucket<OfActions> => ({
  id,
  weight,
  watchPort: watchPort === OFPP_ANY ? null : watchPort,
  watchGroup: watchGroup === OFPG_ANY ? null : watchGroup,
  actions,
});

/** Fields that are hashed, by name, with the bits that count; they are only named, and need no packet that has them. */
function hashedFields(wire: Uint8Array): Map<string, Uint8Array> | OfErrorName {
  const fields = new Map<string, Uint8Array>();
  for (let at = 0; at < wire.length; ) {
    const header = readOxmHeader(wire, at);
    if (!header) return 'OFPBMC_BAD_LEN';
    const { field, hasMask, payload, size } = header;
    if (!field) return 'OFPBMC_BAD_FIELD';
    if (at + size + payload > wire.length) return 'OFPBMC_BAD_LEN';
    if (payload !== field.size * (hasMask ? 2 : 1)) return 'OFPBMC_BAD_LEN';
    if (fields.has(field.name)) return 'OFPBMC_DUP_FIELD';
    // The value is the mask
    fields.set(field.name, wire.slice(at + size, at + size + field.size));
    at += size + payload;
  }
  return fields;
}

/** How a select group chooses; an error for a method that is not known. */
function selectionOf({ selection, type }: OfGroup): Selection | null | OfErrorName {
  if (!selection || selection.method === '') return null;
  const { method, parameter, fields: wire } = selection;
  if (type !== 'select' || (method !== 'hash' && method !== 'dp_hash')) return 'OFPBPC_BAD_VALUE';
  if (method === 'dp_hash' && wire.length > 0) return 'OFPBPC_BAD_VALUE';
  const fields = hashedFields(wire);
  if (typeof fields === 'string') return fields;
  return { method, parameter, fields, wire };
}

/** A group-mod without its version, or what is wrong with it whatever groups there are. */
export function prepareGroupMod(m: GroupModMessage): { readonly mod: GroupMod<OfActions> } | { error: OfErrorName } {
  const { group, commandBucket, command } = m;
  if (command === 'reserved') return { error: 'OFPGMFC_BAD_COMMAND' };
  const selection = command === 'delete' ? null : selectionOf(group);
  if (typeof selection === 'string') return { error: selection };
  const place = PLACES.get(commandBucket) ?? commandBucket;
  const buckets = group.buckets.map(newBucket);
  return { mod: { command, id: group.id, type: TYPES[group.type], buckets, selection, place } };
}

export function groupMod({ bridge, peer, request, now }: Call, message: GroupModMessage): Refusal {
  const prepared = prepareGroupMod(message);
  if ('error' in prepared) return prepared.error;
  const { ofproto } = bridge;
  const done = ofproto.groups.execute(prepared.mod, now);
  if (!done.ok) return done.error;
  const cause = { peer, xid: request.envelope.header.xid };
  for (const { kind, group } of done.value)
    if (kind === 'removed') ofproto.removeUsers('group_delete', group.id, cause, now);
  tellGroups(bridge, { peer, request }, done.value);
  return null;
}

export function tellGroups(
  { ofproto }: Bridge,
  { peer, request }: Pick<Call, 'peer' | 'request'>,
  changes: readonly GroupChange<OfActions>[],
): void {
  ofproto.events?.groupsChanged(changes, request, peer);
}

function requested({ bridge }: Call, { id }: GroupRequestMessage): readonly Group<OfActions>[] {
  const { groups } = bridge.ofproto;
  if (id === OFPG_ALL || id === OFPG_ANY) return groups.groups;
  const group = groups.get(id);
  return group ? [group] : [];
}

export function groupStats(call: Call, message: GroupRequestMessage): Refusal {
  const { bridge, peer, request, now } = call;
  bridge.ofproto.settle();
  const parts = requested(call, message).map((group) => {
    const stats = {
      id: group.id,
      references: bridge.ofproto.usage.ofGroup(group.id),
      packets: BigInt(group.packets),
      bytes: BigInt(group.bytes),
      duration: durationOf(now - group.created),
      buckets: group.bucketStats.map(({ packets, bytes }) => ({ packets: BigInt(packets), bytes: BigInt(bytes) })),
    };
    return { kind: 'group_stats_reply', stats: [stats] } as const;
  });
  peer.replyMultipart(request, parts, { kind: 'group_stats_reply', stats: [] });
  return null;
}

function describe({ id, type, buckets, selection }: Group<OfActions>): OfGroup {
  return {
    id,
    type: WIRE_TYPES[type],
    buckets: buckets.map((bucket) => ({
      id: bucket.id,
      weight: bucket.weight,
      watchPort: bucket.watchPort ?? OFPP_ANY,
      watchGroup: bucket.watchGroup ?? OFPG_ANY,
      actions: bucket.actions,
    })),
    selection: selection && {
      method: selection.method,
      parameter: selection.parameter,
      fields: selection.wire ?? new Uint8Array(0),
    },
  };
}

export function groupDesc(call: Call, message: GroupRequestMessage): Refusal {
  const parts = requested(call, message).map(
    (group) => ({ kind: 'group_desc_reply', groups: [describe(group)] }) as const,
  );
  call.peer.replyMultipart(call.request, parts, { kind: 'group_desc_reply', groups: [] });
  return null;
}
