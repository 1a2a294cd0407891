/** Actions that are a word, or a word with numbers. */
import { hexOf } from '../number.ts';
import type { Scanner } from '../scanner.ts';
import { type ActionForm, form } from './form.ts';

const bracketed = (s: Scanner): number => {
  s.expect('(');
  const value = s.u32();
  s.expect(')');
  return value;
};

const HASHES = { l4: 'l4', sym_l4: 'sym_l4' } as const;

function parseHash(s: Scanner): { type: 'hash'; algorithm: 'l4' | 'sym_l4'; basis: number } {
  s.expect('(');
  const start = s.at;
  const word = s.word();
  if (!(word in HASHES)) s.fail('expected l4 or sym_l4', start);
  const basis = bracketed(s);
  s.expect(')');
  return { type: 'hash', algorithm: word === 'sym_l4' ? 'sym_l4' : 'l4', basis };
}

export const simpleForms: readonly ActionForm[] = [
  form({
    type: 'drop',
    parse: () => ({ type: 'drop', reason: 'explicit' }),
    format: () => 'drop',
  }),
  form({
    type: 'output',
    parse: (s) => ({ type: 'output', port: s.u32() }),
    format: ({ port }, { portName }) => portName?.(port) ?? String(port),
  }),
  form({
    type: 'trunc',
    parse: (s) => ({ type: 'trunc', maxLen: bracketed(s) }),
    format: ({ maxLen }) => `trunc(${maxLen})`,
  }),
  form({ type: 'pop_vlan', parse: () => ({ type: 'pop_vlan' }), format: () => 'pop_vlan' }),
  form({ type: 'pop_eth', parse: () => ({ type: 'pop_eth' }), format: () => 'pop_eth' }),
  form({
    type: 'pop_nsh',
    parse(s) {
      if (s.take('(')) s.expect(')');
      return { type: 'pop_nsh' };
    },
    format: () => 'pop_nsh()',
  }),
  form({
    type: 'tnl_pop',
    parse: (s) => ({ type: 'tnl_pop', port: bracketed(s) }),
    format: (a) => `tnl_pop(${a.port})`,
  }),
  form({ type: 'hash', parse: parseHash, format: (a) => `hash(${a.algorithm}(${a.basis}))` }),
  form({
    type: 'recirc',
    parse: (s) => ({ type: 'recirc', id: bracketed(s) }),
    format: (a) => `recirc(${hexOf(a.id)})`,
  }),
  form({ type: 'meter', parse: (s) => ({ type: 'meter', id: bracketed(s) }), format: (a) => `meter(${a.id})` }),
  form({ type: 'ct_clear', parse: () => ({ type: 'ct_clear' }), format: () => 'ct_clear' }),
];
