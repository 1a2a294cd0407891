// A bridge's connections over real sockets: Debian's ovs-ofctl as the client, controllers of all transports, snooping, waits
// between attempts, status, fail-open. The clock is the test's.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { KEY, PipelineKey } from '../../../src/flow/key.ts';
import { SECOND } from '../../../src/lib/clock.ts';
import type { BridgeConnectionsConfig, ControllerConfig } from '../../../src/vswitchd/transport/types.ts';
import { Bed, messagesIn, RawClient, until } from './bed.ts';

const run = promisify(execFile);
const ofctl = async (...args: string[]): Promise<string> => (await run('ovs-ofctl', ['--timeout=5', ...args])).stdout;

function makeBed(t: TestContext, config: Partial<BridgeConnectionsConfig> = {}): Bed {
  const bed = new Bed(config);
  t.after(() => bed.close());
  return bed;
}

/** A controller that listens, says hello in OpenFlow 1.3 and remembers what it got. */
class Controller {
  readonly got: string[] = [];
  sockets: Socket[] = [];
  readonly server: Server;

  constructor(t: TestContext, hello = '0400000800000001') {
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => this.got.push(...messagesIn(bytes)));
      if (hello !== '') socket.write(Buffer.from(hello, 'hex'));
    });
    t.after(() => this.stop());
  }

  async listen(at: string | { readonly host: string }): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (typeof at === 'string') this.server.listen(at, resolve);
    else this.server.listen(0, at.host, resolve);
    await promise;
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  send(hex: string): void {
    for (const socket of this.sockets) socket.write(Buffer.from(hex, 'hex'));
  }

  drop(): void {
    for (const socket of this.sockets.splice(0)) socket.destroy();
  }

  stop(): void {
    this.drop();
    this.server.close();
  }
}

const controller = (target: string, more: Partial<ControllerConfig> = {}): ControllerConfig => ({
  target,
  type: null,
  ...more,
});

test('ovs-ofctl: probe, show, flows, in every version; its socket goes with the bridge', async (t) => {
  const bed = makeBed(t);
  const { managementPath } = bed.config;
  assert.equal(statSync(managementPath!).mode & 0o777, 0o750);
  const target = `unix:${managementPath}`;
  for (const version of ['10', '11', '12', '13', '14', '15']) {
    await ofctl('-O', `OpenFlow${version}`, 'probe', target);
    await ofctl('-O', `OpenFlow${version}`, 'add-flow', target, 'priority=7,actions=drop');
    assert.match(
      await ofctl('-O', `OpenFlow${version}`, 'dump-flows', '--no-stats', target),
      /priority=7 actions=drop/,
    );
  }
  await ofctl('-O', 'OpenFlow14', '--bundle', 'add-flow', target, 'priority=8,actions=drop');
  assert.match(await ofctl('-O', 'OpenFlow14', 'dump-flows', '--no-stats', target), /priority=8 actions=drop/);
  await assert.rejects(ofctl('-O', 'OpenFlow14', 'add-group', target, 'group_id=1,type=indirect'));
  bed.configure({ versions: 0x02 });
  await assert.rejects(ofctl('-O', 'OpenFlow13', 'probe', target), /version negotiation failed/);
  bed.close();
  assert.equal(existsSync(managementPath!), false);
});

test('ovs-ofctl monitor: flows as they come and go, packets, ports; ovs-ofctl snoop: what the controller says', async (t) => {
  const bed = makeBed(t);
  const peer = new Controller(t);
  bed.configure({ controllers: [controller(`tcp:127.0.0.1:${await peer.listen({ host: '127.0.0.1' })}`)] });
  assert.ok(await until(() => [...bed.connections.events.connections].some(({ isConnected }) => isConnected)));
  const watch = (...args: string[]) => {
    const child = spawn('ovs-ofctl', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, OVS_RUNDIR: bed.dir },
    });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => said.push(String(bytes)));
    t.after(() => child.kill());
    return (pattern: RegExp): Promise<boolean> => until(() => pattern.test(said.join('')));
  };
  const target = `unix:${bed.config.managementPath}`;
  const monitor = watch('-O', 'OpenFlow14', 'monitor', target, '65534', 'watch:');
  const snoop = watch('snoop', `unix:${bed.config.snoopPath}`);
  assert.ok(await until(() => bed.connections.events.connections.size === 2));
  assert.ok(
    await until(() => [...bed.connections.events.connections].some(({ monitors }) => monitors.byId.size === 1)),
  );
  await ofctl('-O', 'OpenFlow13', 'add-flow', target, 'table=2,priority=5,tcp,actions=output:3');
  assert.ok(await monitor(/event=ADDED table=2 cookie=0 tcp actions=output:3/));
  await ofctl('-O', 'OpenFlow13', 'del-flows', target, 'tcp');
  assert.ok(await monitor(/event=DELETED reason=delete table=2/));
  const flow = new PipelineKey().set(KEY.in_port, 7) as PipelineKey;
  const view = { tableId: 4, cookie: 5n, controllerId: 0, maxLen: 0, userdata: new Uint8Array(0), continuation: null };
  bed.connections.events.packetIn({ ...view, reason: 1, flow, frame: new Uint8Array(60) }, bed.clock.now());
  assert.ok(await monitor(/PACKET_IN.*table_id=4 cookie=0x5 total_len=60 in_port=7 \(via action\) data_len=60/));
  bed.bridge.addPort({ name: 'eth7', kind: 'device', dpPort: 1, mac: new Uint8Array(6) });
  assert.ok(await monitor(/OFPT_PORT_STATUS.*ADD: 1\(eth7\)/));
  peer.send('0414000800000003');
  assert.ok(await snoop(/OFPT_BARRIER_REQUEST \(OF1.3\) \(xid=0x3\)[\s\S]*OFPT_BARRIER_REPLY \(OF1.3\) \(xid=0x3\)/));
});

for (const kind of ['unix', 'tcp', 'tcp6'] as const) {
  test(`a controller that is connected to over ${kind}: status, role, loss, waits that double`, async (t) => {
    const bed = makeBed(t);
    const peer = new Controller(t);
    const host = kind === 'tcp6' ? '::1' : '127.0.0.1';
    const path = join(bed.dir, 'controller');
    const port = await peer.listen(kind === 'unix' ? path : { host });
    const target = kind === 'unix' ? `unix:${path}` : `tcp:${kind === 'tcp6' ? '[::1]' : host}:${port}`;
    bed.configure({ controllers: [controller(target)] });
    const status = () => bed.connections.status(bed.clock.now()).get(target)!;
    assert.equal(status().status.state, 'CONNECTING');
    assert.ok(await until(() => status().isConnected));
    bed.warp(2000);
    assert.deepEqual(status(), {
      isConnected: true,
      role: 'other',
      status: { state: 'ACTIVE', sec_since_connect: '2' },
    });
    // Primary, generation 1
    peer.send('041800180000000200000002000000000000000000000001');
    assert.ok(await until(() => status().role === 'master'));
    peer.stop();
    assert.ok(await until(() => !status().isConnected));
    assert.equal(status().status.state, 'BACKOFF');
    assert.match(status().status.last_error!, /End of file|Connection reset by peer/);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      const wait = bed.connections.wakeAt()! - bed.clock.now();
      waits.push(wait / SECOND);
      bed.warp(wait / 1000);
      assert.ok(await until(() => status().status.state === 'BACKOFF'));
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 8]);
    assert.equal(status().role, null);
    assert.equal(status().status.sec_since_disconnect, '23');
    assert.match(status().status.last_error!, /Connection refused|No such file/);
  });
}

test('a controller that says nothing, and one that dies in silence', async (t) => {
  const bed = makeBed(t);
  const silent = new Controller(t, '');
  const dying = new Controller(t);
  const silentTarget = `tcp:127.0.0.1:${await silent.listen({ host: '127.0.0.1' })}`;
  const dyingTarget = `tcp:127.0.0.1:${await dying.listen({ host: '127.0.0.1' })}`;
  bed.configure({ controllers: [controller(silentTarget), controller(dyingTarget, { probeInterval: 7 * SECOND })] });
  const status = (target: string) => bed.connections.status(bed.clock.now()).get(target)!;
  assert.ok(await until(() => silent.sockets.length > 0 && status(dyingTarget).isConnected));
  bed.warp(1000);
  assert.equal(status(silentTarget).status.state, 'BACKOFF');
  assert.equal(status(silentTarget).status.last_error, 'Connection timed out');
  bed.warp(6000);
  assert.equal(status(dyingTarget).status.state, 'IDLE');
  assert.ok(await until(() => dying.got.some((message) => message.startsWith('0402'))));
  bed.warp(7000);
  assert.equal(status(dyingTarget).isConnected, false);
  assert.equal(status(dyingTarget).status.last_error, 'Connection timed out');
});

test('controllers that come by themselves: service by default, primary when it is said', async (t) => {
  const bed = makeBed(t);
  const path = join(bed.dir, 'passive');
  bed.configure({ controllers: [controller(`punix:${path}`)] });
  const connections = () => [...bed.connections.events.connections].map(({ kind }) => kind);
  const one = new RawClient(path);
  t.after(() => one.close());
  one.send('0400000800000001');
  assert.equal((await one.next()).length, 1);
  assert.deepEqual(connections(), ['service']);
  bed.configure({ controllers: [controller(`punix:${path}`, { type: 'primary' })] });
  assert.deepEqual(connections(), ['primary']);
  bed.configure({ controllers: [] });
  assert.ok(await one.closed());
  assert.deepEqual(connections(), []);
  assert.equal(existsSync(path), false);
});

test('snooping: copies of what the controller and the switch say; without a controller the door is shut', async (t) => {
  const bed = makeBed(t);
  const alone = new RawClient(bed.config.snoopPath!);
  assert.ok(await alone.closed());
  const peer = new Controller(t);
  const port = await peer.listen({ host: '127.0.0.1' });
  bed.configure({ controllers: [controller(`tcp:127.0.0.1:${port}`)] });
  assert.ok(await until(() => [...bed.connections.events.connections].some(({ isConnected }) => isConnected)));
  const snoop = new RawClient(bed.config.snoopPath!);
  t.after(() => snoop.close());
  snoop.send('0600000800000001');
  assert.equal((await snoop.next())[0]!.slice(0, 4), '0600');
  peer.send('0405000800000007');
  const seen = await snoop.next(2);
  assert.deepEqual(
    seen.map((message) => message.slice(0, 4)),
    ['0405', '0406'],
  );
});

test('a client that does not read stops being read, and gets everything in the end', async (t) => {
  const bed = makeBed(t);
  const client = new RawClient(bed.config.managementPath!);
  t.after(() => client.close());
  client.send('0400000800000001');
  await client.next();
  client.pause();
  const echo = `0402fff800000002${'00'.repeat(0xfff0)}`;
  for (let i = 0; i < 300; i++) client.send(echo);
  const [connection] = [...bed.connections.events.connections];
  assert.ok(await until(() => connection!.waiting('reply').messages >= 99));
  assert.ok(connection!.waiting('reply').messages <= 101);
  client.resume();
  let count = 0;
  for (let turn = 0; turn < 100 && count < 300; turn++) count += (await client.next(1)).length;
  assert.equal(count, 300);
});

test('fail-open: after three probe intervals without a controller, until one takes the switch over', async (t) => {
  const bed = makeBed(t, { failMode: 'standalone' });
  const peer = new Controller(t);
  const path = join(bed.dir, 'controller');
  bed.configure({ controllers: [controller(`unix:${path}`)] });
  assert.equal(bed.connections.hasControllers, true);
  for (let second = 0; second < 14; second++) bed.warp(1000);
  assert.deepEqual(bed.failOpens, []);
  bed.warp(1000);
  assert.equal(bed.connections.isFailOpen, true);
  await peer.listen(path);
  for (let second = 0; second < 10; second++) {
    bed.warp(1000);
    await until(() => peer.sockets.length > 0 || second < 9);
  }
  assert.ok(await until(() => peer.got.length > 0));
  bed.warp(1);
  assert.equal(bed.connections.isFailOpen, true, 'hello is not enough');
  peer.send('0414000800000003');
  assert.ok(await until(() => peer.got.some((message) => message.startsWith('0415'))));
  bed.warp(1);
  assert.deepEqual(bed.failOpens, [true, false]);
});

test('targets that mean nothing, and places that cannot be listened at, are logged', async (t) => {
  const bed = makeBed(t);
  const bad = ['foo:1', 'tcp:', 'tcp:1.2.3.4:99999', 'unix:', 'nothing'].map((target) => controller(target));
  bed.configure({ controllers: [...bad, controller(`punix:${bed.dir}/no/such/place`)] });
  assert.ok(await until(() => bed.logged.some((line) => line.includes('failed to listen'))));
  assert.equal(bed.logged.filter((line) => line.includes('unsupported controller')).length, 5);
  assert.equal(bed.connections.status(bed.clock.now()).size, 0);
});
