/** What a switch is (features) and how it treats fragments and misses (config). */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import { bitNames, type Decoded, type DecodeInput, type Encoded, type Family } from './codec.ts';
import { messageSpec, specIn } from './header.ts';
import { encodePorts, formatPort, type OfPort, readPorts } from './port-desc.ts';

export interface FeaturesReplyMessage {
  readonly kind: 'features_reply';
  readonly datapathId: bigint;
  readonly bufferCount: number;
  readonly tableCount: number;
  readonly auxiliaryId: number;
  readonly capabilities: readonly Capability[];
  /** Bits of OpenFlow 1.0's action types. */
  readonly actions: number;
  /** Until OpenFlow 1.2; later ones ask for port descriptions. */
  readonly ports: readonly OfPort[];
}

export interface ConfigMessage {
  readonly kind: 'get_config_reply' | 'set_config';
  readonly fragments: 'normal' | 'drop' | 'reassemble' | 'nx-match';
  readonly missSendLength: number;
  /** Null where the version does not say. */
  readonly invalidTtlToController: boolean | null;
}

export type SwitchMessage = FeaturesReplyMessage | ConfigMessage;

export type Capability = (typeof capabilityRows)[number][3];

/** Bit, first and last version, name; in the order of the text. */
const capabilityRows = [
  [0x001, 1, 6, 'FLOW_STATS'],
  [0x002, 1, 6, 'TABLE_STATS'],
  [0x004, 1, 6, 'PORT_STATS'],
  [0x008, 1, 1, 'STP'],
  [0x008, 2, 6, 'GROUP_STATS'],
  [0x020, 1, 6, 'IP_REASM'],
  [0x040, 1, 6, 'QUEUE_STATS'],
  [0x080, 1, 2, 'ARP_MATCH_IP'],
  [0x100, 3, 6, 'PORT_BLOCKED'],
  [0x200, 5, 6, 'BUNDLES'],
  [0x400, 5, 6, 'FLOW_MONITORING'],
] as const;

const actionNames = [
  'output',
  'set_vlan_vid',
  'set_vlan_pcp',
  'strip_vlan',
  'mod_dl_src',
  'mod_dl_dst',
  'mod_nw_src',
  'mod_nw_dst',
  'mod_nw_tos',
  'mod_tp_src',
  'mod_tp_dst',
  'enqueue',
];
const actionOrder = [0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const actionBits = actionOrder.map((bit) => [1 << bit, actionNames[bit]!] as const);
const ACTIONS_10 = 0xfff;

function decodeFeatures({ version, body }: DecodeInput): Decoded<FeaturesReplyMessage> {
  const ports = version < 4 ? readPorts(version, body.subarray(24)) : ok([]);
  if (!ports.ok) return ports;
  const bits = u32At(body, 16);
  return ok({
    kind: 'features_reply',
    datapathId: u64At(body, 0),
    bufferCount: u32At(body, 8),
    tableCount: body[12]!,
    auxiliaryId: version >= 4 ? body[13]! : 0,
    capabilities: capabilityRows
      .filter(([bit, first, last]) => first <= version && version <= last && (bits & bit) !== 0)
      .map(([, , , name]) => name),
    actions: version === 1 ? u32At(body, 20) & ACTIONS_10 : 0,
    ports: ports.value,
  });
}

function encodeFeatures(message: FeaturesReplyMessage, version: number): Encoded {
  const bits = capabilityRows
    .filter(([, first, last, name]) => first <= version && version <= last && message.capabilities.includes(name))
    .reduce((all, [bit]) => all | bit, 0);
  const out = new Writer().u64(message.datapathId).u32(message.bufferCount).u8(message.tableCount);
  out
    .u8(version >= 4 ? message.auxiliaryId : 0)
    .zeros(2)
    .u32(bits);
  out.u32(version === 1 ? message.actions : 0);
  if (version < 4) out.bytes(encodePorts(version, message.ports));
  const spec = specIn(version, 'OFPT10_FEATURES_REPLY', 'OFPT11_FEATURES_REPLY', 'OFPT13_FEATURES_REPLY')!;
  return { spec, body: out.done() };
}

function formatFeaturesReply(message: FeaturesReplyMessage): string {
  const dpid = message.datapathId.toString(16).padStart(16, '0');
  const auxiliary = message.auxiliaryId === 0 ? '' : `, auxiliary_id:${message.auxiliaryId}`;
  let text = ` dpid:${dpid}\nn_tables:${message.tableCount}, n_buffers:${message.bufferCount}${auxiliary}\n`;
  const words = capabilityRows.map(([, , , name]) => name).filter((name) => message.capabilities.includes(name));
  text += `capabilities: ${words.length === 0 ? '0' : words.join(' ')}\n`;
  if (message.actions !== 0) text += `actions: ${bitNames(message.actions, actionBits)}\n`;
  return (
    text +
    message.ports
      .toSorted((a, b) => a.port - b.port)
      .map(formatPort)
      .join('')
  );
}

const FRAGMENT_WORDS = ['normal', 'drop', 'reassemble', 'nx-match'] as const;
const FRAGMENT_MASK = 3;
const INVALID_TTL = 4;

const decodeConfig =
  (kind: ConfigMessage['kind']) =>
  ({ version, body }: DecodeInput): Decoded<ConfigMessage> => {
    const flags = u16At(body, 0);
    const hasTtl = version < 4;
    const allowed = FRAGMENT_MASK | (hasTtl ? INVALID_TTL : 0);
    if (kind === 'set_config' && (flags & ~allowed) !== 0) return ofFail('OFPSCFC_BAD_FLAGS');
    return ok({
      kind,
      fragments: FRAGMENT_WORDS[flags & FRAGMENT_MASK]!,
      missSendLength: u16At(body, 2),
      invalidTtlToController: hasTtl ? (flags & INVALID_TTL) !== 0 : null,
    });
  };

function encodeConfig(message: ConfigMessage, version: number): Encoded {
  const ttl = version < 4 && message.invalidTtlToController ? INVALID_TTL : 0;
  const out = new Writer().u16(FRAGMENT_WORDS.indexOf(message.fragments) | ttl).u16(message.missSendLength);
  return {
    spec: messageSpec(message.kind === 'set_config' ? 'OFPT_SET_CONFIG' : 'OFPT_GET_CONFIG_REPLY'),
    body: out.done(),
  };
}

const formatConfigMessage = (message: ConfigMessage): string =>
  ` frags=${message.fragments}${message.invalidTtlToController ? ' invalid_ttl_to_controller' : ''}` +
  ` miss_send_len=${message.missSendLength}\n`;

export const switchFamily: Family<SwitchMessage> = {
  decode: {
    OFPT10_FEATURES_REPLY: decodeFeatures,
    OFPT11_FEATURES_REPLY: decodeFeatures,
    OFPT13_FEATURES_REPLY: decodeFeatures,
    OFPT_GET_CONFIG_REPLY: decodeConfig('get_config_reply'),
    OFPT_SET_CONFIG: decodeConfig('set_config'),
  },
  encode: { features_reply: encodeFeatures, get_config_reply: encodeConfig, set_config: encodeConfig },
  format: {
    features_reply: formatFeaturesReply,
    get_config_reply: formatConfigMessage,
    set_config: formatConfigMessage,
  },
};
