/** Interfaces of several queues, by one worker and by a thread each; and devices that cannot be what is asked of them. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { describe, it } from 'node:test';
import type { WorkerLoss } from '../../src/datapath/team.ts';
import type { NetdevStatus } from '../../src/netdev/netdev.ts';
import type { DeviceRequest } from '../../src/vswitchd/devices.ts';
import type { QueuesReport } from '../support/io-queues.ts';
import type { Transfer } from '../support/io-traffic.ts';
import { ends, message, Namespaces, whyNoNamespaces } from '../support/netns.ts';

const TRANSFER_SIZE = 5_000_000;
const FLOWS = 64;
const [a, b] = ends;

/** An end's eth0 and a port of the end's name on the switch, of so many queues each. */
function addWideVeth(names: Namespaces, end: string, queues: number): void {
  const [at, width] = [names.full('s'), ['numtxqueues', `${queues}`, 'numrxqueues', `${queues}`]];
  const peer = ['peer', 'name', 'eth0', ...width, 'netns', names.full(end)];
  names.ip('-n', at, 'link', 'add', 'name', end, ...width, 'type', 'veth', ...peer);
  names.ip('-n', at, 'link', 'set', 'dev', end, 'addrgenmode', 'none', 'up');
}

class Bed {
  readonly names = new Namespaces(['s', 'a', 'b']);
  #child: ChildProcess | null = null;

  async start(workers: number, devices: readonly DeviceRequest[], queues: number): Promise<void> {
    for (const { type, name } of devices) if (type !== 'tap') addWideVeth(this.names, name, queues);
    this.#child = this.names.start('s', 'io-queues.ts', `${workers}`, JSON.stringify(devices));
    this.#child.setMaxListeners(0);
    assert.equal(await message(this.#child), 'ready');
    for (const { type, name } of devices) if (type === 'tap') this.names.giveTap(name);
    for (const end of ends) if (devices.some(({ name }) => name === end.name)) this.names.setUp(end);
  }

  ask<T>(command: string | { try: DeviceRequest }): Promise<T> {
    this.#child!.send(command);
    return message<T>(this.#child!);
  }

  ping(): void {
    this.names.run('a', 'ping', '-c', '3', '-i', '0.05', '-W', '2', b.v4);
  }

  /** A datagram each of many flows from a to b. */
  scatter(): void {
    const script = `for i in $(seq ${FLOWS}); do echo "$i" > /dev/udp/${b.v4}/$((6000 + i)); done`;
    this.names.run('a', 'bash', '-c', script);
  }

  async transfer(): Promise<void> {
    const sink = this.names.start('b', 'io-traffic.ts', 'tcp-sink', b.v4, '5001');
    await message(sink);
    const source = this.names.start('a', 'io-traffic.ts', 'tcp-source', b.v4, '5001', `${TRANSFER_SIZE}`);
    const [received, sent] = await Promise.all([message<Transfer>(sink), message<Transfer>(source)]);
    assert.deepEqual([received.bytes, received.digest], [TRANSFER_SIZE, sent.digest]);
  }

  /** @returns whether something is so within two seconds */
  async until(isSo: (report: QueuesReport) => boolean): Promise<QueuesReport> {
    const end = performance.now() + 2000;
    let report = await this.ask<QueuesReport>('report');
    while (!isSo(report) && performance.now() < end) report = await this.ask<QueuesReport>('report');
    return report;
  }

  close(): Promise<void> {
    return this.names.close();
  }
}

const optionsOf = (type: string): NonNullable<DeviceRequest['options']> =>
  type === 'afxdp' ? { queues: 2, mode: 'native' } : { queues: 2 };

describe('interfaces of several queues', { skip: whyNoNamespaces(), timeout: 60_000 }, () => {
  for (const type of ['afxdp', 'packet', 'tap'])
    for (const workers of [1, 2])
      it(`${type}, ${workers === 1 ? 'one worker' : 'a thread a queue'}: flows spread, and who has a queue uses it`, async () => {
        const bed = new Bed();
        try {
          const devices = ends.map(({ name }) => ({ type, name, options: optionsOf(type) }));
          await bed.start(workers, devices, 2);
          bed.ping();
          const before = await bed.ask<QueuesReport>('report');
          bed.scatter();
          const report = await bed.until(({ stats }) => stats[1]!.txPackets - before.stats[1]!.txPackets >= FLOWS);
          assert.ok(report.stats[1]!.txPackets - before.stats[1]!.txPackets >= FLOWS);
          if (workers === 2)
            for (const worker of [0, 1])
              assert.ok(report.received[worker]! - before.received[worker]! >= FLOWS / 8, `${report.received}`);
          assert.equal(report.status[0]!.length, 2);
          await bed.transfer();
          const after = await bed.ask<QueuesReport>('report');
          assert.deepEqual(after.problems, []);
          // copies of floods for the bridge's own port, which one of the two has
          assert.ok(after.handedOver < 16, `${after.handedOver} frames were handed over`);
          if (workers === 2) {
            const loss = await bed.ask<WorkerLoss>('kill');
            assert.deepEqual([loss.isBack, loss.lostPorts], [true, []]);
            bed.ping();
            bed.scatter();
          }
          const last = await bed.ask<QueuesReport>('stop');
          assert.deepEqual([last.problems, last.difference], [[], 0]);
        } finally {
          await bed.close();
        }
      });

  it('a device that cannot be what is asked of it says so in one line', async () => {
    const bed = new Bed();
    try {
      await bed.start(1, [{ type: 'packet', name: 'b', options: { queues: 2 } }], 2);
      addWideVeth(bed.names, 'a', 2);
      const refused = async (type: string, name: string, options: DeviceRequest['options']): Promise<string> => {
        const answer = await bed.ask<unknown>({ try: { type, name, options: options! } });
        assert.equal(typeof answer, 'string', JSON.stringify(answer));
        assert.ok(!(answer as string).includes('\n'));
        return answer as string;
      };
      assert.match(await refused('afxdp', 'a', { queue: 7 }), /there is no queue 7/);
      assert.match(await refused('afxdp', 'a', { queues: 3 }), /there is no queue 2/);
      assert.match(await refused('afxdp', 'a', { mode: 'zerocopy' }), /no zero copy/);
      assert.match(await refused('packet', 'b', { queues: 2 }), /queue 0 is busy/);
      assert.match(await refused('afxdp', 'a', { queues: 0 }), /queues: should be 1 to 32/);
      bed.names.ip('-n', bed.names.full('s'), 'tuntap', 'add', 'dev', 'narrow', 'mode', 'tap');
      assert.match(await refused('tap', 'narrow', { queues: 2 }), /made for one queue/);
      const tap = await bed.ask<NetdevStatus[]>({ try: { type: 'tap', name: 'wide', options: { queues: 3 } } });
      assert.equal(tap.length, 3);
      // what failed left nothing behind: the same queues can be had, in every mode
      for (const mode of ['native', 'generic', 'auto']) {
        const options = { queues: 2, mode, busyPoll: 20, busyPollBudget: 16, txBudget: 64 };
        const status = await bed.ask<NetdevStatus[]>({ try: { type: 'afxdp', name: 'a', options } });
        const expected = mode === 'auto' ? 'native' : mode;
        assert.deepEqual(
          status.map((queue) => [queue['xdp-mode'], queue.queue, queue.rx_dropped]),
          [0, 1].map((queue) => [expected, queue, 0]),
        );
      }
      const last = await bed.ask<QueuesReport>('stop');
      assert.deepEqual([last.problems, last.difference], [[], 0]);
    } finally {
      await bed.close();
    }
  });

  it('busy polling, a queue that is taken, and an interface that is switched off and on', async () => {
    const bed = new Bed();
    try {
      const options = { mode: 'native', busyPoll: 20 };
      await bed.start(1, [...ends.map(({ name }) => ({ type: 'afxdp', name, options }))], 1);
      bed.ping();
      const taken = await bed.ask<string>({ try: { type: 'afxdp', name: 'a', options } });
      assert.match(taken, /queue 0 is busy/);
      const at = bed.names.full('s');
      bed.names.ip('-n', at, 'link', 'set', 'dev', 'b', 'down');
      bed.names.run('a', 'ping', '-c', '1', '-W', '1', a.v4);
      bed.scatter();
      bed.names.ip('-n', at, 'link', 'set', 'dev', 'b', 'up');
      await bed.until(() => false);
      bed.ping();
      await bed.transfer();
      const last = await bed.ask<QueuesReport>('stop');
      assert.deepEqual([last.problems, last.difference], [[], 0]);
    } finally {
      await bed.close();
    }
  });
});
