/** Group-mods and meter-mods of one controller, told to the others (OpenFlow 1.4 §7.4.6), each in its own version. */
import type { OfMessage } from '../../openflow/message/families.ts';
import { encodeMessage } from '../../openflow/message/message.ts';
import type { Connection } from './connection.ts';
import type { OfRequest } from './types.ts';

const GROUP_MOD = 0;
const METER_MOD = 1;

/** Meters are of OpenFlow 1.3 and later. */
const METERS_FIRST = 4;

/** The flag of a meter whose bands say their bursts. */
const HAS_BURST = 4;

/** As it was carried out: a band that says no burst has one of its rate. */
function carriedOut(message: OfMessage): OfMessage {
  if (message.kind !== 'meter_mod' || (message.meter.flags & HAS_BURST) !== 0) return message;
  const bands = message.meter.bands.map((band) => ({ ...band, burst: band.rate }));
  return { ...message, meter: { ...message.meter, bands } };
}

export function forwardRequest(connections: Iterable<Connection>, { envelope }: OfRequest, source: unknown): void {
  const { message, header } = envelope;
  if (message.kind !== 'group_mod' && message.kind !== 'meter_mod') return;
  const reason = message.kind === 'group_mod' ? GROUP_MOD : METER_MOD;
  for (const connection of connections) {
    if (connection === source || !connection.wants('requestforward', reason)) continue;
    if (reason === METER_MOD && connection.version < METERS_FIRST) continue;
    const inner = encodeMessage(carriedOut(message), connection.version, header.xid);
    if (inner) connection.tell({ kind: 'requestforward', inner });
  }
}
