/** `weft apply` on running databases, ours and Open vSwitch's: diff, marks, flows, and the way back. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Namespaces, whyNoNamespaces } from '../support/netns.ts';
import { weftBin } from '../support/weft-run.ts';

const VSWITCHD = '/usr/lib/openvswitch-switch/ovs-vswitchd';
const whyNoTools = (): string | false =>
  whyNoNamespaces() || (!existsSync(VSWITCHD) && 'needs Open vSwitch with its userspace datapath');

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-apply-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A switch with its database, in a namespace; `run` is the folder of its sockets. */
interface Host {
  readonly run: string;
  close(): Promise<void>;
}

async function started(child: ChildProcess, isThere: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !isThere(); i++) {
    assert.equal(child.exitCode, null, 'it ended');
    await delay(50);
  }
  assert.ok(isThere());
}

async function ourHost(netns: string): Promise<Host> {
  const state = join(folder, 'ours');
  const command = ['netns', 'exec', netns, process.execPath, weftBin, 'run', '--state', state];
  const child = spawn('ip', command, { stdio: 'ignore' });
  const run = join(state, 'run');
  await started(child, () => existsSync(join(run, `ovs-vswitchd.${child.pid}.ctl`)));
  return {
    run,
    async close() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function theirHost(netns: string): Promise<Host> {
  const run = join(folder, 'theirs');
  mkdirSync(run);
  const env = { ...process.env, OVS_RUNDIR: run, OVS_DBDIR: run, OVS_LOGDIR: run };
  const db = join(run, 'conf.db');
  assert.equal(spawnSync('ovsdb-tool', ['create', db, '/usr/share/openvswitch/vswitch.ovsschema']).status, 0);
  const start = (...command: readonly string[]): ChildProcess =>
    spawn('ip', ['netns', 'exec', netns, ...command], { env, stdio: 'ignore' });
  const server = start('ovsdb-server', `--remote=punix:${run}/db.sock`, `--unixctl=${run}/s.ctl`, db);
  await started(server, () => existsSync(join(run, 'db.sock')));
  assert.equal(spawnSync('ovs-vsctl', ['--timeout=10', '--no-wait', 'init'], { env }).status, 0);
  const daemon = start(VSWITCHD, `--unixctl=${run}/d.ctl`, `unix:${run}/db.sock`);
  await started(daemon, () => existsSync(join(run, 'd.ctl')));
  return {
    run,
    async close() {
      for (const child of [daemon, server]) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    },
  };
}

const taps = (bridge: object, ...ports: readonly object[]): object => ({
  bridges: [{ name: 'br0', ...bridge, ports: ports.map((port) => ({ backend: 'tap', ...port })) }],
});

describe('weft apply', { skip: whyNoTools(), timeout: 90_000 }, () => {
  for (const [what, start] of [
    ['our switch', ourHost],
    ["Open vSwitch's switch", theirHost],
  ] as const) {
    it(`${what}: shows, applies, applies nothing twice, confirms, goes back`, async () => {
      const names = new Namespaces(['s']);
      let host: Host | undefined;
      try {
        host = await start(names.full('s'));
        const { run } = host;
        const env = { ...process.env, OVS_RUNDIR: run };
        const tool = (program: string, ...args: readonly string[]): string => {
          const { stdout, stderr, status } = spawnSync(program, ['--timeout=10', ...args], { env, encoding: 'utf8' });
          assert.equal(status, 0, stderr);
          return stdout;
        };
        const file = join(folder, 'net.yaml');
        const weft = (...args: readonly string[]) =>
          spawnSync(process.execPath, [weftBin, ...args], { env, encoding: 'utf8', timeout: 30_000 });
        const content = (): string[] => [
          tool('ovs-vsctl', 'list-ports', 'br0'),
          tool('ovs-vsctl', '--columns=name,tag', 'list', 'port'),
          tool('ovs-ofctl', '--no-stats', 'dump-flows', 'br0'),
        ];
        tool('ovs-vsctl', 'add-br', 'other', '--', 'set', 'bridge', 'other', 'datapath_type=netdev');
        writeFileSync(
          file,
          JSON.stringify(taps({ flows: ['priority=3,in_port=p,actions=drop'] }, { name: 'p', tag: 7 })),
        );
        const dry = weft('apply', file, '--dry-run');
        assert.match(
          dry.stdout,
          /^\+ bridge br0: .*\n\+ port p of br0: tap tag 7\n~ flow of br0: \+priority=3,/,
          dry.stderr,
        );
        assert.equal(tool('ovs-vsctl', 'list-br'), 'other\n');
        const first = weft('apply', file);
        assert.equal(first.status, 0, first.stderr);
        assert.equal(first.stdout, dry.stdout);
        assert.equal(tool('ovs-vsctl', 'get', 'port', 'p', 'tag'), '7\n');
        assert.match(tool('ovs-ofctl', 'dump-flows', 'br0'), /priority=3,in_port="?\w+"? actions=drop/);
        assert.equal(weft('apply', file).stdout, 'nothing to change\n');

        const found = content();
        writeFileSync(file, JSON.stringify(taps({ flows: ['actions=drop'] }, { name: 'q' })));
        const late = weft('apply', file, '--confirm-within', '1');
        assert.equal(late.status, 1, late.stderr);
        assert.match(late.stderr, /^weft: not confirmed: undone$/m);
        assert.deepEqual(content().slice(0, 1), found.slice(0, 1));
        assert.equal(tool('ovs-vsctl', 'get', 'port', 'p', 'tag'), '7\n');
        assert.match(tool('ovs-ofctl', 'dump-flows', 'br0'), /priority=3/);
        assert.equal(tool('ovs-vsctl', 'get', 'open', '.', 'external_ids'), '{}\n');
        assert.equal(weft('confirm').status, 1, 'nothing waits');

        const kept = spawn(process.execPath, [weftBin, 'apply', file, '--confirm-within', '20'], { env });
        await once(kept.stdout, 'data');
        for (let i = 0; i < 100 && tool('ovs-vsctl', 'get', 'open', '.', 'external_ids') === '{}\n'; i++)
          await delay(50);
        assert.equal(weft('confirm').status, 0);
        const [status] = await once(kept, 'exit');
        assert.equal(status, 0);
        assert.equal(tool('ovs-vsctl', 'list-ports', 'br0'), 'q\n');

        writeFileSync(file, JSON.stringify({ bridges: [{ name: 'other' }] }));
        const refused = weft('apply', file);
        assert.equal(refused.status, 2);
        assert.match(refused.stderr, /^weft: there is a bridge other already, which is not this file's$/m);
        writeFileSync(file, '{}');
        assert.match(weft('apply', file).stdout, /^- port q of br0\n- bridge br0\n$/);
        assert.equal(tool('ovs-vsctl', 'list-br'), 'other\n');
      } finally {
        await host?.close();
        await names.close();
      }
    });
  }

  it('without a database there is one clear line', () => {
    const file = join(folder, 'none.yaml');
    writeFileSync(file, '{}');
    const command = [weftBin, 'apply', file, '--db', `unix:${folder}/none.sock`];
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /^weft: unix:.*none\.sock: connection attempt failed \(No such file or directory\)\n$/);
  });
});
