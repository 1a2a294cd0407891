/**
 * OpenFlow flow text: matches as `ovs-ofctl` reads and prints them, packets as `ofproto/trace` takes them, and the lines
 * that a trace prints.
 *
 * Terms
 *   field      `name=value/mask`; text/fields.ts has a row for each, in the order in which they are written
 *   protocol   a word such as `tcp` for an Ethertype and an IP protocol (text/protocols.ts)
 *   in_port    here an OpenFlow port: it is handed back beside the match, and never put into the flow key, whose in_port is
 *              a datapath port
 *
 * Invariants
 *   A field whose protocol the text does not name is refused, wherever in the text it stands.
 *   Malformed text is an error value that names the field; nothing here throws.
 *
 *   Registers, metadata and the like lie in a PipelineKey: parseOfFlowText reads them, parseFlowText knows the packet only.
 *
 * Not supported
 *   dl_vlan=0xffff speaks of the tag and its VID, ovs-ofctl's of the priority as well: the packets are the same.
 *   What is no part of a match (priority, table, cookie, actions): the caller takes it with `other`.
 */
import { VLAN_CFI } from '../gen/key.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import { tunnelFlags } from '../spec/key.ts';
import { FlowKey, KEY, type KeyField, keyFieldList, type Match, maskedMatch, PipelineKey } from './key.ts';
import { type Layers, layersOf } from './odp/match/prerequisites.ts';
import type { Masked } from './odp/row.ts';
import { slot } from './odp/slot.ts';
import { addMasked, type TextField } from './text/field.ts';
import {
  addressFields,
  ethernetFields,
  ethTypeField,
  fieldsAfter,
  fieldsBefore,
  nwProtoField,
  tunnelFields,
} from './text/fields.ts';
import {
  actsetOutputField,
  conjIdField,
  formatTunMetadata,
  metadataField,
  parseTunMetadata,
  registerFields,
  type TunMetadata,
  tunnelExtraFields,
} from './text/pipeline.ts';
import { formatOfPort, parseOfPort } from './text/ports.ts';
import { protocolOf, protocols } from './text/protocols.ts';

export type { TunMetadata } from './text/pipeline.ts';
export { formatOfPort, parseOfPort } from './text/ports.ts';

export interface FlowTextOptions {
  /** Finds an OpenFlow port by its name. */
  readonly portByName?: (name: string) => number | null;
  /** Takes words that are no match field; true when it knows the word. */
  readonly other?: (name: string, value: string | null) => boolean;
}

export interface FlowText {
  readonly match: Match;
  /** OpenFlow port; null when the text names none. */
  readonly inPort: number | null;
}

/** A match with what only OpenFlow tables know. */
export interface OfFlowText extends FlowText {
  readonly match: { readonly key: PipelineKey; readonly mask: PipelineKey };
  readonly tunMetadata: readonly TunMetadata[];
}

export interface FlowKeyText {
  readonly key: FlowKey;
  /** OpenFlow port; null when the text names none. */
  readonly inPort: number | null;
}

const pipelineFields: readonly TextField[] = [...registerFields, ...tunnelExtraFields, metadataField];

const allFields: readonly TextField[] = [
  ...pipelineFields,
  ...fieldsBefore,
  ...tunnelFields,
  ...ethernetFields,
  ethTypeField,
  ...addressFields,
  nwProtoField,
  ...fieldsAfter,
];

interface Word {
  readonly name: string;
  readonly value: string | null;
}

/** Words between commas and white space; commas within brackets belong to the value. */
const splitWords = (text: string): Word[] =>
  Array.from(text.matchAll(/[^,\s=]*(=(\([^()]*\)|[^,\s])*)?/g), ([word]) => word)
    .filter((word) => word !== '')
    .map((word) => {
      const at = word.indexOf('=');
      return at < 0 ? { name: word, value: null } : { name: word.slice(0, at), value: word.slice(at + 1) };
    });

function parsePacketType(text: string, into: Masked): boolean {
  const found = /^\((0x[0-9a-fA-F]+|[0-9]+),(0x[0-9a-fA-F]+|[0-9]+)\)$/.exec(text);
  const [ns, id] = [Number(found?.[1]), Number(found?.[2])];
  if (!(ns <= 0xffff && id <= 0xffff)) return false;
  addMasked(into, slot('packet_type'), BigInt(ns * 0x10000 + id), 0xffffffffn);
  if (ns === 1) addMasked(into, slot('eth_type'), BigInt(id), 0xffffn);
  return true;
}

/** A word without a value: a protocol, or `eth`. */
function parseProtocol(name: string, into: Masked): boolean {
  if (name === 'eth') return parsePacketType('(0,0)', into);
  const protocol = protocols.find((p) => p.name === name);
  if (!protocol) return false;
  addMasked(into, slot('eth_type'), BigInt(protocol.ethType), 0xffffn);
  if (protocol.nwProto !== null) addMasked(into, slot('nw_proto'), BigInt(protocol.nwProto), 0xffn);
  return true;
}

interface Draft extends Masked {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
  inPort: number | null;
  readonly tunMetadata: TunMetadata[];
}

/** Fields that wait until it is known which protocol they belong to. */
interface Pending {
  readonly name: string;
  readonly value: string;
}

/** Null, or what is wrong. */
function takeWord({ name, value }: Word, draft: Draft, pending: Pending[], options: FlowTextOptions): string | null {
  const metadata = parseTunMetadata(name, value);
  if (metadata) {
    draft.tunMetadata.push(metadata);
    return null;
  }
  if (value === null) {
    return parseProtocol(name, draft) || options.other?.(name, null) ? null : `unknown field "${name}"`;
  }
  if (name === 'in_port') {
    draft.inPort = parseOfPort(value, options.portByName);
    return draft.inPort === null ? `unknown port "${value}"` : null;
  }
  if (name === 'packet_type') return parsePacketType(value, draft) ? null : `bad value for packet_type (${value})`;
  const fields = allFields.filter((field) => field.names.includes(name));
  if (fields.length === 0) return options.other?.(name, value) ? null : `unknown field "${name}"`;
  if (fields.length > 1 || fields[0]!.needs) {
    pending.push({ name, value });
    return null;
  }
  return fields[0]!.parse(value, draft) ? null : `bad value for ${name} (${value})`;
}

/** Takes each field that waits as soon as what it needs is known. Null, or what is wrong. */
function settle(draft: Draft, pending: readonly Pending[]): string | null {
  let waiting = pending;
  while (waiting.length > 0) {
    const layers = layersOf(draft.key, draft.mask);
    const still: Pending[] = [];
    for (const { name, value } of waiting) {
      const field = allFields.find((f) => f.names.includes(name) && !f.needs?.(layers));
      if (!field) still.push({ name, value });
      else if (!field.parse(value, draft)) return `bad value for ${name} (${value})`;
    }
    if (still.length === waiting.length) {
      const { name } = still[0]!;
      const field = allFields.find((f) => f.names.includes(name))!;
      return `prerequisites not met for ${name}: ${field.needs?.(layers)} must be given`;
    }
    waiting = still;
  }
  return null;
}

function parseDraft(text: string, options: FlowTextOptions): Result<Draft> {
  const draft: Draft = { key: new PipelineKey(), mask: new PipelineKey(), inPort: null, tunMetadata: [] };
  const pending: Pending[] = [];
  for (const word of splitWords(text)) {
    const wrong = takeWord(word, draft, pending, options);
    if (wrong) return fail(wrong);
  }
  const wrong = settle(draft, pending);
  return wrong ? fail(wrong) : ok(draft);
}

/** A match of an OpenFlow table: `reg0=5,tcp,nw_src=10.0.0.0/8,tp_dst=80`. */
export function parseOfFlowText(text: string, options: FlowTextOptions = {}): Result<OfFlowText> {
  const draft = parseDraft(text, options);
  if (!draft.ok) return draft;
  const { key, mask, inPort, tunMetadata } = draft.value;
  for (let i = 0; i < key.bytes.length; i++) key.bytes[i]! &= mask.bytes[i]!;
  return ok({ match: { key, mask }, inPort, tunMetadata });
}

/** A match of a packet's fields: `in_port=1,tcp,nw_src=10.0.0.0/8,tp_dst=80`. */
export function parseFlowText(text: string, options: FlowTextOptions = {}): Result<FlowText> {
  const read = parseOfFlowText(text, options);
  if (!read.ok) return read;
  const { match, inPort, tunMetadata } = read.value;
  const onlyInTables = [conjIdField, actsetOutputField, ...pipelineFields];
  const field = onlyInTables.find(({ format }) => format(match) !== null)?.names[0];
  if (field !== undefined || tunMetadata.length > 0) return fail(`unknown field "${field ?? 'tun_metadata'}"`);
  return ok({ match: maskedMatch(match.key.packet, match.mask.packet), inPort });
}

const tagFields = [
  [KEY.vlan_tci, KEY.vlan_tpid],
  [KEY.vlan2_tci, KEY.vlan2_tpid],
] as const;

/** The same text as one packet: no masks; what is left out is zero. A tag is an 802.1Q one. */
export function parseFlowKeyText(text: string, options: FlowTextOptions = {}): Result<FlowKeyText> {
  const masked = splitWords(text).find(({ value }) => value !== null && /[/]|^[+-]/.test(value));
  if (masked) return fail(`bad value for ${masked.name} (${masked.value}: wildcards not allowed here)`);
  const draft = parseDraft(text, options);
  if (!draft.ok) return draft;
  const { inPort } = draft.value;
  const key = draft.value.key.packet;
  for (const [tci, tpid] of tagFields) if ((key.get(tci) & VLAN_CFI) !== 0) key.set(tpid, 0x8100);
  return ok({ key, inPort });
}

const formatAll = (fields: readonly TextField[], from: Match, layers: Layers): string[] =>
  fields
    .filter((field) => !field.needs?.(layers))
    .map((field) => field.format(from))
    .filter((text) => text !== null);

interface Style {
  /** The text of in_port, or null to leave it out. */
  readonly inPort: string | null;
  readonly showsPacketType: boolean;
  readonly tunMetadata?: readonly TunMetadata[];
}

function formatPacketType(match: Match): string[] {
  if (match.mask.isZero(KEY.packet_type)) return [];
  const type = match.key.get(KEY.packet_type);
  return [type === 0 ? 'eth' : `packet_type=(${type >>> 16},0x${(type & 0xffff).toString(16)})`];
}

function formatStyled(match: Match, style: Style): string {
  const headers = layersOf(match.key, match.mask);
  const protocol = protocolOf(headers);
  const packetType = match.mask.isZero(KEY.packet_type) ? 0 : match.key.get(KEY.packet_type);
  const layers =
    headers.ethType === null && packetType >>> 16 === 1 ? { ...headers, ethType: packetType & 0xffff } : headers;
  const showsNwProto = protocol === null || protocol.nwProto === null;
  return [
    ...formatAll(fieldsBefore, match, layers),
    ...(style.showsPacketType ? formatPacketType(match) : []),
    ...(protocol ? [protocol.name] : []),
    ...formatAll(registerFields, match, layers),
    ...formatAll(tunnelFields.slice(0, -1), match, layers),
    ...formatAll(tunnelExtraFields, match, layers),
    ...formatAll(tunnelFields.slice(-1), match, layers),
    ...(style.tunMetadata ?? []).map(formatTunMetadata),
    ...formatAll([metadataField], match, layers),
    ...(style.inPort === null ? [] : [`in_port=${style.inPort}`]),
    ...formatAll(ethernetFields, match, layers),
    ...(protocol ? [] : formatAll([ethTypeField], match, layers)),
    ...formatAll(addressFields, match, layers),
    ...(showsNwProto ? formatAll([nwProtoField], match, layers) : []),
    ...formatAll(fieldsAfter, match, layers),
  ].join(',');
}

/** A match as ovs-ofctl prints it. @param inPort the text of its OpenFlow port; null when it names none */
export const formatFlowText = (match: Match, inPort: string | null = null): string =>
  formatStyled(match, { inPort, showsPacketType: match.key.get(KEY.packet_type) !== 0 });

/** A match of an OpenFlow table as ovs-ofctl prints it. */
export const formatOfFlowText = ({ match, inPort, tunMetadata }: OfFlowText): string =>
  formatStyled(match, {
    inPort: inPort === null ? null : formatOfPort(inPort),
    showsPacketType: match.key.get(KEY.packet_type) !== 0,
    tunMetadata,
  });

/** ICMP's type and code are eight bits in sixteen, which a megaflow's text shows as a mask. */
const showIcmpMasks = (text: string): string =>
  text.replace(/\bicmp_(type|code)=([0-9]+)(?=,|$)/g, (_, name: string, value: string) => {
    return `icmp_${name}=0x${Number(value).toString(16)}/0xff`;
  });

/**
 * The `Megaflow:` line of a trace, without its label. A tag that is known not to be there is not shown.
 * @param ofPortName the OpenFlow port, as text, of a datapath port
 */
export function formatMegaflow(match: Match, ofPortName: (port: number) => string): string {
  const shown: Match = { key: match.key, mask: match.mask.clone() };
  for (const [tci] of tagFields) if ((match.key.get(tci) & VLAN_CFI) === 0) shown.mask.set(tci, 0);
  const inPort = match.mask.isZero(KEY.in_port) ? null : ofPortName(match.key.get(KEY.in_port));
  return showIcmpMasks(formatStyled(shown, { inPort, showsPacketType: true }));
}

/** Of a packet's metadata only what is not zero is shown. */
const shownWhenSet = [
  KEY.pkt_mark,
  KEY.recirc_id,
  KEY.dp_hash,
  KEY.skb_priority,
  KEY.ct_state,
  KEY.ct_zone,
  KEY.ct_mark,
  KEY.ct_label,
];
const tunnelKeyFields = keyFieldList.filter(({ name }) => name.startsWith('tun_'));
const tupleFields = keyFieldList.filter(({ name }) => /^ct_(nw|ipv6|tp)_/.test(name));
const neverShown = [KEY.nd_reserved, KEY.nd_options_type];

/** Every bit of the packet that the `Flow:` line of a trace shows. */
function shownMask(key: FlowKey): FlowKey {
  const mask = new FlowKey();
  mask.bytes.fill(0xff);
  const hide = (fields: readonly KeyField[]): void => {
    for (const field of fields) mask.at(field).fill(0);
  };
  hide(shownWhenSet.filter((field) => key.isZero(field)));
  hide(neverShown);
  const isV6 = key.get(KEY.eth_type) === 0x86dd;
  if (key.isZero(KEY.ct_nw_proto)) hide(tupleFields);
  hide(isV6 ? [KEY.ct_nw_src, KEY.ct_nw_dst] : [KEY.ct_ipv6_src, KEY.ct_ipv6_dst]);
  if (key.isZero(KEY.tun_dst) && key.isZero(KEY.tun_ipv6_dst)) hide(tunnelKeyFields);
  if ((key.get(KEY.tun_flags) & tunnelFlags.KEY) === 0) hide([KEY.tun_id]);
  if ((key.get(KEY.vlan_tci) & VLAN_CFI) === 0) hide([KEY.vlan2_tci]);
  if (key.isZero(KEY.recirc_id)) hide(key.isZero(KEY.packet_type) ? [KEY.packet_type] : []);
  if (!key.isZero(KEY.packet_type)) hide([KEY.eth_src, KEY.eth_dst, KEY.vlan_tci, KEY.vlan2_tci]);
  return mask;
}

/** A packet's connection state is written as the names of what is set. */
const nameConnectionState = (text: string): string =>
  text.replace(/\bct_state=([+\-a-z]+)/, (_, signed: string) => {
    return `ct_state=${Array.from(signed.matchAll(/\+([a-z]+)/g), ([, name]) => name).join('|')}`;
  });

/**
 * The `Flow:` line of a trace, without its label: one packet, all its fields.
 * @param inPort its OpenFlow port as text
 */
export function formatFlowKey(key: FlowKey, inPort: string): string {
  const text = formatStyled({ key, mask: shownMask(key) }, { inPort, showsPacketType: true });
  return nameConnectionState(text);
}
