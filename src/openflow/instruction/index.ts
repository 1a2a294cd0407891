/**
 * Instructions of OpenFlow 1.1 and later, read into one list with the actions and written from it (OpenFlow 1.5 §7.2.3).
 *
 * Terms
 *   the list   what a flow does: `meter`, actions, `clear_actions`, `write_actions`, `write_metadata`, `goto_table`, in this
 *              order; apply-actions is not said, its actions are members of the list
 *
 * Invariants
 *   decodeInstructions gives the list in that order, whatever the order on the wire.
 *   In OpenFlow 1.0 there are no instructions: the list's actions are all there is, write_metadata and goto_table in the
 *   forms that Nicira gave them.
 *
 * Not supported
 *   stat-trigger, as in Open vSwitch.
 */
import { ok, type Result } from '../../lib/result.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { decodeActions, type EncodeOptions, encodeActions } from '../action/index.ts';
import type { OfAction } from '../action/types.ts';
import { type OfError, ofFail } from '../error.ts';
import { Reader } from '../reader.ts';
import type { OfVersion } from '../version.ts';
import { Writer } from '../wire.ts';

const TYPE = {
  GOTO_TABLE: 1,
  WRITE_METADATA: 2,
  WRITE_ACTIONS: 3,
  APPLY_ACTIONS: 4,
  CLEAR_ACTIONS: 5,
  METER: 6,
} as const;
const EXPERIMENTER = 0xffff;
const FIXED: Readonly<Record<number, number>> = {
  [TYPE.GOTO_TABLE]: 8,
  [TYPE.WRITE_METADATA]: 24,
  [TYPE.CLEAR_ACTIONS]: 8,
  [TYPE.METER]: 8,
};
/** The order in which instructions are executed. */
const ORDER = [
  TYPE.METER,
  TYPE.APPLY_ACTIONS,
  TYPE.CLEAR_ACTIONS,
  TYPE.WRITE_ACTIONS,
  TYPE.WRITE_METADATA,
  TYPE.GOTO_TABLE,
] as const;

/** Actions that an action set may hold (ovs-actions(7), Action Sets). */
const setTypes: ReadonlySet<OfAction['type']> = new Set([
  ...(['strip_vlan', 'pop_mpls', 'decap', 'encap', 'push_mpls', 'push_vlan', 'dec_ttl', 'dec_mpls_ttl'] as const),
  ...(['dec_nsh_ttl', 'move', 'set_eth_dst', 'set_eth_src', 'set_ipv4_dst', 'set_ipv4_src', 'set_ip_dscp'] as const),
  ...(['set_ip_ecn', 'set_ip_ttl', 'set_l4_dst_port', 'set_l4_src_port', 'set_mpls_label', 'set_mpls_tc'] as const),
  ...([
    'set_mpls_ttl',
    'set_vlan_pcp',
    'set_vlan_vid',
    'set_field',
    'set_tunnel',
    'set_queue',
    'group',
    'output',
  ] as const),
  ...(['resubmit', 'ct_clear', 'ct', 'nat'] as const),
]);

/** Whether an action may stand in write_actions or in a group's bucket. */
export const isSetAction = (action: OfAction): boolean => setTypes.has(action.type);

type Found = Map<number, Uint8Array>;

/** The instructions by type; the name of an error. */
function split(version: OfVersion, bytes: Uint8Array): Found | OfErrorName {
  const found: Found = new Map();
  if (bytes.length % 8 !== 0) return 'OFPBIC_BAD_LEN';
  for (let at = 0; at < bytes.length; ) {
    const r = new Reader(bytes.subarray(at));
    const [type, size] = [r.u16(0), r.u16(2)];
    if (size < 8 || size % 8 !== 0 || size > r.size) return 'OFPBIC_BAD_LEN';
    if (type === EXPERIMENTER) return 'OFPBIC_BAD_EXPERIMENTER';
    const isKnown = type >= TYPE.GOTO_TABLE && (type <= TYPE.CLEAR_ACTIONS || (type === TYPE.METER && version < 6));
    if (!isKnown) return 'OFPBIC_UNKNOWN_INST';
    if (FIXED[type] !== undefined && FIXED[type] !== size) return 'OFPBIC_BAD_LEN';
    if (found.has(type)) return 'OFPBIC_DUP_INST';
    found.set(type, r.slice(0, size));
    at += size;
  }
  return found;
}

function decodeOne(version: OfVersion, type: number, bytes: Uint8Array): OfAction[] | OfErrorName {
  const r = new Reader(bytes);
  switch (type) {
    case TYPE.METER:
      return [{ type: 'meter', id: r.u32(4) }];
    case TYPE.CLEAR_ACTIONS:
      return [{ type: 'clear_actions' }];
    case TYPE.WRITE_METADATA:
      return [{ type: 'write_metadata', value: r.u64(8), mask: r.u64(16) }];
    case TYPE.GOTO_TABLE:
      return [{ type: 'goto_table', table: r.u8(4) }];
    default: {
      const actions = decodeActions(version, r.slice(8));
      if (!actions.ok) return actions.error.name;
      if (type === TYPE.APPLY_ACTIONS) return actions.value;
      return actions.value.every(isSetAction) ? [{ type: 'write_actions', actions: actions.value }] : 'OFPBAC_BAD_TYPE';
    }
  }
}

/** Into one list; in OpenFlow 1.0, where there are no instructions, of actions. */
export function decodeInstructions(version: OfVersion, bytes: Uint8Array): Result<OfAction[], OfError> {
  if (version === 1) return decodeActions(version, bytes);
  const found = split(version, bytes);
  if (typeof found === 'string') return ofFail(found);
  const list: OfAction[] = [];
  for (const type of ORDER) {
    const instruction = found.get(type);
    if (!instruction) continue;
    const actions = decodeOne(version, type, instruction);
    if (typeof actions === 'string') return ofFail(actions);
    list.push(...actions);
  }
  return ok(list);
}

const isInstruction = (version: OfVersion, { type }: OfAction): boolean =>
  type === 'clear_actions' ||
  type === 'write_actions' ||
  type === 'goto_table' ||
  type === 'write_metadata' ||
  (type === 'meter' && version < 6);

function putInstruction(out: Writer, version: OfVersion, action: OfAction): void {
  if (action.type === 'meter' && version >= 4) out.u16(TYPE.METER).u16(8).u32(action.id);
  else if (action.type === 'clear_actions') out.u16(TYPE.CLEAR_ACTIONS).u16(8).zeros(4);
  else if (action.type === 'goto_table') out.u16(TYPE.GOTO_TABLE).u16(8).u8(action.table).zeros(3);
  else if (action.type === 'write_metadata') {
    out.u16(TYPE.WRITE_METADATA).u16(24).zeros(4).u64(action.value).u64(action.mask);
  } else if (action.type === 'write_actions')
    putActions(out, TYPE.WRITE_ACTIONS, encodeActions(version, action.actions));
}

const putActions = (out: Writer, type: number, actions: Uint8Array): void => {
  out
    .u16(type)
    .u16(8 + actions.length)
    .zeros(4)
    .bytes(actions);
};

/** A flow's list as instructions; in OpenFlow 1.0 as actions. */
export function encodeInstructions(
  version: OfVersion,
  actions: readonly OfAction[],
  options: EncodeOptions = {},
): Uint8Array {
  if (version === 1) return encodeActions(version, actions, options);
  const out = new Writer();
  const applied = actions.filter((action) => !isInstruction(version, action));
  const others = actions.filter((action) => isInstruction(version, action));
  for (const action of others) if (action.type === 'meter') putInstruction(out, version, action);
  if (applied.length > 0) putActions(out, TYPE.APPLY_ACTIONS, encodeActions(version, applied, options));
  for (const action of others) if (action.type !== 'meter') putInstruction(out, version, action);
  return out.done();
}
