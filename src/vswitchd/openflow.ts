/** What the switch does for the OpenFlow side of its bridges: packets of controllers, meters of the datapath. */
import type { Datapath } from '../datapath/datapath.ts';
import { extractKey } from '../flow/extract.ts';
import { KEY, PipelineKey } from '../flow/key.ts';
import { KEY_SIZE, NONE_U32 } from '../gen/layout.ts';
import { METERS_MAX } from '../gen/limits.ts';
import { equalBytes } from '../lib/bytes.ts';
import type { Micros } from '../lib/clock.ts';
import { bridgeUuid, decodeContinuation } from '../ofproto/connections/continuation.ts';
import type { DatapathMeters, MeterConfig } from '../ofproto/meters.ts';
import type { OutPacket } from '../ofproto/requests/index.ts';
import type { PacketInMessage } from '../openflow/message/packet-in.ts';
import { inPortOfMatch } from '../openflow/message/packet-out.ts';
import type { OfVersion } from '../openflow/version.ts';
import type { OfErrorName } from '../spec/of-errors.ts';
import { translate } from '../translate/index.ts';
import type { FrozenState } from '../translate/recirc.ts';
import type { Effects, OfPort, SwitchPicture, XlateIn } from '../translate/types.ts';

/** A band that nothing ever exceeds, for meters without one: they count all the same. */
const NO_BAND = { rate: 0xffffffff, burst: 0xffffffff } as const;
/** Tunnel metadata are the last of a packet's key. */
const TUNNEL_START = KEY.tun_id.offset;

/** The datapath's meters, shared by all bridges. */
export function datapathMeters(datapath: Datapath): DatapathMeters {
  const taken = new Set<number>();
  const put = (number: number, { unit, bands }: MeterConfig): boolean => {
    const list = bands.length === 0 ? [NO_BAND] : bands.map(({ rate, burst }) => ({ rate, burst }));
    return datapath.setMeter(number, { unit, bands: list }).ok;
  };
  return {
    add(config) {
      let number = 0;
      while (taken.has(number)) number++;
      if (number >= METERS_MAX || !put(number, config)) return null;
      taken.add(number);
      return number;
    },
    change: put,
    delete(number) {
      taken.delete(number);
      datapath.deleteMeter(number);
    },
    stats: (number) => datapath.meterStats(number),
  };
}

/** What packets of controllers need of the switch. */
export interface PacketHost {
  readonly picture: SwitchPicture;
  readonly effects: Effects;
  readonly now: Micros;
  /** Sends the frame through the actions, and does what comes of it. */
  send(frame: Uint8Array, key: PipelineKey, out: ReturnType<typeof translate>): void;
}

/** The key of a packet in a bridge: what the frame says, and metadata that a controller says of it. */
function keyOf(
  picture: SwitchPicture,
  bridge: string,
  frame: Uint8Array,
  port: OfPort,
  told: PipelineKey,
): PipelineKey {
  const key = PipelineKey.of(extractKey(frame).key);
  key.bytes.set(told.bytes.subarray(TUNNEL_START, KEY_SIZE), TUNNEL_START);
  for (const field of [KEY.pkt_mark, KEY.skb_priority]) key.copyField(told, field);
  return key.set(KEY.in_port, picture.bridges.get(bridge)?.ports.get(port)?.dpPort ?? NONE_U32) as PipelineKey;
}

function run(
  host: PacketHost,
  { bridge, frame, inPort, pipeline }: Omit<OutPacket, 'actions'>,
  how: Pick<XlateIn, 'actions' | 'resume' | 'pipeline'>,
): OfErrorName | null {
  const { picture, effects, now } = host;
  const key = keyOf(picture, bridge, frame, inPort, pipeline);
  const out = translate({ picture, key: key.packet, ingress: { bridge, ofport: inPort }, frame, now, effects, ...how });
  if (out.error !== 'none') return 'OFPFMFC_UNKNOWN';
  host.send(frame, key, out);
  return null;
}

/** OFPT_PACKET_OUT. @returns what is wrong with it, or null */
export function sendPacketOut(host: PacketHost, packet: OutPacket): OfErrorName | null {
  const { actions, pipeline } = packet;
  return run(host, packet, { actions, pipeline });
}

const NOTHING = new Uint8Array(0);

/** NXT_RESUME. @returns what is wrong with it, or null */
export function resumePacket(host: PacketHost, message: PacketInMessage, version: OfVersion): OfErrorName | null {
  const read = decodeContinuation(message.continuation ?? NOTHING, version);
  if (!read.ok) return read.error.name;
  const { bridgeUuid: uuid, ...kept } = read.value;
  const bridge = [...host.picture.bridges.keys()].find((name) => uuid && equalBytes(bridgeUuid(name), uuid));
  if (bridge === undefined) return 'NXR_STALE';
  const { key: pipeline } = message.metadata;
  const inPort = inPortOfMatch(message.metadata);
  const tunnel = pipeline.bytes.slice(TUNNEL_START, KEY_SIZE);
  const resume: FrozenState = {
    ...kept,
    bridge,
    inPort,
    pipeline: pipeline.bytes.slice(KEY_SIZE),
    tunnel: tunnel.some((byte) => byte !== 0) ? tunnel : NOTHING,
    tableId: 0,
    ruleCookie: 0n,
    userdata: message.userdata,
  };
  return run(host, { bridge, frame: message.data, inPort, pipeline }, { resume });
}
