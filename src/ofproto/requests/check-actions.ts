/**
 * Whether a flow's actions go with its match, its table and the bridge: what bytes alone cannot say.
 *
 * Terms. *inconsistent*: an action that packets of the flow cannot take, such as to set a TCP port of a flow that matches no
 * TCP. OpenFlow 1.0 lets most of that pass, later versions do not; what an extension needs is refused in every version.
 *
 * Invariants. Nothing is changed: actions are followed on a copy of the match, as far as they say what packets become.
 */
import { KEY, PipelineKey } from '../../flow/key.ts';
import type { ActionOf, LearnSpec, OfAction, OfActionType, Subfield } from '../../openflow/action/types.ts';
import { fieldOf, writeValue } from '../../openflow/field/index.ts';
import { meetsPrerequisite } from '../../openflow/field/prerequisites.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import type { OfActions } from '../connections/types.ts';
import { METER_MAX } from '../meters.ts';

/** Which tun_metadata fields stand for an option. */
interface TlvIndexes {
  has(index: number): boolean;
}

interface MatchBits {
  readonly key: PipelineKey;
  readonly mask: PipelineKey;
}

/** What is known of the flow's packets at a point of the list. */
interface State {
  flow: MatchBits;
  /** VLAN tags that packets have for sure. */
  tags: number;
  /** Some action does not go with the flow in OpenFlow 1.1 and later. */
  isInconsistent: boolean;
  readonly tableId: number;
  /** Numbers of the tun_metadata fields that the bridge has mapped. */
  readonly tlvs: TlvIndexes;
}

type Check<T extends OfActionType> = (action: ActionOf<T>, state: State) => OfErrorName | null;

const OFPP_MAX = 0xff00;
/** Reserved ports that output may name: IN_PORT to LOCAL, and not NONE. */
const RESERVED_FIRST = 0xfff8;
const OFPP_NONE = 0xffff;
const OFPP_IN_PORT = 0xfff8;
const OFPP_LOCAL = 0xfffe;
const OFPP_CONTROLLER = 0xfffd;
const VLAN_PRESENT = 0x1000;
const TAGS_MAX = 2;
const FRAGMENT_LATER = 2;
const PROTOCOL = { tcp: 6, udp: 17, sctp: 132 } as const;
const PORT_FTP = 21;
const PORT_TFTP = 69;
const CT_INVALID = 0x10;
const PT_NSH = 0x1_894f;
const INCONSISTENT = 'OFPBAC_MATCH_INCONSISTENT';

const isOutPort = (port: number): boolean => port < OFPP_MAX || (port >= RESERVED_FIRST && port !== OFPP_NONE);
const checkOutPort = ({ port }: { readonly port: number }): OfErrorName | null =>
  isOutPort(port) ? null : 'OFPBAC_BAD_OUT_PORT';

/** A subfield that is read, or written: whether packets of the flow have its field. */
const checkSubfield = ({ field }: Subfield, { flow, tlvs }: Pick<State, 'flow' | 'tlvs'>): OfErrorName | null =>
  isUnmapped(field, tlvs) ? UNMAPPED : meetsPrerequisite(flow, fieldOf(field).needs) ? null : INCONSISTENT;

const TUN_METADATA = 'tun_metadata';
const UNMAPPED = 'NXFMFC_INVALID_TLV_FIELD';
const isUnmapped = (field: string, tlvs: TlvIndexes): boolean =>
  field.startsWith(TUN_METADATA) && !tlvs.has(Number(field.slice(TUN_METADATA.length)));

/** The field's bits are known from here on. */
function assume(
  { key, mask }: MatchBits,
  field: keyof typeof KEY & ('eth_type' | 'nw_proto' | 'packet_type'),
  value: number,
): void {
  key.set(KEY[field], value);
  mask.setAllOnes(KEY[field]);
}

const needs =
  (test: (state: State) => boolean) =>
  (_: OfAction, state: State): null => {
    if (!test(state)) state.isInconsistent = true;
    return null;
  };
const isIp = ({ flow }: State): boolean => meetsPrerequisite(flow, 'ip');
const isIpv4 = ({ flow }: State): boolean => meetsPrerequisite(flow, 'ipv4');
const isMpls = ({ flow }: State): boolean => meetsPrerequisite(flow, 'mpls');
const isEthernet = ({ flow }: State): boolean => flow.key.get(KEY.packet_type) === 0;
const protocolOf = ({ flow }: State): number => flow.key.get(KEY.nw_proto);

function hasPorts(state: State): boolean {
  const isLater = (state.flow.key.get(KEY.nw_frag) & FRAGMENT_LATER) !== 0;
  return isIp(state) && !isLater && Object.values(PROTOCOL).some((protocol) => protocol === protocolOf(state));
}

const checkTag = (action: { readonly pushIfNeeded: boolean }, state: State): null => {
  if (state.tags === 0 && !action.pushIfNeeded) state.isInconsistent = true;
  if (state.tags === 0) setTag(state, 1);
  return null;
};

function setTag(state: State, tags: number): void {
  state.tags = tags;
  const { key, mask } = state.flow;
  const tci = key.get(KEY.vlan_tci);
  key.set(KEY.vlan_tci, tags > 0 ? tci | VLAN_PRESENT : 0);
  mask.set(KEY.vlan_tci, mask.get(KEY.vlan_tci) | VLAN_PRESENT);
}

function checkSetField(action: ActionOf<'set_field'>, state: State): OfErrorName | null {
  const { field, value } = action;
  if (isUnmapped(field, state.tlvs)) return UNMAPPED;
  if (!meetsPrerequisite(state.flow, fieldOf(field).needs)) return INCONSISTENT;
  if (field === 'vlan_vid' && state.tags === 0) return INCONSISTENT;
  if (field === 'vlan_tci') setTag(state, (value & 0x1000n) === 0n ? 0 : Math.max(1, state.tags));
  return null;
}

/** What a learned flow matches must go with what it matches before. */
function checkLearnSpec(spec: LearnSpec, state: State, learned: MatchBits): OfErrorName | null {
  const isLiteral = 'value' in spec.source;
  if (!isLiteral) {
    const wrong = checkSubfield(spec.source as Subfield, state);
    if (wrong) return wrong;
  }
  if (!spec.target) return null;
  const wrong = checkSubfield(spec.target, { flow: learned, tlvs: state.tlvs });
  if (wrong || spec.kind !== 'match' || !('value' in spec.source)) return wrong;
  const { field, offset, width } = spec.target;
  const shift = BigInt(offset);
  const spread = new PipelineKey();
  writeValue(spread, fieldOf(field), ((1n << BigInt(width)) - 1n) << shift);
  for (let i = 0; i < spread.words.length; i++) learned.mask.words[i]! |= spread.words[i]!;
  spread.clear();
  writeValue(spread, fieldOf(field), spec.source.value << shift);
  for (let i = 0; i < spread.words.length; i++) learned.key.words[i]! |= spread.words[i]!;
  return null;
}

function checkLearn({ specs }: ActionOf<'learn'>, state: State): OfErrorName | null {
  const learned: MatchBits = { key: new PipelineKey(), mask: new PipelineKey() };
  for (const spec of specs) {
    const wrong = checkLearnSpec(spec, state, learned);
    if (wrong) return wrong;
  }
  return null;
}

function checkCt({ isCommit, alg, zone, actions }: ActionOf<'ct'>, state: State): OfErrorName | null {
  const { key } = state.flow;
  const isRefused =
    !isIp(state) ||
    (isCommit && (key.get(KEY.ct_state) & CT_INVALID) !== 0) ||
    (alg === PORT_FTP && protocolOf(state) !== PROTOCOL.tcp) ||
    (alg === PORT_TFTP && protocolOf(state) !== PROTOCOL.udp);
  if (isRefused) return INCONSISTENT;
  const wrong = typeof zone === 'number' ? null : checkSubfield(zone, state);
  return wrong ?? checkList(actions, state);
}

function checkNat({ addressMin }: ActionOf<'nat'>, state: State): OfErrorName | null {
  if (!isIp(state)) return INCONSISTENT;
  if (!addressMin) return null;
  return meetsPrerequisite(state.flow, addressMin.length === 4 ? 'ipv4' : 'ipv6') ? null : INCONSISTENT;
}

/** The packet becomes one of another type: what it matched before says nothing of it. */
function checkEncap({ packetType }: ActionOf<'encap'>, { flow }: State): null {
  assume(flow, 'packet_type', packetType);
  if (packetType >>> 16 === 1) assume(flow, 'eth_type', packetType & 0xffff);
  return null;
}

const UNKNOWN_TYPE = 0xffff;

function checkDecap(_: ActionOf<'decap'>, state: State): null {
  const { flow } = state;
  if (isEthernet(state)) assume(flow, 'packet_type', 0x1_0000 + flow.key.get(KEY.eth_type));
  else {
    assume(flow, 'packet_type', 0x1_0000 + UNKNOWN_TYPE);
    assume(flow, 'eth_type', UNKNOWN_TYPE);
  }
  return null;
}

/** The action set is put together from several tables: what goes with the flow cannot be said here. */
function checkWritten({ actions }: ActionOf<'write_actions'>, state: State): OfErrorName | null {
  return checkList(actions, copyOf(state));
}

const copyOf = (state: State): State => ({
  ...state,
  flow: { key: state.flow.key.clone(), mask: state.flow.mask.clone() },
});

const checkTarget = ({ target }: { readonly target: Subfield | null }, state: State): OfErrorName | null =>
  target ? checkSubfield(target, state) : null;

const checks: { readonly [T in OfActionType]?: Check<T> } = {
  output: checkOutPort,
  output_trunc: checkOutPort,
  output_reg: ({ source }, state) => checkSubfield(source, state),
  enqueue: ({ port }) =>
    port < OFPP_MAX || port === OFPP_IN_PORT || port === OFPP_LOCAL ? null : 'OFPBAC_BAD_OUT_PORT',
  bundle: (action, state) =>
    checkTarget(action, state) ??
    (action.members.every((port) => isOutPort(port) && port !== OFPP_CONTROLLER) ? null : 'OFPBAC_BAD_OUT_PORT'),
  set_vlan_vid: checkTag,
  set_vlan_pcp: checkTag,
  strip_vlan(_, state) {
    if (state.tags === 0) state.isInconsistent = true;
    setTag(state, Math.max(0, state.tags - 1));
    return null;
  },
  push_vlan(_, state) {
    if (state.tags >= TAGS_MAX) return 'OFPBAC_BAD_TAG';
    setTag(state, state.tags + 1);
    return null;
  },
  set_ipv4_src: needs(isIpv4),
  set_ipv4_dst: needs(isIpv4),
  set_ip_dscp: needs(isIp),
  set_ip_ecn: needs(isIp),
  set_ip_ttl: needs(isIp),
  dec_ttl: needs(isIp),
  set_l4_src_port: needs(hasPorts),
  set_l4_dst_port: needs(hasPorts),
  set_field: checkSetField,
  delete_field: ({ field }, { tlvs }) => (isUnmapped(field, tlvs) ? UNMAPPED : null),
  move: ({ source, target }, state) => checkSubfield(source, state) ?? checkSubfield(target, state),
  push: ({ subfield }, state) => checkSubfield(subfield, state),
  pop: ({ subfield }, state) => checkSubfield(subfield, state),
  set_mpls_label: needs(isMpls),
  set_mpls_tc: needs(isMpls),
  set_mpls_ttl: needs(isMpls),
  dec_mpls_ttl: needs(isMpls),
  push_mpls({ ethType }, state) {
    if (!isEthernet(state)) state.isInconsistent = true;
    assume(state.flow, 'eth_type', ethType);
    assume(state.flow, 'nw_proto', 0);
    return null;
  },
  pop_mpls({ ethType }, state) {
    if (!isEthernet(state) || !isMpls(state)) state.isInconsistent = true;
    assume(state.flow, 'eth_type', ethType);
    return null;
  },
  dec_nsh_ttl: needs((state) => state.flow.key.get(KEY.packet_type) === PT_NSH || meetsPrerequisite(state.flow, 'nsh')),
  fin_timeout: needs((state) => protocolOf(state) === PROTOCOL.tcp),
  resubmit: ({ withCt }, { flow }) => (withCt && !meetsPrerequisite(flow, 'ct') ? INCONSISTENT : null),
  learn: checkLearn,
  multipath: checkTarget,
  clone({ actions }, state) {
    const inside = copyOf(state);
    const wrong = checkList(actions, inside);
    state.isInconsistent = inside.isInconsistent;
    return wrong;
  },
  ct: checkCt,
  nat: checkNat,
  encap: checkEncap,
  decap: checkDecap,
  meter: ({ id }) => (id === 0 || id > METER_MAX ? 'OFPMMFC_INVALID_METER' : null),
  write_actions: checkWritten,
  goto_table: ({ table }, { tableId }) => (tableId !== 0xff && table <= tableId ? 'OFPBIC_BAD_TABLE_ID' : null),
};

function checkList(actions: OfActions, state: State): OfErrorName | null {
  for (const action of actions) {
    const wrong = (checks[action.type] as Check<OfActionType> | undefined)?.(action, state);
    if (wrong) return wrong;
  }
  return null;
}

const allowedBesideConjunction: ReadonlySet<OfActionType> = new Set(['conjunction', 'note']);

/** A flow that is part of a conjunction does nothing by itself. */
function mixesConjunctions(actions: OfActions): boolean {
  let [isPart, hasOthers] = [false, false];
  for (const { type } of actions) {
    if (type === 'conjunction') isPart = true;
    if (!allowedBesideConjunction.has(type)) hasOthers = true;
  }
  return isPart && hasOthers;
}

/** Actions whose checks change nothing of what is known of the flow. */
const leavers: ReadonlySet<OfActionType> = new Set<OfActionType>([
  'output',
  'group',
  'goto_table',
  'meter',
  'resubmit',
]);

function leaveMatch(actions: OfActions): boolean {
  for (const { type } of actions) if (!leavers.has(type)) return false;
  return true;
}

/**
 * What is wrong with the actions of a flow, or of a packet-out; null when nothing is.
 * @param version wire version that they came in
 * @param tableId 0xff for none in particular
 */
export function checkActions(
  version: number,
  actions: OfActions,
  match: { readonly key: PipelineKey; readonly mask: PipelineKey },
  tableId: number,
  tlvs: TlvIndexes,
): OfErrorName | null {
  if (actions.length === 0) return null;
  if (mixesConjunctions(actions)) return 'NXBAC_BAD_CONJUNCTION';
  const flow = leaveMatch(actions) ? match : { key: match.key.clone(), mask: match.mask.clone() };
  const tags = (flow.key.get(KEY.vlan_tci) & VLAN_PRESENT) === 0 ? 0 : 1;
  const state: State = { flow, tags, isInconsistent: false, tableId, tlvs };
  const wrong = checkList(actions, state);
  if (wrong) return wrong;
  return state.isInconsistent && version > 1 ? INCONSISTENT : null;
}
