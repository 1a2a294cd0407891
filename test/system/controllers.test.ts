/** Controllers that others wrote drive the switch between network namespaces: os-ken's applications, ovs-testcontroller. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { rest, startOsKen, startTestController, whyNoOsKen } from '../support/controllers.ts';
import { Machine, type Running, until, whyNoMachine } from '../support/machine.ts';

const DPID = '0000000000000077';

describe('controllers', { skip: whyNoMachine('ovs-testcontroller') || whyNoOsKen(), timeout: 300_000 }, () => {
  let machine: Machine;
  let running: Running | null = null;

  before(async () => {
    machine = await Machine.create();
    machine.startSwitch();
    machine.addHost('h1', '10.0.0.1/24');
    machine.addHost('h2', '10.0.0.2/24');
    machine.addHost('h3', '10.0.0.3/24');
  });
  afterEach(async () => {
    await running?.stop('SIGKILL');
    running = null;
    machine.vsctl('--if-exists', 'del-br', 'br0');
  });
  after(() => machine?.close());

  /** A bridge with all hosts, under the controller. */
  async function addBridge(protocol: string, failMode = 'secure', ...more: readonly string[]): Promise<void> {
    const ports = ['h1', 'h2', 'h3'].flatMap((name, i) => [
      ...['--', 'add-port', 'br0', name],
      ...['--', 'set', 'interface', name, `ofport_request=${i + 1}`],
    ]);
    const bridge = [`datapath_type=netdev`, `fail_mode=${failMode}`, `protocols=${protocol}`];
    const own = ['--', 'set', 'bridge', 'br0', ...bridge, `other_config:datapath-id=${DPID}`];
    const controller = ['--', 'set-controller', 'br0', 'tcp:127.0.0.1:6653'];
    machine.vsctl('add-br', 'br0', ...own, ...ports, ...controller, ...more);
    await connected(true);
  }

  const connected = (is: boolean): Promise<void> =>
    until(
      () => machine.vsctl('--columns=is_connected', '--bare', 'list', 'controller').trim() === `${is}`,
      is ? 'the controller is there' : 'the controller is gone',
      20_000,
      () => `${running?.said ?? ''}\n${machine.log()}`,
    );

  const flows = (protocol: string): string => machine.ofctl('-O', protocol, '--no-stats', 'dump-flows', 'br0');

  /** The count of packet-ins that went out for rules. */
  const counted = (protocol: string, match: RegExp): number =>
    machine
      .ofctl('-O', protocol, 'dump-flows', 'br0')
      .split('\n')
      .filter((line) => match.test(line))
      .reduce((sum, line) => sum + Number(/n_packets=(\d+)/.exec(line)?.[1] ?? 0), 0);

  for (const [app, protocol] of [
    ['simple_switch', 'OpenFlow10'],
    ['simple_switch_12', 'OpenFlow12'],
    ['simple_switch_13', 'OpenFlow13'],
    ['simple_switch_14', 'OpenFlow14'],
    ['simple_switch_15', 'OpenFlow15'],
  ] as const)
    it(`os-ken's ${app}: hosts reach each other, and by flows that it learned`, async () => {
      running = await startOsKen(machine, app);
      await addBridge(protocol);
      await machine.reach('h1', '10.0.0.2');
      // The first reply may find nothing learned yet
      machine.ping('h1', '10.0.0.2', 2);
      await until(
        () => (flows(protocol).match(/dl_dst=/g) ?? []).length >= 2,
        'flows are learned',
        5000,
        () => flows(protocol),
      );
      assert.equal(machine.ping('h1', '10.0.0.2', 5), 0, running.said);
      assert.match(flows(protocol), /in_port="?(1|h1)"?,.*dl_dst=\S+ actions=output:"?(2|h2)"?/);
      assert.ok(counted(protocol, /dl_dst=/) >= 10, machine.ofctl('-O', protocol, 'dump-flows', 'br0'));
      assert.equal(machine.ping('h3', '10.0.0.1', 3), 0, running.said);
      assert.doesNotMatch(running.said, /Traceback|EventOFPErrorMsg|error/i);
    });

  it("os-ken's REST firewall: what is not allowed does not pass, and statistics are told", async () => {
    running = await startOsKen(machine, 'rest_firewall');
    await addBridge('OpenFlow13');
    await until(
      () => running!.said.includes('Join as firewall'),
      'the switch joined',
      10_000,
      () => running!.said,
    );
    assert.ok(machine.ping('h1', '10.0.0.2', 2) > 0, 'a disabled firewall drops');
    rest(machine, 'PUT', `/firewall/module/enable/${DPID}`);
    const status = rest(machine, 'GET', '/firewall/module/status');
    assert.deepEqual(status, [{ switch_id: DPID, status: 'enable' }]);
    assert.equal(machine.ping('h1', '10.0.0.2', 2), 2, 'nothing is allowed yet');
    for (const [src, dst] of [
      ['10.0.0.1/32', '10.0.0.2/32'],
      ['10.0.0.2/32', '10.0.0.1/32'],
    ])
      rest(machine, 'POST', `/firewall/rules/${DPID}`, { nw_src: src, nw_dst: dst, nw_proto: 'ICMP' });
    await machine.reach('h1', '10.0.0.2');
    assert.equal(machine.ping('h1', '10.0.0.2', 5), 0);
    assert.equal(machine.ping('h1', '10.0.0.3', 2), 2, 'another host is not allowed');
    const [rules] = rest(machine, 'GET', `/firewall/rules/${DPID}`) as { access_control_list: { rules: object[] }[] }[];
    assert.equal(rules?.access_control_list[0]?.rules.length, 2);
    const deny = { nw_src: '10.0.0.1/32', nw_dst: '10.0.0.2/32', actions: 'DENY', priority: '10' };
    rest(machine, 'POST', `/firewall/rules/${DPID}`, deny);
    await until(() => machine.ping('h1', '10.0.0.2', 1) === 1, 'a rule of higher priority denies');
    rest(machine, 'DELETE', `/firewall/rules/${DPID}`, { rule_id: 'all' });
    assert.doesNotMatch(flows('OpenFlow13'), /icmp/);
    rest(machine, 'PUT', `/firewall/module/disable/${DPID}`);
    assert.doesNotMatch(running.said, /Traceback/);
  });

  it("os-ken's REST router: hosts of two networks reach each other through it", async () => {
    running = await startOsKen(machine, 'rest_router');
    machine.sh('ip -n h2 address flush dev eth0; ip -n h2 address add 10.0.1.2/24 dev eth0');
    machine.sh('ip -n h1 route add 10.0.1.0/24 via 10.0.0.254; ip -n h2 route add 10.0.0.0/24 via 10.0.1.254');
    try {
      await addBridge('OpenFlow13');
      await until(
        () => running!.said.includes('Join as router'),
        'the switch joined',
        10_000,
        () => running!.said,
      );
      assert.equal(machine.ping('h1', '10.0.1.2', 1), 1, 'no router yet');
      rest(machine, 'POST', `/router/${DPID}`, { address: '10.0.0.254/24' });
      rest(machine, 'POST', `/router/${DPID}`, { address: '10.0.1.254/24' });
      await machine.reach('h1', '10.0.0.254');
      await machine.reach('h1', '10.0.1.2');
      assert.equal(machine.ping('h1', '10.0.1.2', 5), 0);
      assert.match(machine.ask('h1', 'ping', '-n', '-c', '1', '10.0.1.2').stdout, /ttl=63/);
      assert.match(
        flows('OpenFlow13'),
        /actions=(mod_vlan_vid.*)?dec_ttl,set_field:\S+->eth_src,set_field:\S+->eth_dst,output/,
      );
      const [router] = rest(machine, 'GET', `/router/${DPID}`) as { internal_network: { address: object[] }[] }[];
      assert.equal(router?.internal_network[0]?.address.length, 2);
      assert.doesNotMatch(running.said, /Traceback/);
    } finally {
      machine.sh('ip -n h1 route del 10.0.1.0/24; ip -n h2 route del 10.0.0.0/24');
      machine.sh('ip -n h2 address flush dev eth0; ip -n h2 address add 10.0.0.2/24 dev eth0');
    }
  });

  it("os-ken's REST QoS: queues by the database's port, rules and meters by OpenFlow", async () => {
    running = await startOsKen(machine, 'rest_qos', 'rest_conf_switch');
    machine.vsctl('set-manager', 'ptcp:6632:127.0.0.1');
    try {
      await addBridge('OpenFlow13');
      await until(
        () => running!.said.includes('Join qos switch'),
        'the switch joined',
        10_000,
        () => running!.said,
      );
      machine.ofctl('-O', 'OpenFlow13', 'add-flow', 'br0', 'table=1,priority=0,actions=normal');
      await machine.reach('h1', '10.0.0.2');
      rest(machine, 'PUT', `/v1.0/conf/switches/${DPID}/ovsdb_addr`, 'tcp:127.0.0.1:6632' as unknown as object);
      const queues = [{ max_rate: '500000' }, { min_rate: '800000' }];
      const wanted = { port_name: 'h2', type: 'linux-htb', max_rate: '1000000', queues };
      let answer = '';
      const isSet = (): boolean => {
        answer = JSON.stringify(rest(machine, 'POST', `/qos/queue/${DPID}`, wanted));
        return answer.includes('"result":"success"');
      };
      await until(isSet, 'the controller has the database', 10_000, () => `${answer}\n${running!.said}`);
      assert.match(machine.vsctl('list', 'qos'), /type +: linux-htb/);
      assert.match(machine.vsctl('list', 'queue'), /max-rate="500000"/);
      const match = { nw_dst: '10.0.0.2', nw_proto: 'UDP', tp_dst: '5002' };
      const rule = rest(machine, 'POST', `/qos/rules/${DPID}`, { match, actions: { queue: '1' } });
      assert.match(JSON.stringify(rule), /success/);
      assert.match(flows('OpenFlow13'), /udp,nw_dst=10.0.0.2,tp_dst=5002 actions=set_queue:1,goto_table:1/);
      const bands = [{ type: 'DROP', rate: '1000' }];
      rest(machine, 'POST', `/qos/meter/${DPID}`, { meter_id: '1', flags: 'KBPS', bands });
      await until(
        () => machine.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0').includes('meter=1 kbps'),
        'the meter is there',
        5000,
        () => running!.said,
      );
      const metered = { match: { nw_src: '10.0.0.3' }, actions: { meter: '1' } };
      assert.match(JSON.stringify(rest(machine, 'POST', `/qos/rules/${DPID}`, metered)), /success/);
      assert.match(flows('OpenFlow13'), /nw_src=10.0.0.3 actions=meter:1,goto_table:1/);
      await machine.reach('h3', '10.0.0.2');
      assert.match(machine.ofctl('-O', 'OpenFlow13', 'meter-stats', 'br0'), /packet_in_count:[1-9]/);
      assert.doesNotMatch(running.said, /Traceback/);
    } finally {
      machine.vsctl('del-manager', '--', '--if-exists', 'del-br', 'br0');
      machine.vsctl('--all', 'destroy', 'qos', '--', '--all', 'destroy', 'queue');
    }
  });

  it('ovs-testcontroller: a learning switch by its flows, a hub without them', async () => {
    running = await startTestController(machine);
    await addBridge('OpenFlow10');
    await machine.reach('h1', '10.0.0.2');
    assert.equal(machine.ping('h2', '10.0.0.3', 5), 0);
    assert.match(flows('OpenFlow10'), /icmp,.*actions=output/);
    await running.stop('SIGKILL');
    await connected(false);
    running = await startTestController(machine, '--hub', '--noflow');
    await connected(true);
    machine.ofctl('del-flows', 'br0');
    await machine.reach('h3', '10.0.0.1');
  });

  it('a bridge in fail mode secure keeps its flows when the controller dies, and takes up work when it is back', async () => {
    running = await startTestController(machine, '--max-idle=permanent');
    await addBridge('OpenFlow13', 'secure', '--', 'set', 'controller', 'br0', 'max_backoff=1000');
    await machine.reach('h1', '10.0.0.2');
    assert.equal(machine.ping('h1', '10.0.0.2', 3), 0);
    const before = flows('OpenFlow13');
    assert.match(before, /icmp/);
    await running.stop('SIGKILL');
    await connected(false);
    assert.equal(flows('OpenFlow13'), before);
    assert.equal(machine.ping('h3', '10.0.0.1', 2), 2, 'nobody sets up new flows');
    running = await startTestController(machine, '--max-idle=permanent');
    await connected(true);
    await machine.reach('h3', '10.0.0.1');
  });

  it('a bridge in fail mode standalone switches by itself after three probe intervals, until the controller is back', async () => {
    running = await startTestController(machine);
    await addBridge('OpenFlow13', 'standalone', '--', 'set', 'controller', 'br0', 'max_backoff=1000');
    await machine.reach('h1', '10.0.0.2');
    await running.stop('SIGKILL');
    await connected(false);
    await until(
      () => machine.ping('h1', '10.0.0.3', 1) === 0,
      'the switch fails open',
      25_000,
      () => machine.log(),
    );
    assert.match(machine.log(), /br0.*failing open/);
    running = await startTestController(machine);
    await connected(true);
    await until(() => /No longer in fail-open mode/.test(machine.log()), 'it leaves fail-open', 5000);
    await machine.reach('h1', '10.0.0.2');
    assert.match(flows('OpenFlow13'), /icmp|arp/);
  });
});
