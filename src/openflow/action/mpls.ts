/** set_mpls_label, set_mpls_tc, set_mpls_ttl, push_mpls, pop_mpls (OpenFlow 1.1 §5.2.4). */
import { fieldOf, fieldOnes } from '../field/index.ts';
import { type ActionKind, type Decoded, kind, nicira, putNicira, putStandard, standard, wrong } from './codec.ts';
import { putSetField } from './set-field.ts';
import { hex4, numberOf, oneNumber } from './text.ts';

const isMpls = (ethType: number): boolean => ethType === 0x8847 || ethType === 0x8848;

const labelOf = (label: number): Decoded => ({ type: 'set_mpls_label', label });
const tcOf = (tc: number): Decoded => (tc <= 7 ? { type: 'set_mpls_tc', tc } : 'OFPBAC_BAD_ARGUMENT');

const wholeField = (field: string, value: number) => ({
  type: 'set_field' as const,
  field,
  value: BigInt(value),
  mask: fieldOnes(fieldOf(field)),
  isLoad: false,
});

export const setMplsLabel = kind<'set_mpls_label'>({
  types: ['set_mpls_label'],
  forms: [standard(13, [2, 6], 8, (r) => labelOf(r.u32(4))), nicira(30, 16, (r) => labelOf(r.u32(12)))],
  encode(out, { label }, { version }) {
    if (version === 1) putNicira(out, 30, (body) => body.zeros(2).u32(label));
    else if (version === 2) putStandard(out, 13, (body) => body.u32(label));
    else putSetField(out, version, wholeField('mpls_label', label));
  },
  format: ({ label }) => `set_mpls_label(${label})`,
  words: {
    set_mpls_label: oneNumber('set_mpls_label', 32, (label) =>
      label <= 0xfffff ? { type: 'set_mpls_label', label } : wrong(`${label}: not a valid MPLS label`),
    ),
  },
});

export const setMplsTc = kind<'set_mpls_tc'>({
  types: ['set_mpls_tc'],
  forms: [standard(14, [2, 6], 8, (r) => tcOf(r.u8(4))), nicira(31, 16, (r) => tcOf(r.u8(10)))],
  encode(out, { tc }, { version }) {
    if (version === 1) putNicira(out, 31, (body) => body.u8(tc).zeros(5));
    else if (version === 2) putStandard(out, 14, (body) => body.u8(tc).zeros(3));
    else putSetField(out, version, wholeField('mpls_tc', tc));
  },
  format: ({ tc }) => `set_mpls_tc(${tc})`,
  words: {
    set_mpls_tc: oneNumber('set_mpls_tc', 8, (tc) =>
      tc <= 7 ? { type: 'set_mpls_tc', tc } : wrong(`${tc}: not a valid MPLS TC`),
    ),
  },
});

export const setMplsTtl = kind<'set_mpls_ttl'>({
  types: ['set_mpls_ttl'],
  forms: [
    standard(15, [2, 6], 8, (r) => ({ type: 'set_mpls_ttl', ttl: r.u8(4) })),
    nicira(25, 16, (r) => ({ type: 'set_mpls_ttl', ttl: r.u8(10) })),
  ],
  encode(out, { ttl }, { version }) {
    if (version === 1) putNicira(out, 25, (body) => body.u8(ttl).zeros(5));
    else putStandard(out, 15, (body) => body.u8(ttl).zeros(3));
  },
  format: ({ ttl }) => `set_mpls_ttl(${ttl})`,
  words: { set_mpls_ttl: oneNumber('set_mpls_ttl', 8, (ttl) => ({ type: 'set_mpls_ttl', ttl })) },
});

function ethTypeAction(type: 'push_mpls' | 'pop_mpls', code: number, niciraCode: number): ActionKind {
  const make = (ethType: number): Decoded =>
    type === 'pop_mpls' || isMpls(ethType) ? { type, ethType } : 'OFPBAC_BAD_ARGUMENT';
  return kind<typeof type>({
    types: [type],
    forms: [standard(code, [2, 6], 8, (r) => make(r.u16(4))), nicira(niciraCode, 16, (r) => make(r.u16(10)))],
    encode(out, { ethType }, { version }) {
      if (version === 1) putNicira(out, niciraCode, (body) => body.u16(ethType).zeros(4));
      else putStandard(out, code, (body) => body.u16(ethType).zeros(2));
    },
    format: ({ ethType }) => `${type}:${hex4(ethType)}`,
    words: {
      [type]: (text) => {
        const ethType = numberOf(text, 16);
        return ethType === null ? wrong(`${type}: invalid ethertype "${text}"`) : { type, ethType };
      },
    },
  });
}

export const pushMpls = ethTypeAction('push_mpls', 19, 23);
export const popMpls = ethTypeAction('pop_mpls', 20, 24);
