/** The database server as a process: crashes, torn files, going to the background, what the reference's programs make of it. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Random } from '../../src/lib/random.ts';
import type { JsonObject } from '../../src/ovsdb/json.ts';
import { RpcClient } from '../differential/ovsdb-client.ts';
import { DatabaseServer } from '../differential/ovsdb-support.ts';

const run = promisify(execFile);
const program = join(import.meta.dirname, '..', '..', 'bin', 'ovsdb-server');
const seed = Number(process.env.WEFT_SEED ?? 7);
const isNightly = process.env.WEFT_NIGHTLY !== undefined;

async function nextCfg(client: RpcClient): Promise<number> {
  const [answer] = await client.transact('Open_vSwitch', {
    op: 'select',
    table: 'Open_vSwitch',
    where: [],
    columns: ['next_cfg'],
  });
  return Number(((answer as JsonObject).rows as JsonObject[])[0]!.next_cfg);
}

/** Counts up, durably, until the connection ends; returns the last number that was acknowledged. */
async function countUp(client: RpcClient, from: number): Promise<number> {
  for (let acknowledged = from; ; acknowledged++) {
    const answers = await client.transact(
      'Open_vSwitch',
      { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
      { op: 'commit', durable: true },
    );
    if ((answers[0] as JsonObject).count !== 1) return acknowledged;
  }
}

test(`nothing acknowledged is lost by kill -9 (seed ${seed})`, async () => {
  const random = new Random(seed);
  const rounds = isNightly ? 1000 : 12;
  const server = await DatabaseServer.start('ours');
  const { dir } = server;
  try {
    await server.vsctl('init');
    let acknowledged = 0;
    for (let round = 0; round < rounds; round++) {
      const client = await RpcClient.connect(server.socket);
      const counting = countUp(client, acknowledged);
      if (random.chance(0.5)) void server.appctl('ovsdb-server/compact').catch(() => undefined);
      await delay(random.below(60));
      await server.stop('SIGKILL');
      acknowledged = await counting;
      client.close();
      // Now and then the machine went down as well, in the middle of a write
      if (random.chance(0.3)) appendFileSync(join(dir, 'conf.db'), 'OVSDB JSON 500 0123');
      const side = random.chance(0.3) ? 'reference' : 'ours';
      const next = await DatabaseServer.start(side, null, dir);
      const check = await RpcClient.connect(next.socket);
      const found = await nextCfg(check);
      assert.ok(found === acknowledged || found === acknowledged + 1, `round ${round}: ${found}, not ${acknowledged}`);
      acknowledged = found;
      check.close();
      await next.stop();
      await server.boot();
    }
  } finally {
    await server.close();
  }
});

test('a torn file: what is whole is kept, and said so', async () => {
  const server = await DatabaseServer.start('ours');
  try {
    await server.vsctl('init');
    await server.vsctl('set', 'Open_vSwitch', '.', 'next_cfg=5');
    await server.stop();
    const file = join(server.dir, 'conf.db');
    const whole = statSync(file).size;
    await server.boot();
    await server.vsctl('set', 'Open_vSwitch', '.', 'next_cfg=6');
    await server.stop();
    for (const size of [statSync(file).size - 1, whole + 10]) {
      truncateSync(file, size);
      const before = readFileSync(file);
      const log = join(server.dir, 'log');
      rmSync(log, { force: true });
      await server.boot([`--log-file=${log}`]);
      assert.match(readFileSync(log, 'utf8'), /\|ovsdb_server\|ERR\|.*(error reading|parse error at offset)/);
      assert.equal(await server.vsctl('get', 'Open_vSwitch', '.', 'next_cfg'), '5\n');
      // Opening alone changes nothing
      assert.deepEqual(readFileSync(file), before);
      await server.vsctl('set', 'Open_vSwitch', '.', 'next_cfg=7');
      await server.stop();
      const query = '["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[],"columns":["next_cfg"]}]';
      assert.equal(await server.tool('query', file, query), '[{"rows":[{"next_cfg":7}]}]\n');
      await server.boot();
      await server.vsctl('set', 'Open_vSwitch', '.', 'next_cfg=5');
      await server.stop();
    }
  } finally {
    await server.close();
  }
});

/** Runs the program to its end. */
async function tryStart(...args: readonly string[]): Promise<{ status: number; stderr: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => {
    stderr += text;
  });
  const [status] = (await once(child, 'close')) as [number];
  return { status, stderr };
}

test('what cannot be served is refused in words', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
  const cases: readonly [content: string | null, message: RegExp][] = [
    [null, /open failed \(No such file or directory\)/],
    ['', /database file contains no schema/],
    ['hello\n', /unexpected file format/],
    ['OVSDB CLUSTER 5 0123456789012345678901234567890123456789\n{}\n', /clustered databases are not supported/],
    ['OVSDB JSON 3 ca9de4f2f1e9ce7d9b5d6c6f0b9ed3b4ce2b7f5d\n{}\n', /SHA-1 hash/],
    ['OVSDB JSON 3 5f36b2ea290645ee34d943220a14b54ee5ea5be5\n{}\n', /Required 'name' member is missing/],
  ];
  try {
    for (const [content, message] of cases) {
      const file = join(dir, 'x.db');
      if (content !== null) writeFileSync(file, content);
      const { status, stderr } = await tryStart('-vconsole:off', `--unixctl=${dir}/ctl`, file);
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
    for (const [args, message] of [
      [['--nosuch'], /Unknown option '--nosuch'/],
      [['--remote=db:a,b,c'], /no such file|No such file/],
    ] as const) {
      const { status, stderr } = await tryStart(...args, join(dir, 'none.db'));
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('in the background: pidfile with a record lock, ovs-appctl by name, one server a database', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-'));
  const env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  const appctl = async (...args: string[]): Promise<string> =>
    (await run('ovs-appctl', ['--timeout=10', '-t', 'ovsdb-server', ...args], { env })).stdout;
  const file = join(dir, 'conf.db');
  let pid = 0;
  try {
    await run('ovsdb-tool', ['create', file, '/usr/share/openvswitch/vswitch.ovsschema'], { env });
    const started = await run(
      program,
      [`--remote=punix:${dir}/db.sock`, '--detach', '--monitor', '--pidfile', '--log-file', '-vconsole:emer', file],
      { env },
    );
    assert.deepEqual([started.stdout, started.stderr], ['', '']);
    pid = Number(readFileSync(join(dir, 'ovsdb-server.pid'), 'utf8'));
    assert.equal(await appctl('ovsdb-server/list-dbs'), 'Open_vSwitch\n_Server\n');
    assert.match(await appctl('version'), /^ovsdb-server \(.*\) 3\.1\.0\n$/);
    assert.match(await appctl('memory/show'), /^atoms:\d+ cells:\d+ monitors:0 n-weak-refs:0\n$/);
    for (const second of [program, 'ovsdb-server']) {
      const args = ['-vconsole:off', `--unixctl=${dir}/second.ctl`, file];
      await assert.rejects(run(second, args, { env }), /failed to lock lockfile \(Resource temporarily unavailable\)/);
    }
    await assert.rejects(run(program, ['-vconsole:off', '--pidfile', file], { env }), /already running/);
    assert.equal(await appctl('ovsdb-server/list-dbs'), 'Open_vSwitch\n_Server\n');
    rmSync(join(dir, 'ovsdb-server.log'));
    await appctl('vlog/reopen');
    assert.ok(existsSync(join(dir, 'ovsdb-server.log')));
    // A fault: the process that watches starts another one
    const died = pid;
    process.kill(died, 'SIGSEGV');
    for (let i = 0; i < 200 && !(pid !== died && existsSync(join(dir, 'db.sock'))); i++) {
      await delay(100);
      pid = Number(readFileSync(join(dir, 'ovsdb-server.pid'), 'utf8')) || died;
    }
    assert.notEqual(pid, died);
    assert.match(readFileSync(join(dir, 'ovsdb-server.log'), 'utf8'), /killed \(SIGSEGV\)\), restarting/);
    await appctl('exit');
    for (let i = 0; i < 200 && existsSync(`/proc/${pid}`); i++) await delay(10);
    assert.ok(!existsSync(join(dir, 'ovsdb-server.pid')));
    assert.ok(!existsSync(join(dir, 'db.sock')));
    pid = 0;
    // A database that the reference has is not ours
    const reference = await DatabaseServer.start('reference', null, dir);
    await assert.rejects(
      run(program, ['-vconsole:off', `--unixctl=${dir}/x.ctl`, file], { env }),
      /failed to lock lockfile/,
    );
    await reference.close();
    // Failure in the background is failure
    await assert.rejects(run(program, ['--detach', `${dir}/nosuch.db`], { env }), /open failed/);
  } finally {
    if (pid) process.kill(pid, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a TCP remote; peers that talk nonsense, too much, or not at all', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const server = await DatabaseServer.start('ours');
  try {
    assert.equal(await server.appctl('ovsdb-server/add-remote', `ptcp:${port}:127.0.0.1`), '');
    const tcp = `tcp:127.0.0.1:${port}`;
    assert.equal(await server.run('ovsdb-client', ['-t', '5', 'list-dbs', tcp]), 'Open_vSwitch\n_Server\n');
    assert.match(await server.appctl('ovsdb-server/list-remotes'), new RegExp(`^ptcp:${port}:127\\.0\\.0\\.1$`, 'm'));
    const nonsense = [
      'GET / HTTP/1.1\r\n\r\n',
      '{"id":1}',
      '{"method":5,"params":[],"id":1}',
      '['.repeat(2000),
      '{"a":\xff',
    ];
    for (const bytes of nonsense) {
      const client = await RpcClient.connect(server.socket);
      client.sendRaw(bytes);
      if (!bytes.startsWith('{"a"')) for (let i = 0; i < 200 && !client.isClosed; i++) await delay(10);
      if (!bytes.startsWith('{"a"')) assert.ok(client.isClosed, bytes);
      client.close();
    }
    const idle: RpcClient[] = [];
    for (let i = 0; i < 300; i++) idle.push(await RpcClient.connect(server.socket));
    const big = await RpcClient.connect(server.socket);
    const [answer] = await big.transact('Open_vSwitch', { op: 'comment', comment: 'x'.repeat(20_000_000) });
    assert.deepEqual(answer, {});
    assert.match(await server.appctl('memory/show'), /sessions:301/);
    for (const client of [...idle, big]) client.close();
    assert.equal(await server.client('list-dbs'), 'Open_vSwitch\n_Server\n');
  } finally {
    await server.close();
  }
});

const idlScript = `
import sys, ovs.db.idl, ovs.poller
schema, remote = sys.argv[1:3]
helper = ovs.db.idl.SchemaHelper(schema)
helper.register_all()
idl = ovs.db.idl.Idl(remote, helper)
def until(condition):
    while not condition():
        idl.run()
        if condition(): break
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(5000)
        poller.block()
until(lambda: idl.change_seqno > 0)
txn = ovs.db.idl.Transaction(idl)
top = txn.insert(idl.tables['Open_vSwitch'])
bridge = txn.insert(idl.tables['Bridge'])
bridge.name = 'idl0'
bridge.setkey('external_ids', 'k', 'v')
top.bridges = [bridge]
print(txn.commit_block())
until(lambda: any(b.name == 'idl0' for b in idl.tables['Bridge'].rows.values()))
row = [b for b in idl.tables['Bridge'].rows.values() if b.name == 'idl0'][0]
print(row.name, row.external_ids)
txn = ovs.db.idl.Transaction(idl)
row.external_ids = {'k': 'w'}
row.fail_mode = 'secure'
print(txn.commit_block())
until(lambda: row.external_ids == {'k': 'w'})
idl.cond_change('Bridge', [['name', '==', 'nosuch']])
until(lambda: not idl.tables['Bridge'].rows)
print(len(idl.tables['Bridge'].rows), len(idl.tables['Open_vSwitch'].rows))
idl.set_lock('idl_lock')
until(lambda: idl.has_lock)
print(idl.has_lock)
idl.close()
`;

test("Python's IDL of Open vSwitch works on it", async () => {
  const outputs = [];
  for (const side of ['reference', 'ours'] as const) {
    const server = await DatabaseServer.start(side);
    try {
      server.write('idl.py', idlScript);
      const args = [join(server.dir, 'idl.py'), '/usr/share/openvswitch/vswitch.ovsschema', server.socket];
      outputs.push(await server.run('/usr/bin/python3', args));
    } finally {
      await server.close();
    }
  }
  assert.equal(outputs[1], outputs[0]);
  assert.match(outputs[1]!, /success\nidl0 \{'k': 'v'\}\nsuccess\n0 1\nTrue\n/);
});
