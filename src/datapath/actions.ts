/**
 * Datapath actions to bytes and back: what lies behind a flow in linear memory (src/spec/actions.ts has the layout).
 *
 * Terms. *record*: one encoded action, `u16 type, u16 size`, its fixed fields and what follows them.
 *
 * Invariants. decode(encode(actions)) says the same as `actions`, in normal form: a set has the fields whose mask is not
 * zero, in the order of the key attribute, values within their masks, a mask of all ones as null; a set of tunnel
 * metadata has the fields that are not zero.
 */
import type { DpAction, UpcallReason } from '../flow/odp/action.ts';
import * as L from '../gen/layout.ts';
import { DROP } from '../gen/tables.ts';
import { ActionRecord, recordsOf } from './action-record.ts';
import { decodeSet, encodeSet, isSetRecord } from './set-actions.ts';

const NO_PORT = L.NONE_U32;

const upcallCodes: Readonly<Record<UpcallReason, number>> = {
  miss: L.UPCALL_MISS,
  action: L.UPCALL_ACTION,
  controller: L.UPCALL_CONTROLLER,
  slow_path: L.UPCALL_SLOW_PATH,
  sample: L.UPCALL_SAMPLE,
};
const tunnelCodes = { gre: 3, vxlan: 4, geneve: 5 } as const;

const nameOf = <T extends string>(codes: Readonly<Record<T, number>>, code: number): T => {
  const found = (Object.keys(codes) as T[]).find((name) => codes[name] === code);
  if (found === undefined) throw new Error(`${code} is not one of ${Object.keys(codes).join(', ')}`);
  return found;
};

/**
 * The bytes of an action list.
 * @throws when one action is longer than a record can be (64 KiB)
 */
export function encodeActions(actions: readonly DpAction[]): Uint8Array {
  if (actions.length === 1) return encodeAction(actions[0]!).bytes;
  const records = actions.map(encodeAction);
  const out = new Uint8Array(records.reduce((sum, record) => sum + record.bytes.length, 0));
  let at = 0;
  for (const { bytes } of records) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

function withLists(name: string, ...parts: readonly Uint8Array[]): ActionRecord {
  const record = ActionRecord.make(
    name,
    parts.reduce((sum, part) => sum + part.length, 0),
  );
  return record.withTail(...parts);
}

function encodeAction(action: DpAction): ActionRecord {
  switch (action.type) {
    case 'output':
      return ActionRecord.make('output').set('port', action.port);
    case 'trunc':
      return ActionRecord.make('trunc').set('max_len', action.maxLen);
    case 'userspace':
      return ActionRecord.make('userspace', action.userdata.length)
        .set('reason', upcallCodes[action.reason])
        .set('pid', action.pid)
        .set('tunnel_out_port', action.tunnelOutPort ?? NO_PORT)
        .set('flags', action.withActions ? 1 : 0)
        .set('userdata_size', action.userdata.length)
        .withTail(action.userdata);
    case 'drop':
      return ActionRecord.make('drop').set('reason', DROP[action.reason]);
    case 'set':
      return encodeSet(action);
    case 'hash':
      return ActionRecord.make('hash')
        .set('alg', action.algorithm === 'l4' ? 0 : 1)
        .set('basis', action.basis);
    case 'recirc':
      return ActionRecord.make('recirc').set('recirc_id', action.id);
    case 'clone':
      return withLists('clone', encodeActions(action.actions));
    case 'sample':
      return withLists('sample', encodeActions(action.actions)).set('probability', action.probability);
    case 'meter':
      return ActionRecord.make('meter').set('meter_id', action.id);
    case 'check_pkt_len': {
      const [greater, lessEqual] = [encodeActions(action.greater), encodeActions(action.lessEqual)];
      return withLists('check_pkt_len', greater, lessEqual)
        .set('max_len', action.maxLen)
        .set('greater_size', greater.length);
    }
    case 'ct': {
      const text = new TextEncoder().encode(action.text);
      return ActionRecord.make('ct', text.length)
        .set('flags', action.commit ? 1 : 0)
        .set('zone', action.zone)
        .withTail(text);
    }
    default:
      return encodeHeaderAction(action);
  }
}

type HeaderAction = Extract<
  DpAction,
  { type: `push_${string}` | `pop_${string}` | 'tnl_pop' | 'tnl_push' | 'ct_clear' }
>;

/** Actions that put headers on and take them off. */
function encodeHeaderAction(action: HeaderAction): ActionRecord {
  const record = (tailSize = 0): ActionRecord => ActionRecord.make(action.type, tailSize);
  switch (action.type) {
    case 'push_vlan':
      return record().set('tpid', action.tpid).set('tci', action.tci);
    case 'push_mpls':
      return record().set('lse', action.lse).set('eth_type', action.ethType);
    case 'pop_mpls':
      return record().set('eth_type', action.ethType);
    case 'push_eth': {
      const made = record();
      made.at('dst').set(action.dst);
      made.at('src').set(action.src);
      return made;
    }
    case 'push_nsh':
      return record(action.metadata.length)
        .set('flags', action.flags)
        .set('ttl', action.ttl)
        .set('mdtype', action.mdtype)
        .set('np', action.np)
        .set('path', action.path)
        .set('md_size', action.metadata.length)
        .withTail(action.metadata);
    case 'tnl_pop':
      return record().set('port', action.port);
    case 'tnl_push':
      return record(action.header.bytes.length)
        .set('tnl_port', action.tunnelPort)
        .set('out_port', action.outPort)
        .set('tnl_type', tunnelCodes[action.header.type])
        .set('l3_offset', action.header.l3Offset)
        .set('header_size', action.header.bytes.length)
        .withTail(action.header.bytes);
    default:
      return record();
  }
}

/**
 * The actions of an encoded list.
 * @throws when the bytes are not one: they come from encodeActions, so that is a bug
 */
export const decodeActions = (bytes: Uint8Array): DpAction[] => recordsOf(bytes).map(decodeAction);

function decodeAction(record: ActionRecord): DpAction {
  if (isSetRecord(record.name)) return decodeSet(record);
  switch (record.name) {
    case 'output':
      return { type: 'output', port: record.get('port') };
    case 'trunc':
      return { type: 'trunc', maxLen: record.get('max_len') };
    case 'userspace': {
      const port = record.get('tunnel_out_port');
      return {
        type: 'userspace',
        reason: nameOf(upcallCodes, record.get('reason')),
        pid: record.get('pid'),
        userdata: record.bytesOfTail(record.get('userdata_size')),
        tunnelOutPort: port === NO_PORT ? null : port,
        withActions: (record.get('flags') & 1) !== 0,
      };
    }
    case 'drop':
      return { type: 'drop', reason: nameOf(DROP, record.get('reason')) };
    case 'hash':
      return { type: 'hash', algorithm: record.get('alg') === 0 ? 'l4' : 'sym_l4', basis: record.get('basis') };
    case 'recirc':
      return { type: 'recirc', id: record.get('recirc_id') };
    case 'clone':
      return { type: 'clone', actions: decodeActions(record.tail) };
    case 'sample':
      return { type: 'sample', probability: record.get('probability'), actions: decodeActions(record.tail) };
    case 'meter':
      return { type: 'meter', id: record.get('meter_id') };
    case 'check_pkt_len': {
      const split = record.get('greater_size');
      return {
        type: 'check_pkt_len',
        maxLen: record.get('max_len'),
        greater: decodeActions(record.tail.subarray(0, split)),
        lessEqual: decodeActions(record.tail.subarray(split)),
      };
    }
    case 'ct': {
      const text = new TextDecoder().decode(record.tail).replace(/\0+$/, '');
      return { type: 'ct', commit: (record.get('flags') & 1) !== 0, zone: record.get('zone'), text };
    }
    default:
      return decodeHeaderAction(record);
  }
}

function decodeHeaderAction(record: ActionRecord): DpAction {
  switch (record.name) {
    case 'push_vlan':
      return { type: 'push_vlan', tpid: record.get('tpid'), tci: record.get('tci') };
    case 'push_mpls':
      return { type: 'push_mpls', lse: record.get('lse'), ethType: record.get('eth_type') };
    case 'pop_mpls':
      return { type: 'pop_mpls', ethType: record.get('eth_type') };
    case 'push_eth':
      return { type: 'push_eth', dst: record.at('dst').slice(), src: record.at('src').slice() };
    case 'push_nsh':
      return {
        type: 'push_nsh',
        flags: record.get('flags'),
        ttl: record.get('ttl'),
        mdtype: record.get('mdtype'),
        np: record.get('np'),
        path: record.get('path'),
        metadata: record.bytesOfTail(record.get('md_size')),
      };
    case 'tnl_pop':
      return { type: 'tnl_pop', port: record.get('port') };
    case 'tnl_push':
      return {
        type: 'tnl_push',
        tunnelPort: record.get('tnl_port'),
        outPort: record.get('out_port'),
        header: {
          type: nameOf(tunnelCodes, record.get('tnl_type')),
          bytes: record.bytesOfTail(record.get('header_size')),
          l3Offset: record.get('l3_offset'),
        },
      };
    case 'pop_vlan':
    case 'pop_eth':
    case 'pop_nsh':
    case 'ct_clear':
      return { type: record.name };
    default:
      throw new Error(`${record.name} cannot be decoded`);
  }
}
