/** Packets that controllers send, and paused ones that they give back. */
import { extractKey } from '../../flow/extract.ts';
import { KEY, PipelineKey } from '../../flow/key.ts';
import { KEY_SIZE } from '../../gen/layout.ts';
import type { PacketInMessage } from '../../openflow/message/packet-in.ts';
import { inPortOfMatch, NO_BUFFER, type PacketOutMessage } from '../../openflow/message/packet-out.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { Call, OutPacket, Refusal } from './call.ts';
import { checkActions } from './check-actions.ts';
import { checkReferences } from './flows.ts';

/** A key in which every bit counts. */
const everyBit = new PipelineKey();
everyBit.bytes.fill(0xff);

/** A packet-out may name fields that are not mapped, as the reference lets it. */
const anyTlv = { has: () => true };

/** What is known of the packet: its headers, and the pipeline fields that it brings along. */
function keyOf({ frame, inPort, pipeline }: OutPacket): PipelineKey {
  const key = PipelineKey.of(extractKey(frame).key).set(KEY.in_port, inPort);
  key.bytes.set(pipeline.bytes.subarray(KEY_SIZE), KEY_SIZE);
  return key as PipelineKey;
}

/** A packet-out without its version, or what is wrong with it. */
export function preparePacketOut(
  { bridge, peer }: Pick<Call, 'bridge' | 'peer'>,
  { buffer, metadata, actions, data }: PacketOutMessage,
): { readonly packet: OutPacket } | { readonly error: OfErrorName } {
  if (buffer !== NO_BUFFER) return { error: 'OFPBRC_BUFFER_UNKNOWN' };
  const inPort = inPortOfMatch(metadata);
  const packet: OutPacket = { bridge: bridge.name, frame: data, inPort, pipeline: metadata.key, actions };
  const wrong = checkActions(peer.version, actions, { key: keyOf(packet), mask: everyBit }, 0, anyTlv);
  return wrong ? { error: wrong } : { packet };
}

export function packetOut(call: Call, message: PacketOutMessage): Refusal {
  const prepared = preparePacketOut(call, message);
  if ('error' in prepared) return prepared.error;
  const wrong = checkReferences(call.bridge, message.actions);
  return wrong ?? call.host.packetOut(prepared.packet, call.now);
}

export const resume = ({ peer, host, now }: Call, message: PacketInMessage): Refusal =>
  host.resume(message, peer.version, now);
