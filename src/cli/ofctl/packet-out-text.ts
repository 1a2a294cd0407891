/** Packets that a switch is to send (ovs-ofctl(8), Packet-Out Syntax). */
import { fromHex } from '../../lib/bytes.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import { parseActions } from '../../openflow/action/index.ts';
import { parseMatch } from '../../openflow/match-text.ts';
import type { PacketOutMessage } from '../../openflow/message/packet-out.ts';
import { type Names, parsePort, type Usable } from './flow-text.ts';
import { splitWords } from './key-value.ts';
import { P } from './protocols.ts';

const ETHERNET_SIZE = 14;
const NO_BUFFER = 0xffffffff;

/** The bytes of a packet in hexadecimal, or what is wrong with them. */
export function parsePacket(text: string): Result<Uint8Array> {
  const bytes = fromHex(text.replace(/[\s.]/g, ''));
  if (!bytes) return fail('Trailing garbage in packet data');
  return bytes.length < ETHERNET_SIZE ? fail('Packet data too short for Ethernet') : ok(bytes);
}

export function packetOut(port: string, actions: string, data: Uint8Array, names: Names): Result<PacketOutMessage> {
  const inPort = parsePort(port, names);
  if (inPort === null) return fail(`${port}: unknown port`);
  const metadata = parseMatch(`in_port=${inPort}`);
  const list = parseActions(actions, names);
  if (!list.ok) return list;
  if (!metadata.ok) return metadata;
  return ok({ kind: 'packet_out', buffer: NO_BUFFER, metadata: metadata.value, actions: list.value, data });
}

/** `in_port=1,packet=…,actions=…` */
export function parsePacketOut(text: string, names: Names): Result<Usable<PacketOutMessage>> {
  const at = text.indexOf('action');
  const head = at < 0 ? text : text.slice(0, at);
  const actions = at < 0 ? '' : text.slice(text.indexOf('=', at) + 1);
  const fields: string[] = [];
  let data: Uint8Array | null = null;
  for (const { key, value } of splitWords(head)) {
    if (key === 'packet') {
      const packet = parsePacket(value);
      if (!packet.ok) return fail(`packet: ${packet.error}`);
      data = packet.value;
    } else if (key === 'in_port') {
      const port = parsePort(value, names);
      if (port === null) return fail(`${value} is not a valid OpenFlow port`);
      fields.push(`in_port=${port}`);
    } else fields.push(value === '' ? key : `${key}=${value}`);
  }
  if (!data) return fail('must specify packet');
  const metadata = parseMatch(fields.join(','));
  if (!metadata.ok) return metadata;
  const list = parseActions(actions, names);
  if (!list.ok) return list;
  const value: PacketOutMessage = {
    kind: 'packet_out',
    buffer: NO_BUFFER,
    metadata: metadata.value,
    actions: list.value,
    data,
  };
  const isPlain = fields.every((field) => field.startsWith('in_port'));
  return ok({ value, protocols: isPlain ? P.ANY : 256 });
}
