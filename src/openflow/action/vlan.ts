/** Tags: mod_vlan_vid, set_vlan_vid, mod_vlan_pcp, set_vlan_pcp, strip_vlan, pop_vlan, push_vlan. */
import { fieldOf, fieldOnes } from '../field/index.ts';
import type { Writer } from '../wire.ts';
import { type Codec, kind, type Parsed, putStandard, standard, wrong } from './codec.ts';
import { putSetField } from './set-field.ts';
import { hex4, numberOf, oneNumber } from './text.ts';

const VID_PRESENT = 0x1000;

/** From OpenFlow 1.1 on, a tag that must be there is pushed before. */
function putPush(out: Writer, codec: Codec, pushIfNeeded: boolean): void {
  if (codec.version === 1 || !pushIfNeeded || codec.tag.isThere) return;
  putStandard(out, 17, (body) => body.u16(0x8100).zeros(2));
  codec.tag.isThere = true;
}

const putValue = (out: Writer, codec: Codec, field: string, value: number): void =>
  putSetField(out, codec.version, {
    type: 'set_field',
    field,
    value: BigInt(value),
    mask: fieldOnes(fieldOf(field)),
    isLoad: false,
  });

const vid = (word: string, pushIfNeeded: boolean) =>
  oneNumber(word, 16, (value) =>
    value > 0xfff ? wrong(`${value}: not a valid VLAN VID`) : { type: 'set_vlan_vid', vid: value, pushIfNeeded },
  );
const pcp = (word: string, pushIfNeeded: boolean) =>
  oneNumber(word, 8, (value) =>
    value > 7 ? wrong(`${value}: not a valid VLAN PCP`) : { type: 'set_vlan_pcp', pcp: value, pushIfNeeded },
  );

export const setVlanVid = kind<'set_vlan_vid'>({
  types: ['set_vlan_vid'],
  forms: ([1, 2] as const).map((version) =>
    standard(1, [version, version === 1 ? 1 : 6], 8, (r) => {
      const value = r.u16(4);
      if (value > 0xfff) return 'OFPBAC_BAD_ARGUMENT';
      return { type: 'set_vlan_vid', vid: value, pushIfNeeded: version === 1 };
    }),
  ),
  encode(out, action, codec) {
    putPush(out, codec, action.pushIfNeeded);
    if (codec.version <= 2) putStandard(out, 1, (body) => body.u16(action.vid).zeros(2));
    else putValue(out, codec, 'vlan_vid', action.vid | VID_PRESENT);
  },
  format: (action) => `${action.pushIfNeeded ? 'mod_vlan_vid' : 'set_vlan_vid'}:${action.vid}`,
  words: { mod_vlan_vid: vid('mod_vlan_vid', true), set_vlan_vid: vid('set_vlan_vid', false) },
});

export const setVlanPcp = kind<'set_vlan_pcp'>({
  types: ['set_vlan_pcp'],
  forms: ([1, 2] as const).map((version) =>
    standard(2, [version, version === 1 ? 1 : 6], 8, (r) => {
      const value = r.u8(4);
      if (value > 7) return 'OFPBAC_BAD_ARGUMENT';
      return { type: 'set_vlan_pcp', pcp: value, pushIfNeeded: version === 1 };
    }),
  ),
  encode(out, action, codec) {
    putPush(out, codec, action.pushIfNeeded);
    if (codec.version <= 2) putStandard(out, 2, (body) => body.u8(action.pcp).zeros(3));
    else putValue(out, codec, 'vlan_pcp', action.pcp);
  },
  format: (action) => `${action.pushIfNeeded ? 'mod_vlan_pcp' : 'set_vlan_pcp'}:${action.pcp}`,
  words: { mod_vlan_pcp: pcp('mod_vlan_pcp', true), set_vlan_pcp: pcp('set_vlan_pcp', false) },
});

export const stripVlan = kind<'strip_vlan'>({
  types: ['strip_vlan'],
  forms: [
    standard(3, [1, 1], 8, () => ({ type: 'strip_vlan', isPop: false })),
    standard(18, [2, 6], 8, () => ({ type: 'strip_vlan', isPop: true })),
  ],
  encode(out, _, { version }) {
    putStandard(out, version === 1 ? 3 : 18, (body) => body.zeros(4));
  },
  format: ({ isPop }) => (isPop ? 'pop_vlan' : 'strip_vlan'),
  words: {
    strip_vlan: () => ({ type: 'strip_vlan', isPop: false }),
    pop_vlan: () => ({ type: 'strip_vlan', isPop: true }),
  },
});

function parsePushVlan(text: string): Parsed {
  const ethType = numberOf(text, 16);
  if (ethType === null) return wrong(`invalid ethertype "${text}"`);
  const isTag = ethType === 0x8100 || ethType === 0x88a8;
  return isTag ? { type: 'push_vlan', ethType } : wrong(`${text}: not a valid VLAN ethertype`);
}

/** OpenFlow 1.0 has none: there it does not go on the wire. */
export const pushVlan = kind<'push_vlan'>({
  types: ['push_vlan'],
  forms: [
    standard(17, [2, 6], 8, (r) => {
      const ethType = r.u16(4);
      return ethType === 0x8100 || ethType === 0x88a8 ? { type: 'push_vlan', ethType } : 'OFPBAC_BAD_ARGUMENT';
    }),
  ],
  encode(out, { ethType }, { version }) {
    if (version > 1) putStandard(out, 17, (body) => body.u16(ethType).zeros(2));
  },
  format: ({ ethType }) => `push_vlan:${hex4(ethType)}`,
  words: { push_vlan: parsePushVlan },
});
