/** Every column of the reference's schema has its place in the table of columns, and what has no effect is told of. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseJson, Replica, schemaFromJson } from '../../../src/ovsdb/index.ts';
import { ColumnWatch, columns } from '../../../src/vswitchd/database/columns.ts';

const schema = schemaFromJson(parseJson(readFileSync('/usr/share/openvswitch/vswitch.ovsschema', 'utf8')));

test('no column is unknown, and none is told of that is not there', () => {
  const known = Object.entries(columns).map(([name, own]) => [name, Object.keys(own).sort()]);
  const there = [...schema.tables.values()].map((table) => [
    table.name,
    table.columns
      .map(({ name }) => name)
      .filter((name) => !name.startsWith('_'))
      .sort(),
  ]);
  assert.deepEqual(Object.fromEntries(known), Object.fromEntries(there));
});

test('a column without effect is told of once, and again when it was gone meanwhile', () => {
  const replica = new Replica(schema);
  const uuid = '00000000-0000-0000-0000-000000000001';
  const said: string[] = [];
  const watch = new ColumnWatch();
  const look = (): number => {
    said.length = 0;
    watch.look(replica, (text) => said.push(text));
    return said.length;
  };
  replica.apply({ Bridge: { [uuid]: { insert: { name: 'br0', stp_enable: false } } } });
  assert.equal(look(), 0);
  replica.apply({ Bridge: { [uuid]: { modify: { stp_enable: true } } } });
  assert.equal(look(), 1);
  assert.match(said[0] ?? '', /bridge br0: stp_enable is not supported/);
  assert.equal(look(), 0);
  replica.apply({ Bridge: { [uuid]: { modify: { stp_enable: false } } } });
  assert.equal(look(), 0);
  replica.apply({ Bridge: { [uuid]: { modify: { stp_enable: true } } } });
  assert.equal(look(), 1);
});
