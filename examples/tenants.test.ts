// How to test a network in your own CI: two tenants share two switches, and must not hear each other.
// Run it with: node --test examples/tenants.test.ts
//
// In your own project the import is: import { Network, type SimSwitch, SECOND } from 'weft';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Network, SECOND, type SimSwitch } from '../src/main/library.ts';

/** Two switches and a trunk that loses one frame in fifty; a red and a blue machine on each. */
function twoTenants(seed: number): Network {
  const net = new Network({ seed });
  const switches = [net.addSwitch('s1'), net.addSwitch('s2')] as const;
  net.link(switches[0].addPort('trunk'), switches[1].addPort('trunk'), { latency: 500, loss: 0.02, bandwidth: 1e9 });
  switches.forEach((one: SimSwitch, i) => {
    for (const [tenant, tag] of [
      ['red', 10],
      ['blue', 20],
    ] as const) {
      const host = net.addHost(`${tenant}${i + 1}`, { ipv4: `10.0.0.${tag + i}/24` });
      net.link(host, one.addPort(host.name, { tag }));
    }
  });
  return net;
}

test('machines of one tenant reach each other, machines of two do not', () => {
  const net = twoTenants(1);
  const red = net.host('red1').ping('10.0.0.11', { count: 20, interval: 10_000 });
  const blue = net.host('red1').ping('10.0.0.21', { timeout: 5 * SECOND });
  assert.ok(net.runUntil(() => red.isDone && blue.isDone));
  assert.ok(red.received >= 17, `${red.lost} of ${red.count} lost`);
  assert.equal(blue.received, 0);
  assert.equal(net.host('blue2').counters.rxFrames, 0);
  net.close();
});

test('a download survives the trunk, and a trunk that flaps', () => {
  const net = twoTenants(2);
  const file = new Uint8Array(500_000).map((_, i) => i % 251);
  net.host('blue2').tcpListen(80, (connection) => {
    connection.onOpen = () => {
      connection.send(file);
      connection.close();
    };
  });
  const parts: Uint8Array[] = [];
  const client = net.host('blue1').tcpConnect('10.0.0.21', 80);
  client.onData = (bytes) => parts.push(bytes);
  client.onEnd = () => client.close();
  net.links[0]!.flap(0.2 * SECOND, SECOND);
  assert.ok(net.runUntil(() => client.state === 'CLOSED', 300 * SECOND));
  assert.deepEqual(Buffer.concat(parts), Buffer.from(file));
  net.close();
});

test('why a frame was dropped is a number with a name', () => {
  const net = twoTenants(3);
  // red1's port is an access port: a tag of somebody else's VLAN is not let in
  net.host('red1').sendFrame(Buffer.from('0200000000020200000000018100001408004500', 'hex'));
  net.advance(SECOND);
  assert.equal(net.switch('s1').counters().drops.vlan_tagged_access, 1);
  assert.equal(net.audit().difference, 0);
  net.close();
});

test('the same seed gives the same frames at the same times', () => {
  const digestOf = (seed: number): string => {
    const net = twoTenants(seed);
    net.host('red1').ping('10.0.0.11', { count: 50, interval: 1000 });
    net.run(5 * SECOND);
    net.close();
    return net.digest();
  };
  assert.equal(digestOf(4), digestOf(4));
  assert.notEqual(digestOf(4), digestOf(5));
});
