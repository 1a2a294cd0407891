/** Actions that carry nothing: their words and their codes. */
import { type ActionKind, kind, nicira, putNicira, putStandard, sinceOf13, standard, type WireForm } from './codec.ts';
import type { OfActionType } from './types.ts';

type BareType = Extract<
  OfActionType,
  'dec_nsh_ttl' | 'pop_queue' | 'exit' | 'ct_clear' | 'debug_recirc' | 'debug_slow'
>;

const bareForm = (code: number, decode: WireForm['decode']): WireForm => nicira(code, 16, decode);

/** An action of Nicira's: six zeros. */
function bare(type: BareType, code: number, isOpen = true): ActionKind {
  const form = (type === 'dec_nsh_ttl' ? sinceOf13 : bareForm)(code, () => ({ type }));
  const forms: WireForm[] = isOpen ? [form] : [];
  return kind<BareType>({
    types: [type],
    forms,
    encode: (out) => putNicira(out, code, (body) => body.zeros(6)),
    format: () => type,
    words: { [type]: () => ({ type }) },
  });
}

export const popQueue = bare('pop_queue', 5);
export const exit = bare('exit', 17);
export const ctClear = bare('ct_clear', 43);
export const decNshTtl = bare('dec_nsh_ttl', 48);
/** They are for tests of a switch, which refuses them otherwise. */
export const debugSlow = bare('debug_slow', 254, false);
export const debugRecirc = bare('debug_recirc', 255, false);

export const decMplsTtl = kind<'dec_mpls_ttl'>({
  types: ['dec_mpls_ttl'],
  forms: [standard(16, [2, 6], 8, () => ({ type: 'dec_mpls_ttl' })), nicira(26, 16, () => ({ type: 'dec_mpls_ttl' }))],
  encode(out, _, { version }) {
    if (version === 1) putNicira(out, 26, (body) => body.zeros(6));
    else putStandard(out, 16, (body) => body.zeros(4));
  },
  format: () => 'dec_mpls_ttl',
  words: { dec_mpls_ttl: () => ({ type: 'dec_mpls_ttl' }) },
});
