/** nat, inside ct (ovs-actions(7)). */
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../lib/addresses.ts';
import type { Reader } from '../reader.ts';
import { type Decoded, kind, nicira, type Parsed, putNicira, variable, wrong } from './codec.ts';
import { numberOf, splitActionWords } from './text.ts';
import type { OfNat } from './types.ts';

const FLAG = { SRC: 1, DST: 2, PERSISTENT: 4, HASH: 8, RANDOM: 16 } as const;
/** What of the range follows, lowest bit first. */
const RANGE = { V4_MIN: 1, V4_MAX: 2, V6_MIN: 4, V6_MAX: 8, PORT_MIN: 16, PORT_MAX: 32 } as const;

type Draft = { -readonly [K in keyof OfNat]: OfNat[K] };
const bare = (): Draft => ({
  type: 'nat',
  direction: null,
  isPersistent: false,
  portChoice: null,
  addressMin: null,
  addressMax: null,
  portMin: 0,
  portMax: 0,
});

/** Null when the range that the bits speak of is not there or makes no sense. */
function readRange(r: Reader, present: number, into: Draft): boolean {
  let at = 16;
  const take = (bit: number, size: number): Uint8Array | null => {
    if ((present & bit) === 0) return null;
    const bytes = r.slice(at, at + size).slice();
    at += size;
    return bytes;
  };
  const [v4Min, v4Max] = [take(RANGE.V4_MIN, 4), take(RANGE.V4_MAX, 4)];
  const [v6Min, v6Max] = [take(RANGE.V6_MIN, 16), take(RANGE.V6_MAX, 16)];
  const [portMin, portMax] = [take(RANGE.PORT_MIN, 2), take(RANGE.PORT_MAX, 2)];
  if (at > r.size) return false;
  into.addressMin = v4Min ?? v6Min;
  into.addressMax = v4Max ?? v6Max;
  if (portMin) into.portMin = (portMin[0]! << 8) | portMin[1]!;
  if (portMax) into.portMax = (portMax[0]! << 8) | portMax[1]!;
  return true;
}

/** Both kinds of address, or an end without a beginning. */
function isOddRange(present: number): boolean {
  const [v4, v6, ports] = [present & 3, (present >> 2) & 3, (present >> 4) & 3];
  return v4 === 2 || v6 === 2 || ports === 2 || (v4 !== 0 && v6 !== 0) || (ports !== 0 && v4 === 0 && v6 === 0);
}

function decodeNat(r: Reader): Decoded {
  const [flags, present] = [r.u16(12), r.u16(14)];
  const isBoth = (flags & 3) === 3;
  if (isBoth || (flags & 0x18) === 0x18 || (flags & ~0x1f) !== 0) return 'OFPBAC_BAD_ARGUMENT';
  if ((present & ~0x3f) !== 0 || isOddRange(present)) return 'OFPBAC_BAD_ARGUMENT';
  const action = bare();
  action.direction = (flags & FLAG.SRC) !== 0 ? 'src' : (flags & FLAG.DST) !== 0 ? 'dst' : null;
  if (action.direction === null) return action;
  action.isPersistent = (flags & FLAG.PERSISTENT) !== 0;
  action.portChoice = (flags & FLAG.HASH) !== 0 ? 'hash' : (flags & FLAG.RANDOM) !== 0 ? 'random' : null;
  if (!readRange(r, present, action)) return 'OFPBAC_BAD_LEN';
  const { addressMin, addressMax, portMin, portMax } = action;
  const isBackward = addressMin !== null && addressMax !== null && Buffer.compare(addressMin, addressMax) > 0;
  return isBackward || (portMax !== 0 && portMin > portMax) ? 'OFPBAC_BAD_ARGUMENT' : action;
}

const parseAddress = (text: string): Uint8Array | null => parseIpv4(text) ?? parseIpv6(text);

function parsePorts(text: string, into: Draft): boolean {
  const [first, last, ...rest] = text.split('-');
  const [min, max] = [numberOf(first!, 16), last === undefined ? 0 : numberOf(last, 16)];
  if (min === null || max === null || rest.length > 0 || min === 0 || (last !== undefined && max < min)) return false;
  into.portMin = min;
  into.portMax = max === min ? 0 : max;
  return true;
}

/** `10.0.0.1-10.0.0.5:80-90`, `[fe80::1]-[fe80::2]:5`, `fe80::1-fe80::2` */
function parseRange(text: string, into: Draft): boolean {
  const found =
    /^\[([^\]]+)\](?:-\[([^\]]+)\])?(?::(.*))?$/.exec(text) ??
    /^([0-9.]+)(?:-([0-9.]+))?(?::(.*))?$/.exec(text) ??
    /^([0-9a-fA-F:.]+)(?:-([0-9a-fA-F:.]+))?()$/.exec(text);
  if (!found) return false;
  const [, first, last, ports] = found;
  const [min, max] = [parseAddress(first!), last === undefined ? null : parseAddress(last)];
  if (!min || (last !== undefined && !max) || (max && max.length !== min.length)) return false;
  // All zeros stand for no address: then only a port that is taken is translated.
  into.addressMin = min.some((byte) => byte !== 0) ? min : null;
  into.addressMax = max && Buffer.compare(min, max) !== 0 ? max : null;
  if (max && Buffer.compare(min, max) > 0) return false;
  return ports ? parsePorts(ports, into) : true;
}

function parseNat(text: string): Parsed {
  const action = bare();
  for (const { name, value } of splitActionWords(text) ?? []) {
    if (name === 'src' || name === 'dst') {
      if (action.direction) return wrong('May only specify one of "src" or "dst".');
      action.direction = name;
      if (value !== '' && !parseRange(value, action)) return wrong(`invalid ${name} range "${value}"`);
    } else if (name === 'persistent') action.isPersistent = true;
    else if (name === 'hash' || name === 'random') {
      if (action.portChoice && action.portChoice !== name) return wrong('Both "hash" and "random" are not allowed.');
      action.portChoice = name;
    } else return wrong(`invalid key "${name}" in "nat" argument`);
  }
  if (action.direction === null && (action.isPersistent || action.portChoice)) {
    return wrong('Flags allowed only with "src" or "dst".');
  }
  return action;
}

const formatAddress = (bytes: Uint8Array, bracketed: boolean): string => {
  if (bytes.length === 4) return formatIpv4(bytes);
  return bracketed ? `[${formatIpv6(bytes)}]` : formatIpv6(bytes);
};

function formatNat(a: OfNat): string {
  if (a.direction === null) return 'nat';
  let range: string = a.direction;
  if (a.addressMin) {
    const bracketed = a.portMin !== 0;
    range += `=${formatAddress(a.addressMin, bracketed)}`;
    if (a.addressMax) range += `-${formatAddress(a.addressMax, bracketed)}`;
    if (a.portMin !== 0) range += `:${a.portMin}${a.portMax !== 0 ? `-${a.portMax}` : ''}`;
  }
  const parts = [range];
  if (a.isPersistent) parts.push('persistent');
  if (a.portChoice) parts.push(a.portChoice);
  return `nat(${parts.join(',')})`;
}

export const nat = kind<'nat'>({
  types: ['nat'],
  forms: [variable(nicira(36, 16, decodeNat))],
  encode(out, a) {
    const flags =
      (a.direction === 'src' ? FLAG.SRC : a.direction === 'dst' ? FLAG.DST : 0) |
      (a.isPersistent ? FLAG.PERSISTENT : 0) |
      (a.portChoice === 'hash' ? FLAG.HASH : a.portChoice === 'random' ? FLAG.RANDOM : 0);
    const shift = a.addressMin?.length === 16 ? 2 : 0;
    const present =
      (a.addressMin ? RANGE.V4_MIN << shift : 0) |
      (a.addressMax ? RANGE.V4_MAX << shift : 0) |
      (a.portMin !== 0 ? RANGE.PORT_MIN : 0) |
      (a.portMax !== 0 ? RANGE.PORT_MAX : 0);
    putNicira(out, 36, (body) => {
      body.zeros(2).u16(flags).u16(present);
      if (a.addressMin) body.bytes(a.addressMin);
      if (a.addressMax) body.bytes(a.addressMax);
      if (a.portMin !== 0) body.u16(a.portMin);
      if (a.portMax !== 0) body.u16(a.portMax);
    });
  },
  format: formatNat,
  words: { nat: parseNat },
});
