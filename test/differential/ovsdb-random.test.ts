/** Random transactions on both servers: the same answers, the same monitor notifications, the same content at the end. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../../src/lib/random.ts';
import { type Json, type JsonObject, stringify } from '../../src/ovsdb/json.ts';
import { RpcClient } from './ovsdb-client.ts';
import { DatabaseServer } from './ovsdb-support.ts';

const SCHEMA = join(import.meta.dirname, 'ovsdb', 'random.ovsschema');
const seed = Number(process.env.WEFT_SEED ?? 11);
const COUNT = process.env.WEFT_NIGHTLY ? 20_000 : 1500;

const uuidOf = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;
const UUIDS = 14;
const tables = ['Root', 'Child', 'Other'] as const;
type TableName = (typeof tables)[number];

type Make = (random: Random) => Json;
const uuid: Make = (random) => ['uuid', uuidOf(1 + random.below(UUIDS))];
const integer: Make = (random) =>
  random.pick<Json>([0, 1, 2, 3, -3, 4, 7, 2 ** 40, -(2 ** 53) + 1, 9223372036854775807n, -9223372036854775808n]);
const real: Make = (random) => random.pick<Json>([0, 1.5, -2.25, 0.1, 1e-7, 123456.789, 3, 1e300]);
const text: Make = (random) => random.pick(['', 'a', 'bb', 'é', 'x y', '𝄞', 'ﬀ', '"q"', 'true', 'a\tb']);
const setOf =
  (make: Make, max: number): Make =>
  (random) => {
    if (random.chance(0.3)) return make(random);
    return ['set', Array.from({ length: random.below(max + 1) }, () => make(random))];
  };
const mapOf =
  (key: Make, value: Make): Make =>
  (random) => ['map', Array.from({ length: random.below(4) }, () => [key(random), value(random)])];

const columns: Readonly<Record<TableName, Readonly<Record<string, Make>>>> = {
  Root: {
    name: text,
    i: integer,
    r: real,
    b: (random) => random.chance(0.5),
    small: setOf((random) => random.below(9) - 4, 1),
    fixed: text,
    fleeting: integer,
    set: setOf(integer, 5),
    reals: setOf(real, 4),
    map: mapOf(text, integer),
    kind: setOf((random) => random.pick(['x', 'y', 'z', 'w']), 2),
    word: setOf(text, 1),
    strong: setOf(uuid, 3),
    weak: setOf(uuid, 3),
    held: mapOf(text, uuid),
  },
  Child: { name: text, next: setOf(uuid, 1), needs: setOf(uuid, 2) },
  Other: { n: integer, friends: mapOf(uuid, text) },
};

// One column at a time: with several that are wrong, the error is that of whichever comes first in a hash table
const column = (random: Random, table: TableName): string => random.pick(Object.keys(columns[table]));
const value = (random: Random, table: TableName, name: string): Json => columns[table][name]!(random);

function where(random: Random, table: TableName): Json {
  if (random.chance(0.5)) return [['_uuid', random.pick(['==', '==', '!=']), uuid(random)]];
  if (random.chance(0.2)) return random.pick<Json>([[], [true], [false]]);
  const name = column(random, table);
  return [[name, random.pick(['==', '!=', 'includes', 'excludes', '<', '<=', '>', '>=']), value(random, table, name)]];
}

function operation(random: Random): JsonObject {
  const table = random.pick(tables);
  const name = column(random, table);
  switch (
    random.pick(['insert', 'insert', 'insert', 'update', 'mutate', 'mutate', 'delete', 'select', 'wait', 'rest'])
  ) {
    case 'insert': {
      const row: Record<string, Json> = { [name]: value(random, table, name) };
      if (table === 'Root') Object.assign(row, { name: `n${random.below(20)}`, i: random.below(30) });
      if (table === 'Child' && random.chance(0.8)) row.needs = uuid(random);
      return { op: 'insert', table, uuid: uuidOf(1 + random.below(UUIDS)), row };
    }
    case 'update':
      return { op: 'update', table, where: where(random, table), row: { [name]: value(random, table, name) } };
    case 'mutate': {
      const mutator = random.pick(['+=', '-=', '*=', '/=', '%=', 'insert', 'delete', 'insert', 'delete']);
      // The reference dies of *= 0 and overflows in silence when both are negative
      const argument = mutator === '*=' || random.chance(0.1) ? 3 : value(random, table, name);
      return { op: 'mutate', table, where: where(random, table), mutations: [[name, mutator, argument]] };
    }
    case 'delete':
      return { op: 'delete', table, where: where(random, table) };
    case 'select':
      return { op: 'select', table, where: where(random, table), columns: ['_uuid', name] };
    case 'wait': {
      const until = random.pick(['==', '!=']);
      const rows = [{ [name]: value(random, table, name) }];
      return { op: 'wait', timeout: 0, table, where: where(random, table), columns: [name], until, rows };
    }
    default:
      return random.pick<JsonObject>([
        { op: 'comment', comment: 'c' },
        { op: 'commit', durable: false },
        { op: 'assert', lock: 'l' },
      ]);
  }
}

/** Rows and members in one order, and no UUIDs but those that the test has chosen. */
function normal(json: Json): string {
  const sorted = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    const object = value as JsonObject;
    const entries = Object.entries(object).map(([key, item]): [string, Json] => {
      if (key === 'rows') return [key, (item as Json[]).map((row) => stringify(row, true)).sort()];
      return [key, sorted(item)];
    });
    return Object.fromEntries(entries);
  };
  return stringify(sorted(json), true).replaceAll(
    /(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
    '?',
  );
}

/**
 * Answers that depend on the order of a hash table, in one form: which of two rows is named first, of several references.
 * And on the clock: a wait that fails is worded by whether a millisecond had passed by then.
 */
const loosely = (answer: string): string =>
  answer
    .replaceAll(/\\"wait\\" timed out after \d+ ms/g, '\\"where\\" clause test failed')
    .replaceAll(/have identical values .*?"error"/g, 'have identical values …"error"')
    .replaceAll(/"details":"(Table|cannot delete|Deletion of|transaction causes) .*?","error":"[a-z ]*"/g, 'integrity')
    .replaceAll(/"details":"Weak reference column .*?","error":"[a-z ]*"/g, 'integrity')
    .replaceAll(
      /"details":"(Result of|Attempted|-?\d+ is not in|-?\d+ is (less|greater)) .*?","error":"[a-z ]*"/g,
      'mutation',
    );

const everything = Object.fromEntries(
  tables.map((table) => [table, { columns: Object.keys(columns[table]) }]),
) as unknown as JsonObject;

async function content(client: RpcClient): Promise<string> {
  const selects = tables.map((table) => ({
    op: 'select',
    table,
    where: [],
    columns: ['_uuid', ...Object.keys(columns[table])],
  }));
  return normal(await client.transact('Random', ...selects));
}

test(`the same answers to random transactions (seed ${seed})`, async () => {
  const random = new Random(seed);
  const servers = [await DatabaseServer.start('reference', SCHEMA), await DatabaseServer.start('ours', SCHEMA)];
  try {
    const clients = await Promise.all(servers.map((server) => RpcClient.connect(server.socket)));
    const conditions = { Root: { columns: ['name', 'set', 'map'], where: [['i', '>', 9]] } };
    for (const [method, id, requests] of [
      ['monitor', 'one', everything],
      ['monitor_cond', 'two', everything],
      ['monitor_cond', 'three', conditions as unknown as JsonObject],
    ] as const) {
      const answers = await Promise.all(clients.map((client) => client.request(method, ['Random', id, requests])));
      assert.equal(normal(answers[1]!.result!), normal(answers[0]!.result!));
    }
    let committed = 0;
    for (let i = 0; i < COUNT; i++) {
      const operations = Array.from({ length: 1 + random.below(3) }, () => operation(random));
      const answers = await Promise.all(clients.map((client) => client.transact('Random', ...operations)));
      const [reference, ours] = answers.map((answer) => loosely(normal(answer as Json)));
      const transaction = `seed ${seed}, transaction ${i}: ${stringify(operations as Json)}`;
      assert.equal(ours, reference, transaction);
      if (!reference!.includes('"error"')) committed++;
      const updates = clients.map((client) =>
        client.notifications
          .splice(0)
          .map((message) => normal(message as unknown as Json))
          .sort(),
      );
      assert.deepEqual(updates[1], updates[0], transaction);
    }
    assert.ok(committed > COUNT / 20, `${committed} transactions went through`);
    const [reference, ours] = await Promise.all(clients.map(content));
    assert.equal(ours, reference);
    // What the files hold is the same as well, each read by the other program
    for (const client of clients) client.close();
    await Promise.all(servers.map((server) => server.stop()));
    const crossed = [
      await DatabaseServer.start('ours', null, servers[0]!.dir),
      await DatabaseServer.start('reference', null, servers[1]!.dir),
    ];
    try {
      for (const server of crossed) {
        const client = await RpcClient.connect(server.socket);
        assert.equal(withoutFleeting(await content(client)), withoutFleeting(reference!));
        client.close();
      }
    } finally {
      for (const server of crossed) await server.close();
    }
  } finally {
    for (const server of servers) await server.close();
  }
});

/** Rows are sorted by their text, in which the ephemeral column comes late enough to leave the order alone. */
const withoutFleeting = (answer: string): string => answer.replaceAll(/\\?"fleeting\\?":-?\d+,/g, '');
