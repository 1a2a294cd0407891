/** Which controller commands (role) and what it is told unasked (async config). */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u32At, u64At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, readProperties, unknownProperty } from './codec.ts';
import { messageSpec, specIn } from './header.ts';

export type Role = 'nochange' | 'equal' | 'primary' | 'secondary';

export interface RoleMessage {
  readonly kind: 'role_request' | 'role_reply';
  readonly role: Role;
  /** Null where the version or the role has none. */
  readonly generationId: bigint | null;
}

export interface RoleStatusMessage {
  readonly kind: 'role_status';
  readonly role: Role;
  readonly generationId: bigint | null;
  /** 0 a primary request, 1 configuration, 2 experimenter data. */
  readonly reason: number;
}

export type AsyncType = (typeof asyncTypes)[number];

/** Bits of reasons for which a message of that type is sent. */
export interface AsyncMask {
  readonly primary: number;
  readonly secondary: number;
}

export interface AsyncMessage {
  readonly kind: 'set_async' | 'get_async_reply';
  /** Types, and halves of them, that are not here stay as they are. */
  readonly masks: Readonly<Partial<Record<AsyncType, Partial<AsyncMask>>>>;
}

export type RoleFamilyMessage = RoleMessage | RoleStatusMessage | AsyncMessage;

const roles = ['nochange', 'equal', 'primary', 'secondary'] as const;
const niciraRoles = ['equal', 'primary', 'secondary'] as const;
const NO_GENERATION = 0xffffffffffffffffn;

const decodeRole =
  (kind: RoleMessage['kind']) =>
  ({ body }: DecodeInput): Decoded<RoleMessage> => {
    const role = roles[u32At(body, 0)];
    if (!role) return ofFail('OFPRRFC_BAD_ROLE');
    const generation = u64At(body, 8);
    const has = kind === 'role_request' ? role !== 'nochange' : generation !== NO_GENERATION;
    return ok({ kind, role, generationId: has ? generation : null });
  };

const decodeNiciraRole =
  (kind: RoleMessage['kind']) =>
  ({ body }: DecodeInput): Decoded<RoleMessage> => {
    const role = niciraRoles[u32At(body, 0)];
    return role ? ok({ kind, role, generationId: null }) : ofFail('OFPRRFC_BAD_ROLE');
  };

function encodeRole(message: RoleMessage, version: number): Encoded | null {
  const [nicira, standard] =
    message.kind === 'role_request'
      ? ['NXT_ROLE_REQUEST', 'OFPT12_ROLE_REQUEST']
      : ['NXT_ROLE_REPLY', 'OFPT12_ROLE_REPLY'];
  if (version < 3) {
    if (message.role === 'nochange') return null;
    return { spec: messageSpec(nicira), body: new Writer().u32(niciraRoles.indexOf(message.role)).done() };
  }
  const none = message.kind === 'role_request' ? 0n : NO_GENERATION;
  const out = new Writer()
    .u32(roles.indexOf(message.role))
    .zeros(4)
    .u64(message.generationId ?? none);
  return { spec: messageSpec(standard), body: out.done() };
}

const formatRole = (message: RoleMessage): string =>
  ` role=${message.role}${message.generationId === null ? '' : ` generation_id=${message.generationId}`}\n`;

const roleReasons = ['primary_request', 'configuration_changed', 'experimenter_data_changed'];

function decodeRoleStatus({ body }: DecodeInput): Decoded<RoleStatusMessage> {
  const role = roles[u32At(body, 0)];
  if (!role) return ofFail('OFPRRFC_BAD_ROLE');
  const generation = u64At(body, 8);
  return ok({
    kind: 'role_status',
    role,
    generationId: generation === NO_GENERATION ? null : generation,
    reason: body[4]!,
  });
}

function encodeRoleStatus(message: RoleStatusMessage, version: number): Encoded | null {
  const spec = specIn(version, 'ONFT13_ROLE_STATUS', 'OFPT14_ROLE_STATUS');
  const out = new Writer().u32(roles.indexOf(message.role)).u8(message.reason).zeros(3);
  return spec && { spec, body: out.u64(message.generationId ?? NO_GENERATION).done() };
}

function formatRoleStatus(message: RoleStatusMessage): string {
  const generation = message.generationId === null ? '' : ` generation_id=${message.generationId}`;
  return ` role=${message.role}${generation} reason=${roleReasons[message.reason] ?? '(unknown)'}\n`;
}

const asyncTypes = [
  'packet_in',
  'port_status',
  'flow_removed',
  'role_status',
  'table_status',
  'requestforward',
] as const;

/** Names of the bits, and how many low bits the forms of OpenFlow 1.3 and before have. */
const asyncRows: Readonly<Record<AsyncType, { readonly words: readonly string[]; readonly allowed: number }>> = {
  packet_in: { words: ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'], allowed: 0x3f },
  port_status: { words: ['add', 'delete', 'modify'], allowed: 7 },
  flow_removed: {
    words: ['idle', 'hard', 'delete', 'group_delete', 'meter_delete', 'eviction'],
    allowed: 0x3f,
  },
  role_status: { words: roleReasons, allowed: 7 },
  table_status: { words: ['', '', '', 'vacancy_down', 'vacancy_up'], allowed: 0x18 },
  requestforward: { words: ['group_mod_request', 'meter_mod_request'], allowed: 3 },
};

/** Three pairs of words: primary and secondary. */
const oldTypes = ['packet_in', 'port_status', 'flow_removed'] as const;
const oldAllowed = { packet_in: 7, port_status: 7, flow_removed: 0x3f } as const;

const decodeOldAsync =
  (kind: AsyncMessage['kind']) =>
  ({ body, version }: DecodeInput): Decoded<AsyncMessage> => {
    const masks: Partial<Record<AsyncType, AsyncMask>> = {};
    oldTypes.forEach((type, i) => {
      const allowed = version >= 5 ? asyncRows[type].allowed : oldAllowed[type];
      masks[type] = { primary: u32At(body, 8 * i) & allowed, secondary: u32At(body, 8 * i + 4) & allowed };
    });
    return ok({ kind, masks });
  };

const decodeAsync =
  (kind: AsyncMessage['kind']) =>
  ({ body, isLoose }: DecodeInput): Decoded<AsyncMessage> => {
    const properties = readProperties(body);
    if (!properties.ok) return properties;
    const masks: Partial<Record<AsyncType, Partial<AsyncMask>>> = {};
    for (const property of properties.value) {
      if (property.type === null) {
        const unknown = unknownProperty(property, isLoose);
        if (unknown) return unknown;
        continue;
      }
      const type = asyncTypes[property.type >> 1];
      if (!type) return ofFail('OFPACFC_UNSUPPORTED');
      if (property.bytes.length !== 8) return ofFail('OFPBPC_BAD_LEN');
      const bits = u32At(property.bytes, 4);
      if ((bits & ~asyncRows[type].allowed) !== 0) return ofFail('OFPACFC_INVALID');
      masks[type] = { ...masks[type], ...((property.type & 1) === 1 ? { primary: bits } : { secondary: bits }) };
    }
    return ok({ kind, masks });
  };

const asyncSpec = (message: AsyncMessage, version: number) =>
  message.kind === 'get_async_reply'
    ? specIn(version, 'OFPT13_GET_ASYNC_REPLY', 'OFPT14_GET_ASYNC_REPLY')
    : specIn(version, 'OFPT13_SET_ASYNC', 'OFPT14_SET_ASYNC', 'NXT_SET_ASYNC_CONFIG');

function encodeAsync(message: AsyncMessage, version: number): Encoded | null {
  const spec = asyncSpec(message, version);
  if (!spec) return null;
  const out = new Writer();
  if (version >= 5) {
    asyncTypes.forEach((type, i) => {
      const mask = message.masks[type];
      if (mask)
        out
          .u16(2 * i)
          .u16(8)
          .u32(mask.secondary ?? 0)
          .u16(2 * i + 1)
          .u16(8)
          .u32(mask.primary ?? 0);
    });
  } else {
    for (const type of oldTypes) {
      const { primary = 0, secondary = 0 } = message.masks[type] ?? {};
      out.u32(primary & oldAllowed[type]).u32(secondary & oldAllowed[type]);
    }
  }
  return { spec, body: out.done() };
}

function formatMask(type: AsyncType, bits: number): string {
  const words = asyncRows[type].words.filter((word, bit) => word !== '' && (bits & (1 << bit)) !== 0);
  return `${type.toUpperCase().padStart(16)}: ${words.length === 0 ? '(off)' : words.join(' ')}\n`;
}

const formatAsync = (message: AsyncMessage): string =>
  (['primary', 'secondary'] as const)
    .map((who) => {
      const lines = asyncTypes.map((type) => formatMask(type, message.masks[type]?.[who] ?? 0));
      return `\n ${who}:\n${lines.join('')}`;
    })
    .join('');

export const roleFamily: Family<RoleFamilyMessage> = {
  decode: {
    OFPT12_ROLE_REQUEST: decodeRole('role_request'),
    OFPT12_ROLE_REPLY: decodeRole('role_reply'),
    NXT_ROLE_REQUEST: decodeNiciraRole('role_request'),
    NXT_ROLE_REPLY: decodeNiciraRole('role_reply'),
    OFPT14_ROLE_STATUS: decodeRoleStatus,
    ONFT13_ROLE_STATUS: decodeRoleStatus,
    OFPT13_GET_ASYNC_REPLY: decodeOldAsync('get_async_reply'),
    OFPT14_GET_ASYNC_REPLY: decodeAsync('get_async_reply'),
    OFPT13_SET_ASYNC: decodeOldAsync('set_async'),
    OFPT14_SET_ASYNC: decodeAsync('set_async'),
    NXT_SET_ASYNC_CONFIG: decodeOldAsync('set_async'),
    NXT_SET_ASYNC_CONFIG2: decodeAsync('set_async'),
  },
  encode: {
    role_request: encodeRole,
    role_reply: encodeRole,
    role_status: encodeRoleStatus,
    set_async: encodeAsync,
    get_async_reply: encodeAsync,
  },
  format: {
    role_request: formatRole,
    role_reply: formatRole,
    role_status: formatRoleStatus,
    set_async: formatAsync,
    get_async_reply: formatAsync,
  },
};
