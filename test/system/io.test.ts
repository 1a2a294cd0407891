/** Real interfaces in namespaces, offloads left on: every pair of backends carries ping, TCP and UDP, over v4 and v6. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Transfer } from '../support/io-traffic.ts';
import { type Backend, ends, IoBed, message, whyNoNamespaces } from '../support/netns.ts';

const TRANSFER_SIZE = 20_000_000;
const backends: readonly Backend[] = ['packet', 'tap'];
const skip = whyNoNamespaces();
const [, b] = ends;

async function transfer(bed: IoBed, from: string, to: string, address: string): Promise<Transfer> {
  const sink = bed.names.start(to, 'io-traffic.ts', 'tcp-sink', address, '5001');
  await message(sink);
  const source = bed.names.start(from, 'io-traffic.ts', 'tcp-source', address, '5001', `${TRANSFER_SIZE}`);
  const [received, sent] = await Promise.all([message<Transfer>(sink), message<Transfer>(source)]);
  assert.equal(received.bytes, TRANSFER_SIZE);
  assert.equal(received.digest, sent.digest);
  return received;
}

async function echo(bed: IoBed, address: string): Promise<void> {
  const server = bed.names.start('b', 'io-traffic.ts', 'udp-echo', address, '5002');
  await message(server);
  for (const size of [1, 1000, 1452, 4000]) {
    const client = bed.names.start('a', 'io-traffic.ts', 'udp-ping', address, '5002', '50', `${size}`);
    assert.equal(await message<number>(client), 50, `datagrams of ${size} bytes to ${address}`);
  }
  server.kill();
}

const rate = ({ bytes, seconds }: Transfer): string => `${((bytes * 8) / seconds / 1e9).toFixed(2)} Gbit/s`;

describe('real interfaces', { skip, timeout: 300_000 }, () => {
  for (const first of backends) {
    for (const second of backends) {
      it(`${first} to ${second}`, async (t) => {
        const bed = await IoBed.create([
          { backend: first, name: 'a' },
          { backend: second, name: 'b' },
        ]);
        try {
          bed.names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', b.v4);
          bed.names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', '-s', '1400', b.v6);
          for (const address of [b.v4, b.v6]) {
            const there = await transfer(bed, 'a', 'b', address);
            t.diagnostic(`TCP to ${address}: ${rate(there)}`);
            await echo(bed, address);
          }
          const back = await transfer(bed, 'b', 'a', ends[0].v4);
          t.diagnostic(`TCP to ${ends[0].v4}: ${rate(back)}`);
          const running = await bed.report();
          assert.deepEqual(running.problems, []);
          t.diagnostic(JSON.stringify(running));
          const last = await bed.stop();
          assert.deepEqual(last.problems, []);
          assert.equal(last.difference, 0);
        } finally {
          await bed.close();
        }
      });
    }
  }
});
