import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paintFor, table } from '../../../src/main/terminal.ts';

test('colour only where a terminal wants it', () => {
  const terminal = { isTTY: true };
  assert.equal(paintFor(terminal, {})('red', 'x'), '\x1b[31mx\x1b[39m');
  assert.equal(paintFor(terminal, { NO_COLOR: '1' })('red', 'x'), 'x');
  assert.equal(paintFor(terminal, { TERM: 'dumb' })('red', 'x'), 'x');
  assert.equal(paintFor({ isTTY: false }, {})('red', 'x'), 'x');
  assert.equal(paintFor({}, { FORCE_COLOR: '1' })('bold', 'x'), '\x1b[1mx\x1b[22m');
});

test('columns line up whatever their colour; numbers stand to the right', () => {
  const rows = [
    ['port', 'in'],
    ['\x1b[31ma\x1b[39m', 5],
    ['long', 12],
  ];
  assert.deepEqual(table(rows, 0).split('\n'), ['port  in', '\x1b[31ma\x1b[39m      5', 'long  12']);
  assert.equal(table([]), '');
});
