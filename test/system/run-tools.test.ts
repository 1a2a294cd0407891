/** `weft run` and its database: Open vSwitch's own tools drive it, beside the file and without one; several workers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Transfer } from '../support/io-traffic.ts';
import { ends, message, Namespaces, whyNoNamespaces } from '../support/netns.ts';
import { WeftRun, weftBin } from '../support/weft-run.ts';

const [, b] = ends;
const whyNoTools = (): string | false => {
  const none = ['ovs-vsctl', 'ovs-ofctl', 'ovs-appctl'].find((tool) => spawnSync(tool, ['--version']).error);
  return whyNoNamespaces() || (none !== undefined && `needs ${none}`);
};

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-tools-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const twoPorts = (backend: string): object => ({
  bridges: [{ name: 'br0', ports: ends.map(({ name }) => ({ name, backend })) }],
});

const ping = (names: Namespaces, count = 3): string =>
  names.run('a', 'ping', '-c', `${count}`, '-i', '0.05', '-W', '2', b.v4);

describe('weft run with its database', { skip: whyNoTools(), timeout: 60_000 }, () => {
  it("Open vSwitch's tools see what the file made, and what they make stays when it is read again", async () => {
    const names = new Namespaces(['s', 'a', 'b']);
    let run: WeftRun | undefined;
    try {
      for (const end of ends) names.addVeth(end.name);
      run = await WeftRun.start(names.full('s'), folder, 'tools', twoPorts('packet'));
      for (const end of ends) names.setUp(end);
      await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'its ports are up');
      ping(names);
      assert.equal(run.tool('ovs-vsctl', 'list-ports', 'br0'), 'a\nb\n');
      assert.equal(run.tool('ovs-vsctl', 'get', 'interface', 'a', 'external_ids:weft-owner'), 'tools.yaml\n');
      assert.match(run.tool('ovs-ofctl', 'show', 'br0'), /^ \d\(a\): addr:/m);
      assert.match(run.tool('ovs-appctl', 'fdb/show', 'br0'), /[0-9a-f:]{17}/);
      assert.match(run.tool('ovs-appctl', 'version'), /^ovs-vswitchd /);
      run.tool('ovs-vsctl', 'add-br', 'br9', '--', 'add-port', 'br9', 't9', '--', 'set', 'interface', 't9', 'type=tap');
      run.tool('ovs-vsctl', 'set', 'bridge', 'br0', 'other_config:disable-in-band=true');
      run.tool('ovs-ofctl', 'add-flow', 'br9', 'priority=7,actions=drop');
      run.write({ bridges: [{ name: 'br0', ports: [{ name: 'b', backend: 'packet', tag: 3 }] }] });
      await run.ask('weft/reload');
      assert.equal(run.tool('ovs-vsctl', 'list-ports', 'br0'), 'b\n');
      assert.equal(run.tool('ovs-vsctl', 'get', 'port', 'b', 'tag'), '3\n');
      assert.equal(run.tool('ovs-vsctl', 'get', 'bridge', 'br0', 'other_config:disable-in-band'), '"true"\n');
      assert.equal(run.tool('ovs-vsctl', 'list-ports', 'br9'), 't9\n');
      assert.match(run.tool('ovs-ofctl', 'dump-flows', 'br9'), /priority=7 actions=drop/);
      run.write({ bridges: [{ name: 'br9' }] });
      await assert.rejects(run.ask('weft/reload'), /there is a bridge br9 already, which is not this file's/);
      assert.equal(run.tool('ovs-vsctl', 'list-br'), 'br0\nbr9\n');
      assert.equal(await run.stop(), 0);
      assert.deepEqual(readdirSync(join(run.folder, 'run')), []);
    } finally {
      run?.kill();
      await names.close();
    }
  });

  it('without a file the database says what there is, and is there again after a restart', async () => {
    const names = new Namespaces(['s', 'a', 'b']);
    const state = join(folder, 'bare');
    const env = { ...process.env, OVS_RUNDIR: join(state, 'run') };
    const tool = (program: string, ...args: readonly string[]): string => {
      const { stdout, stderr, status } = spawnSync(program, ['--timeout=10', ...args], { env, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const start = async (): Promise<ChildProcess> => {
      const command = [process.execPath, weftBin, 'run', '--state', state];
      const child = spawn('ip', ['netns', 'exec', names.full('s'), ...command], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      for (let i = 0; i < 200 && !said.includes('running:'); i++) await delay(50);
      assert.match(said, /running: \d bridges/);
      return child;
    };
    let child: ChildProcess | undefined;
    try {
      for (const end of ends) names.addVeth(end.name);
      child = await start();
      tool('ovs-vsctl', 'add-br', 'br0', '--', 'add-port', 'br0', 'a', '--', 'add-port', 'br0', 'b');
      for (const end of ends) names.setUp(end);
      await delay(300);
      ping(names);
      const second = spawnSync(process.execPath, [weftBin, 'run', '--state', state], { encoding: 'utf8' });
      assert.equal(second.status, 2);
      assert.match(second.stderr, /^weft: .*ovs-vswitchd\.pid: already running, aborting$/m);
      child.kill('SIGTERM');
      const [status] = await once(child, 'exit');
      assert.equal(status, 0);
      assert.ok(existsSync(join(state, 'conf.db')));
      child = await start();
      assert.equal(tool('ovs-vsctl', 'list-ports', 'br0'), 'a\nb\n');
      ping(names);
      tool('ovs-appctl', 'exit');
      await once(child, 'exit');
    } finally {
      child?.kill('SIGKILL');
      await names.close();
    }
  });

  for (const backend of ['packet', 'afxdp'] as const) {
    it(`${backend}: two workers carry ping and TCP, and go on when one of them dies`, async (t) => {
      const names = new Namespaces(['s', 'a', 'b']);
      let run: WeftRun | undefined;
      try {
        for (const end of ends) names.addVeth(end.name);
        const state = twoPorts(backend);
        run = await WeftRun.start(names.full('s'), folder, `two-${backend}`, state, '--workers', '2');
        for (const end of ends) names.setUp(end);
        await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'its ports are up');
        ping(names);
        const { workers, ports } = await run.status();
        assert.deepEqual(ports.map(({ worker }) => worker).sort(), [0, 1]);
        assert.ok(
          workers.every(({ rxPackets }) => rxPackets > 0),
          JSON.stringify(workers),
        );
        const sink = names.start('b', 'io-traffic.ts', 'tcp-sink', b.v4, '5001');
        await message(sink);
        const transfer = message<Transfer>(sink);
        const source = names.start('a', 'io-traffic.ts', 'tcp-source', b.v4, '5001', '20000000');
        await delay(100);
        await run.ask('weft/restart-worker', '0');
        const dead = run.ended().then(() => assert.fail(run!.said));
        assert.equal((await Promise.race([transfer, dead])).bytes, 20_000_000);
        source.kill();
        await run.until((status) => status.workers[0]!.deaths === 1, 'the death is known');
        assert.match(run.said, /\|dpif_netdev\|ERR\|worker 0 died \(.*\), and \d+ frames with it; it is back/);
        ping(names);
        assert.match(run.tool('ovs-appctl', 'coverage/show'), /^worker_deaths +total: 1$/m);
        const top = spawnSync(process.execPath, [weftBin, 'top', '--once', '--ctl', run.control], { encoding: 'utf8' });
        assert.match(top.stdout, /^worker +CPU +ports .*deaths$/m);
        assert.match(top.stdout, /^0 +any +\d+ .* 1$/m);
        await delay(500);
        const before = (await run.status()).cpu;
        await delay(2000);
        t.diagnostic(`idle: ${((await run.status()).cpu - before) / 20_000} % of a core`);
        assert.equal(await run.stop(), 0);
      } finally {
        run?.kill();
        await names.close();
      }
    });
  }
});
