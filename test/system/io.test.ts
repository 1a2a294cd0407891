/** Real interfaces in namespaces, offloads left on: every pair of backends carries ping, TCP and UDP, over v4 and v6. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RoundsReport } from '../support/io-rounds.ts';
import type { Transfer } from '../support/io-traffic.ts';
import { type Backend, ends, IoBed, message, Namespaces, whyNoNamespaces } from '../support/netns.ts';

const ROUNDS = process.env.WEFT_NIGHTLY ? 1000 : 200;
const TRANSFER_SIZE = 20_000_000;
const backends: readonly Backend[] = ['packet', 'tap', 'afxdp'];
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
          const last = await bed.stop();
          assert.deepEqual(last.problems, []);
          assert.equal(last.difference, 0);
        } finally {
          await bed.close();
        }
      });
    }
  }

  it('AF_XDP in generic mode carries ping and UDP', async () => {
    const bed = await IoBed.create([
      { backend: 'afxdp-generic', name: 'a' },
      { backend: 'afxdp-generic', name: 'b' },
    ]);
    try {
      for (const address of [b.v4, b.v6]) {
        bed.names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', address);
        await echo(bed, address);
      }
      const last = await bed.stop();
      assert.deepEqual(last.problems, []);
    } finally {
      await bed.close();
    }
  });

  for (const [first, second, family, options] of [
    ['packet', 'packet', 'v4', ['noudpcsum']],
    ['packet', 'afxdp', 'v4', ['udpcsum']],
    ['afxdp', 'tap', 'v6', []],
    ['tap', 'packet', 'v6', ['udp6zerocsumtx', 'udp6zerocsumrx']],
  ] as const) {
    it(`a VXLAN tunnel of the ends' own from ${first} to ${second}, over ${family}, ${options}`, async () => {
      const bed = await IoBed.create([
        { backend: first, name: 'a' },
        { backend: second, name: 'b' },
      ]);
      try {
        bed.names.run('a', 'ping', '-c', '1', '-W', '2', b[family]);
        bed.names.addVxlan((end) => end[family], options);
        bed.names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', b.inside);
        await transfer(bed, 'a', 'b', b.inside);
        await transfer(bed, 'b', 'a', ends[0].inside);
        const { problems, ports } = await bed.stop();
        assert.deepEqual(problems, []);
        assert.equal(ports.a!.errors + ports.b!.errors, 0);
      } finally {
        await bed.close();
      }
    });
  }

  for (const [first, second] of [
    ['packet', 'tap'],
    ['tap', 'packet'],
  ] as const) {
    it(`jumbo frames from ${first} to ${second}`, async () => {
      const [mtu, chunkSize] = [9000, 16384];
      const bed = await IoBed.create(
        [
          { backend: first, name: 'a', mtu },
          { backend: second, name: 'b', mtu },
        ],
        chunkSize,
      );
      try {
        for (const [address, size] of [
          [b.v4, 8972],
          [b.v6, 8952],
        ] as const) {
          bed.names.run('a', 'ping', '-c', '2', '-i', '0.05', '-W', '2', '-M', 'do', '-s', `${size}`, address);
          await transfer(bed, 'a', 'b', address);
          await echo(bed, address);
        }
        const { problems, ports } = await bed.stop();
        assert.deepEqual(problems, []);
        assert.ok(ports.a!.rx < 20_000, `${ports.a!.rx} frames: they were not large`);
      } finally {
        await bed.close();
      }
    });
  }

  it('an idle switch sleeps', async (t) => {
    const bed = await IoBed.create([
      { backend: 'afxdp', name: 'a' },
      { backend: 'packet', name: 'b' },
    ]);
    try {
      bed.names.run('a', 'ping', '-c', '1', '-W', '2', b.v4);
      await sleep(300);
      const before = await bed.cpu();
      await sleep(1000);
      const percent = ((await bed.cpu()) - before) / 10_000;
      t.diagnostic(`${percent.toFixed(2)} % of a core`);
      // How much it is stands in the diagnostic: the bound only tells sleeping from spinning
      assert.ok(percent < 25, `${percent} % of a core`);
    } finally {
      await bed.close();
    }
  });

  for (const backend of ['packet', 'afxdp', 'afxdp-trust', 'afxdp-generic'] as const) {
    it(`${backend} brings frames as they were sent, tags and all`, async () => {
      const names = new Namespaces(['s']);
      try {
        names.addPair('s', 'out', 'in');
        assert.deepEqual(await message(names.start('s', 'io-wire.ts', backend, 'out', 'in')), []);
      } finally {
        await names.close();
      }
    });
  }

  it('TAP devices are made, adopted and left as they should be', async () => {
    const names = new Namespaces(['s']);
    try {
      assert.deepEqual(await message(names.start('s', 'io-tap.ts')), []);
    } finally {
      await names.close();
    }
  });

  for (const backend of backends) {
    it(`${backend} opened and closed under traffic leaves nothing behind`, async (t) => {
      const names = new Namespaces(['s', 'a', 'b']);
      try {
        if (backend === 'tap') names.addTap('s', 'a');
        else names.addVeth('a');
        const where = backend === 'tap' ? 's' : 'a';
        names.ip('-n', names.full(where), 'address', 'add', '10.77.0.1/24', 'dev', backend === 'tap' ? 'a' : 'eth0');
        names.ip('-n', names.full(where), 'link', 'set', 'dev', backend === 'tap' ? 'a' : 'eth0', 'up');
        const flood = names.flood(where, '10.77.0.2', backend === 'tap' ? 'a' : 'eth0');
        const child = names.start('s', 'io-rounds.ts', backend, 'a', `${ROUNDS}`);
        const { received, descriptors, mappings, problems } = await message<RoundsReport>(child);
        flood.kill();
        t.diagnostic(`${received} frames came while it was open`);
        assert.deepEqual(problems, []);
        assert.equal(descriptors[1], descriptors[0], 'descriptors');
        // the heap of V8 and malloc takes some; a ring, a program or a socket would take one a round
        assert.ok(mappings[1] - mappings[0] < ROUNDS / 4, `mappings went from ${mappings[0]} to ${mappings[1]}`);
        assert.ok(received > 0, 'no frame came');
      } finally {
        await names.close();
      }
    });
  }

  for (const backend of backends) {
    it(`${backend} survives that its interface goes away`, async () => {
      const bed = await IoBed.create([
        { backend, name: 'a' },
        { backend: 'packet', name: 'b' },
      ]);
      try {
        bed.names.run('a', 'ping', '-c', '1', '-W', '2', b.v4);
        const flood = bed.names.flood('b', ends[0].v4, 'eth0');
        await sleep(100);
        bed.names.ip('-n', bed.names.full('a'), 'link', 'del', 'dev', 'eth0');
        await sleep(400);
        flood.kill();
        const { ports, drops } = await bed.report();
        assert.ok(ports.a!.errors + (drops.output_down ?? 0) > 0, JSON.stringify({ ports, drops }));
        const last = await bed.stop();
        assert.deepEqual(last.problems, []);
        assert.equal(last.difference, 0);
      } finally {
        await bed.close();
      }
    });
  }
});
