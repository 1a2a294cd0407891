/** Meters: changes, configuration, statistics, features. */
import type { MeterModMessage, MeterRequestMessage, OfMeter } from '../../openflow/message/meter.ts';
import { METER_ALL, type Meter, type MeterConfig } from '../meters.ts';
import { inReferenceOrder } from '../port-description.ts';
import { type Call, durationOf, type Refusal } from './call.ts';

/** OFPMF. */
const FLAG = { kbps: 1, pktps: 2, burst: 4, stats: 8 } as const;
const BAND_DROP = 2;
const CAPABILITIES = FLAG.kbps | FLAG.pktps | FLAG.burst | FLAG.stats;

const configOf = ({ id, flags, bands }: OfMeter): MeterConfig => ({
  id,
  unit: (flags & FLAG.pktps) !== 0 ? 'pktps' : 'kbps',
  hasBurst: (flags & FLAG.burst) !== 0,
  countsStats: (flags & FLAG.stats) !== 0,
  bands: bands.map(({ type, rate, burst, precedence }) => ({ type, rate, burst, precLevel: precedence })),
});

const flagsOf = ({ unit, hasBurst, countsStats }: MeterConfig): number =>
  FLAG[unit] | (hasBurst ? FLAG.burst : 0) | (countsStats ? FLAG.stats : 0);

export function meterMod({ bridge, peer, request, now }: Call, { command, meter }: MeterModMessage): Refusal {
  if (command !== 'delete' && (meter.flags & ~CAPABILITIES) !== 0) return 'OFPMMFC_BAD_FLAGS';
  const { ofproto } = bridge;
  const done = ofproto.meters.execute({ command, config: configOf(meter) }, now);
  if (!done.ok) return done.error;
  const cause = { peer, xid: request.envelope.header.xid };
  for (const { kind, meter: gone } of done.value)
    if (kind === 'removed') ofproto.removeUsers('meter_delete', gone.config.id, cause, now);
  ofproto.events?.metersChanged(done.value, request, peer);
  return null;
}

function requested({ bridge }: Call, { id }: MeterRequestMessage): readonly Meter[] | null {
  const { meters } = bridge.ofproto;
  if (id === METER_ALL) return inReferenceOrder(meters.meters, ({ config }) => config.id);
  const meter = meters.get(id);
  return meter ? [meter] : null;
}

export function meterStats(call: Call, message: MeterRequestMessage): Refusal {
  const { peer, request, now } = call;
  const { ofproto } = call.bridge;
  const meters = requested(call, message);
  if (!meters) return 'OFPMMFC_UNKNOWN_METER';
  const parts = meters.map((meter) => {
    const { packetsIn, bytesIn, bands } = ofproto.meters.stats(meter);
    const stats = {
      id: meter.config.id,
      flowCount: ofproto.usage.ofMeter(meter.config.id),
      packets: BigInt(packetsIn),
      bytes: BigInt(bytesIn),
      ...durationOf(now - meter.created),
      bands: bands.map((band) => ({ packets: BigInt(band.packets), bytes: BigInt(band.bytes) })),
    };
    return { kind: 'meter_stats_reply', stats: [stats] } as const;
  });
  peer.replyMultipart(request, parts, { kind: 'meter_stats_reply', stats: [] });
  return null;
}

export function meterConfig(call: Call, message: MeterRequestMessage): Refusal {
  const meters = requested(call, message);
  if (!meters) return 'OFPMMFC_UNKNOWN_METER';
  const parts = meters.map(({ config }) => {
    const bands = config.bands.map(({ type, rate, burst, precLevel }) => ({
      type,
      rate,
      burst,
      precedence: precLevel,
    }));
    return { kind: 'meter_config_reply', meters: [{ id: config.id, flags: flagsOf(config), bands }] } as const;
  });
  call.peer.replyMultipart(call.request, parts, { kind: 'meter_config_reply', meters: [] });
  return null;
}

export function meterFeatures({ bridge, peer, request }: Call): Refusal {
  const { metersMax, bandsMax } = bridge.ofproto.meters.limits;
  const reply = {
    kind: 'meter_features_reply',
    meterMax: metersMax,
    bandTypes: BAND_DROP,
    capabilities: CAPABILITIES,
    bandMax: bandsMax,
    colorMax: 0,
  } as const;
  peer.replyMultipart(request, [reply], reply);
  return null;
}
