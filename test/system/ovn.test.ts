/** Mixed pairs: our switch on Debian's database server, Debian's on ours; OVN, VTEP and Python clients on ours. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type DaemonName, Machine, until, whyNoMachine } from '../support/machine.ts';

async function withMachine(ours: readonly DaemonName[], use: (machine: Machine) => Promise<void>): Promise<void> {
  const machine = await Machine.create({ ours });
  try {
    await use(machine);
  } finally {
    await machine.close();
  }
}

/** Two hosts on a bridge of the userspace datapath. */
function addSwitch(machine: Machine): void {
  machine.startSwitch();
  machine.addHost('h1', '10.0.0.1/24');
  machine.addHost('h2', '10.0.0.2/24');
  const ports = ['--', 'add-port', 'br0', 'h1', '--', 'add-port', 'br0', 'h2'];
  machine.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', ...ports);
}

const programs = ['ovn-northd', 'ovn-nbctl', 'vtep-ctl'];

describe('mixed pairs', { skip: whyNoMachine(...programs), timeout: 120_000 }, () => {
  for (const [what, ours] of [
    ["our switch on Debian's database server", 'ovs-vswitchd'],
    ["Debian's switch on our database server", 'ovsdb-server'],
  ] as const)
    it(`${what}: hosts reach each other, and the server may restart`, () =>
      withMachine([ours], async (machine) => {
        addSwitch(machine);
        await machine.reach('h1', '10.0.0.2');
        assert.equal(machine.ping('h1', '10.0.0.2', 5), 0);
        assert.match(machine.vsctl('get', 'interface', 'h1', 'ofport', 'admin_state', 'link_state'), /^\d+\nup\nup\n$/);
        machine.ofctl('add-flow', 'br0', 'priority=9,icmp,actions=drop');
        assert.equal(machine.ping('h1', '10.0.0.2', 2), 2);
        machine.ofctl('del-flows', '--strict', 'br0', 'priority=9,icmp');
        const restart = machine.ovsCtl('--no-ovs-vswitchd', '--system-id=random', '--no-record-hostname', 'restart');
        assert.equal(restart.status, 0, restart.stdout + restart.stderr);
        machine.vsctl('del-port', 'br0', 'h2');
        assert.equal(machine.ping('h1', '10.0.0.2', 1), 1);
        machine.vsctl('add-port', 'br0', 'h2', '--', 'set', 'interface', 'h2', 'ofport_request=7');
        assert.equal(machine.vsctl('get', 'interface', 'h2', 'ofport').trim(), '7');
        await machine.reach('h1', '10.0.0.2');
        assert.equal(machine.ovsCtl('stop').status, 0);
      }));

  it('OVN: ovn-northd makes logical flows of what ovn-nbctl says, both databases on our server', () =>
    withMachine(['ovsdb-server'], async (machine) => {
      const ctl = (...args: readonly string[]): void => {
        const { status, stdout, stderr } = machine.ask(null, '/usr/share/ovn/scripts/ovn-ctl', ...args);
        assert.equal(status, 0, stdout + stderr + machine.sh('cat /var/log/ovn/*.log || true'));
      };
      const nb = (...args: readonly string[]): string => machine.run('ovn-nbctl', '--timeout=20', ...args);
      const sb = (...args: readonly string[]): string => machine.run('ovn-sbctl', '--timeout=20', ...args);
      ctl('start_northd');
      nb('--wait=sb', 'sync');
      nb('ls-add', 'sw0', '--', 'lsp-add', 'sw0', 'p1', '--', 'lsp-add', 'sw0', 'p2');
      nb(
        'lsp-set-addresses',
        'p1',
        '02:00:00:00:00:01 10.0.0.1',
        '--',
        'lsp-set-addresses',
        'p2',
        '02:00:00:00:00:02 10.0.0.2',
      );
      nb('lr-add', 'lr0', '--', 'lrp-add', 'lr0', 'lr0-sw0', '02:00:00:00:ff:01', '10.0.0.254/24');
      nb(
        'lsp-add',
        'sw0',
        'sw0-lr0',
        '--',
        'lsp-set-type',
        'sw0-lr0',
        'router',
        '--',
        'lsp-set-addresses',
        'sw0-lr0',
        'router',
      );
      nb('lsp-set-options', 'sw0-lr0', 'router-port=lr0-sw0');
      nb('acl-add', 'sw0', 'to-lport', '1000', 'ip4.src == 10.0.0.1', 'drop');
      nb('--wait=sb', 'sync');
      assert.match(nb('show'), /switch \S+ \(sw0\)[\s\S]*port p1\n\s+addresses: \["02:00:00:00:00:01 10.0.0.1"\]/);
      assert.match(nb('show'), /router \S+ \(lr0\)/);
      const ports = sb('--bare', '--columns=logical_port', 'list', 'port_binding').split('\n').filter(Boolean).sort();
      assert.deepEqual(ports, ['lr0-sw0', 'p1', 'p2', 'sw0-lr0']);
      const flows = sb('lflow-list', 'sw0');
      assert.match(flows, /eth.dst == 02:00:00:00:00:02.*outport = "p2"/);
      assert.match(flows, /ip4.src == 10.0.0.1/);
      const packet =
        'inport == "p2" && eth.src == 02:00:00:00:00:02 && eth.dst == 02:00:00:00:00:01 && ip4.src == 10.0.0.2 && ip4.dst == 10.0.0.1 && ip.ttl == 64';
      assert.match(machine.run('ovn-trace', 'sw0', packet), /output to "p1"/);
      nb('--wait=sb', 'ls-del', 'sw0');
      assert.equal(sb('--bare', '--columns=logical_port', 'list', 'port_binding').trim(), 'lr0-sw0');
      assert.equal(machine.ask(null, 'ovn-nbctl', '--timeout=5', 'ls-del', 'sw0').status, 1);
      ctl('stop_northd');
    }));

  it("vtep-ctl: a VTEP's database on our server", () =>
    withMachine(['ovsdb-server'], async (machine) => {
      const [file, socket] = [join(machine.folder, 'vtep.db'), '/run/openvswitch/vtep.sock'];
      machine.run('ovsdb-tool', 'create', file, '/usr/share/openvswitch/vtep.ovsschema');
      machine.run('ovsdb-server', '--detach', '--pidfile', `--remote=punix:${socket}`, file);
      const vtep = (...args: readonly string[]): string =>
        machine.run('vtep-ctl', '--timeout=10', `--db=unix:${socket}`, ...args);
      vtep(
        'add-ps',
        'sw1',
        '--',
        'add-port',
        'sw1',
        'eth1',
        '--',
        'set',
        'Physical_Switch',
        'sw1',
        'tunnel_ips=10.1.0.1',
      );
      vtep(
        'add-ls',
        'ls0',
        '--',
        'bind-ls',
        'sw1',
        'eth1',
        '100',
        'ls0',
        '--',
        'set',
        'Logical_Switch',
        'ls0',
        'tunnel_key=5000',
      );
      vtep('add-ucast-remote', 'ls0', '02:00:00:00:00:09', 'vxlan_over_ipv4', '10.1.0.2');
      vtep('add-mcast-remote', 'ls0', 'unknown-dst', '10.1.0.3');
      assert.equal(vtep('list-ps'), 'sw1\n');
      assert.equal(vtep('list-bindings', 'sw1', 'eth1'), '0100 ls0\n');
      assert.match(
        vtep('list-remote-macs', 'ls0'),
        /02:00:00:00:00:09 -> vxlan_over_ipv4\/10.1.0.2[\s\S]*unknown-dst -> vxlan_over_ipv4\/10.1.0.3/,
      );
      assert.match(vtep('show'), /Physical_Switch sw1/);
      vtep('unbind-ls', 'sw1', 'eth1', '100', '--', 'clear-remote-macs', 'ls0', '--', 'del-ls', 'ls0');
      assert.equal(vtep('list-ls'), '');
    }));

  it("ovsdbapp on Open vSwitch's Python library: bridges, ports, columns, errors", () =>
    withMachine(['ovsdb-server', 'ovs-vswitchd'], async (machine) => {
      machine.startSwitch();
      machine.addHost('h1');
      const script = join(import.meta.dirname, '..', 'support', 'ovsdbapp_commands.py');
      const said = machine.run('/usr/bin/python3', '-B', script, 'unix:/run/openvswitch/db.sock');
      assert.deepEqual(JSON.parse(said), {
        bridges: ['app0'],
        ports: ['h1'],
        owner: 'ovsdbapp',
        found: ['app0'],
        error: 'RowNotFound',
        left: false,
      });
      await until(() => machine.vsctl('list-br') === '', 'the bridge is gone');
    }));
});
