import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Random } from '../../../src/lib/random.ts';
import type { Json } from '../../../src/ovsdb/index.ts';
import { stringify } from '../../../src/ovsdb/json.ts';
import { Bed } from './support.ts';

const seed = Number(process.env.WEFT_SEED ?? 9);
const COUNT = process.env.WEFT_NIGHTLY ? 100_000 : 4000;

const insert = (name: string, more: Record<string, Json> = {}): Json => ({
  op: 'insert',
  table: 'Top',
  row: { name, ...more },
});
const select = (...columns: string[]): Json => ({ op: 'select', table: 'Top', where: [], columns, sort: columns });
const monitor = { Top: { columns: ['name', 'n', 'set'] } };

test('rows outside of the root set live as long as something refers to them', (t: TestContext) => {
  const client = new Bed(t).client();
  client.transact(
    { op: 'insert', 'uuid-name': 'p', table: 'Part', row: { name: 'p' } },
    { op: 'insert', table: 'Part', row: { name: 'nobody refers to it' } },
    insert('a', { parts: ['named-uuid', 'p'], likes: ['named-uuid', 'p'] }),
    insert('b', { likes: ['named-uuid', 'p'] }),
  );
  const parts: Json = { op: 'select', table: 'Part', where: [], columns: ['name'] };
  assert.deepEqual(client.transact(parts), [{ rows: [{ name: 'p' }] }]);
  client.transact({ op: 'update', table: 'Top', where: [['name', '==', 'a']], row: { parts: ['set', []] } });
  assert.deepEqual(client.transact(parts, select('likes')), [{ rows: [] }, { rows: [{ likes: ['set', []] }] }]);
});

test('a failed transaction leaves nothing behind', (t: TestContext) => {
  const bed = new Bed(t);
  const client = bed.client();
  client.transact(insert('a'));
  const size = statSync(bed.file).size;
  const answer = client.transact(insert('b'), { op: 'delete', table: 'Top', where: [] }, insert('c'), insert('c'));
  assert.equal(answer.at(-1)!.error, 'constraint violation');
  assert.deepEqual(client.transact(select('name')), [{ rows: [{ name: 'a' }] }]);
  assert.equal(statSync(bed.file).size, size);
  assert.deepEqual(client.transact(insert('b'))[0]!.error, undefined);
});

test('a file opened again has everything but ephemeral columns; compaction keeps it', (t: TestContext) => {
  const bed = new Bed(t);
  const client = bed.client();
  client.transact(insert('a', { n: 9007199254740993n, set: ['set', [1, 2]], map: ['map', [['k', 'v']]], fleeting: 7 }));
  client.transact({
    op: 'mutate',
    table: 'Top',
    where: [],
    mutations: [
      ['set', 'insert', 3],
      ['map', 'delete', 'k'],
    ],
  });
  const rows = (server = bed.open()): Json =>
    bed.client(server).transact(select('name', 'n', 'set', 'map', 'fleeting'));
  const expected = [
    { rows: [{ name: 'a', n: 9007199254740993n, set: ['set', [1, 2, 3]], map: ['map', []], fleeting: 0 }] },
  ];
  assert.deepEqual(rows(), expected);
  const records = (): number => readFileSync(bed.file, 'utf8').split('OVSDB JSON ').length - 1;
  assert.equal(records(), 3);
  bed.server.compact('Db');
  assert.equal(records(), 2);
  assert.deepEqual(rows(), expected);
  client.transact(insert('b'));
  assert.equal(records(), 3);
});

test('what only touches ephemeral columns is not written', (t: TestContext) => {
  const bed = new Bed(t);
  const client = bed.client();
  client.transact(insert('a'));
  const size = statSync(bed.file).size;
  client.transact({ op: 'update', table: 'Top', where: [], row: { fleeting: 5 } }, { op: 'comment', comment: 'hello' });
  assert.equal(statSync(bed.file).size, size);
  assert.deepEqual(client.transact(select('fleeting')), [{ rows: [{ fleeting: 5 }] }]);
});

test('a wait is answered when it comes true, times out, or is canceled', (t: TestContext) => {
  const bed = new Bed(t);
  const [client, other] = [bed.client(), bed.client()];
  const wait = (timeout: number, name: string): Json => {
    return { op: 'wait', timeout, table: 'Top', where: [], columns: ['name'], until: '==', rows: [{ name }] };
  };
  const first = client.ask('transact', 'Db', wait(1000, 'a'), insert('b'));
  const second = client.ask('transact', 'Db', wait(500, 'z'));
  const third = client.ask('transact', 'Db', wait(1e6, 'z'));
  assert.equal(client.answer(first), undefined);
  assert.equal(bed.server.wakeAt(), bed.now + 500);
  other.transact(insert('a'));
  assert.equal((client.answer(first)!.result as Json[]).length, 2);
  bed.now += 500;
  bed.server.run();
  const [late] = client.answer(second)!.result as Record<string, Json>[];
  assert.deepEqual(late, { error: 'timed out', details: '"wait" timed out after 500 ms' });
  client.notify('cancel', third);
  assert.equal(client.answer(third)!.error, 'canceled');
  assert.equal(bed.server.wakeAt(), Number.POSITIVE_INFINITY);
});

test('a monitor hears of a change before its transaction is answered; a slow reader hears the sum', (t: TestContext) => {
  const bed = new Bed(t);
  const client = bed.client();
  assert.deepEqual(client.call('monitor_cond', 'Db', 'm', monitor), {});
  const id = client.ask('transact', 'Db', insert('a', { set: ['set', [1, 2]] }));
  assert.deepEqual(
    client.messages.map((message) => message.method ?? message.id),
    ['update2', id],
  );
  client.messages.length = 0;
  client.backlog = 1e9;
  const other = bed.client();
  client.backlog = 1e6;
  for (const n of [1, 2, 3]) other.transact({ op: 'update', table: 'Top', where: [], row: { n } });
  other.transact(insert('b'));
  other.transact({ op: 'delete', table: 'Top', where: [['name', '==', 'b']] });
  assert.deepEqual(client.messages, []);
  client.backlog = 0;
  client.flush();
  const [update, ...rest] = client.takeNotifications() as [Json[]];
  assert.deepEqual(rest, []);
  assert.match(stringify(update), /\{"Top":\{"[0-9a-f-]*":\{"modify":\{"n":3\}\}\}\}/);
});

test('locks are handed on in the order of asking, and with the end of a session', (t: TestContext) => {
  const bed = new Bed(t);
  const [a, b, c] = [bed.client(), bed.client(), bed.client()];
  assert.deepEqual(
    [a, b].map((client) => client.call('lock', 'x')),
    [{ locked: true }, { locked: false }],
  );
  assert.deepEqual(c.call('steal', 'x'), { locked: true });
  assert.deepEqual(a.takeNotifications(), [['stolen', 'x']]);
  const assertion: Json = { op: 'assert', lock: 'x' };
  assert.deepEqual(c.transact(assertion), [{}]);
  assert.equal(a.transact(assertion)[0]!.error, 'not owner');
  c.end();
  assert.deepEqual(a.takeNotifications(), [['locked', 'x']]);
  assert.deepEqual(a.call('unlock', 'x'), {});
  assert.deepEqual(b.takeNotifications(), [['locked', 'x']]);
  assert.match(stringify(b.call('lock', 'x')), /must issue/);
});

const linkOf = (fd: string): string | null => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
};

test('an error of the disk is answered, and the database stays as it was', (t: TestContext) => {
  const bed = new Bed(t);
  const client = bed.client();
  client.transact(insert('a'));
  // The file is exchanged, under the server's feet, for one that is always full
  const fds = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === bed.file);
  const fd = Number(fds[0]);
  closeSync(fd);
  assert.equal(openSync('/dev/full', 'r+'), fd);
  const answer = client.transact(insert('b'));
  assert.equal(answer.at(-1)!.error, 'I/O error');
  assert.deepEqual(client.transact(select('name')), [{ rows: [{ name: 'a' }] }]);
});

test(`no bytes bring the server down (seed ${seed})`, (t: TestContext) => {
  const bed = new Bed(t);
  const random = new Random(seed);
  const valid = [
    { id: 1, method: 'transact', params: ['Db', insert('x'), select('name')] },
    { id: 2, method: 'monitor_cond', params: ['Db', 'm', { Top: [{ columns: ['name'], where: [['n', '>', 1]] }] }] },
    { id: 3, method: 'monitor_cond_change', params: ['m', 'q', { Top: [{ where: [true] }] }] },
    { id: 4, method: 'lock', params: ['l'] },
    {
      id: 5,
      method: 'transact',
      params: ['Db', { op: 'mutate', table: 'Top', where: [], mutations: [['n', '+=', 1]] }],
    },
    {
      id: 6,
      method: 'convert',
      params: ['Db', { name: 'Db', tables: { Top: { columns: { a: { type: 'string' } } } } }],
    },
    { id: 7, method: 'monitor_cond_since', params: ['_Server', null, { Database: {} }, '0'] },
    { id: null, method: 'cancel', params: [5] },
    { id: 'echo', result: [], error: null },
  ].map((message) => stringify(message as Json));
  const pieces = [
    'null',
    '[]',
    '{}',
    '"x"',
    '-1',
    '1e400',
    '["set",[]]',
    '["uuid","z"]',
    '"__proto__"',
    ',',
    ':',
    '}',
    ']',
    '"',
  ];
  let client = bed.client();
  for (let i = 0; i < COUNT; i++) {
    let text = random.pick(valid);
    for (let cuts = random.below(3); cuts > 0; cuts--) {
      // Whole values are exchanged most of the time, so that much stays JSON
      const values = [...text.matchAll(/"[^"]*"|\d+|null|true|\[\]|\{\}/g)];
      const value = values.length > 0 && random.chance(0.9) ? random.pick(values) : null;
      const at = value?.index ?? random.below(text.length);
      text = text.slice(0, at) + random.pick(pieces) + text.slice(at + (value?.[0].length ?? random.below(5)));
    }
    client.receive(text);
    if (client.closed === null && random.chance(0.9)) continue;
    client.end();
    client = bed.client();
  }
  const last = bed.client();
  assert.ok(Array.isArray(last.call('list_dbs')));
  assert.ok(Array.isArray(last.transact(select('_uuid'))));
});
