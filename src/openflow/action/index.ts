/**
 * OpenFlow actions: bytes, text and one abstract type, for every version from 1.0 to 1.5 and Open vSwitch's extensions.
 *
 * Terms
 *   kind      an action, with its forms on the wire and its words in text; one object in one small file each
 *   form      vendor, code, versions and size: what `decodeActions` finds a kind by
 *
 * Invariants
 *   Malformed bytes and malformed text are values (`OfError`, a text), never exceptions.
 *   decodeActions(v, encodeActions(v, actions)) says the same as `actions` in the words of version v: an action that the
 *   version lacks becomes what Open vSwitch makes of it (ovs-actions(7), Conformance).
 *   What holds of bytes only is checked here; what needs the flow or the bridge (prerequisites, tables, groups) is not.
 *
 * Not supported
 *   Names of ports and tables in text, but through `TextNames`. debug_recirc and debug_slow are written and never read:
 *   they are closed, as in a switch that was not started for tests.
 *   A set_field of a field that nobody knows is OFPBAC_BAD_SET_LEN; Open vSwitch says that or OFPBAC_BAD_SET_TYPE, and which
 *   is not in the bytes. A bundle with an unknown algorithm is refused here; Open vSwitch takes it.
 *   A value with bits outside its mask is cleaned when text is read; ovs-ofctl sends it as it stands, and refuses it itself.
 *   Whether an action goes with the flow's match (OFPBAC_MATCH_INCONSISTENT), with its table and with the bridge's groups
 *   and meters: nothing here looks at a flow.
 */
import { parseOfPort } from '../../flow/text/ports.ts';
import { fail, ok, type Result } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { type OfError, ofFail } from '../error.ts';
import { Reader } from '../reader.ts';
import type { OfVersion } from '../version.ts';
import { Writer } from '../wire.ts';
import {
  type ActionKind,
  type Codec,
  NICIRA,
  ONF,
  type Parsed,
  type TextContext,
  type WireForm,
  wrong,
} from './codec.ts';
import { conjunction, finTimeout, note, resubmit, sample, setTunnel } from './control.ts';
import { controller } from './controller.ts';
import { ct } from './ct.ts';
import { bundle, multipath } from './hash.ts';
import {
  decTtl,
  setEthDst,
  setEthSrc,
  setIpDscp,
  setIpEcn,
  setIpTtl,
  setIpv4Dst,
  setIpv4Src,
  setL4DstPort,
  setL4SrcPort,
} from './header-fields.ts';
import { clearActions, gotoTable, meter, writeActions, writeMetadata } from './instructions.ts';
import { learn } from './learn.ts';
import { checkPktLarger, deleteField, move, pop, push } from './move.ts';
import { popMpls, pushMpls, setMplsLabel, setMplsTc, setMplsTtl } from './mpls.ts';
import { nat } from './nat.ts';
import { clone, decap, encap } from './nested.ts';
import { output, outputReg, outputTrunc, parseOutput } from './output.ts';
import { enqueue, group, setQueue } from './queue.ts';
import { setField } from './set-field.ts';
import { ctClear, debugRecirc, debugSlow, decMplsTtl, decNshTtl, exit, popQueue } from './simple.ts';
import { type ActionWord, splitActionWords } from './text.ts';
import type { OfAction } from './types.ts';
import { pushVlan, setVlanPcp, setVlanVid, stripVlan } from './vlan.ts';

export type * from './types.ts';

/** How deep actions may hold actions. */
const DEPTH_MAX = 32;

const kinds: readonly ActionKind[] = [
  output,
  outputReg,
  outputTrunc,
  group,
  controller,
  enqueue,
  bundle,
  setField,
  setVlanVid,
  setVlanPcp,
  stripVlan,
  pushVlan,
  setEthSrc,
  setEthDst,
  setIpv4Src,
  setIpv4Dst,
  setIpDscp,
  setIpEcn,
  setIpTtl,
  setL4SrcPort,
  setL4DstPort,
  move,
  push,
  pop,
  decTtl,
  setMplsLabel,
  setMplsTc,
  setMplsTtl,
  decMplsTtl,
  pushMpls,
  popMpls,
  decNshTtl,
  deleteField,
  setTunnel,
  setQueue,
  popQueue,
  finTimeout,
  resubmit,
  learn,
  conjunction,
  multipath,
  note,
  exit,
  sample,
  ct,
  ctClear,
  nat,
  clone,
  checkPktLarger,
  encap,
  decap,
  debugRecirc,
  debugSlow,
  meter,
  clearActions,
  writeActions,
  writeMetadata,
  gotoTable,
];

const kindOf = new Map(kinds.flatMap((kind) => kind.types.map((type) => [type, kind] as const)));
const wordOf = new Map(kinds.flatMap((kind) => Object.entries(kind.words)));

const formKey = (version: number, vendor: number, code: number): string => `${version}/${vendor}/${code}`;
const formOf = new Map<string, WireForm>();
for (const form of kinds.flatMap(({ forms }) => forms)) {
  for (let version = form.first; version <= form.last; version++) {
    formOf.set(formKey(version, form.vendor, form.code), form);
  }
}

/** Number of kinds and of forms, for those who count. */
export const actionCounts = { kinds: kindOf.size, forms: kinds.flatMap(({ forms }) => forms).length };

const EXPERIMENTER = 0xffff;

/** The form of the action that begins here, or the error. */
function findForm(version: OfVersion, r: Reader): WireForm | OfErrorName {
  const code = r.u16(0);
  if (code !== EXPERIMENTER) return formOf.get(formKey(version, 0, code)) ?? 'OFPBAC_BAD_TYPE';
  const vendor = r.u32(4);
  if (vendor !== NICIRA && vendor !== ONF) return 'OFPBAC_BAD_VENDOR';
  if (r.size < 16) return 'OFPBAC_BAD_LEN';
  return formOf.get(formKey(version, vendor, r.u16(8))) ?? 'OFPBAC_BAD_VENDOR_TYPE';
}

export interface EncodeOptions {
  /** The transport protocol that the flow matches. */
  readonly protocol?: 'tcp' | 'udp' | 'sctp';
  /** Whether every packet of the flow has a VLAN tag. */
  readonly hasTag?: boolean;
}

function makeCodec(version: OfVersion, options: EncodeOptions, depth = 0): Codec {
  const codec: Codec = {
    version,
    protocol: options.protocol ?? 'tcp',
    tag: { isThere: options.hasTag ?? false },
    decodeAll: (bytes) => (depth >= DEPTH_MAX ? 'OFPBAC_TOO_MANY' : decodeList(version, bytes, nested())),
    encodeAll(out, actions) {
      for (const action of actions) encodeOne(out, action, codec);
    },
  };
  const nested = (): Codec => makeCodec(version, options, depth + 1);
  return codec;
}

/** The first action of the bytes and how long it is. */
function decodeFirst(
  version: OfVersion,
  bytes: Uint8Array,
  codec: Codec,
): { action: OfAction; size: number } | OfErrorName {
  if (bytes.length < 8) return 'OFPBAC_BAD_LEN';
  const whole = new Reader(bytes);
  const size = whole.u16(2);
  const form = findForm(version, whole);
  if (typeof form === 'string') return form;
  if (size > bytes.length || size % 8 !== 0 || size < form.size) return 'OFPBAC_BAD_LEN';
  if (size !== form.size && !form.isVariable) return 'OFPBAC_BAD_LEN';
  const action = form.decode(new Reader(bytes.subarray(0, size)), codec);
  return typeof action === 'string' ? action : { action, size };
}

function decodeList(version: OfVersion, bytes: Uint8Array, codec: Codec): OfAction[] | OfErrorName {
  if (bytes.length % 8 !== 0) return 'OFPBRC_BAD_LEN';
  const actions: OfAction[] = [];
  for (let at = 0; at < bytes.length; ) {
    const read = decodeFirst(version, bytes.subarray(at), codec);
    if (typeof read === 'string') return read;
    actions.push(read.action);
    at += read.size;
  }
  return actions;
}

/** @param bytes a list of actions of that version and nothing else */
export function decodeActions(version: OfVersion, bytes: Uint8Array): Result<OfAction[], OfError> {
  const read = decodeList(version, bytes, makeCodec(version, {}));
  return typeof read === 'string' ? ofFail(read) : ok(read);
}

function encodeOne(out: Writer, action: OfAction, codec: Codec): void {
  if (action.type === 'push_vlan') codec.tag.isThere = true;
  else if (action.type === 'strip_vlan') codec.tag.isThere = false;
  kindOf.get(action.type)!.encode(out, action as never, codec);
}

/** In the forms of that version. What it has no form for (an instruction among actions) is left out. */
const OFPP_IN_PORT = 0xfff8;
/** OpenFlow 1.0 has no instructions: to go to a table is to look the packet up there. */
const asActions = (actions: readonly OfAction[]): readonly OfAction[] =>
  actions.some(({ type }) => type === 'goto_table')
    ? actions.map((action) =>
        action.type === 'goto_table'
          ? { type: 'resubmit', port: OFPP_IN_PORT, table: action.table, withCt: false, isPlain: false }
          : action,
      )
    : actions;

export function encodeActions(
  version: OfVersion,
  actions: readonly OfAction[],
  options: EncodeOptions = {},
): Uint8Array {
  const out = new Writer();
  makeCodec(version, options).encodeAll(out, version === 1 ? asActions(actions) : actions);
  return out.done();
}

/** As ovs-ofctl prints them; `drop` for none. */
export function formatActions(actions: readonly OfAction[]): string {
  if (actions.length === 0) return 'drop';
  return actions.map((action) => kindOf.get(action.type)!.format(action as never, formatActions)).join(',');
}

/** Names that text may use. */
export interface TextNames {
  readonly port?: (name: string) => number | null;
  readonly table?: (name: string) => number | null;
}

function parseWord({ name, value, rest }: ActionWord, context: TextContext): Parsed {
  const parse = wordOf.get(name) ?? wordOf.get(name.toLowerCase());
  if (parse) return parse(rest === '' ? value : `${value})${rest}`, context);
  if (context.port(name) !== null) return parseOutput(name, context);
  return wrong(`unknown action ${name}`);
}

function parseList(text: string, context: TextContext): OfAction[] | { readonly wrong: string } {
  const words = splitActionWords(text);
  if (!words) return wrong(`${text}: brackets do not match`);
  if (words.length === 1 && words[0]!.name.toLowerCase() === 'drop') return [];
  const actions: OfAction[] = [];
  for (const word of words) {
    if (word.name.toLowerCase() === 'drop')
      return wrong('"drop" must not be accompanied by any other action or instruction');
    const action = parseWord(word, context);
    if ('wrong' in action) return action;
    actions.push(action);
  }
  return actions;
}

function parseTable(text: string, names: TextNames): number | null {
  if (/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) {
    const table = Number(text);
    return table <= 255 ? table : null;
  }
  return names.table?.(text) ?? null;
}

/** What ovs-ofctl takes behind `actions=`. */
export function parseActions(text: string, names: TextNames = {}): Result<OfAction[]> {
  let depth = 0;
  const context: TextContext = {
    parseAll(nested) {
      if (depth >= DEPTH_MAX) return wrong('actions are nested too deeply');
      depth++;
      const read = parseList(nested, context);
      depth--;
      return read;
    },
    port: (word) => parseOfPort(word, names.port),
    table: (word) => parseTable(word, names),
  };
  const read = context.parseAll(text);
  return 'wrong' in read ? fail(read.wrong) : ok(read);
}
