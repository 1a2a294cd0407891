/** Revalidation of a hundred thousand megaflows: what one poll does of it is bounded, and all of it is done within a second. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { putU32 } from '../../../src/lib/bytes.ts';
import { MILLISECOND, type Micros, SECOND } from '../../../src/lib/clock.ts';
import { upcallDefaults } from '../../../src/upcall/index.ts';
import { namesPort } from '../../../src/upcall/installed.ts';
import { createSwitch, type Switch } from '../../../src/vswitchd/switch.ts';
import { testMac, udpFrame } from '../../support/udp-frame.ts';

const COUNT = 100_000;
const STEP: Micros = 2 * MILLISECOND;
/** Megaflows translated again, and deleted, by one poll. */
const RETRANSLATED_MAX = Math.ceil(upcallDefaults.revalidationBudget / 17);
const DELETED_MAX = Math.ceil(upcallDefaults.revalidationBudget / 9);

/** A switch with so many megaflows, each to an unknown address of its own. */
function fill(one: Switch, near: MemoryNetdev): Micros {
  const frame = udpFrame({ dst: 1, src: 1 });
  for (let n = 0; n < COUNT; ) {
    for (let i = 0; i < 32 && n < COUNT; i++, n++) {
      putU32(frame, 2, 0x10000 + n);
      near.send(frame);
    }
    one.poll(SECOND);
  }
  return SECOND;
}

test('work of one poll is bounded, and nothing stale outlives a second', () => {
  const one = createSwitch({ flowLimit: COUNT, memorySize: 64 << 20 });
  one.addBridge({ name: 'br0', mac: testMac(0xffff) });
  const near = new MemoryNetdev('near', { onFrame: () => {} });
  one.addPort('br0', { name: 'near', netdev: near });
  one.addPort('br0', { name: 'far', netdev: new MemoryNetdev('far', { onFrame: () => {} }) });
  let now = fill(one, near);
  assert.equal(one.datapath.flowCount, COUNT);
  const upcall = (name: string): number => one.counters().upcall[name]!;

  /** Polls until it is done. */
  const settle = (isDone: () => boolean, what: string, max: number): void => {
    const end = now + SECOND;
    while (!isDone()) {
      assert.ok((now += STEP) <= end, `${what}: still not done after a second`);
      const before = upcall(what);
      one.poll(now);
      assert.ok(upcall(what) - before <= max, `${what}: ${upcall(what) - before} in one poll`);
      assert.ok(isDone() || one.nextWake(now)! <= now + upcallDefaults.interval);
    }
  };

  one.addPort('br0', { name: 'new', netdev: new MemoryNetdev('new', { onFrame: () => {} }) });
  const dpPort = one.port('br0', 'new')!.dpPort!;
  settle(() => upcall('modified') === COUNT, 'retranslated', RETRANSLATED_MAX);
  for (const { actions } of one.datapath.flows()) assert.ok(namesPort(actions, dpPort));

  now = Math.max(now, SECOND) + upcallDefaults.maxIdle;
  settle(() => one.datapath.flowCount === 0, 'deletedIdle', DELETED_MAX);
  const { difference, problems } = one.audit();
  assert.deepEqual([difference, problems], [0, []]);
  one.close();
});
