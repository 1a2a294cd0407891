/** The switch itself: features, configuration, description, options of tunnels, and what it has nothing of. */
import type { ConfigMessage } from '../../openflow/message/features.ts';
import type { TlvTableModMessage } from '../../openflow/message/nicira.ts';
import type { Bridge } from '../bridge.ts';
import type { OfActions } from '../connections/types.ts';
import { TABLE_ALL } from '../flow-mod.ts';
import { TABLES_MAX } from '../flow-tables.ts';
import { GROUP_MAX } from '../groups.ts';
import { everything } from '../ofproto.ts';
import { describePort } from '../port-description.ts';
import { TLV_FIELDS_MAX, TLV_SPACE_MAX } from '../tlv-table.ts';
import type { Call, Refusal } from './call.ts';
import { everyAction } from './tables.ts';

/** OpenFlow 1.0's action types, by number. */
const ACTIONS_10 = 0xfff;
const CAPABILITIES = [
  'FLOW_STATS',
  'TABLE_STATS',
  'PORT_STATS',
  'GROUP_STATS',
  'QUEUE_STATS',
  'ARP_MATCH_IP',
  'BUNDLES',
] as const;
const GROUP_TYPES = 4;

export function features({ bridge, peer, request }: Call): Refusal {
  peer.reply(request, {
    kind: 'features_reply',
    datapathId: bridge.datapathId,
    bufferCount: 0,
    tableCount: TABLES_MAX,
    auxiliaryId: 0,
    capabilities: CAPABILITIES,
    actions: ACTIONS_10,
    ports: bridge.ofports.map(describePort),
  });
  return null;
}

export function getConfig({ bridge, peer, request }: Call): Refusal {
  peer.reply(request, {
    kind: 'get_config_reply',
    fragments: bridge.ofproto.fragments,
    missSendLength: peer.missSendLength,
    invalidTtlToController: peer.wantsInvalidTtl,
  });
  return null;
}

/** Fragments are never put together here: a wish for that is passed over, as the reference does. */
export function setConfig({ bridge, peer }: Call, message: ConfigMessage): Refusal {
  const { fragments, missSendLength, invalidTtlToController } = message;
  if (fragments !== 'reassemble' && (peer.kind === 'service' || peer.role !== 'secondary'))
    bridge.ofproto.fragments = fragments;
  peer.missSendLength = missSendLength;
  peer.wantsInvalidTtl = invalidTtlToController ?? false;
  return null;
}

export function describe({ bridge, peer, request }: Call): Refusal {
  const reply = { kind: 'desc_reply', ...bridge.ofproto.description } as const;
  peer.replyMultipart(request, [reply], reply);
  return null;
}

/** Whether a rule sets or reads one of the fields. */
function usesTlv({ ofproto }: Bridge, fields: readonly string[]): boolean {
  const rules = ofproto.tables.select(TABLE_ALL, { match: everything() });
  const names = ({ actions }: { readonly actions: OfActions }): string =>
    JSON.stringify(actions, (_, value) => (typeof value === 'bigint' ? 0 : value));
  return fields.length > 0 && rules.some((rule) => fields.some((field) => names(rule).includes(`"${field}"`)));
}

export function tlvTableMod({ bridge }: Call, { command, mappings }: TlvTableModMessage): Refusal {
  const gone = command === 'clear' ? bridge.ofproto.tlvs.mappings : command === 'delete' ? mappings : [];
  if (
    usesTlv(
      bridge,
      gone.map(({ index }) => `tun_metadata${index}`),
    )
  )
    return 'NXTTMFC_INVALID_TLV_DEL';
  return bridge.ofproto.tlvs.change(command, mappings);
}

export function tlvTable({ bridge, peer, request }: Call): Refusal {
  const { mappings } = bridge.ofproto.tlvs;
  peer.reply(request, { kind: 'tlv_table_reply', spaceMax: TLV_SPACE_MAX, fieldMax: TLV_FIELDS_MAX, mappings });
  return null;
}

export function groupFeatures({ peer, request }: Call): Refusal {
  const each = Array.from({ length: GROUP_TYPES }, (_, i) => i);
  const reply = {
    kind: 'group_features_reply',
    types: 0xf,
    capabilities: 7,
    groupMax: each.map(() => GROUP_MAX),
    actions: each.map(() => everyAction),
  } as const;
  peer.replyMultipart(request, [reply], reply);
  return null;
}

/** Nothing is exported. */
export const ipfixStats = (): Refusal => 'NXST_NOT_CONFIGURED';

/** There are no connections that could be forgotten. */
export const flushConnections = (): Refusal => null;
