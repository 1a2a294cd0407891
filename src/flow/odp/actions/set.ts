/** set(...): the same tables as for matches; what is not named stays as it is in the packet. */
import { tunnelFlags } from '../../../spec/key.ts';
import { FlowKey, KEY, type KeyField, keyFieldList, type Match } from '../../key.ts';
import type { SetField, SetTarget } from '../action.ts';
import { ethRows } from '../match/ethernet.ts';
import { arpRows, formatFragment, fragmentSlot, ipv4Rows, ipv6Rows, parseFragment } from '../match/ip.ts';
import { formatOutermost, mplsEntryRows, parseMpls } from '../match/mpls.ts';
import { nshRows } from '../match/nsh.ts';
import { icmpRows, ndExtRows, ndRows, portRows } from '../match/transport.ts';
import { formatTunnel, parseTunnel } from '../match/tunnel.ts';
import { bigToBytes, bytesToBig, hex, ones } from '../number.ts';
import type { Row } from '../row.ts';
import { emptyMasked, formatMasked, formatRows, type Masked, parseMaskedValue, parseRows, putMasked } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import { readField, readSlot, slot, slotBits, writeField } from '../slot.ts';
import { type ActionForm, type ActionOf, form } from './form.ts';

interface SetForm {
  /** Reads from behind the target's opening parenthesis; takes the closing one. */
  parse(s: Scanner, into: Masked): void;
  format(from: Match): string;
}

const ofRows = (rows: readonly Row[]): SetForm => ({
  parse: (s, into) => parseRows(s, rows, into),
  format: (from) => formatRows(rows, from).join(','),
});

const withFragment = (rows: readonly Row[]): SetForm => ({
  parse: (s, into) => parseRows(s, rows, into, parseFragment(into)),
  format: (from) => [...formatRows(rows, from), ...formatFragment(from)].join(','),
});

const ofValue = (name: 'skb_priority' | 'pkt_mark'): SetForm => {
  const place = slot(name);
  return {
    parse(s, into) {
      const { value, mask } = parseMaskedValue(s, hex, place.width);
      s.expect(')');
      if (!s.failed) putMasked(into, place, value, mask);
    },
    format: (from) => formatMasked(hex, readSlot(from.key, place), readSlot(from.mask, place), place.width),
  };
};

/** Both fields are always written, as zero when they are not set. */
const ndExt: SetForm = {
  parse: (s, into) => parseRows(s, ndExtRows, into),
  format: (from) =>
    ndExtRows.map((row) => `${row.name}=${row.notation.format(readSlot(from.key, row.slot))}`).join(','),
};

const forms: Readonly<Record<SetTarget, SetForm>> = {
  eth: ofRows(ethRows),
  ipv4: withFragment(ipv4Rows),
  ipv6: withFragment(ipv6Rows),
  tcp: ofRows(portRows),
  udp: ofRows(portRows),
  sctp: ofRows(portRows),
  icmp: ofRows(icmpRows),
  icmpv6: ofRows(icmpRows),
  arp: ofRows(arpRows),
  nd: ofRows(ndRows),
  nd_ext: ndExt,
  mpls: { parse: (s, into) => parseMpls(s, into), format: (from) => formatOutermost(from) },
  nsh: ofRows(nshRows),
  skb_priority: ofValue('skb_priority'),
  skb_mark: ofValue('pkt_mark'),
  tunnel: { parse: parseTunnel, format: formatTunnel },
};

/** Bits of a field that mean something, where they are not all of it. */
const fieldBits: ReadonlyMap<string, bigint> = new Map(
  [...ipv6Rows, ...icmpRows, { slot: fragmentSlot }].reduce((bits, { slot: place }) => {
    const name = place.field.name;
    return bits.set(name, (bits.get(name) ?? 0n) | slotBits(place));
  }, new Map<string, bigint>()),
);

/** All bits of the field as this target means it. */
function fullMask(target: SetTarget, field: KeyField): bigint {
  const isNarrow = field.name === 'ipv6_label' || field.name === 'nw_frag' || target.startsWith('icmp');
  if (field.name === 'tun_flags') return 0xfn;
  return (isNarrow ? fieldBits.get(field.name) : undefined) ?? ones(field.size * 8);
}

const TARGETS = Object.keys(forms) as SetTarget[];

function collect(target: SetTarget, from: Masked): SetField[] {
  return keyFieldList
    .filter((field) => !from.mask.isZero(field))
    .map((field) => {
      const mask = readField(from.mask, field);
      return {
        field: field.name,
        value: bigToBytes(readField(from.key, field), field.size),
        mask: mask === fullMask(target, field) ? null : bigToBytes(mask, field.size),
      };
    });
}

function spread({ target, fields }: ActionOf<'set'>): Match {
  const key = new FlowKey();
  const mask = new FlowKey();
  for (const { field: name, value, mask: bits } of fields) {
    const field = KEY[name];
    writeField(key, field, bytesToBig(value));
    writeField(mask, field, bits ? bytesToBig(bits) : fullMask(target, field));
  }
  // A tunnel key of zero is a key, and its field may be left out.
  if ((key.get(KEY.tun_flags) & tunnelFlags.KEY) !== 0) mask.setAllOnes(KEY.tun_id);
  return { key, mask };
}

function parseSet(s: Scanner): ActionOf<'set'> {
  s.expect('(');
  const start = s.at;
  const word = s.word();
  const target = TARGETS.find((name) => name === word);
  const into = emptyMasked();
  if (!target) s.fail(`"${word}" cannot be set`, start);
  s.expect('(');
  if (target && !s.failed) forms[target].parse(s, into);
  s.expect(')');
  if (
    target === 'mpls' &&
    mplsEntryRows
      .slice(1)
      .flat()
      .some((row) => readSlot(into.mask, row.slot) !== 0n)
  )
    s.fail('only the outermost label can be set', start);
  return { type: 'set', target: target ?? 'eth', fields: target ? collect(target, into) : [] };
}

export const setForm: ActionForm = form({
  type: 'set',
  parse: parseSet,
  format: (action) => `set(${action.target}(${forms[action.target].format(spread(action))}))`,
});
