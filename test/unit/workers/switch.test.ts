/** A whole switch on two workers in threads: it learns, floods and forwards as with one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { createSwitch } from '../../../src/vswitchd/switch.ts';
import { workerThreads } from '../../../src/vswitchd/worker-threads.ts';
import { testMac, udpFrame } from '../../support/datapath.ts';

const monotonic = (): number => Number(process.hrtime.bigint()) / 1000;

test('a learning switch on two threads: flood, learn, forward; audit and close', async () => {
  const sw = createSwitch({
    workers: 2,
    threads: workerThreads(),
    frameCount: 2048,
    memorySize: 4 << 20,
    flowLimit: 4096,
  });
  try {
    sw.addBridge({ name: 'br0', mac: testMac(0xff) });
    const ports = [1, 2, 3, 4].map((i) => new MemoryNetdev(`p${i}`));
    for (const netdev of ports) sw.addPort('br0', { name: netdev.name, netdev });
    const far = sw.datapath.openDevice({ type: 'memory', name: 'far' }, 1);
    assert.ok(far.ok);
    const info = sw.addPort('br0', { name: 'far', netdev: far.value });
    assert.equal(sw.datapath.portWorker(info.dpPort!), 1);
    const received: number[] = [0, 0, 0, 0];
    const run = async (done: () => boolean): Promise<void> => {
      const end = performance.now() + 5000;
      while (!done()) {
        assert.ok(performance.now() < end, `in time: ${received}`);
        sw.poll(monotonic());
        ports.forEach((port, i) => {
          received[i]! += port.takeSent().length;
        });
        await sw.datapath.whenNeeded(2);
      }
    };
    ports[0]!.send(udpFrame({ src: 1, dst: 2 }));
    await run(() => received[1] === 1 && received[2] === 1 && received[3] === 1);
    ports[1]!.send(udpFrame({ src: 2, dst: 1 }));
    await run(() => received[0] === 1);
    for (let i = 0; i < 50; i++) ports[0]!.send(udpFrame({ src: 1, dst: 2 }));
    await run(() => received[1] === 51);
    assert.deepEqual(received, [1, 51, 1, 1]);
    assert.ok(sw.counters().flows >= 2);
    assert.equal(sw.counters().ports.far!.txPackets, 1);
    const { problems, difference } = sw.audit();
    assert.deepEqual([problems, difference], [[], 0]);
  } finally {
    sw.close();
  }
});
