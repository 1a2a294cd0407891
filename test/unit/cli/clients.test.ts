// A database from nothing, with our own programs alone: its file, its server, and the clients on it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CliIo } from '../../../src/cli/common/io.ts';
import { runOvsdbClient } from '../../../src/cli/ovsdb/client.ts';
import { runOvsdbTool } from '../../../src/cli/ovsdb/tool.ts';
import { runVsctl } from '../../../src/cli/vsctl/index.ts';
import { Server } from '../../../src/ovsdb/index.ts';
import { type Said, say } from './support.ts';

type Run = (args: readonly string[], io: CliIo) => Promise<number>;

/** A folder with a database file and a server on it; all of it goes at the end of the test. */
async function bed(t: TestContext): Promise<(run: Run, ...args: string[]) => Promise<Said>> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  // No schema is installed here: the one that comes along is taken
  const env = { OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_PKGDATADIR: join(dir, 'nowhere') };
  assert.deepEqual(await say(runOvsdbTool, ['create'], '', env), { out: '', err: '', status: 0 });
  const server = new Server(
    { now: () => 0, uuid: () => randomUUID() },
    { log: () => undefined, changed: () => undefined, waiting: () => undefined },
  );
  server.add(join(dir, 'conf.db'));
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    const session = server.connect({
      send: (text) => void socket.write(text),
      close: () => void socket.end(),
      backlog: 0,
    });
    socket.on('data', (bytes: Buffer) => session?.receive(bytes));
    socket.on('close', () => session?.close('gone'));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => listener.listen(join(dir, 'db.sock'), resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return (run, ...args) => say(run, args, '', env);
}

test('a bridge with ports is made, shown and taken away', async (t) => {
  const run = await bed(t);
  const vsctl = (...args: string[]): Promise<Said> => run(runVsctl, '--no-wait', ...args);
  const port = ['add-port', 'br0', 'p1', 'tag=5', '--', 'set', 'interface', 'p1', 'type=internal'];
  assert.deepEqual(await vsctl('add-br', 'br0', '--', ...port), { out: '', err: '', status: 0 });
  assert.match(
    (await vsctl('show')).out,
    /Bridge br0\n[\s\S]*Port p1\n {12}tag: 5\n {12}Interface p1\n {16}type: internal/,
  );
  assert.equal((await vsctl('get', 'port', 'p1', 'tag', 'name')).out, '5\np1\n');
  assert.deepEqual(await vsctl('add-port', 'br0', 'p1'), {
    out: '',
    err: 'ovs-vsctl: cannot create a port named p1 because a port named p1 already exists on bridge br0\n',
    status: 1,
  });
  assert.equal((await vsctl('--id=@q', 'create', 'qos', 'type=x', '--', 'set', 'port', 'p1', 'qos=@q')).status, 0);
  assert.equal((await vsctl('--columns=type', 'list', 'qos')).out, 'type                : x\n');
  assert.equal((await vsctl('br-exists', 'br9')).status, 2);
  assert.equal((await vsctl('del-br', 'br0', '--', 'list-br')).status, 0);
  assert.equal((await vsctl('list-br')).out, '');
});

test('the database is looked at by its client and its tool', async (t) => {
  const run = await bed(t);
  await run(runVsctl, '--no-wait', 'set', 'open', '.', 'external_ids:a=b');
  assert.equal((await run(runOvsdbClient, 'list-dbs')).out, 'Open_vSwitch\n_Server\n');
  assert.equal((await run(runOvsdbClient, 'get-schema-version')).out, '8.3.1\n');
  const dump = await run(runOvsdbClient, 'dump', 'Open_vSwitch', 'Open_vSwitch', 'external_ids');
  assert.equal(dump.out, 'Open_vSwitch table\nexternal_ids\n------------\n{a=b}\n');
  const select = '["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[],"columns":["next_cfg"]}]';
  assert.equal((await run(runOvsdbClient, 'transact', select)).out, '[{"rows":[{"next_cfg":0}]}]\n');
  assert.equal((await run(runOvsdbTool, 'db-version')).out, '8.3.1\n');
  const log = await run(runOvsdbTool, '-mm', 'show-log');
  assert.match(log.out, /^record 0: "Open_vSwitch" schema, version="8\.3\.1", cksum="3012963480 26720"\n\nrecord 1: /);
  assert.match(
    log.out,
    /"ovs-vsctl: ovs-vsctl --no-wait set open \. external_ids:a=b"\n {2}table Open_vSwitch insert row/,
  );
  assert.match(log.out, /\n {4}external_ids=\{a=b\}\n/);
  assert.equal((await run(runOvsdbTool, 'create')).status, 1);
  assert.match(
    (await run(runOvsdbTool, 'join-cluster', 'a', 'b', 'c', 'd')).err,
    /clustered databases are not supported/,
  );
});

test('a server that is not there, or says nothing good', async () => {
  const gone = await say(runVsctl, ['--db=unix:/nonexistent/db.sock', 'list-br']);
  assert.equal(gone.status, 1);
  assert.match(
    gone.err,
    /^2026-01-02T03:04:05Z\|00002\|reconnect\|WARN\|.*\novs-vsctl: unix:\/nonexistent\/db\.sock: database connection failed \(No such/,
  );
  const quiet = await say(runVsctl, ['-vconsole:off', '--db=foo:1', 'list-br']);
  assert.equal(quiet.err, 'ovs-vsctl: foo:1: database connection failed (Address family not supported by protocol)\n');
});
