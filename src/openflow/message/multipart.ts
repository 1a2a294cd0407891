/** Replies that are lists, as the records they are made of: a reply that is longer than one message is cut between them. */
import { OF_MESSAGE_SIZE_MAX } from '../framing.ts';
import type { OfVersion } from '../version.ts';
import { Writer } from '../wire.ts';
import { type FlowForm, STANDARD_FORM } from './codec.ts';
import type { OfMessage } from './families.ts';
import { headersSize, writeMessage } from './header.ts';
import { encodeBody } from './message.ts';

const MORE = 1;

/** Where a kind has its list. Kinds that are not here are one record. */
const lists: Readonly<Record<string, string>> = {
  flow_stats_reply: 'flows',
  table_stats_reply: 'tables',
  table_features_reply: 'tables',
  table_desc_reply: 'tables',
  port_stats_reply: 'stats',
  port_desc_reply: 'ports',
  queue_stats_reply: 'stats',
  queue_config_reply: 'queues',
  group_stats_reply: 'stats',
  group_desc_reply: 'groups',
  meter_stats_reply: 'stats',
  meter_config_reply: 'meters',
  ipfix_flow_reply: 'stats',
  flow_monitor_reply: 'updates',
};

const elementsOf = (message: OfMessage, list: string): readonly unknown[] =>
  (message as unknown as Record<string, readonly unknown[]>)[list] ?? [];

/**
 * A reply in as many messages as its records need; all but the last say that more follow. Never cuts a record.
 * @returns no message when this version has none of that kind
 */
export function encodeMultipart(
  message: OfMessage,
  version: OfVersion,
  xid: number,
  form: FlowForm = STANDARD_FORM,
): Uint8Array[] {
  const list = lists[message.kind];
  const elements = list === undefined ? [] : elementsOf(message, list);
  const whole = elements.length > 1 ? { ...message, [list!]: [] } : message;
  const first = encodeBody(whole as OfMessage, version, form);
  if (!first) return [];
  // A list within a plain message (queues before OpenFlow 1.4) cannot be cut
  if (elements.length <= 1 || first.spec.direction === null) {
    const encoded = elements.length <= 1 ? first : encodeBody(message, version, form)!;
    return [writeMessage(version, encoded.spec, xid, encoded.body)];
  }
  const room = OF_MESSAGE_SIZE_MAX - headersSize(version, first.spec);
  const bodies: Uint8Array[] = [];
  let body = new Writer();
  for (const element of elements) {
    const record = encodeBody({ ...message, [list!]: [element] } as OfMessage, version, form)!.body;
    if (body.size > 0 && body.size + record.length > room) {
      bodies.push(body.done());
      body = new Writer();
    }
    body.bytes(record);
  }
  bodies.push(body.done());
  return bodies.map((b, i) => writeMessage(version, first.spec, xid, b, i < bodies.length - 1 ? MORE : 0));
}
