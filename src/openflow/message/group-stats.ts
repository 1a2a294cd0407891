/** What groups counted, as each version tells it. */
import { ok } from '../../lib/result.ts';
import { ofFail } from '../error.ts';
import type { OfVersion } from '../version.ts';
import { u16At, u32At, u64At, Writer } from '../wire.ts';
import { type Decoded, type DecodeInput, durationText, type Encoded } from './codec.ts';
import { specIn } from './header.ts';

export interface OfGroupStats {
  readonly id: number;
  readonly references: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  /** Null where the version does not say. */
  readonly duration: { readonly seconds: number; readonly nanoseconds: number } | null;
  readonly buckets: readonly { readonly packets: bigint; readonly bytes: bigint }[];
}

export interface GroupStatsReplyMessage {
  readonly kind: 'group_stats_reply';
  readonly stats: readonly OfGroupStats[];
}

export function decodeGroupStats({ version, body }: DecodeInput): Decoded<GroupStatsReplyMessage> {
  const isOld = version === 2 || version === 3;
  const head = isOld ? 32 : 40;
  const stats: OfGroupStats[] = [];
  for (let at = 0; at < body.length; ) {
    const left = body.length - at;
    if (left < head) return ofFail('OFPBRC_BAD_LEN');
    const size = u16At(body, at);
    if (size < head || size > left || (size - head) % 16 !== 0) return ofFail('OFPBRC_BAD_LEN');
    stats.push({
      id: u32At(body, at + 4),
      references: u32At(body, at + 8),
      packets: u64At(body, at + 16),
      bytes: u64At(body, at + 24),
      duration: isOld ? null : { seconds: u32At(body, at + 32), nanoseconds: u32At(body, at + 36) },
      buckets: Array.from({ length: (size - head) / 16 }, (_, i) => ({
        packets: u64At(body, at + head + 16 * i),
        bytes: u64At(body, at + head + 16 * i + 8),
      })),
    });
    at += size;
  }
  return ok({ kind: 'group_stats_reply', stats });
}

export function encodeGroupStats({ stats }: GroupStatsReplyMessage, version: OfVersion): Encoded {
  const isOld = version === 2 || version === 3;
  const out = new Writer();
  for (const s of stats) {
    out
      .u16((isOld ? 32 : 40) + 16 * s.buckets.length)
      .zeros(2)
      .u32(s.id)
      .u32(s.references)
      .zeros(4);
    out.u64(s.packets).u64(s.bytes);
    if (!isOld) out.u32(s.duration?.seconds ?? 0xffffffff).u32(s.duration?.nanoseconds ?? 0xffffffff);
    for (const bucket of s.buckets) out.u64(bucket.packets).u64(bucket.bytes);
  }
  return { spec: specIn(version, 'NXST_GROUP_REPLY', 'OFPST11_GROUP_REPLY', 'OFPST13_GROUP_REPLY')!, body: out.done() };
}

export function formatGroupStats(s: OfGroupStats): string {
  const duration = s.duration ? `duration=${durationText(s.duration.seconds, s.duration.nanoseconds)},` : '';
  const buckets = s.buckets.map((b, i) => `,bucket${i}:packet_count=${b.packets},byte_count=${b.bytes}`).join('');
  return (
    ` group_id=${s.id},${duration}ref_count=${s.references},packet_count=${s.packets},` +
    `byte_count=${s.bytes}${buckets}\n`
  );
}
