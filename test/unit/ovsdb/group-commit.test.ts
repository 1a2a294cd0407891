import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Json } from '../../../src/ovsdb/index.ts';
import { Bed } from './support.ts';

const insert = (name: string): Json => ({ op: 'insert', table: 'Top', row: { name } });
const durable: Json = { op: 'commit', durable: true };

test('durable transactions of many clients go to the disk together, and no answer leaves before', (t: TestContext) => {
  const bed = new Bed(t);
  let calls = 0;
  const server = bed.open(() => void calls++);
  const [a, b, c] = [bed.client(server), bed.client(server), bed.client(server)];
  const plain = a.ask('transact', 'Db', insert('plain'));
  assert.ok(a.answer(plain));
  const first = a.ask('transact', 'Db', insert('a'), durable);
  const second = b.ask('transact', 'Db', insert('b'), durable);
  // What it reads is not on the disk yet
  const reader = c.ask('transact', 'Db', { op: 'select', table: 'Top', where: [], columns: ['name'] });
  assert.equal(calls, 1);
  assert.deepEqual([a.answer(first), b.answer(second), c.answer(reader)], [undefined, undefined, undefined]);
  server.sync();
  assert.equal((a.answer(first)!.result as Json[]).length, 2);
  assert.equal((b.answer(second)!.result as Json[]).length, 2);
  assert.equal(((c.answer(reader)!.result as { rows: Json[] }[])[0]!.rows as Json[]).length, 3);
  const again = a.ask('transact', 'Db', insert('c'), durable);
  assert.equal(calls, 2);
  server.sync();
  assert.ok(a.answer(again));
});

test('a disk that fails is not answered for: the clients are sent away, and later transactions refused', (t: TestContext) => {
  const bed = new Bed(t);
  const server = bed.open(() => undefined);
  const client = bed.client(server);
  const id = client.ask('transact', 'Db', insert('a'), durable);
  for (const fd of openDescriptors(bed.file)) {
    closeSync(fd);
    // a descriptor of the same number that cannot be synced
    assert.equal(openSync('/proc/self/status', 'r'), fd);
  }
  server.sync();
  assert.equal(client.answer(id), undefined);
  assert.match(client.closed!, /cannot be written/);
  assert.match(bed.logged.join('\n'), /ERR .*fsync failed/);
  const later = bed.client(server).transact(insert('b'), durable);
  assert.match(JSON.stringify(later), /I\/O error/);
});

function openDescriptors(file: string): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === file;
      } catch {
        return false;
      }
    })
    .sort((a, b) => a - b);
}
