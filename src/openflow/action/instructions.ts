/**
 * What OpenFlow 1.1 and later say with instructions: how they are written and read as text, and their forms as actions where
 * there are any (meter in 1.5, write_metadata in 1.0). Their forms as instructions lie in src/openflow/instruction.
 */
import { hexOf } from '../../flow/odp/number.ts';
import { kind, nicira, type Parsed, putNicira, putStandard, standard, wrong } from './codec.ts';
import { bigOf, oneNumber } from './text.ts';

const ALL_BITS = (1n << 64n) - 1n;

export const meter = kind<'meter'>({
  types: ['meter'],
  forms: [standard(29, [6, 6], 8, (r) => ({ type: 'meter', id: r.u32(4) }))],
  encode(out, { id }, { version }) {
    if (version === 6) putStandard(out, 29, (body) => body.u32(id));
  },
  format: ({ id }) => `meter:${id}`,
  words: { meter: oneNumber('meter', 32, (id) => ({ type: 'meter', id })) },
});

export const clearActions = kind<'clear_actions'>({
  types: ['clear_actions'],
  forms: [],
  encode() {},
  format: () => 'clear_actions',
  words: { clear_actions: () => ({ type: 'clear_actions' }) },
});

export const writeActions = kind<'write_actions'>({
  types: ['write_actions'],
  forms: [],
  encode() {},
  format: ({ actions }, formatAll) => `write_actions(${formatAll(actions)})`,
  words: {
    write_actions: (text, context): Parsed => {
      const actions = context.parseAll(text);
      return 'wrong' in actions ? actions : { type: 'write_actions', actions };
    },
  },
});

export const writeMetadata = kind<'write_metadata'>({
  types: ['write_metadata'],
  forms: [nicira(22, 32, (r) => ({ type: 'write_metadata', value: r.u64(16), mask: r.u64(24) }))],
  encode(out, { value, mask }, { version }) {
    if (version === 1) putNicira(out, 22, (body) => body.zeros(6).u64(value).u64(mask));
  },
  format({ value, mask }) {
    const text = `write_metadata:${hexOf(value)}`;
    return mask === ALL_BITS ? text : `${text}/${hexOf(mask)}`;
  },
  words: {
    write_metadata: (text): Parsed => {
      const [left = '', right] = text.split('/');
      const [value, mask] = [bigOf(left, 64), right === undefined ? ALL_BITS : bigOf(right, 64)];
      return value === null || mask === null
        ? wrong(`invalid metadata "${text}"`)
        : { type: 'write_metadata', value, mask };
    },
  },
});

export const gotoTable = kind<'goto_table'>({
  types: ['goto_table'],
  forms: [],
  encode() {},
  format: ({ table }) => `goto_table:${table}`,
  words: {
    goto_table: (text, context): Parsed => {
      const table = context.table(text);
      return table === null ? wrong(`unknown table "${text}"`) : { type: 'goto_table', table };
    },
  },
});
