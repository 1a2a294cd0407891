/** A port as a switch describes it, in the three forms of OpenFlow 1.0, 1.1 and 1.4. */

import { formatOfPort } from '../../flow/text/ports.ts';
import { formatMac } from '../../lib/addresses.ts';
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import { fixedText, u16At, u32At, Writer } from '../wire.ts';
import { bitNames, type Decoded, portAt, portTo32, readProperties, unknownProperty, writeProperty } from './codec.ts';

export interface OfPort {
  readonly port: number;
  readonly mac: Uint8Array;
  readonly name: string;
  /** Bits of OpenFlow: 0 down, 1 no STP, 2 no receive, 3 no receive of STP, 4 no flood, 5 no forward, 6 no packet-in. */
  readonly config: number;
  /** Bits: 0 link down, 1 blocked, 2 live; 8 and 9 the STP state of OpenFlow 1.0. */
  readonly state: number;
  /** Bits of OpenFlow 1.1's port features. */
  readonly current: number;
  readonly advertised: number;
  readonly supported: number;
  readonly peer: number;
  /** Kilobits a second. */
  readonly speed: number;
  readonly speedMax: number;
}

const CONFIG_10 = 0x7f;
const CONFIG_11 = 0x65;
const STATE_10 = 0x301;
const STATE_11 = 0x7;
const STP_MASK = 0x300;

const configNames = [
  [1, 'PORT_DOWN'],
  [2, 'NO_STP'],
  [4, 'NO_RECV'],
  [8, 'NO_RECV_STP'],
  [0x10, 'NO_FLOOD'],
  [0x20, 'NO_FWD'],
  [0x40, 'NO_PACKET_IN'],
] as const;

const stateNames = [
  [1, 'LINK_DOWN'],
  [2, 'BLOCKED'],
  [4, 'LIVE'],
] as const;
const stpStates: Readonly<Record<number, string>> = { 256: 'STP_LEARN', 512: 'STP_FORWARD', 768: 'STP_BLOCK' };

/** Speed in kilobits a second, and the word, of each feature bit. */
const features: readonly (readonly [speed: number, name: string])[] = [
  [10_000, '10MB-HD'],
  [10_000, '10MB-FD'],
  [100_000, '100MB-HD'],
  [100_000, '100MB-FD'],
  [1_000_000, '1GB-HD'],
  [1_000_000, '1GB-FD'],
  [10_000_000, '10GB-FD'],
  [40_000_000, '40GB-FD'],
  [100_000_000, '100GB-FD'],
  [1_000_000_000, '1TB-FD'],
  [0, 'OTHER'],
  [0, 'COPPER'],
  [0, 'FIBER'],
  [0, 'AUTO_NEG'],
  [0, 'AUTO_PAUSE'],
  [0, 'AUTO_PAUSE_ASYM'],
];
const featureNames = features.map(([, name], bit) => [1 << bit, name] as const);

/** OpenFlow 1.0 has COPPER and what follows four bits lower. */
export const featuresFrom10 = (bits: number): number => (bits & 0x7f) | ((bits & 0xf80) << 4);
export const featuresTo10 = (bits: number): number => (bits & 0x7f) | ((bits & 0xf800) >> 4);

const speedOf = (bits: number): number =>
  features.reduce((most, [speed], bit) => ((bits & (1 << bit)) !== 0 ? Math.max(most, speed) : most), 0);

export const formatFeatures = (bits: number): string => bitNames(bits, featureNames);
export const formatConfig = (bits: number): string => bitNames(bits, configNames);

function formatState(state: number): string {
  const stp = stpStates[state & STP_MASK];
  const rest = state & ~STP_MASK;
  if (!stp) return bitNames(rest, stateNames);
  return rest === 0 ? stp : `${stp}${bitNames(rest, stateNames)}`;
}

/** A name up to the first character that is no plain ASCII. */
export const printable = (name: string): string => /^[ -~]*/.exec(name)![0];

export function formatPort(port: OfPort): string {
  const lines = [
    ` ${formatOfPort(port.port)}(${printable(port.name)}): addr:${formatMac(port.mac)}`,
    `     config:     ${formatConfig(port.config)}`,
    `     state:      ${formatState(port.state)}`,
  ];
  if (port.current !== 0) lines.push(`     current:    ${formatFeatures(port.current)}`);
  if (port.advertised !== 0) lines.push(`     advertised: ${formatFeatures(port.advertised)}`);
  if (port.supported !== 0) lines.push(`     supported:  ${formatFeatures(port.supported)}`);
  if (port.peer !== 0) lines.push(`     peer:       ${formatFeatures(port.peer)}`);
  const mbps = (kbps: number): number => Math.floor(kbps / 1000);
  lines.push(`     speed: ${mbps(port.speed)} Mbps now, ${mbps(port.speedMax)} Mbps max`);
  return lines.map((line) => `${line}\n`).join('');
}

export const configMask = (version: number): number => (version === 1 ? CONFIG_10 : CONFIG_11);

function readPort10(bytes: Uint8Array, at: number): OfPort {
  const feature = (offset: number): number => featuresFrom10(u32At(bytes, at + offset));
  const [current, supported] = [feature(32), feature(40)];
  return {
    port: u16At(bytes, at),
    mac: bytes.slice(at + 2, at + 8),
    name: fixedText(bytes, at + 8, 16),
    config: u32At(bytes, at + 24) & CONFIG_10,
    state: u32At(bytes, at + 28) & STATE_10,
    current,
    advertised: feature(36),
    supported,
    peer: feature(44),
    speed: speedOf(current),
    speedMax: speedOf(supported),
  };
}

const noFeatures = { current: 0, advertised: 0, supported: 0, peer: 0, speed: 0, speedMax: 0 };

/** What OpenFlow 1.1 and 1.4 begin with: 40 bytes. */
function readPortHead(bytes: Uint8Array, at: number): Decoded<OfPort> {
  const port = portAt(2, bytes, at);
  if (!port.ok) return port;
  return ok({
    port: port.value,
    mac: bytes.slice(at + 8, at + 14),
    name: fixedText(bytes, at + 16, 16),
    config: u32At(bytes, at + 32) & CONFIG_11,
    state: u32At(bytes, at + 36) & STATE_11,
    ...noFeatures,
  });
}

/** Six words. */
const readSpeeds = (bytes: Uint8Array, at: number) => ({
  current: u32At(bytes, at) & 0xffff,
  advertised: u32At(bytes, at + 4) & 0xffff,
  supported: u32At(bytes, at + 8) & 0xffff,
  peer: u32At(bytes, at + 12) & 0xffff,
  speed: u32At(bytes, at + 16),
  speedMax: u32At(bytes, at + 20),
});

const ETHERNET = 0;
const ETHERNET_SIZE = 32;
const HEAD_14 = 40;

function readPort14(bytes: Uint8Array, at: number, isLoose: boolean): Decoded<{ port: OfPort; size: number }> {
  const left = bytes.length - at;
  if (left < HEAD_14) return ofFail('OFPBRC_BAD_LEN');
  const size = u16At(bytes, at + 4);
  if (size < HEAD_14 || size > left) return ofFail('OFPBRC_BAD_LEN');
  const head = readPortHead(bytes, at);
  if (!head.ok) return head;
  const properties = readProperties(bytes.subarray(at + HEAD_14, at + size));
  if (!properties.ok) return properties;
  let port = head.value;
  for (const property of properties.value) {
    if (property.type === ETHERNET) {
      if (property.bytes.length !== ETHERNET_SIZE) return ofFail('OFPBPC_BAD_LEN');
      port = { ...port, ...readSpeeds(property.bytes, 8) };
    } else {
      const unknown = unknownProperty(property, isLoose);
      if (unknown) return unknown;
    }
  }
  return ok({ port, size });
}

/** One port and its size. */
export function readPort(version: number, bytes: Uint8Array, at: number): Decoded<{ port: OfPort; size: number }> {
  if (version >= 5) return readPort14(bytes, at, true);
  const size = version === 1 ? 48 : 64;
  if (bytes.length - at < size) return ofFail('OFPBRC_BAD_LEN');
  if (version === 1) return ok({ port: readPort10(bytes, at), size });
  const head = readPortHead(bytes, at);
  return head.ok ? ok({ port: { ...head.value, ...readSpeeds(bytes, at + 40) }, size }) : head;
}

/** Ports up to the end. */
export function readPorts(version: number, bytes: Uint8Array): Decoded<OfPort[]> {
  const ports: OfPort[] = [];
  for (let at = 0; at < bytes.length; ) {
    const one = readPort(version, bytes, at);
    if (!one.ok) return one;
    ports.push(one.value.port);
    at += one.value.size;
  }
  return ok(ports);
}

const writeSpeeds = (out: Writer, port: OfPort): Writer =>
  out.u32(port.current).u32(port.advertised).u32(port.supported).u32(port.peer).u32(port.speed).u32(port.speedMax);

export function writePort(out: Writer, version: number, port: OfPort): void {
  if (version === 1) {
    out.u16(port.port).bytes(port.mac).text(port.name, 16);
    out.u32(port.config & CONFIG_10).u32(port.state & STATE_10);
    for (const bits of [port.current, port.advertised, port.supported, port.peer]) out.u32(featuresTo10(bits));
    return;
  }
  const start = out.size;
  out.u32(portTo32(port.port)).zeros(4).bytes(port.mac).zeros(2).text(port.name, 16);
  out.u32(port.config & CONFIG_11).u32(port.state & STATE_11);
  if (version < 5) {
    writeSpeeds(out, port);
    return;
  }
  writeProperty(out, ETHERNET, (property) => writeSpeeds(property.zeros(4), port));
  out.putU16(start + 4, out.size - start);
}

export const encodePorts = (version: number, ports: readonly OfPort[]): Uint8Array => {
  const out = new Writer();
  for (const port of ports) writePort(out, version, port);
  return out.done();
};
