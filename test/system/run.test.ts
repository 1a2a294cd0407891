/** `weft run` as a user has it: a file, signals, a control socket, interfaces that come and go. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ends, Namespaces, whyNoNamespaces } from '../support/netns.ts';
import { WeftRun, weftBin } from '../support/weft-run.ts';

const [a, b] = ends;
const weft = (...args: readonly string[]) =>
  spawnSync(process.execPath, [weftBin, ...args], { encoding: 'utf8', timeout: 30_000 });

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-run-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const oneBridge = (...ports: readonly object[]): object => ({ bridges: [{ name: 'br0', ports }] });

it('wrong files are refused with the path of every mistake, and status 2', () => {
  const file = join(folder, 'wrong.yaml');
  const yaml = `
bridges:
  - name: br0
    mac: 02:00
    ports:
      - { name: p1, backend: afxdp, tag: 5000 }
      - { name: p2, backend: packet, options: { queue: 1 } }
      - { name: p3, tunnel: { type: vxlan, remote: 10.0.0.1, key: 16777216 } }
      - { name: p4, patch: p9 }
      - { name: p1, backend: tap }
      - { name: p5 }
    flows: ['priority=5,in_port=p1,actions=output:p2', 'in_port=p9,actions=drop', 'actions=outptu:1']
routes:
  - { to: 10.0.0.0/33, bridge: br0 }
`;
  writeFileSync(file, yaml);
  const { status, stderr, stdout } = weft('run', file, '--dry-run');
  assert.equal(status, 2);
  assert.equal(stdout, '');
  const expected = [
    'bridges[0].mac: should be a MAC address, not "02:00"',
    'bridges[0].ports[0].tag: should be a number from 0 to 4095, not 5000',
    'bridges[0].ports[1].options.queue: packet has no such option (there are: ',
    'bridges[0].ports[2].tunnel.key: a key of vxlan has 24 bits: 16777216 does not fit',
    'bridges[0].ports[3].patch: there is no port "p9"',
    'bridges[0].ports[4].name: "p1" is there already',
    'bridges[0].ports[5]: should have one of backend, patch and tunnel, and has none of them',
    'bridges[0].flows[1]: ',
    'bridges[0].flows[2]: ',
    'routes[0].to: should be an address with a prefix length (10.0.0.1/24), not "10.0.0.0/33"',
  ];
  const said = stderr.trim().split('\n');
  for (const line of expected)
    assert.ok(
      said.some((one) => one.startsWith(`weft: ${file}: ${line}`)),
      `${line}\n--\n${stderr}`,
    );
  assert.equal(said.length, expected.length, stderr);
  writeFileSync(file, 'bridges: [');
  assert.match(weft('run', file).stderr, /^weft: .*wrong\.yaml: line 1, column \d+: /);
  assert.match(weft('run', join(folder, 'none')).stderr, /^weft: cannot read .*none: ENOENT/);
});

it('--dry-run says what would be made, and makes nothing', () => {
  const file = join(folder, 'dry.yaml');
  writeFileSync(file, JSON.stringify(oneBridge({ name: 'p1', backend: 'tap', tag: 10 })));
  const { status, stdout } = weft('run', '--dry-run', file);
  assert.equal(status, 0);
  assert.match(stdout, /^\+ bridge br0: [0-9a-f:]{17}, standalone, local none\n\+ port p1 of br0: tap tag 10\n$/);
  assert.ok(!existsSync('/sys/class/net/p1'));
});

describe('between real interfaces', { skip: whyNoNamespaces(), timeout: 120_000 }, () => {
  /** Ends a and b on veth pairs, and a switch in s. */
  async function bed<T>(state: object, use: (run: WeftRun, names: Namespaces) => Promise<T>): Promise<T> {
    const names = new Namespaces(['s', 'a', 'b']);
    let run: WeftRun | undefined;
    try {
      for (const end of ends) names.addVeth(end.name);
      run = await WeftRun.start(names.full('s'), folder, 'run', state);
      for (const end of ends) names.setUp(end);
      return await use(run, names);
    } finally {
      run?.kill();
      await names.close();
    }
  }

  const ping = (names: Namespaces, ...options: readonly string[]): string =>
    names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', ...options, b.v4);
  /** What a user would see of every interface of the switch's namespace. */
  const links = (names: Namespaces): object[] =>
    JSON.parse(execFileSync('ip', ['-n', names.full('s'), '-j', '-d', 'link'], { encoding: 'utf8' })).map(
      ({ ifname, flags, promiscuity, mtu, address, xdp = null }: Record<string, unknown>) => ({
        ...{ ifname, promiscuity, mtu, address, xdp },
        flags: (flags as string[]).filter((flag) => !['LOWER_UP', 'NO-CARRIER', 'M-DOWN'].includes(flag)),
      }),
    );

  it('SIGHUP makes what changed and disturbs nothing else; SIGTERM leaves the machine as it was found', async () => {
    const [p1, p2] = [
      { name: 'a', backend: 'packet' },
      { name: 'b', backend: 'afxdp' },
    ] as const;
    const names = new Namespaces(['s', 'a', 'b']);
    try {
      for (const end of ends) names.addVeth(end.name);
      names.ip('-n', names.full('s'), 'link', 'set', 'dev', 'a', 'down');
      const found = links(names);
      const state = oneBridge(p1, p2);
      const run = await WeftRun.start(names.full('s'), folder, 'hup', state);
      for (const end of ends) names.setUp(end);
      await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'its ports are up');
      ping(names);
      const flood = names.run.bind(names, 'a', 'ping', '-c', '100', '-i', '0.01', '-W', '1', '-q', b.v4);
      const pinging = new Promise<string>((resolve) => setTimeout(() => resolve(flood()), 0));
      run.write({
        bridges: [
          { name: 'br0', ports: [p1, p2, { name: 't0', backend: 'tap', tag: 7 }] },
          { name: 'br1', local: 'internal', addresses: ['10.80.0.1/24', 'fd80::1/64'] },
        ],
      });
      run.signal('SIGHUP');
      assert.match(await pinging, /100 packets transmitted, 100 received/);
      await run.until(({ bridges }) => bridges.length === 2, 'the second bridge is there');
      const addresses = names.run('s', 'ip', '-br', 'address');
      assert.match(addresses, /^br1 +UNKNOWN +10\.80\.0\.1\/24 .*fd80::1\/64/m);
      assert.match(addresses, /^t0 /m);
      run.write({ bridges: 'none' });
      run.signal('SIGHUP');
      await delay(300);
      assert.match(run.said, /bridges: should be a list, not "none"\nweft: nothing was changed/);
      ping(names);
      assert.equal(await run.stop(), 0);
      assert.deepEqual(links(names), found);
      assert.ok(!existsSync(run.control), 'the control socket is gone');
    } finally {
      await names.close();
    }
  });

  it('a port whose device is deleted and made again comes back under traffic, with its number', async () => {
    const state = oneBridge({ name: 'a', backend: 'packet' }, { name: 'b', backend: 'packet' });
    await bed(state, async (run, names) => {
      await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'its ports are up');
      ping(names);
      const { ofport } = await run.port('a');
      names.flood('b', '10.77.0.77', 'eth0');
      for (const backend of ['packet', 'afxdp']) {
        run.write(oneBridge({ name: 'a', backend }, { name: 'b', backend: 'packet' }));
        await run.ask('weft/reload');
        names.ip('-n', names.full('a'), 'link', 'del', 'dev', 'eth0');
        await run.until(
          ({ ports }) => ports.some((port) => port.state === 'waiting'),
          'it has seen that the interface is gone',
        );
        assert.match((await run.port('a')).error!, /could not open network device a \(No such device\)/);
        names.addVeth('a');
        names.setUp(a);
        await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'the port is back');
        assert.equal((await run.port('a')).ofport, ofport);
        ping(names);
      }
    });
  });

  it('MTU changes are followed', async () => {
    const state = {
      chunk_size: 4096,
      ...oneBridge({ name: 'a', backend: 'packet' }, { name: 'b', backend: 'packet' }),
    };
    await bed(state, async (run, names) => {
      for (const end of ends) {
        names.ip('-n', names.full('s'), 'link', 'set', 'dev', end.name, 'mtu', '3000');
        names.ip('-n', names.full(end.name), 'link', 'set', 'dev', 'eth0', 'mtu', '3000');
      }
      await run.until(({ ports }) => ports.every(({ mtu }) => mtu === 3000), 'it has seen the MTU');
      ping(names, '-M', 'do', '-s', '2900');
    });
  });

  it('ovs-appctl and weft top speak with it', async (t) => {
    const state = oneBridge({ name: 'a', backend: 'packet', tag: 3 }, { name: 'b', backend: 'packet', tag: 3 });
    await bed(state, async (run, names) => {
      await run.until(({ ports }) => ports.every((port) => port.state === 'up'), 'its ports are up');
      ping(names);
      const top = weft('top', '--once', '--ctl', run.control);
      assert.equal(top.status, 0, top.stderr);
      assert.match(top.stdout, /^br0 +a +\d +up +\d+ .* packet$/m);
      assert.match(top.stdout, /\d+ megaflows/);
      const json = JSON.parse(weft('top', '--json', '--ctl', run.control).stdout);
      assert.equal(json.ports.length, 2);
      assert.equal(weft('top', '--once', '--ctl', join(folder, 'none.ctl')).status, 2);
      assert.match(await run.ask('fdb/show', 'br0'), /^ +[12] +3 +[0-9a-f:]{17} +\d+$/m);
      await assert.rejects(run.ask('fdb/show', 'br9'), /no such bridge/);
      const appctl = spawnSync('ovs-appctl', ['-t', run.control, 'dpctl/dump-flows'], { encoding: 'utf8' });
      if (appctl.error) t.diagnostic('no ovs-appctl here');
      else assert.match(appctl.stdout, /recirc_id\(0\),in_port\(\d+\).*actions:/);
      const asked = spawnSync('ovs-appctl', ['-t', run.control, 'exit'], { encoding: 'utf8' });
      if (!asked.error) assert.equal(await run.ended(), 0);
    });
  });

  it('flows of the file are put in, changed and taken out again', async () => {
    const ports = ['a', 'b'].map((name) => ({ name, backend: 'packet' }));
    const withFlows = (flows?: readonly string[]): object => ({
      bridges: [{ name: 'br0', ports, ...(flows ? { flows } : {}) }],
    });
    const through = ['in_port=a,actions=output:b', 'in_port=b,actions=output:a'];
    await bed(withFlows(through), async (run, names) => {
      await run.until(({ ports: found }) => found.every((port) => port.state === 'up'), 'its ports are up');
      ping(names);
      assert.match(await run.ask('fdb/show', 'br0'), /^ port {2}VLAN[^\n]*\n$/, 'nothing is learned');
      run.write(withFlows(['priority=1,actions=drop']));
      await run.ask('weft/reload');
      assert.throws(() => ping(names));
      run.write(withFlows());
      await run.ask('weft/reload');
      ping(names);
      assert.match(await run.ask('fdb/show', 'br0'), /[0-9a-f:]{17}/, 'addresses are learned');
    });
  });

  it('what cannot be opened waits, and is counted as such', async () => {
    const names = new Namespaces(['s']);
    let run: WeftRun | undefined;
    try {
      names.addPair('s', 'p', 'q');
      const ports = ['x', 'y'].map((name) => ({ name, backend: 'afxdp', interface: 'p' }));
      run = await WeftRun.start(names.full('s'), folder, 'twice', oneBridge(...ports));
      const { ports: found } = await run.status();
      assert.deepEqual(
        found.map(({ state }) => state),
        ['up', 'waiting'],
      );
      assert.match(found[1]!.error!, /p: /);
      const descriptors = () => readdirSync(`/proc/${run!.pid}/fd`).length;
      const count = descriptors();
      await delay(1500);
      assert.ok(descriptors() <= count + 1, 'trying again and again takes no descriptors');
      assert.equal(await run.stop(), 0);
    } finally {
      run?.kill();
      await names.close();
    }
  });
});
