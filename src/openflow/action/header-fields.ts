/** mod_dl_src, mod_dl_dst, mod_nw_src, mod_nw_dst, mod_nw_tos, mod_nw_ecn, mod_nw_ttl, mod_tp_src, mod_tp_dst. */

import { bytesToBig } from '../../flow/odp/number.ts';
import { formatIpv4, formatMac, parseIpv4, parseMac } from '../../lib/addresses.ts';
import { fieldOf, fieldOnes } from '../field/index.ts';
import type { OfVersion } from '../version.ts';
import type { Writer } from '../wire.ts';
import { type ActionKind, kind, nicira, type Parsed, putNicira, putStandard, standard, wrong } from './codec.ts';
import { putLegacySetField } from './legacy.ts';
import { putSetField } from './set-field.ts';
import { oneNumber } from './text.ts';

/** As its own action where the version has one, else as set_field. */
function putField(out: Writer, version: OfVersion, field: string, value: bigint): void {
  if (version <= 2 && putLegacySetField(out, version, field, value)) return;
  putSetField(out, version, { type: 'set_field', field, value, mask: fieldOnes(fieldOf(field)), isLoad: version <= 2 });
}

function mac(
  type: 'set_eth_src' | 'set_eth_dst',
  field: string,
  word: string,
  codes: readonly [number, number],
): ActionKind {
  return kind<typeof type>({
    types: [type],
    forms: [
      standard(codes[0], [1, 1], 16, (r) => ({ type, mac: r.slice(4, 10).slice() })),
      standard(codes[1], [2, 6], 16, (r) => ({ type, mac: r.slice(4, 10).slice() })),
    ],
    encode: (out, action, { version }) => putField(out, version, field, bytesToBig(action.mac)),
    format: (action) => `${word}:${formatMac(action.mac)}`,
    words: {
      [word]: (text): Parsed => {
        const address = parseMac(text);
        return address ? { type, mac: address } : wrong(`invalid mac address "${text}"`);
      },
    },
  });
}

function ipv4(
  type: 'set_ipv4_src' | 'set_ipv4_dst',
  field: string,
  word: string,
  codes: readonly [number, number],
): ActionKind {
  return kind<typeof type>({
    types: [type],
    forms: [
      standard(codes[0], [1, 1], 8, (r) => ({ type, address: r.slice(4, 8).slice() })),
      standard(codes[1], [2, 6], 8, (r) => ({ type, address: r.slice(4, 8).slice() })),
    ],
    encode: (out, action, { version }) => putField(out, version, field, bytesToBig(action.address)),
    format: (action) => `${word}:${formatIpv4(action.address)}`,
    words: {
      [word]: (text): Parsed => {
        const address = parseIpv4(text);
        return address ? { type, address } : wrong(`${text}: invalid IP address`);
      },
    },
  });
}

function l4Port(type: 'set_l4_src_port' | 'set_l4_dst_port', field: string, word: string, code: number): ActionKind {
  return kind<typeof type>({
    types: [type],
    forms: [standard(code, [1, 6], 8, (r) => ({ type, port: r.u16(4) }))],
    encode: (out, action, { version, protocol }) =>
      putField(out, version, `${version <= 2 ? 'tcp' : protocol}_${field}`, BigInt(action.port)),
    format: (action) => `${word}:${action.port}`,
    words: { [word]: oneNumber(word, 16, (port) => ({ type, port })) },
  });
}

export const setEthSrc = mac('set_eth_src', 'eth_src', 'mod_dl_src', [4, 3]);
export const setEthDst = mac('set_eth_dst', 'eth_dst', 'mod_dl_dst', [5, 4]);
export const setIpv4Src = ipv4('set_ipv4_src', 'ip_src', 'mod_nw_src', [6, 5]);
export const setIpv4Dst = ipv4('set_ipv4_dst', 'ip_dst', 'mod_nw_dst', [7, 6]);
export const setL4SrcPort = l4Port('set_l4_src_port', 'src', 'mod_tp_src', 9);
export const setL4DstPort = l4Port('set_l4_dst_port', 'dst', 'mod_tp_dst', 10);

export const setIpDscp = kind<'set_ip_dscp'>({
  types: ['set_ip_dscp'],
  forms: [8, 7].map((code, i) =>
    standard(code, i === 0 ? [1, 1] : [2, 6], 8, (r) => {
      const tos = r.u8(4);
      return (tos & 3) === 0 ? { type: 'set_ip_dscp', tos } : 'OFPBAC_BAD_ARGUMENT';
    }),
  ),
  encode: (out, { tos }, { version }) => putField(out, version, 'ip_dscp', BigInt(tos >> 2)),
  format: ({ tos }) => `mod_nw_tos:${tos}`,
  words: {
    mod_nw_tos: oneNumber('TOS', 8, (tos) =>
      (tos & 3) === 0 ? { type: 'set_ip_dscp', tos } : wrong(`${tos}: not a valid TOS`),
    ),
  },
});

export const setIpEcn = kind<'set_ip_ecn'>({
  types: ['set_ip_ecn'],
  forms: [
    standard(8, [2, 6], 8, (r) => {
      const ecn = r.u8(4);
      return (ecn & ~3) === 0 ? { type: 'set_ip_ecn', ecn } : 'OFPBAC_BAD_ARGUMENT';
    }),
  ],
  encode: (out, { ecn }, { version }) => putField(out, version, 'nw_ecn', BigInt(ecn)),
  format: ({ ecn }) => `mod_nw_ecn:${ecn}`,
  words: {
    mod_nw_ecn: oneNumber('ECN', 8, (ecn) =>
      ecn <= 3 ? { type: 'set_ip_ecn', ecn } : wrong(`${ecn}: not a valid ECN`),
    ),
  },
});

export const setIpTtl = kind<'set_ip_ttl'>({
  types: ['set_ip_ttl'],
  forms: [standard(23, [2, 6], 8, (r) => ({ type: 'set_ip_ttl', ttl: r.u8(4) }))],
  encode(out, { ttl }, { version }) {
    if (version === 1) putField(out, version, 'nw_ttl', BigInt(ttl));
    else putStandard(out, 23, (body) => body.u8(ttl).zeros(3));
  },
  format: ({ ttl }) => `mod_nw_ttl:${ttl}`,
  words: { mod_nw_ttl: oneNumber('TTL', 8, (ttl) => ({ type: 'set_ip_ttl', ttl })) },
});

/** With a list of controllers, the list's ids in two bytes each. */
export const decTtl = kind<'dec_ttl'>({
  types: ['dec_ttl'],
  forms: [
    standard(24, [2, 6], 8, () => ({ type: 'dec_ttl', controllerIds: [0], hasIds: false })),
    nicira(18, 16, () => ({ type: 'dec_ttl', controllerIds: [0], hasIds: false })),
    {
      ...nicira(21, 16, (r) => {
        const count = r.u16(10);
        if (!r.isZero(12, 16)) return 'NXBRC_MUST_BE_ZERO';
        if (r.size < 16 + 2 * count) return 'OFPBAC_BAD_LEN';
        return {
          type: 'dec_ttl',
          controllerIds: Array.from({ length: count }, (_, i) => r.u16(16 + 2 * i)),
          hasIds: true,
        };
      }),
      isVariable: true,
    },
  ],
  encode(out, { controllerIds, hasIds }, { version }) {
    if (hasIds) {
      putNicira(out, 21, (body) => {
        body.u16(controllerIds.length).zeros(4);
        for (const id of controllerIds) body.u16(id);
      });
    } else if (version === 1) putNicira(out, 18, (body) => body.zeros(6));
    else putStandard(out, 24, (body) => body.zeros(4));
  },
  format: ({ controllerIds, hasIds }) => (hasIds ? `dec_ttl(${controllerIds.join(',')})` : 'dec_ttl'),
  words: {
    dec_ttl: (text): Parsed => {
      if (text === '') return { type: 'dec_ttl', controllerIds: [0], hasIds: false };
      const ids = text
        .split(/[,\s]+/)
        .filter((id) => id !== '')
        .map(Number);
      if (ids.length === 0) return wrong('dec_ttl_cnt_ids: expected at least one controller id.');
      if (ids.some((id) => !Number.isInteger(id) || id < 0 || id > 0xffff))
        return wrong(`dec_ttl: invalid ids "${text}"`);
      return { type: 'dec_ttl', controllerIds: ids, hasIds: true };
    },
  },
});
