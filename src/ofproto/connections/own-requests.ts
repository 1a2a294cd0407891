/** What a connection asks about itself: echo, barrier, role, what it wants to hear and in which form, bundles. */

import type { Micros } from '../../lib/clock.ts';
import { ok, type Result } from '../../lib/result.ts';
import type { OfError } from '../../openflow/error.ts';
import type { BundleAddMessage, BundleControlMessage } from '../../openflow/message/bundle.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import { messageSpec, type OfHeader, readHeader, writeMessage } from '../../openflow/message/header.ts';
import { type DecodeOptions, decodeBody, type OfEnvelope } from '../../openflow/message/message.ts';
import type { RoleMessage } from '../../openflow/message/role.ts';
import type { MatchScratch } from '../../openflow/oxm/types.ts';
import { Writer } from '../../openflow/wire.ts';
import { asyncMasks, asyncSet } from './async-config.ts';
import type { Connection } from './connection.ts';
import type { FlowMonitors } from './flow-monitors.ts';
import type { Election } from './roles.ts';
import type { OfRequest, OfRequestHandler } from './types.ts';

/** What own requests need of the manager. */
export interface OwnContext {
  readonly handler: OfRequestHandler;
  readonly election: Election;
  readonly monitors: FlowMonitors;
  /** What the matches of flow-mods are made of. */
  readonly scratch: MatchScratch;
}

type Own<M> = (context: OwnContext, connection: Connection, request: OfRequest, message: M, now: Micros) => void;
type OwnHandlers = { readonly [K in OfMessage['kind']]?: Own<Extract<OfMessage, { readonly kind: K }>> };

/** Nicira's numbers of roles, for an answer in its own form. */
const niciraRoles = { equal: 0, primary: 1, secondary: 2 } as const;

function answerRole({ election }: OwnContext, connection: Connection, request: OfRequest, message: RoleMessage): void {
  const refused = election.request(connection, message);
  if (refused) {
    connection.fail(request, refused);
    return;
  }
  const { header } = request.envelope;
  const { role, version } = connection;
  if (header.spec.raw === 'NXT_ROLE_REQUEST') {
    const body = new Writer().u32(niciraRoles[role]).done();
    connection.send('reply', writeMessage(version, messageSpec('NXT_ROLE_REPLY'), header.xid, body));
  } else connection.reply(request, { kind: 'role_reply', role, generationId: election.generationId });
}

/** A flow-mod in a bundle: read again when its turn comes, for a hundred thousand keys must not wait in memory. */
class KeptFlowMod implements OfEnvelope {
  readonly header: OfHeader;
  readonly #options: DecodeOptions;

  constructor(header: OfHeader, options: DecodeOptions) {
    this.header = header;
    this.#options = options;
  }

  /** Good until the next message is read. */
  get message(): OfMessage {
    const message = decodeBody(this.header, this.#options);
    if (!message.ok) throw new Error(`a flow-mod that cannot be read again: ${message.error.name}`);
    return message.value;
  }
}

/** The request within a bundle-add. */
function readInner({ inner }: BundleAddMessage, options: DecodeOptions): Result<OfRequest, OfError> {
  const header = readHeader(inner);
  if (!header.ok) return header;
  const message = decodeBody(header.value, options);
  return message.ok ? ok({ envelope: { header: header.value, message: message.value }, bytes: inner }) : message;
}

const toBeKept = (request: OfRequest, options: DecodeOptions): OfRequest =>
  request.envelope.message.kind === 'flow_mod'
    ? { envelope: new KeptFlowMod(request.envelope.header, options), bytes: request.bytes }
    : request;

function addToBundle(
  { handler, scratch }: OwnContext,
  connection: Connection,
  request: OfRequest,
  message: BundleAddMessage,
  now: Micros,
): void {
  const options = { hasTableId: connection.hasTableIds, scratch };
  const inner = readInner(message, options);
  const error = inner.ok
    ? (handler.checkBundled(connection, inner.value) ??
      connection.bundles.add(message.bundle, message.flags, toBeKept(inner.value, options), request.bytes, now))
    : inner.error;
  if (error) connection.fail(request, error);
}

function commit(
  { handler }: OwnContext,
  connection: Connection,
  { bundle, flags }: BundleControlMessage,
  now: Micros,
): ReturnType<Connection['bundles']['discard']> {
  const requests = connection.bundles.take(bundle, flags);
  if (typeof requests === 'string') return requests;
  const failure = handler.commitBundle(connection, requests, now);
  if (!failure) return null;
  connection.fail(failure.request, failure.error);
  return 'OFPBFC_MSG_FAILED';
}

function controlBundle(
  context: OwnContext,
  connection: Connection,
  request: OfRequest,
  message: BundleControlMessage,
  now: Micros,
): void {
  const { bundle, flags, type } = message;
  const { bundles } = connection;
  const answers = {
    open_request: ['open_reply', () => bundles.open(bundle, flags, request.bytes, now)],
    close_request: ['close_reply', () => bundles.close(bundle, flags, now)],
    commit_request: ['commit_reply', () => commit(context, connection, message, now)],
    discard_request: ['discard_reply', () => bundles.discard(bundle)],
  } as const;
  if (type === null) {
    // The reference says yes to what it does not know
    connection.reply(request, { kind: 'bundle_control', bundle, type: 'open_request', flags: 0 });
    return;
  }
  if (!(type in answers)) {
    connection.fail(request, 'OFPBFC_BAD_TYPE');
    return;
  }
  const [reply, act] = answers[type as keyof typeof answers];
  const error = act();
  if (error) connection.fail(request, error);
  else connection.reply(request, { kind: 'bundle_control', bundle, type: reply, flags: 0 });
}

const NXM_FORMAT = 2;
const packetInFormats = ['standard', 'nxt_packet_in', 'nxt_packet_in2'] as const;

const ownHandlers: OwnHandlers = {
  echo_request: (_, connection, { bytes, envelope }, { data }) => {
    // Echo may come in any version, and is answered in it
    const spec = messageSpec('OFPT_ECHO_REPLY');
    connection.send('reply', writeMessage(bytes[0]!, spec, envelope.header.xid, data));
  },
  barrier_request: (_, connection, request) => connection.reply(request, { kind: 'barrier_reply' }),
  role_request: answerRole,
  get_async_request: (_, connection, request) =>
    connection.reply(request, { kind: 'get_async_reply', masks: asyncMasks(connection.async) }),
  set_async: (_, connection, _request, { masks }) => {
    connection.asyncConfig = asyncSet(connection.async, masks, connection.version);
  },
  set_packet_in_format: (_, connection, _request, { value }) => {
    connection.packetInFormat = packetInFormats[value]!;
  },
  set_flow_format: (_, connection, request, { value }) => {
    if (value !== 0 && value !== NXM_FORMAT) connection.fail(request, 'OFPBRC_EPERM');
    else connection.usesNxm = value === NXM_FORMAT;
  },
  flow_mod_table_id: (_, connection, _request, { value }) => {
    connection.hasTableIds = value === 1;
  },
  set_controller_id: (_, connection, _request, { value }) => {
    connection.controllerId = value;
  },
  flow_age: () => undefined,
  flow_monitor_request: ({ monitors }, connection, request, message) =>
    monitors.request(connection, request, message.monitors),
  flow_monitor_cancel: ({ monitors }, connection, request, { value }) => monitors.cancel(connection, request, value),
  bundle_control: controlBundle,
  bundle_add: addToBundle,
};

/** False when the request is not about the connection. */
export function answerOwn(context: OwnContext, connection: Connection, request: OfRequest, now: Micros): boolean {
  const { message } = request.envelope;
  const handle = ownHandlers[message.kind] as Own<OfMessage> | undefined;
  handle?.(context, connection, request, message, now);
  return handle !== undefined;
}
