/** Which messages a connection is told unasked: bits of reasons by type of message, for a secondary and for the others. */
import type { AsyncMask, AsyncMessage, AsyncType } from '../../openflow/message/role.ts';
import type { OfVersion } from '../../openflow/version.ts';

/** Bits of packet-in reasons that no message has: a table-miss flow, and a miss without one. */
export const EXPLICIT_MISS = 6;
export const IMPLICIT_MISS = 7;
export const INVALID_TTL = 2;
const NO_MATCH = 0;

export type AsyncConfig = Readonly<Record<AsyncType, AsyncMask>>;

const none: AsyncMask = { primary: 0, secondary: 0 };

export const asyncNothing: AsyncConfig = {
  packet_in: none,
  port_status: none,
  flow_removed: none,
  role_status: none,
  table_status: none,
  requestforward: none,
};

/** Reasons that messages can carry. */
const wireBits: Readonly<Record<AsyncType, number>> = {
  packet_in: 0x3f,
  port_status: 7,
  flow_removed: 0x3f,
  role_status: 7,
  table_status: 0x18,
  requestforward: 3,
};

/** Who wants misses wants them whatever they came from; before OpenFlow 1.3 there were no table-miss flows. */
function withMisses(bits: number, version: OfVersion): number {
  if ((bits & (1 << NO_MATCH)) === 0) return bits;
  return bits | (1 << EXPLICIT_MISS) | (version < 4 ? 1 << IMPLICIT_MISS : 0);
}

/** Groups that took their flows with them are told since OpenFlow 1.3. */
function flowRemovedBits(version: OfVersion): number {
  if (version >= 5) return 0x3f;
  return version === 4 ? 0xf : 7;
}

/** What a connection of that version gets before it says anything (OpenFlow 1.5 §7.3.10, as the reference reads it). */
export function asyncDefault(version: OfVersion): AsyncConfig {
  const refined = 0x3f & ~(1 << INVALID_TTL);
  const packetIn = withMisses(refined, version);
  return {
    ...asyncNothing,
    packet_in: { primary: packetIn, secondary: 0 },
    flow_removed: { primary: flowRemovedBits(version), secondary: 0 },
    port_status: { primary: 7, secondary: 7 },
  };
}

/** The configuration after a set-async message. */
export function asyncSet(base: AsyncConfig, masks: AsyncMessage['masks'], version: OfVersion): AsyncConfig {
  const set = (type: AsyncType): AsyncMask => ({ ...base[type], ...masks[type] });
  const types = (Object.keys(masks) as AsyncType[]).map((type) => [type, set(type)]);
  const config: AsyncConfig = { ...base, ...Object.fromEntries(types) };
  if (!masks.packet_in) return config;
  const { primary, secondary } = config.packet_in;
  return { ...config, packet_in: { primary: withMisses(primary, version), secondary: withMisses(secondary, version) } };
}

/** The configuration as a message tells it. */
export const asyncMasks = (config: AsyncConfig): AsyncConfig =>
  Object.fromEntries(
    (Object.keys(config) as AsyncType[]).map((type) => [
      type,
      { primary: config[type].primary & wireBits[type], secondary: config[type].secondary & wireBits[type] },
    ]),
  ) as unknown as AsyncConfig;

/** Packets whose TTL is over, as OFPT_SET_CONFIG has it until OpenFlow 1.2. */
export function asyncSetTtl(base: AsyncConfig, isOn: boolean): AsyncConfig {
  const { primary, secondary } = base.packet_in;
  const bit = 1 << INVALID_TTL;
  return { ...base, packet_in: { primary: isOn ? primary | bit : primary & ~bit, secondary } };
}
