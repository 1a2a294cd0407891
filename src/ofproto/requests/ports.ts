/** Ports and their queues: changes, descriptions, statistics. */
import { equalBytes } from '../../lib/bytes.ts';
import type { PortDescRequestMessage, PortModMessage } from '../../openflow/message/port.ts';
import type { OfPortStats, PortStatsRequestMessage } from '../../openflow/message/port-stats.ts';
import { UNKNOWN_COUNT } from '../../openflow/message/port-stats.ts';
import {
  OFPQ_ALL,
  type QueueConfigRequestMessage,
  type QueueStatsRequestMessage,
} from '../../openflow/message/queue.ts';
import type { Bridge, BridgePort } from '../bridge.ts';
import { describePort } from '../port-description.ts';
import { type Call, durationOf, OFPP_ANY, type PortTraffic, type Refusal } from './call.ts';

/** What is wrong with a port-mod, or null. */
export function checkPortMod(bridge: Bridge, { port: number, mac }: PortModMessage): Refusal {
  const port = bridge.ofport(number);
  if (!port) return 'OFPPMFC_BAD_PORT';
  return equalBytes(port.mac, mac) ? null : 'OFPPMFC_BAD_HW_ADDR';
}

export function portMod({ bridge, peer }: Pick<Call, 'bridge' | 'peer'>, message: PortModMessage): Refusal {
  const wrong = checkPortMod(bridge, message);
  if (wrong) return wrong;
  bridge.setPortConfig(bridge.ofport(message.port)!.name, message.config, message.mask, peer);
  return null;
}

export function portDesc({ bridge, peer, request }: Call, { port }: PortDescRequestMessage): Refusal {
  const ports = port === OFPP_ANY ? bridge.ofports : bridge.ofports.filter(({ ofport }) => ofport === port);
  const parts = ports.map((each) => ({ kind: 'port_desc_reply', ports: [describePort(each)] }) as const);
  peer.replyMultipart(request, parts, { kind: 'port_desc_reply', ports: [] });
  return null;
}

const count = (value: number | null | undefined): bigint => (value == null ? UNKNOWN_COUNT : BigInt(value));

/** What a device that counts errors has none of: lengths, overruns, checksums, collisions. */
const finer = (traffic: PortTraffic | null): bigint => (traffic?.rxErrors == null ? UNKNOWN_COUNT : 0n);

function statsOf({ bridge, host, now }: Call, port: BridgePort): OfPortStats {
  const { ofport, created = 0 } = port;
  const traffic = host.portTraffic(bridge.name, ofport);
  return {
    port: ofport,
    rxPackets: count(traffic?.rxPackets),
    txPackets: count(traffic?.txPackets),
    rxBytes: count(traffic?.rxBytes),
    txBytes: count(traffic?.txBytes),
    rxDropped: count(traffic?.rxDropped),
    txDropped: count(traffic?.txDropped),
    rxErrors: count(traffic?.rxErrors),
    txErrors: count(traffic?.txErrors),
    rxFrameErrors: finer(traffic),
    rxOverErrors: finer(traffic),
    rxCrcErrors: finer(traffic),
    collisions: finer(traffic),
    duration: durationOf(now - created),
    ...(traffic && isDummy(port) && { custom: customOf(traffic) }),
  };
}

export function portStats(call: Call, { port }: PortStatsRequestMessage): Refusal {
  const { bridge, peer, request } = call;
  bridge.ofproto.settle();
  const ports = port === OFPP_ANY ? bridge.ofports : bridge.ofports.filter(({ ofport }) => ofport === port);
  const parts = ports.map((each) => ({ kind: 'port_stats_reply', stats: [statsOf(call, each)] }) as const);
  peer.replyMultipart(request, parts, { kind: 'port_stats_reply', stats: [] });
  return null;
}

// ---- queues ----

const isDummy = ({ device }: BridgePort): boolean => device?.type.startsWith('dummy') ?? false;

/** Queues of a port: dummy devices have one, as the reference's; others have none without a QoS configuration. */
const queuesOf = (port: BridgePort): readonly number[] => (isDummy(port) ? [0] : []);

/** Counters that only dummies have, as the reference's. */
function customOf(traffic: PortTraffic): (readonly [string, bigint])[] {
  const { rxPackets, rxBytes, txPackets, txBytes } = traffic;
  return [
    ['rx_custom_packets_1', BigInt(rxPackets)],
    ['rx_custom_packets_2', BigInt(rxPackets)],
    ['rx_q0_bytes', BigInt(rxBytes)],
    ['rx_q0_packets', BigInt(rxPackets)],
    ['tx_q0_bytes', BigInt(txBytes)],
    ['tx_q0_packets', BigInt(txPackets)],
  ];
}

/** Ports and queues that are asked for, or what is wrong with the question. */
function queues(
  { bridge }: Call,
  { port: number, queue }: { readonly port: number; readonly queue: number },
): { readonly port: number; readonly queue: number }[] | Exclude<Refusal, null> {
  const port = number === OFPP_ANY ? null : bridge.ofport(number);
  if (number !== OFPP_ANY && !port) return 'OFPQOFC_BAD_PORT';
  const ports = port ? [port] : bridge.ofports;
  const found = ports.flatMap((each) =>
    queuesOf(each)
      .filter((id) => queue === OFPQ_ALL || id === queue)
      .map((id) => ({ port: each.ofport, queue: id })),
  );
  return found.length === 0 && queue !== OFPQ_ALL ? 'OFPQOFC_BAD_QUEUE' : found;
}

export function queueStats(call: Call, message: QueueStatsRequestMessage): Refusal {
  const found = queues(call, message);
  if (typeof found === 'string') return found;
  const unknown = { txBytes: UNKNOWN_COUNT, txPackets: UNKNOWN_COUNT, txErrors: UNKNOWN_COUNT, duration: null };
  const parts = found.map((each) => ({ kind: 'queue_stats_reply', stats: [{ ...each, ...unknown }] }) as const);
  call.peer.replyMultipart(call.request, parts, { kind: 'queue_stats_reply', stats: [] });
  return null;
}

/** The version from which on the answer is a multipart message. */
const MULTIPART_SINCE = 5;

export function queueConfig(call: Call, message: QueueConfigRequestMessage): Refusal {
  const { peer, request } = call;
  const { port } = message;
  const found = queues(call, message);
  if (typeof found === 'string') return found;
  const described = found.map((each) => ({ ...each, minRate: null, maxRate: null }));
  const empty = { kind: 'queue_config_reply', port, queues: [] } as const;
  if (peer.version < MULTIPART_SINCE) peer.reply(request, { ...empty, queues: described });
  else
    peer.replyMultipart(
      request,
      described.map((queue) => ({ ...empty, queues: [queue] })),
      empty,
    );
  return null;
}
