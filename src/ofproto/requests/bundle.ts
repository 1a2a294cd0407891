/**
 * Bundles: flow-, group- and port-mods and packet-outs that happen together or not at all.
 *
 * Flow tables have versions; groups are remembered and put back; ports are changed and packets sent when all the rest is sure.
 */
import type { OfMessage } from '../../openflow/message/families.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { actionFacts } from '../actions.ts';
import type { Bridge } from '../bridge.ts';
import type { BundleFailure, OfActions, OfPeer, OfRequest } from '../connections/types.ts';
import type { FlowTransaction } from '../flow-transaction.ts';
import type { GroupChange } from '../groups.ts';
import { everything } from '../ofproto.ts';
import type { Call, Refusal } from './call.ts';
import { checkReferences, prepareFlowMod, startFlowMod } from './flows.ts';
import { prepareGroupMod, tellGroups } from './groups.ts';
import { packetOut, preparePacketOut } from './packets.ts';
import { checkPortMod, portMod } from './ports.ts';

/** What can be said of a member before its turn. */
export function checkMember(call: Pick<Call, 'bridge' | 'peer' | 'request'>): Refusal {
  const { bridge, peer, request } = call;
  const { message } = request.envelope;
  let checked: { readonly error: OfErrorName } | object | null = null;
  if (message.kind === 'flow_mod') checked = prepareFlowMod(bridge, peer, request, message);
  else if (message.kind === 'group_mod') checked = prepareGroupMod(message);
  else if (message.kind === 'packet_out') checked = preparePacketOut({ bridge, peer }, message);
  else if (message.kind === 'port_mod') return checkPortMod(bridge, message);
  return checked && 'error' in checked ? (checked.error as OfErrorName) : null;
}

interface Told {
  readonly request: OfRequest;
  readonly changes: readonly GroupChange<OfActions>[];
}

/** One bundle that is being carried out. */
class Commit {
  readonly #call: Omit<Call, 'request'>;
  readonly #bridge: Bridge;
  readonly #transaction: FlowTransaction<OfActions>;
  readonly told: Told[] = [];
  /** What is done when everything else is. */
  readonly last: (() => void)[] = [];

  constructor(call: Omit<Call, 'request'>, transaction: FlowTransaction<OfActions>) {
    this.#call = call;
    this.#bridge = call.bridge;
    this.#transaction = transaction;
  }

  start(request: OfRequest): OfErrorName | null {
    const { message } = request.envelope;
    switch (message.kind) {
      case 'flow_mod': {
        const prepared = prepareFlowMod(this.#bridge, this.#call.peer, request, message);
        return 'error' in prepared ? prepared.error : startFlowMod(this.#bridge, this.#transaction, prepared.mod);
      }
      case 'group_mod':
        return this.#startGroupMod(request, message);
      case 'port_mod': {
        this.last.push(() => void portMod(this.#call, message));
        return checkPortMod(this.#bridge, message);
      }
      case 'packet_out': {
        const prepared = preparePacketOut(this.#call, message);
        if ('error' in prepared) return prepared.error;
        this.last.push(() => void packetOut({ ...this.#call, request }, message));
        return checkReferences(this.#bridge, message.actions);
      }
      default:
        return 'OFPBFC_MSG_UNSUP';
    }
  }

  #startGroupMod(request: OfRequest, message: Extract<OfMessage, { kind: 'group_mod' }>): OfErrorName | null {
    const prepared = prepareGroupMod(message);
    if ('error' in prepared) return prepared.error;
    const done = this.#bridge.ofproto.groups.execute(prepared.mod, this.#call.now);
    if (!done.ok) return done.error;
    this.told.push({ request, changes: done.value });
    for (const { kind, group } of done.value) if (kind === 'removed') this.#removeUsers(group.id);
    return null;
  }

  /** Rules that the newest version has, this bundle's own among them. */
  #removeUsers(group: number): void {
    const rules = this.#transaction.select({ match: everything(), includesHidden: true });
    const users = rules.filter(({ actions }) => actionFacts.usesGroup(actions, group));
    this.#transaction.removeRules(users, 'group_delete');
  }
}

export function commitBundle(call: Omit<Call, 'request'>, requests: readonly OfRequest[]): BundleFailure | null {
  const { bridge, peer, now } = call;
  const restore = bridge.ofproto.groups.snapshot();
  const told: Told[] = [];
  const last: (() => void)[] = [];
  const failure = bridge.ofproto.transact<BundleFailure>(
    (transaction) => {
      const commit = new Commit(call, transaction);
      for (const request of requests) {
        const error = commit.start(request);
        if (error) return { request, error };
      }
      told.push(...commit.told);
      last.push(...commit.last);
      return null;
    },
    causeOf(peer, requests),
    now,
  );
  if (failure) restore();
  else {
    for (const { request, changes } of told) tellGroups(bridge, { peer, request }, changes);
    for (const finish of last) finish();
  }
  return failure;
}

const causeOf = (peer: OfPeer, requests: readonly OfRequest[]) => {
  const [first] = requests;
  return first ? { peer, xid: first.envelope.header.xid } : null;
};
