/** The drop-in: Debian's scripts, units and tools as they are, with nothing swapped but the two daemons. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Machine, until, whyNoMachine } from '../support/machine.ts';

/** Milliseconds between two pings. */
const SPACING = 10;
/** Pings that a restart may cost. */
const LOST_MAX = 1;

describe('ovs-ctl', { skip: whyNoMachine(), timeout: 150_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.create();
    machine.addHost('h1', '10.0.0.1/24');
    machine.addHost('h2', '10.0.0.2/24');
  });
  after(() => machine?.close());

  const ctl = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = machine.ovsCtl(...args);
    assert.equal(status, 0, `ovs-ctl ${args.join(' ')}: ${stdout}${stderr}\n${machine.log()}`);
    return stdout;
  };

  it('start: both daemons run, watched, under their names, and nothing is said on the console', () => {
    const said = ctl('--system-id=random', '--no-record-hostname', 'start');
    assert.match(
      said,
      /Starting ovsdb-server\.\nConfiguring Open vSwitch system IDs\.\n[\s\S]*Starting ovs-vswitchd\.\n/,
    );
    assert.match(said, /Enabling remote OVSDB managers\.\n$/);
    assert.equal(ctl('--system-id=random', '--no-record-hostname', 'start').match(/is already running/g)?.length, 2);
    for (const name of ['ovsdb-server', 'ovs-vswitchd']) {
      const pid = readPid(name);
      assert.equal(machine.sh(`cat /proc/${pid}/comm`), `${name}\n`);
      assert.match(machine.sh('cat /proc/locks'), new RegExp(`POSIX .* WRITE ${pid} `));
    }
  });

  const readPid = (name: string): number => Number(machine.sh(`cat /run/openvswitch/${name}.pid`));

  it('status and version', () => {
    const [server, daemon] = [readPid('ovsdb-server'), readPid('ovs-vswitchd')];
    const running = `ovsdb-server is running with pid ${server}\novs-vswitchd is running with pid ${daemon}\n`;
    assert.equal(ctl('status'), running);
    assert.match(
      ctl('version'),
      /^ovsdb-server \(.*Open vSwitch\) 3\.1\.0\novs-vswitchd \(.*Open vSwitch\) 3\.1\.0\n$/,
    );
    assert.equal(machine.vsctl('get', 'Open_vSwitch', '.', 'ovs_version'), '"3.1.0"\n');
  });

  it('ports: system interfaces, an internal one with an address of the machine, AF_XDP', async () => {
    machine.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev');
    machine.vsctl('add-port', 'br0', 'h1', '--', 'add-port', 'br0', 'h2');
    await machine.reach('h1', '10.0.0.2');
    assert.equal(machine.ping('h1', '10.0.0.2', 5), 0);
    machine.vsctl('add-port', 'br0', 'int0', '--', 'set', 'interface', 'int0', 'type=internal');
    machine.sh('ip address add 10.0.0.8/24 dev int0; ip link set int0 up');
    await machine.reach('h1', '10.0.0.8');
    machine.vsctl('del-port', 'br0', 'int0');
    assert.equal(machine.ask(null, 'ip', 'link', 'show', 'int0').status, 1, 'it goes with its port');
    machine.sh('ip address add 10.0.0.9/24 dev br0; ip link set br0 up');
    await machine.reach('h2', '10.0.0.9');
    machine.vsctl('del-port', 'br0', 'h2', '--', 'add-port', 'br0', 'h2', '--', 'set', 'interface', 'h2', 'type=afxdp');
    assert.equal(machine.vsctl('get', 'interface', 'h2', 'error'), '[]\n');
    await machine.reach('h1', '10.0.0.2');
    machine.vsctl('del-port', 'br0', 'h2', '--', 'add-port', 'br0', 'h2');
    const { status, stderr } = machine.ask(null, 'ovs-vsctl', 'add-port', 'br0', 'nosuch');
    assert.equal(status, 0);
    assert.match(
      stderr,
      /Error detected while setting up 'nosuch': could not open network device nosuch \(No such device\)/,
    );
    machine.vsctl('del-port', 'br0', 'nosuch');
    await machine.reach('h1', '10.0.0.2');
  });

  it('restart: flows are saved and restored, the bridge keeps its address, and traffic goes on', async () => {
    machine.ofctl('del-flows', 'br0');
    machine.ofctl('add-flow', 'br0', 'table=0,priority=7,cookie=0x77,actions=goto_table:1', '-OOpenFlow13');
    machine.ofctl('add-flow', 'br0', 'table=1,priority=3,actions=normal', '-OOpenFlow13');
    machine.ofctl('add-group', 'br0', 'group_id=5,type=all,bucket=output:1', '-OOpenFlow13');
    const flows = (): string => machine.ofctl('-OOpenFlow13', '--no-stats', '--sort', 'dump-flows', 'br0');
    const [before, pid] = [flows(), readPid('ovs-vswitchd')];
    const numbers = machine.vsctl('get', 'interface', 'h1', 'ofport', '--', 'get', 'interface', 'h2', 'ofport');
    await machine.reach('h1', '10.0.0.2');
    // Hosts that ask each other anew after some seconds of silence would lose pings by themselves
    for (const [host, other] of [
      ['h1', 'h2'],
      ['h2', 'h1'],
    ] as const) {
      const mac = machine.run('ip', 'netns', 'exec', other, 'cat', '/sys/class/net/eth0/address').trim();
      const address = `10.0.0.${other.slice(1)}`;
      const entry = ['neighbour', 'replace', address, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent'];
      machine.run('ip', '-n', host, ...entry);
    }
    const ping = machine.start('h1', 'ping', '-n', '-i', `${SPACING / 1000}`, '-W', '5', '10.0.0.2');
    await delay(500);
    const said = ctl('--system-id=random', '--no-record-hostname', 'restart');
    assert.match(said, /^Saving flows\.\nExiting ovsdb-server \(\d+\)\.\n[\s\S]*Restoring saved flows\.\n/);
    await delay(500);
    await ping.stop('SIGINT');
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.said) ?? [];
    assert.ok(Number(sent) > 100 && Number(sent) - Number(received) <= LOST_MAX, ping.said.slice(-300));
    assert.notEqual(readPid('ovs-vswitchd'), pid);
    assert.equal(flows(), before);
    assert.match(machine.ofctl('-OOpenFlow13', 'dump-groups', 'br0'), /group_id=5,type=all/);
    assert.equal(machine.vsctl('get', 'interface', 'h1', 'ofport', '--', 'get', 'interface', 'h2', 'ofport'), numbers);
    assert.match(machine.sh('ip -br address show br0'), /10\.0\.0\.9\/24/);
    await machine.reach('h2', '10.0.0.9');
  });

  it('a daemon that dies of a fault is started again by the one that watches it', async () => {
    const pid = readPid('ovs-vswitchd');
    machine.sh(`kill -SEGV ${pid}`);
    await until(
      () => machine.ask(null, 'ovs-appctl', '-T1', 'version').status === 0,
      'it is back',
      25_000,
      () => machine.log(),
    );
    assert.notEqual(readPid('ovs-vswitchd'), pid);
    machine.sh(`rm /run/openvswitch/ovs-vswitchd.${pid}.ctl`);
    assert.match(machine.log(), /daemon\S*\|ERR\|.*died.*killed \((Segmentation fault|SIGSEGV)\)/);
    await machine.reach('h1', '10.0.0.2');
  });

  it('stop: both are gone, with their sockets and pidfiles', () => {
    assert.match(ctl('stop'), /^Exiting ovs-vswitchd \(\d+\)\.\nExiting ovsdb-server \(\d+\)\.\n$/);
    // Where a daemon that comes soon finds the devices
    assert.equal(machine.sh('ls /run/openvswitch'), 'ovs-vswitchd.held\n');
    const { status, stdout } = machine.ovsCtl('status');
    assert.notEqual(status, 0);
    assert.equal(stdout, 'ovsdb-server is not running\novs-vswitchd is not running\n');
    assert.doesNotMatch(machine.sh('ps -eo comm'), /ovs-vswitchd|ovsdb-server/);
  });

  it("the command lines of Debian's systemd units", async () => {
    const lines = ['ovsdb-server', 'ovs-vswitchd'].map((name) => {
      const unit = readFileSync(`/lib/systemd/system/${name}.service`, 'utf8').replaceAll('\\\n', ' ');
      return (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? 'false';
    });
    for (const line of lines) machine.sh(`OVS_CTL_OPTS= ; ${line('ExecStart')}`);
    assert.match(ctl('status'), /ovsdb-server is running.*\novs-vswitchd is running/);
    await machine.reach('h1', '10.0.0.2');
    for (const line of lines) machine.sh(`OVS_CTL_OPTS= ; ${line('ExecReload')}`);
    await machine.reach('h1', '10.0.0.2');
    for (const line of lines.toReversed()) machine.sh(line('ExecStop'));
    assert.notEqual(machine.ovsCtl('status').status, 0);
  });
});
