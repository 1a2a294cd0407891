/**
 * The datapath's text form, read: flows, matches, actions as `ovs-appctl dpctl/add-flow` takes them and
 * `dpctl/dump-flows` prints them (format.ts writes the same form).
 *
 * Terms
 *   attribute    one `name(...)` of a flow: `eth(src=...,dst=...)`; match/ has a table of them
 *   row          one `name=value/mask` of an attribute, and the bits of the flow key it speaks of (row.ts)
 *   notation     how a value is written: decimal, hexadecimal, address (number.ts)
 *   draft        a match while it is read
 *
 * Invariants
 *   A field that the text leaves out does not count, but: recirc_id is then 0, and a flow without vlan() is a flow without
 *   that tag. An attribute whose prerequisites the flow lacks (`tcp()` without proto=6) is refused.
 *   Malformed text is an error value with the place where it goes wrong; nothing here throws.
 *   What format.ts writes, this reads back as the same match or the same actions; see below for what the form cannot say.
 *
 * Not supported
 *   The form itself loses: tunnel fields that are zero under a mask, data of Geneve options under an empty mask, and
 *   whether a VLAN tag may be there. ERSPAN and GTP-U tunnel metadata. The verbose form's fields under empty masks are
 *   read but not written.
 */

import { ETH_TYPE_NONE } from '../../gen/key.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import { type FlowKey, KEY, type Match, maskedMatch } from '../key.ts';
import type { DpAction } from './action.ts';
import { parseActionList } from './actions/index.ts';
import type { Draft, PortByName } from './match/attribute.ts';
import { settleEthTypes } from './match/ethernet.ts';
import { attributeByName } from './match/index.ts';
import { layersOf } from './match/prerequisites.ts';
import { emptyMasked } from './row.ts';
import { Scanner } from './scanner.ts';
import { type FlowStats, noStats, parseStats } from './stats.ts';

export interface ParseOptions {
  /** Ports may then be given by name. */
  readonly portByName?: PortByName;
}

export interface OdpFlow {
  readonly match: Match;
  readonly actions: readonly DpAction[];
  readonly stats: FlowStats;
}

const ENCAP_DEPTH_MAX = 3;

function parseEncap(s: Scanner, draft: Draft): void {
  if (!draft.tags[draft.depth]) {
    s.fail('encap() without vlan() before it');
    return;
  }
  if (draft.depth >= ENCAP_DEPTH_MAX) {
    s.fail('encap() too deep');
    return;
  }
  draft.depth++;
  parseAttributes(s, draft);
  draft.depth--;
  s.expect(')');
}

function parseAttribute(s: Scanner, draft: Draft): void {
  const start = s.at;
  const name = s.word();
  const id = `${draft.depth}:${name}`;
  if (draft.seen.has(id)) {
    s.fail(`"${name}" twice`, start);
    return;
  }
  const attribute = attributeByName(name);
  if (!attribute && name !== 'encap') {
    s.fail(name === '' ? 'expected an attribute' : 'unknown attribute', start);
    return;
  }
  draft.seen.set(id, start);
  s.expect('(');
  if (s.failed) return;
  if (attribute) attribute.parse(s, draft);
  else parseEncap(s, draft);
}

/** Reads attributes up to the end of the text, a closing parenthesis, or the statistics. */
function parseAttributes(s: Scanner, draft: Draft): void {
  s.skipSeparators();
  while (!s.atEnd && !s.peek(')') && !/^(packets|actions):/.test(s.text.slice(s.at, s.at + 8))) {
    parseAttribute(s, draft);
    s.skipSeparators();
  }
}

const newDraft = (options: ParseOptions): Draft => ({
  ...emptyMasked(),
  depth: 0,
  ethTypes: [],
  tags: [false, false],
  seen: new Map(),
  portByName: options.portByName,
});

/** What holds for the flow as a whole. */
function settle(s: Scanner, draft: Draft): void {
  if (s.failed) return;
  const wrongTags = settleEthTypes(draft);
  if (wrongTags) {
    s.fail(wrongTags, draft.seen.get('0:vlan') ?? draft.seen.get('1:vlan') ?? 0);
    return;
  }
  draft.mask.setAllOnes(KEY.recirc_id);
  const layers = layersOf(draft.key, draft.mask);
  for (const [id, at] of draft.seen) {
    const attribute = attributeByName(id.slice(id.indexOf(':') + 1));
    const misfit = attribute?.misfit?.(layers);
    if (misfit) {
      s.fail(`${attribute?.name}() ${misfit}`, at);
      return;
    }
  }
}

/** A packet without Ethernet header that names no other type is of its network protocol (OpenFlow 1.5 §7.2.3.11). */
function settlePacketType(s: Scanner, draft: Draft): void {
  if (draft.seen.has('0:eth') && draft.key.get(KEY.packet_type) !== 0)
    s.fail('eth() does not go with this packet_type', draft.seen.get('0:packet_type'));
  if (draft.seen.has('0:eth') || draft.seen.has('0:packet_type') || draft.mask.isZero(KEY.eth_type)) return;
  draft.key.set(KEY.packet_type, 0x10000 | draft.key.get(KEY.eth_type));
  draft.mask.setAllOnes(KEY.packet_type);
}

function skipUfid(s: Scanner): void {
  s.skipSeparators();
  s.match(/ufid:[0-9a-fA-F-]+/y);
}

function parseDraft(s: Scanner, options: ParseOptions): Draft {
  const draft = newDraft(options);
  skipUfid(s);
  parseAttributes(s, draft);
  settle(s, draft);
  if (!s.failed) settlePacketType(s, draft);
  return draft;
}

/** `recirc_id(0),in_port(1),eth(...),...`: a megaflow's match. */
export function parseMatch(text: string, options: ParseOptions = {}): Result<Match> {
  const s = new Scanner(text);
  const draft = parseDraft(s, options);
  if (!s.atEnd) s.fail('unexpected text');
  return s.error === null ? ok(maskedMatch(draft.key, draft.mask)) : fail(s.error);
}

/** The same text as one packet's key: masks must be whole, and what is left out is zero. */
export function parseKey(text: string, options: ParseOptions = {}): Result<FlowKey> {
  if (text.includes('/')) return fail(`a packet has no masks: at character ${text.indexOf('/') + 1}`);
  const match = parseMatch(text, options);
  if (!match.ok) return match;
  const { key, mask } = match.value;
  if (mask.isZero(KEY.eth_type)) key.set(KEY.eth_type, ETH_TYPE_NONE);
  return ok(key);
}

/** `drop`, `2,push_vlan(vid=5,pcp=0),3`: an empty list is `drop`, or nothing. */
export function parseActions(text: string, options: ParseOptions = {}): Result<readonly DpAction[]> {
  const s = new Scanner(text);
  const actions = parseActionList(s, options.portByName);
  if (!s.atEnd) s.fail('unexpected text');
  return s.error === null ? ok(actions) : fail(s.error);
}

/** A whole line of dpctl/dump-flows: match, statistics (which may be left out), `actions:` and actions. */
export function parseFlow(text: string, options: ParseOptions = {}): Result<OdpFlow> {
  const s = new Scanner(text.trim());
  const draft = parseDraft(s, options);
  const stats = s.peek('packets:') ? parseStats(s) : noStats;
  s.expect('actions:');
  const actions = parseActionList(s, options.portByName);
  s.skipSeparators();
  s.match(/dp-extra-info:\S*/y);
  if (!s.atEnd) s.fail('unexpected text');
  return s.error === null ? ok({ match: maskedMatch(draft.key, draft.mask), actions, stats }) : fail(s.error);
}
