/** Ports: changes told (port-status), changes asked for (port-mod), descriptions. Statistics are in port-stats.ts. */
import { formatOfPort } from '../../flow/text/ports.ts';
import { formatMac } from '../../lib/addresses.ts';
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { u32At, Writer } from '../wire.ts';
import {
  type Decoded,
  type DecodeInput,
  type Encoded,
  type Family,
  OFPP_ANY,
  portAt,
  portTo32,
  readProperties,
  unknownProperty,
  writeProperty,
} from './codec.ts';
import { specIn } from './header.ts';
import {
  configMask,
  encodePorts,
  featuresFrom10,
  featuresTo10,
  formatConfig,
  formatFeatures,
  formatPort,
  type OfPort,
  readPort,
  readPorts,
  writePort,
} from './port-desc.ts';

export interface PortStatusMessage {
  readonly kind: 'port_status';
  readonly reason: 'add' | 'delete' | 'modify';
  readonly port: OfPort;
}

export interface PortModMessage {
  readonly kind: 'port_mod';
  readonly port: number;
  readonly mac: Uint8Array;
  readonly config: number;
  readonly mask: number;
  /** Feature bits; 0 leaves them. */
  readonly advertise: number;
}

export interface PortDescRequestMessage {
  readonly kind: 'port_desc_request';
  /** OFPP_ANY for all. */
  readonly port: number;
}

export interface PortDescReplyMessage {
  readonly kind: 'port_desc_reply';
  readonly ports: readonly OfPort[];
}

export type PortMessage = PortStatusMessage | PortModMessage | PortDescRequestMessage | PortDescReplyMessage;

const reasons = ['add', 'delete', 'modify'] as const;
const reasonWords = { add: 'ADD', delete: 'DEL', modify: 'MOD' } as const;

function decodePortStatus({ version, body }: DecodeInput): Decoded<PortStatusMessage> {
  const reason = reasons[body[0]!];
  if (!reason) return ofFail('NXBRC_BAD_REASON');
  const port = readPort(version, body, 8);
  return port.ok ? ok({ kind: 'port_status', reason, port: port.value.port }) : port;
}

function encodePortStatus(message: PortStatusMessage, version: number): Encoded {
  const out = new Writer().u8(reasons.indexOf(message.reason)).zeros(7);
  writePort(out, version, message.port);
  return { spec: specIn(version, 'OFPT10_PORT_STATUS', 'OFPT11_PORT_STATUS', 'OFPT14_PORT_STATUS')!, body: out.done() };
}

const ADVERTISE_14 = 0;

function decodePortMod({ version, body, isLoose }: DecodeInput): Decoded<PortModMessage> {
  const port = portAt(version, body, 0);
  if (!port.ok) return port;
  const is10 = version === 1;
  const bits = configMask(version);
  const macAt = is10 ? 2 : 8;
  const configAt = is10 ? 8 : 16;
  let advertise = 0;
  if (is10) advertise = featuresFrom10(u32At(body, 16));
  else if (version < 5) advertise = u32At(body, 24) & 0xffff;
  else {
    const properties = readProperties(body.subarray(24));
    if (!properties.ok) return properties;
    for (const property of properties.value) {
      if (property.type === ADVERTISE_14) {
        if (property.bytes.length !== 8) return ofFail('OFPBPC_BAD_LEN');
        advertise = u32At(property.bytes, 4) & 0xffff;
      } else {
        const unknown = unknownProperty(property, isLoose);
        if (unknown) return unknown;
      }
    }
  }
  return ok({
    kind: 'port_mod',
    port: port.value,
    mac: body.slice(macAt, macAt + 6),
    config: u32At(body, configAt) & u32At(body, configAt + 4) & bits,
    mask: u32At(body, configAt + 4) & bits,
    advertise,
  });
}

function encodePortMod(message: PortModMessage, version: number): Encoded {
  const bits = configMask(version);
  const out = new Writer();
  if (version === 1) out.u16(message.port).bytes(message.mac);
  else out.u32(portTo32(message.port)).zeros(4).bytes(message.mac).zeros(2);
  out.u32(message.config & bits).u32(message.mask & bits);
  if (version === 1) out.u32(featuresTo10(message.advertise)).zeros(4);
  else if (version < 5) out.u32(message.advertise).zeros(4);
  else if (message.advertise !== 0) writeProperty(out, ADVERTISE_14, (property) => property.u32(message.advertise));
  return { spec: specIn(version, 'OFPT10_PORT_MOD', 'OFPT11_PORT_MOD', 'OFPT14_PORT_MOD')!, body: out.done() };
}

const formatPortMod = (message: PortModMessage): string =>
  ` port: ${formatOfPort(message.port)}: addr:${formatMac(message.mac)}\n` +
  `     config: ${formatConfig(message.config)}\n` +
  `     mask:   ${formatConfig(message.mask)}\n` +
  `     advertise: ${message.advertise === 0 ? 'UNCHANGED' : formatFeatures(message.advertise)}\n`;

const decodeDesc = ({ version, body }: DecodeInput): Decoded<PortDescReplyMessage> => {
  const ports = readPorts(version, body);
  return ports.ok ? ok({ kind: 'port_desc_reply', ports: ports.value }) : ports;
};

export const portFamily: Family<PortMessage> = {
  decode: {
    OFPT10_PORT_STATUS: decodePortStatus,
    OFPT11_PORT_STATUS: decodePortStatus,
    OFPT14_PORT_STATUS: decodePortStatus,
    OFPT10_PORT_MOD: decodePortMod,
    OFPT11_PORT_MOD: decodePortMod,
    OFPT14_PORT_MOD: decodePortMod,
    OFPST10_PORT_DESC_REQUEST: () => ok({ kind: 'port_desc_request', port: OFPP_ANY }),
    OFPST15_PORT_DESC_REQUEST: ({ version, body }) => {
      const port = portAt(version, body, 0);
      return port.ok ? ok({ kind: 'port_desc_request', port: port.value }) : port;
    },
    OFPST10_PORT_DESC_REPLY: decodeDesc,
    OFPST11_PORT_DESC_REPLY: decodeDesc,
    OFPST14_PORT_DESC_REPLY: decodeDesc,
  },
  encode: {
    port_status: encodePortStatus,
    port_mod: encodePortMod,
    port_desc_request: ({ port }, version) => ({
      spec: specIn(version, 'OFPST10_PORT_DESC_REQUEST', 'OFPST15_PORT_DESC_REQUEST')!,
      body: version < 6 ? new Uint8Array(0) : new Writer().u32(portTo32(port)).zeros(4).done(),
    }),
    port_desc_reply: ({ ports }, version) => ({
      spec: specIn(version, 'OFPST10_PORT_DESC_REPLY', 'OFPST11_PORT_DESC_REPLY', 'OFPST14_PORT_DESC_REPLY')!,
      body: encodePorts(version, ports),
    }),
  },
  format: {
    port_status: ({ reason, port }) => ` ${reasonWords[reason]}:${formatPort(port)}`,
    port_mod: formatPortMod,
    port_desc_request: ({ port }) => ` port=${formatOfPort(port)}\n`,
    port_desc_reply: ({ ports }) =>
      `\n${ports
        .toSorted((a, b) => a.port - b.port)
        .map(formatPort)
        .join('')}`,
  },
};
