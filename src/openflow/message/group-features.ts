/** What a switch's groups can (OpenFlow 1.3 §7.3.5.11). */
import { ok } from '../../lib/result.ts';
import { u32At, Writer } from '../wire.ts';
import type { Decoded, DecodeInput, Encoded, Family } from './codec.ts';
import { specIn } from './header.ts';
import { type ActionName, actionBitsOf, actionsFromBits } from './table-capabilities.ts';

export interface GroupFeaturesRequestMessage {
  readonly kind: 'group_features_request';
}

export interface GroupFeaturesReplyMessage {
  readonly kind: 'group_features_reply';
  /** Bits: 1 shifted by the type (all, select, indirect, fast failover). */
  readonly types: number;
  /** Bits: 1 weights, 2 liveness, 4 chaining, 8 chaining with checks of loops. */
  readonly capabilities: number;
  /** Of each type in turn: the most groups there can be, and the actions that they may have. */
  readonly groupMax: readonly number[];
  readonly actions: readonly (readonly ActionName[])[];
}

export type GroupFeaturesMessage = GroupFeaturesRequestMessage | GroupFeaturesReplyMessage;

const TYPES = 4;
const indexes = Array.from({ length: TYPES }, (_, i) => i);

const decodeReply = ({ version, body }: DecodeInput): Decoded<GroupFeaturesReplyMessage> =>
  ok({
    kind: 'group_features_reply',
    types: u32At(body, 0),
    capabilities: u32At(body, 4),
    groupMax: indexes.map((i) => u32At(body, 8 + 4 * i)),
    actions: indexes.map((i) => actionsFromBits(u32At(body, 24 + 4 * i), version)),
  });

function encodeReply(m: GroupFeaturesReplyMessage, version: number): Encoded {
  const out = new Writer().u32(m.types).u32(m.capabilities);
  for (const i of indexes) out.u32(m.groupMax[i] ?? 0);
  for (const i of indexes) out.u32(actionBitsOf(m.actions[i] ?? [], version));
  return { spec: specIn(version, 'NXST_GROUP_FEATURES_REPLY', 'OFPST12_GROUP_FEATURES_REPLY')!, body: out.done() };
}

const typeNames = ['all', 'select', 'indirect', 'fast failover'];
function formatReply(m: GroupFeaturesReplyMessage): string {
  let text = `\n Group table:\n    Types:  0x${m.types.toString(16)}\n    Capabilities:  0x${m.capabilities.toString(16)}\n`;
  for (const i of indexes) {
    if ((m.types & (1 << i)) === 0) continue;
    text += `    ${typeNames[i]} group:\n       max_groups=0x${(m.groupMax[i] ?? 0).toString(16)}\n`;
    text += `       actions: ${(m.actions[i] ?? []).join(' ')}\n`;
  }
  return text;
}

export const groupFeaturesFamily: Family<GroupFeaturesMessage> = {
  decode: {
    NXST_GROUP_FEATURES_REQUEST: () => ok({ kind: 'group_features_request' }),
    OFPST12_GROUP_FEATURES_REQUEST: () => ok({ kind: 'group_features_request' }),
    NXST_GROUP_FEATURES_REPLY: decodeReply,
    OFPST12_GROUP_FEATURES_REPLY: decodeReply,
  },
  encode: {
    group_features_request: (_, version) => {
      const spec = specIn(version, 'NXST_GROUP_FEATURES_REQUEST', 'OFPST12_GROUP_FEATURES_REQUEST');
      return spec && { spec, body: new Uint8Array(0) };
    },
    group_features_reply: encodeReply,
  },
  format: { group_features_request: () => '', group_features_reply: formatReply },
};
