/** Requests that come by the thousand: the switch gets its turn between slices, and nothing that was said is lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SECOND } from '../../../src/lib/clock.ts';
import { encodeMessage } from '../../../src/openflow/message/message.ts';
import { Link } from '../../../src/vswitchd/transport/link.ts';
import { TestSwitch } from '../connections/support.ts';

const COUNT = 3000;
const settings = {
  kind: 'service',
  probeInterval: 0,
  rateLimit: 0,
  burstLimit: 0,
  queueSize: 100,
  asyncMessages: false,
} as const;

test('a client that says much and goes is heard to the end, in slices', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-link-'));
  let [heard, turns, longest, before] = [0, 0, 0, 0];
  const bed = new TestSwitch({
    handle: () => void heard++,
    checkBundled: () => null,
    commitBundle: () => null,
  });
  const wake = (): void => {
    turns++;
    longest = Math.max(longest, heard - before);
    before = heard;
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    const connection = bed.manager.open(SECOND, { name: 'link', versions: 0x7e, helloTimeout: SECOND, settings });
    const link = new Link(socket, connection, () => SECOND, wake);
    socket.once('close', resolve);
    link.pump();
  });
  const path = join(folder, 'socket');
  await new Promise<void>((done) => server.listen(path, done));
  const hello = encodeMessage({ kind: 'hello', versions: 1 << 5, unknown: false, bytes: new Uint8Array(0) }, 5, 1)!;
  const question = encodeMessage({ kind: 'features_request' }, 5, 2)!;
  const client = connect(path).resume();
  client.end(Buffer.concat([hello, ...Array.from({ length: COUNT }, () => question)]));
  await promise;
  server.close();
  rmSync(folder, { recursive: true });
  assert.equal(heard, COUNT);
  assert.ok(turns > 1, `${turns} turns, at most ${longest} requests between two`);
});
