/** How a trace goes on with the copies of a packet that conntrack sends back: the datapath is not asked, its part is played. */
import { KEY, type KeyField } from '../flow/key.ts';
import { ctStateSet } from '../flow/odp/flags.ts';
import { formatIpv4, formatIpv6 } from '../lib/addresses.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { RecircFork } from '../translate/recirc.ts';

const bitOf = new Map(ctStateSet.names.map(([name, bit]) => [name, Number(bit)]));
const NEW_TRACKED = bitOf.get('trk')! | bitOf.get('new')!;
const RULE = '='.repeat(79);

const stateNames = (state: number): string =>
  ctStateSet.names.flatMap(([name, bit]) => ((state & Number(bit)) === 0 ? [] : [name])).join('|');

const has = (state: number, name: string): boolean => (state & bitOf.get(name)!) !== 0;

/** What is wrong with a state; null for one that a connection can be in. */
function wrongState(state: number): string | null {
  if (state !== 0 && !has(state, 'trk')) return 'If "trk" is unset, no other flags are set';
  if (has(state, 'inv') && (state & ~(bitOf.get('inv')! | bitOf.get('trk')!)) !== 0)
    return 'when "inv" is set, only "trk" may also be set';
  if (has(state, 'new') && has(state, 'est')) return '"new" and "est" are mutually exclusive';
  if (has(state, 'new') && has(state, 'rpl')) return '"new" and "rpl" are mutually exclusive';
  return null;
}

/** ofproto/trace's --ct-next: names of ct_state's bits with commas between them; `trk` goes without saying where it is left out. */
export function parseCtNext(text: string): Result<number> {
  let state = 0;
  for (const name of text.split(/[, ]+/).filter((word) => word !== '')) {
    const bit = bitOf.get(name);
    if (bit === undefined) return fail(`${name}: unknown connection tracking state flag`);
    state |= bit;
  }
  const wrong = wrongState(state);
  return wrong === null ? ok(state) : fail(`${stateNames(state)}: invalid connection state: ${wrong}`);
}

interface Ends {
  readonly names: readonly [string, string];
  readonly fields: readonly [KeyField, KeyField];
  readonly format: (address: Uint8Array) => string;
}

const ends: Readonly<Record<4 | 16, Ends>> = {
  4: { names: ['nw_src', 'nw_dst'], fields: [KEY.ipv4_src, KEY.ipv4_dst], format: formatIpv4 },
  16: {
    names: ['ipv6_src', 'ipv6_dst'],
    fields: [KEY.ipv6_src, KEY.ipv6_dst],
    format: (address) => `[${formatIpv6(address)}]`,
  },
};

/** Plays the translation of addresses on the flow; returns what the trace says of it. */
function translateAddresses({ flow, nat }: RecircFork): string[] {
  if (!nat) return [];
  const { addressMin, direction, portMin } = nat;
  const family = addressMin && ends[addressMin.length as 4 | 16];
  const tell = (): string => {
    if (!family) return '';
    const { names, fields, format } = family;
    const [src, dst] = [format(flow.at(fields[0])), format(flow.at(fields[1]))];
    const ports = [flow.get(KEY.tp_src), flow.get(KEY.tp_dst)];
    return `${names[0]}=${src},tp_src=${ports[0]},${names[1]}=${dst},tp_dst=${ports[1]}`;
  };
  const before = tell();
  if (family) {
    const isSource = direction === 'src';
    flow.setBytes(family.fields[isSource ? 0 : 1], addressMin);
    if (portMin !== 0) flow.set(isSource ? KEY.tp_src : KEY.tp_dst, portMin);
  }
  return ['Replacing src/dst IP/ports to simulate NAT:', ` Initial flow: ${before}`, ` Modified flow: ${tell()}`];
}

/**
 * Makes the fork's flow what it is when it comes back. Returns the heading of its trace.
 * @param state connection state, null for the default
 */
export function resumeFork(fork: RecircFork, state: number | null): string {
  const { id, zone, flow } = fork;
  const known = state ?? NEW_TRACKED;
  const how =
    state === null ? 'default ct_state=trk|new (use --ct-next to customize)' : `ct_state=${stateNames(known)}`;
  flow.set(KEY.recirc_id, id).set(KEY.ct_state, known).set(KEY.ct_zone, zone);
  const translated = translateAddresses(fork);
  const heading = `recirc(0x${id.toString(16)}) - resume conntrack with ${how}`;
  return ['', RULE, heading, ...translated, RULE, '', ''].join('\n');
}
