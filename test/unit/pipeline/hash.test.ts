import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowKey, keyMapOf } from '../../../src/flow/key.ts';
import { KEY } from '../../../src/gen/tables.ts';
import { TableHost } from './host.ts';

const host = new TableHost({ flowMax: 64, arenaSize: 1 << 20 });
const { kernels } = host;

/** A TCP packet between two hosts, as a network numbers them: one after the other. */
function tcpKey(client: number, server: number, port: number): FlowKey {
  const key = new FlowKey()
    .set(KEY.in_port, 1 + (client & 7))
    .set(KEY.eth_type, 0x0800)
    .set(KEY.nw_proto, 6);
  key.setBytes(KEY.eth_src, Uint8Array.of(2, 0, 0, 0, client >>> 8, client));
  key.setBytes(KEY.eth_dst, Uint8Array.of(2, 0, 0, 0, server >>> 8, server));
  key.set(KEY.ipv4_src, 0x0a000000 + client).set(KEY.ipv4_dst, 0x0a010000 + server);
  return key.set(KEY.tp_src, port).set(KEY.tp_dst, 80).set(KEY.nw_ttl, 64);
}

const hashOf = (key: FlowKey): number => kernels.hashKey(host.setKey(0, key), keyMapOf(key)) >>> 0;

test('hashes of neighbouring connections neither collide nor crowd', () => {
  const seen = new Set<number>();
  const buckets = new Uint32Array(4096);
  let count = 0;
  for (let client = 0; client < 64; client++)
    for (let server = 0; server < 32; server++)
      for (let port = 0; port < 64; port++) {
        const hash = hashOf(tcpKey(client, server, 32768 + port));
        seen.add(hash);
        buckets[hash & 4095]!++;
        count++;
      }
  // 131072 keys in 2^32 values: two collisions are expected
  assert.ok(count - seen.size < 20, `${count - seen.size} collisions`);
  // 32 a bucket are expected, with a standard deviation of 5.7
  assert.ok(Math.max(...buckets) < 70, `a bucket has ${Math.max(...buckets)}`);
});

test('every bit of the key but TTL and TCP flags changes the hash', () => {
  const key = tcpKey(1, 2, 3);
  const hash = hashOf(key);
  for (let bit = 0; bit < 48 * 8; bit++) {
    const other = key.clone();
    other.bytes[bit >> 3]! ^= 1 << (bit & 7);
    const isLeftOut = bit >> 3 === KEY.nw_ttl.offset || (bit >> 3) - KEY.tcp_flags.offset === (bit >> 3) % 2;
    assert.equal(hashOf(other) === hash, isLeftOut, `bit ${bit}`);
  }
});

test('the symmetric hash is that of the other direction; the five-tuple hash is not', () => {
  const [to, from] = [tcpKey(1, 2, 40000), tcpKey(1, 2, 40000)];
  from.setBytes(KEY.eth_src, to.at(KEY.eth_dst)).setBytes(KEY.eth_dst, to.at(KEY.eth_src));
  from.set(KEY.ipv4_src, to.get(KEY.ipv4_dst)).set(KEY.ipv4_dst, to.get(KEY.ipv4_src));
  from.set(KEY.tp_src, 80).set(KEY.tp_dst, 40000);
  const [a, b] = [host.setKey(0, to), host.setKey(1, from)];
  assert.equal(kernels.symHashL4(a), kernels.symHashL4(b));
  assert.notEqual(kernels.flowHash5(a), kernels.flowHash5(b));
  for (const key of [to, from]) key.set(KEY.eth_type, 0x86dd).setBytes(KEY.ipv6_src, Uint8Array.of(1, 2, 3));
  assert.notEqual(kernels.symHashL4(host.setKey(0, to)), kernels.symHashL4(host.setKey(1, tcpKey(1, 2, 40000))));
  for (const key of [to, from]) key.set(KEY.eth_type, 0x88cc);
  assert.equal(kernels.symHashL4(host.setKey(0, to)), kernels.symHashL4(host.setKey(1, from)));
});

test('all fragments of a datagram have one hash, whatever their ports', () => {
  const [first, later] = [tcpKey(1, 2, 40000).set(KEY.nw_frag, 1), tcpKey(1, 2, 0).set(KEY.nw_frag, 3)];
  later.set(KEY.tp_dst, 0);
  const [a, b] = [host.setKey(0, first), host.setKey(1, later)];
  assert.equal(kernels.flowHash5(a), kernels.flowHash5(b));
  assert.equal(kernels.symHashL4(a), kernels.symHashL4(b));
});
