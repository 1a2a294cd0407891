/** Two workers in threads between real interfaces: traffic, audits meanwhile, and a worker that dies. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerLoss } from '../../src/datapath/team.ts';
import type { Transfer } from '../support/io-traffic.ts';
import type { WorkersReport } from '../support/io-workers.ts';
import { ends, message, Namespaces, whyNoNamespaces } from '../support/netns.ts';

const [, b] = ends;

describe('two workers in threads', { skip: whyNoNamespaces(), timeout: 60_000 }, () => {
  for (const type of ['packet', 'afxdp'] as const) {
    it(`${type} to ${type}: ping, TCP, audits under load, and the death of one`, async (t) => {
      const names = new Namespaces(['a', 'b', 's']);
      try {
        for (const end of ends) names.addVeth(end.name);
        for (const end of ends) names.setUp(end);
        const options = type === 'afxdp' ? { options: { mode: 'native' } } : {};
        const devices = ends.map(({ name }) => ({ type, name, ...options }));
        const child = names.start('s', 'io-workers.ts', JSON.stringify(devices));
        // each question waits for its answer
        child.setMaxListeners(0);
        assert.equal(await message(child), 'ready');
        const ask = <T>(command: string): Promise<T> => {
          child.send(command);
          return message<T>(child);
        };
        const ping = (): string => names.run('a', 'ping', '-c', '5', '-i', '0.05', '-W', '2', b.v4);
        ping();
        const sink = names.start('b', 'io-traffic.ts', 'tcp-sink', b.v4, '5001');
        await message(sink);
        const transfer = message<Transfer>(sink);
        const source = names.start('a', 'io-traffic.ts', 'tcp-source', b.v4, '5001', '20000000');
        for (let i = 0; i < 10; i++) {
          const { problems } = await ask<WorkersReport>('audit');
          assert.deepEqual(problems, []);
          await sleep(20);
        }
        assert.equal((await transfer).bytes, 20_000_000);
        source.kill();
        const flood = names.flood('a', '10.77.0.99', 'eth0');
        await sleep(200);
        for (let i = 0; i < 5; i++) assert.deepEqual((await ask<WorkersReport>('audit')).problems, []);
        const loss = await ask<WorkerLoss>('kill');
        assert.deepEqual([loss.worker, loss.isBack, loss.lostPorts], [0, true, []]);
        await sleep(100);
        flood.kill();
        ping();
        const audit = await ask<WorkersReport>('audit');
        assert.deepEqual([audit.problems, audit.difference], [[], 0]);
        assert.ok(audit.handedOver > 1000);
        await sleep(300);
        const before = await ask<number>('cpu');
        await sleep(1000);
        const spent = (await ask<number>('cpu')) - before;
        t.diagnostic(`idle: ${spent / 10_000} % of a core; lost at the death: ${loss.frames} frames`);
        t.diagnostic(names.run('a', 'ping', '-c', '100', '-i', '0.01', '-q', b.v4).split('\n').at(-2)!);
        const last = await ask<WorkersReport>('stop');
        assert.deepEqual([last.problems, last.difference, last.device], [[], 0, 0]);
      } finally {
        await names.close();
      }
    });
  }
});
