/** What stands right behind an answer, in the same bytes, is not lost: an update behind the content, a lock behind its refusal. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatabaseClient } from '../../../src/ovsdb/index.ts';

const uuid = '00000000-0000-0000-0000-000000000001';
const schema = { name: 'D', version: '1.0.0', tables: { T: { columns: { n: { type: 'integer' } } } } };

interface Request {
  readonly id: number;
  readonly method: string;
}

/** Answers of a server, each with what follows it in the same write. */
const answers: Readonly<Record<string, readonly [result: unknown, then: object | null]>> = {
  lock: [{ locked: false }, { id: null, method: 'locked', params: ['L'] }],
  get_schema: [schema, null],
  monitor_cond: [
    { T: { [uuid]: { initial: { n: 1 } } } },
    { id: null, method: 'update2', params: ['weft', { T: { [uuid]: { modify: { n: 2 } } } }] },
  ],
};

test('notifications in the bytes of an answer count', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-client-'));
  const path = join(folder, 'db.sock');
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      for (const text of String(bytes).split(/(?<=\})(?=\{)/)) {
        const { id, method } = JSON.parse(text) as Request;
        const [result, then] = answers[method]!;
        socket.write(JSON.stringify({ id, result, error: null }) + (then ? JSON.stringify(then) : ''));
      }
    });
  });
  await new Promise<void>((done) => server.listen(path, done));
  const { promise, resolve } = Promise.withResolvers<void>();
  const numberNow = (): number | null => client.replica?.row('T', uuid)?.integer('n') ?? null;
  const client = new DatabaseClient({
    remote: `unix:${path}`,
    database: 'D',
    lock: 'L',
    log: () => undefined,
    changed: () => numberNow() === 2 && resolve(),
  });
  try {
    client.start();
    await promise;
    assert.equal(client.isLocked, true);
    assert.equal(client.isReady, true);
  } finally {
    client.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});
