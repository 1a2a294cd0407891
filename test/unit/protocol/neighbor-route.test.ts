import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4, parseIpv6 } from '../../../src/lib/addresses.ts';
import { SECOND } from '../../../src/lib/clock.ts';
import { NEIGHBOR_AGING_DEFAULT, NeighborCache } from '../../../src/protocol/neighbor.ts';
import { inPrefix, RouteTable } from '../../../src/protocol/route.ts';

const ip = (text: string): Uint8Array => parseIpv4(text) ?? parseIpv6(text)!;
const mac = (n: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, n);

test('neighbours are learned by bridge, refreshed by use, and age', () => {
  const cache = new NeighborCache();
  cache.learn('br0', ip('10.0.0.1'), mac(1), 0);
  assert.deepEqual(cache.lookup('br0', ip('10.0.0.1'), 0), mac(1));
  assert.equal(cache.lookup('br1', ip('10.0.0.1'), 0), null);
  const { generation } = cache;
  cache.learn('br0', ip('10.0.0.1'), mac(1), SECOND);
  assert.equal(cache.generation, generation, 'a confirmation is no news');
  cache.refresh('br0', ip('10.0.0.1'), 2 * SECOND);
  cache.run(NEIGHBOR_AGING_DEFAULT + SECOND);
  assert.deepEqual(cache.lookup('br0', ip('10.0.0.1'), NEIGHBOR_AGING_DEFAULT + SECOND), mac(1));
  cache.run(NEIGHBOR_AGING_DEFAULT + 2 * SECOND);
  assert.equal(cache.size, 0);
  assert.notEqual(cache.generation, generation);
  assert.equal(cache.wakeAt(), null);
});

test('a neighbour that moves is news; a static one does not move', () => {
  const cache = new NeighborCache();
  cache.learn('br0', ip('fe80::1'), mac(1), 0);
  const { generation } = cache;
  cache.learn('br0', ip('fe80::1'), mac(2), 0);
  assert.notEqual(cache.generation, generation);
  assert.deepEqual(cache.lookup('br0', ip('fe80::1'), 0), mac(2));
  cache.setStatic('br0', ip('fe80::1'), mac(3));
  cache.learn('br0', ip('fe80::1'), mac(4), 0);
  cache.run(1e15);
  assert.deepEqual(cache.lookup('br0', ip('fe80::1'), 1e15), mac(3));
});

test('a next hop is asked for once a second', () => {
  const cache = new NeighborCache();
  const question = { bridge: 'br0', address: ip('10.0.0.1'), source: ip('10.0.0.9') };
  cache.request(question, 0);
  cache.request(question, SECOND / 2);
  assert.deepEqual(cache.takeQuestions(), [question]);
  assert.deepEqual(cache.takeQuestions(), []);
  cache.request(question, SECOND);
  assert.equal(cache.takeQuestions().length, 1);
});

test('the longest prefix wins, family by family', () => {
  const routes = new RouteTable();
  const add = (prefix: string, prefixLength: number, device: string): void =>
    routes.add({ prefix: ip(prefix), prefixLength, device, gateway: null, source: ip(prefix) });
  add('0.0.0.0', 0, 'default');
  add('10.0.0.0', 8, 'eight');
  add('10.1.0.0', 16, 'sixteen');
  add('10.1.2.3', 32, 'host');
  add('::', 0, 'default6');
  add('2001:db8::', 33, 'odd');
  const device = (address: string): string | undefined => routes.lookup(ip(address))?.device;
  assert.equal(device('192.0.2.1'), 'default');
  assert.equal(device('10.2.0.1'), 'eight');
  assert.equal(device('10.1.2.4'), 'sixteen');
  assert.equal(device('10.1.2.3'), 'host');
  assert.equal(device('2001:db8:7fff::1'), 'odd');
  assert.equal(device('2001:db8:8000::1'), 'default6');
});

test('a route takes the place of its like; removal is told', () => {
  const routes = new RouteTable();
  const route = { prefix: ip('10.0.0.77'), prefixLength: 24, gateway: null, source: ip('10.0.0.1') };
  routes.add({ ...route, device: 'a' });
  routes.add({ ...route, device: 'b' });
  assert.equal(routes.entries().length, 1);
  assert.deepEqual(routes.entries()[0]!.prefix, ip('10.0.0.0'));
  assert.equal(routes.lookup(ip('10.0.0.5'))?.device, 'b');
  assert.equal(routes.remove(ip('10.0.0.0'), 24), true);
  assert.equal(routes.remove(ip('10.0.0.0'), 24), false);
  assert.equal(routes.lookup(ip('10.0.0.5')), null);
  assert.throws(() => routes.add({ ...route, prefixLength: 33, device: 'a' }), /prefix length 33/);
});

test('inPrefix counts bits', () => {
  assert.equal(inPrefix(ip('10.0.0.127'), ip('10.0.0.0'), 25), true);
  assert.equal(inPrefix(ip('10.0.0.128'), ip('10.0.0.0'), 25), false);
  assert.equal(inPrefix(ip('::1'), ip('10.0.0.0'), 0), false, 'families do not mix');
});
