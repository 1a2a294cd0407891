/**
 * Sends frames out by one device and takes them in by another at the far end of a veth pair, byte for byte; then tries
 * what must fail. Sends the list of what was wrong.
 * usage: node io-wire.ts BACKEND OUT IN
 */
import { MemoryNetdev } from '../../backends/memory/index.ts';
import { loadNative } from '../../backends/native/index.ts';
import { Datapath } from '../../src/datapath/datapath.ts';
import { must } from '../../src/lib/result.ts';
import { matchOf, udpFrame } from './datapath.ts';
import { type IoPort, openers } from './io-ports.ts';

const [backend, out, into] = process.argv.slice(2) as [IoPort['backend'], string, string];
const wrong: string[] = [];
const addon = must(loadNative());
const dp = must(Datapath.create({ framesCount: 2048 }));
const [from, to] = [new MemoryNetdev('from', { mtu: 1600 }), new MemoryNetdev('to', { mtu: 1600 })];
must(dp.addPort(1, from));
must(dp.addPort(2, openers.packet(out)));
must(dp.addPort(3, openers[backend](into)));
must(dp.addPort(4, to));
must(dp.putFlow(matchOf({ in_port: 1 }), [{ type: 'output', port: 2 }]));
must(dp.putFlow(matchOf({ in_port: 3 }), [{ type: 'output', port: 4 }]));

const tagged = (frame: Uint8Array, ...tags: number[]): Uint8Array => {
  const bytes = tags.flatMap((tag) => [0x81, 0x00, tag >>> 8, tag & 0xff]);
  if (tags.length > 1) bytes.splice(0, 2, 0x88, 0xa8);
  return Uint8Array.from([...frame.subarray(0, 12), ...bytes, ...frame.subarray(12)]);
};
const frames = [0, 1, 700, 1472].flatMap((size) => {
  const frame = udpFrame({ payloadSize: size });
  frame.fill(size & 0xff, 42);
  return [frame, tagged(frame, 0x6123), tagged(frame, 7, 0x2fff)];
});

const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
frames.forEach((frame, i) => {
  // two tags and a whole MTU are more than the interface takes
  if (frame.length > 1518) return;
  from.send(frame);
  const end = performance.now() + 1000;
  let arrived: Uint8Array[] = [];
  while (arrived.length === 0 && performance.now() < end) {
    dp.poll(performance.now() * 1000);
    arrived = to.takeSent().filter((other) => other.length === frame.length);
  }
  const same = arrived.some((other) => hex(other) === hex(frame));
  if (!same)
    wrong.push(`frame ${i}: ${hex(frame.subarray(0, 60))} became ${arrived.map((a) => hex(a.subarray(0, 60)))}`);
});
wrong.push(...dp.audit().problems);

/** Notes when something succeeds, or fails with other words. */
function mustFail(words: RegExp, attempt: () => void): void {
  try {
    attempt();
    wrong.push(`no failure: ${words}`);
  } catch (error) {
    if (!words.test(String(error))) wrong.push(`${error} instead of ${words}`);
  }
}
mustFail(/no interface/, () => openers[backend]('nowhere'));
mustFail(/attached already/, () => must(dp.addPort(5, dp.netdev(3)!)));
if (backend.startsWith('afxdp')) {
  mustFail(/XDP program|queue 0/, () => must(dp.addPort(5, openers[backend](into))));
  const large = must(Datapath.create({ framesCount: 1024, chunkSize: 8192 }));
  mustFail(/chunks of 2048 or 4096/, () => must(large.addPort(1, openers[backend](out))));
}
addon.setLink(out, { mtu: 3000 });
mustFail(/chunks of 2048 bytes allow 1770/, () => must(dp.addPort(5, openers[backend](out))));
dp.close();
wrong.push(...dp.audit().problems);
process.send!(wrong);
process.disconnect();
