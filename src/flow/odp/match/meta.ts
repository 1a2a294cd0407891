/** skb_priority, skb_mark, recirc_id, dp_hash, in_port, packet_type: what is not in the packet. */
import { KEY } from '../../key.ts';
import { decimal, hex, ones } from '../number.ts';
import { formatMasked, formatRows, parseMaskedValue, parseRows, putMasked, type Row } from '../row.ts';
import { readSlot, slot } from '../slot.ts';
import type { Attribute } from './attribute.ts';
import { single } from './group.ts';

const recircSlot = slot('recirc_id');
const inPortSlot = slot('in_port');

const recircId: Attribute = {
  ...single('recirc_id', 'recirc_id', hex),
  parse(s, draft) {
    const id = s.number(32);
    s.expect(')');
    if (!s.failed) putMasked(draft, recircSlot, id, ones(32));
  },
};

const inPort: Attribute = {
  name: 'in_port',
  parse(s, draft) {
    const start = s.at;
    const named = /^[0-9]/.test(s.text.slice(s.at)) ? null : s.match(/[^()\s]+/y);
    if (named === null) {
      const { value, mask } = parseMaskedValue(s, decimal, 32);
      putMasked(draft, inPortSlot, value, mask);
    } else {
      const port = draft.portByName?.(named) ?? null;
      if (port === null) s.fail(`no port named "${named}"`, start);
      else putMasked(draft, inPortSlot, BigInt(port), ones(32));
    }
    s.expect(')');
  },
  format(match, { portName }) {
    const mask = readSlot(match.mask, inPortSlot);
    if (mask === 0n) return null;
    const port = readSlot(match.key, inPortSlot);
    const name = mask === ones(32) ? portName?.(Number(port)) : null;
    return `in_port(${name ?? formatMasked(decimal, port, mask, 32)})`;
  },
};

const packetTypeRows: readonly Row[] = [
  { name: 'ns', slot: slot('packet_type', 16, 16), notation: decimal },
  { name: 'id', slot: slot('packet_type', 0, 16), notation: hex },
];

const packetType: Attribute = {
  name: 'packet_type',
  parse: (s, draft) => parseRows(s, packetTypeRows, draft),
  format: (match) =>
    match.mask.isZero(KEY.packet_type) ? null : `packet_type(${formatRows(packetTypeRows, match).join(',')})`,
};

export const metaBeforeTunnel: readonly Attribute[] = [single('skb_priority', 'skb_priority', hex)];
export const metaAfterTunnel: readonly Attribute[] = [single('skb_mark', 'pkt_mark', hex)];
export const metaBeforeEthernet: readonly Attribute[] = [
  recircId,
  single('dp_hash', 'dp_hash', hex),
  inPort,
  packetType,
];
