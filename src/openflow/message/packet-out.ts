/** A packet for the switch to send. */
import { KEY, PipelineKey } from '../../flow/key.ts';
import { ok } from '../../lib/result.ts';
import { decodeActions, encodeActions, formatActions, type OfAction } from '../action/index.ts';
import { ofFail } from '../error.ts';
import { decodeMatch, encodeMatch, type OfMatch } from '../match.ts';
import type { OfVersion } from '../version.ts';
import { u16At, u32At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, type Encoded, type Family, OFPP_ANY, portFrom32, portTo32 } from './codec.ts';
import { specIn } from './header.ts';
import { matchText, packetText } from './match-text.ts';

export const NO_BUFFER = 0xffffffff;

export interface PacketOutMessage {
  readonly kind: 'packet_out';
  /** NO_BUFFER: the packet is in `data`. */
  readonly buffer: number;
  /** in_port, and from OpenFlow 1.5 on other pipeline fields. */
  readonly metadata: OfMatch;
  readonly actions: readonly OfAction[];
  readonly data: Uint8Array;
}

/** A match on in_port alone. */
export function inPortMatch(port: number): OfMatch {
  const key = new PipelineKey();
  const mask = new PipelineKey();
  key.set(KEY.in_port, port);
  mask.setAllOnes(KEY.in_port);
  return { key, mask, tunMetadata: [] };
}

export const inPortOfMatch = ({ key, mask }: OfMatch): number =>
  mask.isZero(KEY.in_port) ? OFPP_ANY : key.get(KEY.in_port) & 0xffff;

/** Ports a packet can come from: real ones, LOCAL, CONTROLLER, and none. */
const isSource = (port: number): boolean => port < 0xff00 || port >= 0xfffd || port === 0xfff8;

function finish(input: DecodeInput, metadata: OfMatch, size: number, at: number): Decoded<PacketOutMessage> {
  const { body, version } = input;
  if (!isSource(inPortOfMatch(metadata))) return ofFail('OFPBRC_BAD_PORT');
  if (at + size > body.length) return ofFail('OFPBRC_BAD_LEN');
  const actions = decodeActions(version as OfVersion, body.subarray(at, at + size));
  if (!actions.ok) return actions;
  const buffer = u32At(body, 0);
  const data = buffer === NO_BUFFER ? body.slice(at + size) : new Uint8Array(0);
  return ok({ kind: 'packet_out', buffer, metadata, actions: actions.value, data });
}

function decode11(input: DecodeInput): Decoded<PacketOutMessage> {
  const port = portFrom32(u32At(input.body, 4));
  if (port === null) return ofFail('OFPBAC_BAD_OUT_PORT');
  return finish(input, inPortMatch(port), u16At(input.body, 8), 16);
}

function decode15(input: DecodeInput): Decoded<PacketOutMessage> {
  const match = decodeMatch(6, input.body.subarray(8));
  if (!match.ok) return match;
  if (match.value.match.mask.isZero(KEY.in_port)) return ofFail('OFPBRC_BAD_PORT');
  return finish(input, match.value.match, u16At(input.body, 4), 8 + match.value.size);
}

function encode(message: PacketOutMessage, version: OfVersion): Encoded {
  const actions = encodeActions(version, message.actions);
  const out = new Writer().u32(message.buffer);
  const port = inPortOfMatch(message.metadata);
  if (version === 1) out.u16(port).u16(actions.length);
  else if (version < 6) out.u32(portTo32(port)).u16(actions.length).zeros(6);
  else out.u16(actions.length).zeros(2).bytes(encodeMatch(version, message.metadata));
  const spec = specIn(version, 'OFPT10_PACKET_OUT', 'OFPT11_PACKET_OUT', 'OFPT15_PACKET_OUT')!;
  return { spec, body: out.bytes(actions).bytes(message.data).done() };
}

export const packetOutFamily: Family<PacketOutMessage> = {
  decode: {
    OFPT10_PACKET_OUT: (input) => finish(input, inPortMatch(u16At(input.body, 4)), u16At(input.body, 6), 8),
    OFPT11_PACKET_OUT: decode11,
    OFPT15_PACKET_OUT: decode15,
  },
  encode: { packet_out: encode },
  format: {
    packet_out: (m, { verbosity }) => {
      const head = ` ${matchText(m.metadata)} actions=${formatActions(m.actions)}`;
      if (m.buffer !== NO_BUFFER) return `${head} buffer=0x${m.buffer.toString(16).padStart(8, '0')}\n`;
      return `${head} data_len=${m.data.length}\n${packetText(m.data, verbosity)}`;
    },
  },
};
