/** A select group on the real datapath: frames are hashed, come back, and are counted once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { SECOND } from '../../../src/lib/clock.ts';
import { createSwitch } from '../../../src/vswitchd/switch.ts';
import { addFlow, addGroup } from '../translate-ext/fixture.ts';

const SMALL = { frameCount: 512, ringSize: 64, memorySize: 4 << 20, flowLimit: 4096 };
const FRAMES = 120;
const SIZE = 60;

/** TCP over IPv4 from a port of one's own; the checksums are nobody's business here. */
function tcpFrame(sourcePort: number): Uint8Array {
  const frame = new Uint8Array(SIZE);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
  frame.set([sourcePort >> 8, sourcePort & 255, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10], 34);
  return frame;
}

test('a select group sends each connection one way, and counts every packet once', () => {
  const sw = createSwitch(SMALL);
  sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 9), failMode: 'secure' });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => {
    const netdev = new MemoryNetdev(name);
    sw.addPort('br0', { name, netdev });
    return netdev;
  }) as [MemoryNetdev, MemoryNetdev, MemoryNetdev];
  const { state } = sw;
  addGroup(state, 1, 'select', [{ actions: 'output:2' }, { actions: 'output:3' }]);
  addFlow(state, 'tcp,in_port=1', 'group:1');
  const seen = new Map<number, Set<string>>();
  let out = 0;
  for (let round = 0, now = 0; round < 3; round++) {
    for (let i = 0; i < FRAMES / 3; i++) {
      a.send(tcpFrame(1000 + i));
      now += SECOND / 1000;
      for (let turn = 0; turn < 4; turn++) sw.poll(now);
      for (const [name, netdev] of [
        ['b', b],
        ['c', c],
      ] as const) {
        for (const frame of netdev.takeSent()) {
          out++;
          const port = (frame[34]! << 8) | frame[35]!;
          seen.set(port, (seen.get(port) ?? new Set()).add(name));
        }
      }
    }
  }
  assert.equal(out, FRAMES);
  assert.equal(seen.size, FRAMES / 3);
  for (const [port, ways] of seen) assert.equal(ways.size, 1, `port ${port}`);
  assert.equal(new Set([...seen.values()].flatMap((ways) => [...ways])).size, 2);
  for (let now = SECOND; now < 4 * SECOND; now += SECOND / 4) sw.poll(now);
  const group = state.bridges.get('br0')!.ofproto.groups.get(1)!;
  assert.deepEqual([group.packets, group.bytes], [FRAMES, FRAMES * SIZE]);
  assert.equal(
    group.bucketStats.reduce((sum, { packets }) => sum + packets, 0),
    FRAMES,
  );
  const { difference, problems } = sw.audit();
  assert.deepEqual([difference, problems], [0, []]);
  sw.close();
  assert.equal(state.recircs.get(1), null);
});
