/** push_vlan, push_mpls, pop_mpls, push_eth, push_nsh. */
import { VLAN_CFI } from '../../../gen/key.ts';
import { formatMac } from '../../../lib/addresses.ts';
import { fromHex, toHex, u32At } from '../../../lib/bytes.ts';
import { KEY } from '../../key.ts';
import { ethRows } from '../match/ethernet.ts';
import { mplsEntryRows } from '../match/mpls.ts';
import { nshRows } from '../match/nsh.ts';
import { emptyMasked, parseRows } from '../row.ts';
import type { Scanner } from '../scanner.ts';
import { type ActionForm, type ActionOf, form } from './form.ts';

const TPID_8021Q = 0x8100;
const MD_SIZE_MAX = 248;

/** Reads `name=number` pairs up to the closing parenthesis. */
function parseNumbers<T extends string>(s: Scanner, widths: Readonly<Record<T, number>>): Partial<Record<T, number>> {
  const found: Partial<Record<T, number>> = {};
  s.expect('(');
  while (!s.failed && !s.take(')')) {
    const start = s.at;
    const name = s.word() as T;
    if (!(name in widths)) s.fail(`unknown field "${name}"`, start);
    if (name in found) s.fail(`"${name}" twice`, start);
    s.expect('=');
    if (!s.failed) found[name] = Number(s.number(widths[name]));
    if (!s.take(',') && !s.peek(')')) s.fail('expected "," or ")"');
  }
  return found;
}

function parsePushVlan(s: Scanner): ActionOf<'push_vlan'> {
  const start = s.at;
  const { tpid = TPID_8021Q, vid, pcp, cfi = 1 } = parseNumbers(s, { tpid: 16, vid: 12, pcp: 3, cfi: 1 });
  if (vid === undefined || pcp === undefined) s.fail('push_vlan needs vid and pcp', start);
  return { type: 'push_vlan', tpid, tci: ((pcp ?? 0) << 13) | (cfi === 1 ? VLAN_CFI : 0) | (vid ?? 0) };
}

function formatPushVlan({ tpid, tci }: ActionOf<'push_vlan'>): string {
  const type = tpid === TPID_8021Q ? '' : `tpid=0x${tpid.toString(16).padStart(4, '0')},`;
  return `push_vlan(${type}vid=${tci & 0xfff},pcp=${tci >> 13}${(tci & VLAN_CFI) === 0 ? ',cfi=0' : ''})`;
}

const lse = mplsEntryRows[0]!;

function parsePushMpls(s: Scanner): ActionOf<'push_mpls'> {
  const start = s.at;
  const read = parseNumbers(s, { label: 20, tc: 3, ttl: 8, bos: 1, eth_type: 16 });
  if (read.label === undefined || read.eth_type === undefined) s.fail('push_mpls needs label and eth_type', start);
  const { label = 0, tc = 0, ttl = 0, bos = 0, eth_type: ethType = 0 } = read;
  return { type: 'push_mpls', lse: ((label << 12) | (tc << 9) | (bos << 8) | ttl) >>> 0, ethType };
}

function formatPushMpls({ lse: entry, ethType }: ActionOf<'push_mpls'>): string {
  const fields = lse.map(({ name, slot }) => `${name}=${(entry >>> slot.shift) & (2 ** slot.width - 1)}`);
  return `push_mpls(${fields.join(',')},eth_type=0x${ethType.toString(16)})`;
}

function parsePopMpls(s: Scanner): ActionOf<'pop_mpls'> {
  const start = s.at;
  const { eth_type: ethType } = parseNumbers(s, { eth_type: 16 });
  if (ethType === undefined) s.fail('pop_mpls needs eth_type', start);
  return { type: 'pop_mpls', ethType: ethType ?? 0 };
}

function parsePushEth(s: Scanner): ActionOf<'push_eth'> {
  const start = s.at;
  const header = emptyMasked();
  s.expect('(');
  parseRows(s, ethRows, header);
  if (!header.mask.isAllOnes(KEY.eth_src) || !header.mask.isAllOnes(KEY.eth_dst))
    s.fail('push_eth needs src and dst', start);
  return { type: 'push_eth', dst: header.key.at(KEY.eth_dst).slice(), src: header.key.at(KEY.eth_src).slice() };
}

function parseMd2(s: Scanner): Uint8Array {
  s.expect('=');
  const start = s.at;
  const digits = s.value().replace(/^0[xX]/, '');
  const bytes = fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
  if (!bytes || bytes.length > MD_SIZE_MAX) s.fail(`expected up to ${MD_SIZE_MAX} bytes in hexadecimal`, start);
  const plain = bytes ?? new Uint8Array();
  // A single zero digit is how no metadata is written.
  if (plain.every((byte) => byte === 0)) return new Uint8Array();
  const padded = new Uint8Array(Math.ceil(plain.length / 4) * 4);
  padded.set(plain, padded.length - plain.length);
  return padded;
}

/** Metadata of type 1: four context headers (RFC 8300 §2.4). */
const contextOf = (header: ReturnType<typeof emptyMasked>): Uint8Array =>
  Uint8Array.from([KEY.nsh_c1, KEY.nsh_c2, KEY.nsh_c3, KEY.nsh_c4].flatMap((field) => [...header.key.at(field)]));

function parsePushNsh(s: Scanner): ActionOf<'push_nsh'> {
  const header = emptyMasked();
  let md2: Uint8Array = new Uint8Array();
  s.expect('(');
  parseRows(s, nshRows, header, (scanner, word) => {
    if (word !== 'md2') return false;
    md2 = parseMd2(scanner);
    return true;
  });
  const at = (field: (typeof KEY)['nsh_flags' | 'nsh_ttl' | 'nsh_mdtype' | 'nsh_np' | 'nsh_path']): number =>
    header.key.get(field);
  return {
    type: 'push_nsh',
    flags: at(KEY.nsh_flags),
    ttl: at(KEY.nsh_ttl),
    mdtype: at(KEY.nsh_mdtype),
    np: at(KEY.nsh_np),
    path: at(KEY.nsh_path),
    metadata: at(KEY.nsh_mdtype) === 1 ? contextOf(header) : md2,
  };
}

function formatMetadata(mdtype: number, metadata: Uint8Array): string {
  if (mdtype !== 1) return `md2=${metadata.length === 0 ? '0' : `0x${toHex(metadata).replace(/^0+(?=.)/, '')}`}`;
  return [0, 1, 2, 3].map((i) => `c${i + 1}=0x${u32At(metadata, 4 * i).toString(16)}`).join(',');
}

const formatPushNsh = ({ flags, ttl, mdtype, np, path, metadata }: ActionOf<'push_nsh'>): string =>
  `push_nsh(flags=${flags},ttl=${ttl},mdtype=${mdtype},np=${np},spi=0x${(path >>> 8).toString(16)},si=${path & 0xff},` +
  `${formatMetadata(mdtype, metadata)})`;

export const pushForms: readonly ActionForm[] = [
  form({ type: 'push_vlan', parse: parsePushVlan, format: formatPushVlan }),
  form({ type: 'push_mpls', parse: parsePushMpls, format: formatPushMpls }),
  form({ type: 'pop_mpls', parse: parsePopMpls, format: (a) => `pop_mpls(eth_type=0x${a.ethType.toString(16)})` }),
  form({
    type: 'push_eth',
    parse: parsePushEth,
    format: ({ src, dst }) => `push_eth(src=${formatMac(src)},dst=${formatMac(dst)})`,
  }),
  form({ type: 'push_nsh', parse: parsePushNsh, format: formatPushNsh }),
];
