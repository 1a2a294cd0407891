/** The connection itself (probe, ping, benchmark), packets out, TLV maps, IPFIX, the connection tracker. */
import { parseIpv4, parseIpv6 } from '../../lib/addresses.ts';
import { type CtFlushMessage, type CtTuple, emptyTuple } from '../../openflow/message/ct-flush.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import { formatBytes } from '../../openflow/message/format.ts';
import type { TlvMapping } from '../../openflow/message/nicira.ts';
import { Fatal } from '../common/io.ts';
import { compareBytes } from './bytes.ts';
import type { Context } from './context.ts';
import { parseUint, splitWords } from './key-value.ts';
import { fetchNames } from './names.ts';
import { packetOut as makePacketOut, parsePacket, parsePacketOut } from './packet-out-text.ts';
import { dumpFrom, openForFlowMods, using } from './session.ts';

const OFPT_ECHO_REPLY = 3;
const HEADER = 8;

export async function probe(context: Context, [name]: readonly string[]): Promise<void> {
  await using(context, name!, async (session) => {
    const reply = await session.transact({ kind: 'echo_request', data: new Uint8Array(0) });
    if (reply.length !== HEADER) throw new Fatal('reply does not match request');
  });
}

const PINGS = 10;
const PAYLOAD_MAX = 0xffff - HEADER;
const DEFAULT_PAYLOAD = 64;

export async function ping(context: Context, [name, sizeText]: readonly string[]): Promise<void> {
  const size = sizeText === undefined ? DEFAULT_PAYLOAD : Number.parseInt(sizeText, 10) || 0;
  if (size > PAYLOAD_MAX) throw new Fatal(`payload must be between 0 and ${PAYLOAD_MAX} bytes`);
  const data = Uint8Array.from({ length: size }, (_, i) => i & 0xff);
  await using(context, name!, async (session) => {
    for (let i = 0; i < PINGS; i++) {
      const start = context.io.now();
      const xid = session.send({ kind: 'echo_request', data });
      const reply = await session.answerTo(xid);
      const elapsed = context.io.now() - start;
      if (reply[1] !== OFPT_ECHO_REPLY || !compareBytes(reply.subarray(HEADER), data)) {
        context.io.out(`Reply does not match request:\n${formatBytes(reply, context.options.verbosity + 2)}`);
      }
      const time = elapsed.toFixed(1);
      context.io.out(
        `${reply.length - HEADER} bytes from ${name}: xid=${xid.toString(16).padStart(8, '0')} time=${time} ms\n`,
      );
    }
  });
}

export async function benchmark(context: Context, [name, sizeText, countText]: readonly string[]): Promise<void> {
  const size = Number.parseInt(sizeText!, 10) || 0;
  const count = Number.parseInt(countText!, 10) || 0;
  if (size > PAYLOAD_MAX) throw new Fatal(`payload must be between 0 and ${PAYLOAD_MAX} bytes`);
  const whole = size + HEADER;
  context.io.out(`Sending ${count} packets * ${whole} bytes (with header) = ${count * whole} bytes total\n`);
  const data = new Uint8Array(size);
  await using(context, name!, async (session) => {
    const start = context.io.now();
    for (let i = 0; i < count; i++) await session.transact({ kind: 'echo_request', data });
    const ms = Math.max(context.io.now() - start, 0.001);
    const rate = ((count * 1000) / ms).toFixed(0);
    context.io.out(
      `Finished in ${ms.toFixed(1)} ms (${rate} packets/s) (${(((count * 1000) / ms) * whole).toFixed(0)} bytes/s)\n`,
    );
  });
}

async function sendPackets(
  context: Context,
  name: string,
  messages: readonly OfMessage[],
  usable: number,
): Promise<void> {
  const session = await openForFlowMods(context, name, usable);
  try {
    await session.transactAll(messages);
  } finally {
    session.close();
  }
}

/** `SWITCH PACKET-OUT`, or as it was: `SWITCH IN_PORT ACTIONS PACKET…` */
export async function packetOut(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  const names = await fetchNames(context, name!, 'tables');
  if (words.length === 1) {
    const read = parsePacketOut(words[0]!, names);
    if (!read.ok) throw new Fatal(read.error);
    await sendPackets(context, name!, [read.value.value], read.value.protocols);
    return;
  }
  if (words.length === 2) throw new Fatal('Too many arguments');
  const [port, actions, ...packets] = words;
  const messages = packets.map((text) => {
    const packet = parsePacket(text);
    if (!packet.ok) throw new Fatal(packet.error);
    const message = makePacketOut(port!, actions!, packet.value, names);
    if (!message.ok) throw new Fatal(message.error);
    return message.value;
  });
  await sendPackets(context, name!, messages, 0x1ff);
}

// TLV maps

function parseMapping(text: string): TlvMapping {
  const numbers: Record<string, number> = {};
  const [head, field] = text.split('->') as [string, string | undefined];
  for (const { key, value } of splitWords(head.replace(/[{}]/g, ' '))) {
    if (value === '') throw new Fatal(`${key}: missing value`);
    const number = parseUint(value, key === 'class' ? 16 : 8);
    if (key !== 'class' && key !== 'type' && key !== 'len') throw new Fatal(`unknown keyword ${key}`);
    if (number === null) throw new Fatal(`invalid ${key === 'class' ? 'class' : key} "${value}"`);
    numbers[key] = number;
  }
  const index = /^tun_metadata(\d+)$/.exec((field ?? '').trim())?.[1];
  if (field === undefined) throw new Fatal(`${text}: missing \`->' in parse tlv mapping`);
  if (index === undefined) throw new Fatal(`${text}: not a tunnel metadata field`);
  return {
    optionClass: numbers.class ?? 0,
    optionType: numbers.type ?? 0,
    optionSize: numbers.len ?? 0,
    index: Number(index),
  };
}

const parseMappings = (text: string): TlvMapping[] =>
  (text.match(/\{[^}]*\}\s*->\s*[A-Za-z0-9_]+/g) ?? [text]).map(parseMapping);

const transactOne = (context: Context, name: string, message: OfMessage): Promise<void> =>
  using(context, name, (session) => session.transactAll([message]));

export const addTlvMap = (context: Context, [name, text]: readonly string[]): Promise<void> =>
  transactOne(context, name!, { kind: 'tlv_table_mod', command: 'add', mappings: parseMappings(text!) });

export const delTlvMap = (context: Context, [name, text]: readonly string[]): Promise<void> =>
  transactOne(
    context,
    name!,
    text === undefined
      ? { kind: 'tlv_table_mod', command: 'clear', mappings: [] }
      : { kind: 'tlv_table_mod', command: 'delete', mappings: parseMappings(text) },
  );

export const dumpTlvMap = (context: Context, [name]: readonly string[]): Promise<void> =>
  dumpFrom(context, name!, { kind: 'tlv_table_request' });
export const dumpIpfixBridge = (context: Context, [name]: readonly string[]): Promise<void> =>
  dumpFrom(context, name!, { kind: 'ipfix_bridge_request' });
export const dumpIpfixFlow = (context: Context, [name]: readonly string[]): Promise<void> =>
  dumpFrom(context, name!, { kind: 'ipfix_flow_request' });

// The connection tracker

export async function ctFlushZone(context: Context, [name, zone]: readonly string[]): Promise<void> {
  const value = parseUint(zone!, 16);
  if (value === null) throw new Fatal(`invalid zone_id "${zone}"`);
  await transactOne(context, name!, { kind: 'ct_flush_zone', value });
}

const mapped = (address: Uint8Array): Uint8Array => {
  const out = new Uint8Array(16);
  out.set([0xff, 0xff], 10);
  out.set(address, 12);
  return out;
};

interface TupleDraft {
  protocol: number;
  isIpv4: boolean | null;
}

const tupleFailure = (text: string): Fatal => new Fatal(`Failed to parse ct-tuple: ${text}`);

function addressOf(draft: TupleDraft, key: string, value: string): Uint8Array {
  const isIpv4 = key.startsWith('ct_nw_');
  if (draft.isIpv4 !== null && draft.isIpv4 !== isIpv4) throw tupleFailure(`the L3 protocol does not match ${value}`);
  draft.isIpv4 = isIpv4;
  const bytes = isIpv4 ? parseIpv4(value) : parseIpv6(value);
  if (!bytes) throw tupleFailure(`failed to parse field ${key}`);
  return isIpv4 ? mapped(bytes) : bytes;
}

const addressKeys: Readonly<Record<string, 'source' | 'destination'>> = {
  ct_nw_src: 'source',
  ct_nw_dst: 'destination',
  ct_ipv6_src: 'source',
  ct_ipv6_dst: 'destination',
};
const numberKeys: Readonly<Record<string, readonly [keyof CtTuple, number]>> = {
  ct_tp_src: ['sourcePort', 16],
  ct_tp_dst: ['destinationPort', 16],
  icmp_type: ['icmpType', 8],
  icmp_code: ['icmpCode', 8],
  icmp_id: ['icmpId', 16],
};
const isIcmp = (protocol: number): boolean => protocol === 1 || protocol === 58;

function parseTuple(text: string, draft: TupleDraft): CtTuple {
  let tuple: CtTuple = emptyTuple;
  const seen = new Set<string>();
  for (const { key, value } of splitWords(text)) {
    if (value === '') throw tupleFailure(`field ${key} missing value`);
    const address = addressKeys[key];
    const number = numberKeys[key];
    if (address) {
      const bytes = addressOf(draft, key, value);
      if (seen.has(key)) throw tupleFailure(`${key} is set multiple times`);
      seen.add(key);
      tuple = { ...tuple, [address]: bytes };
    } else if (key === 'ct_nw_proto') {
      const protocol = parseUint(value, 8);
      if (protocol === null) throw tupleFailure(`failed to parse field ${key}`);
      draft.protocol = protocol;
    } else if (number) {
      if (key.startsWith('icmp') && !isIcmp(draft.protocol)) throw tupleFailure('invalid L4 fields');
      const parsed = parseUint(value, number[1]);
      if (parsed === null) throw tupleFailure(`failed to parse field ${key}`);
      tuple = { ...tuple, [number[0]]: parsed };
    } else throw tupleFailure(`invalid conntrack tuple field: ${key}`);
  }
  if (draft.protocol === 0 && (tuple.sourcePort !== 0 || tuple.destinationPort !== 0)) {
    throw tupleFailure('port is set without protocol');
  }
  return tuple;
}

export async function ctFlush(context: Context, [name, ...words]: readonly string[]): Promise<void> {
  let zone: number | null = null;
  const tuples = [...words];
  const named = /^zone=(.*)$/.exec(tuples[0] ?? '');
  if (named) {
    zone = parseUint(named[1]!, 16);
    if (zone === null) throw new Fatal('Failed to parse zone');
    tuples.shift();
  }
  if (tuples.length > 2) throw new Fatal('Invalid arguments');
  const draft: TupleDraft = { protocol: 0, isIpv4: null };
  const [original, reply] = [tuples[0] ?? '', tuples[1] ?? ''].map((text) => parseTuple(text, draft));
  const message: CtFlushMessage = {
    kind: 'ct_flush',
    zone,
    protocol: draft.protocol,
    original: original!,
    reply: reply!,
  };
  await transactOne(context, name!, message);
}
