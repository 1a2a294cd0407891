/**
 * Opens and closes a device again and again under traffic, and counts what stays behind.
 * usage: node io-rounds.ts BACKEND NAME ROUNDS
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Datapath } from '../../src/datapath/datapath.ts';
import { must } from '../../src/lib/result.ts';
import { type IoPort, openers } from './io-ports.ts';

export interface RoundsReport {
  readonly received: number;
  readonly descriptors: readonly [before: number, after: number];
  readonly mappings: readonly [before: number, after: number];
  readonly problems: readonly string[];
}

const [backend, name, count] = process.argv.slice(2) as [IoPort['backend'], string, string];
const rounds = Number(count);
const dp = must(Datapath.create({ framesCount: 1024 }));
const now = (): number => performance.now() * 1000;
const descriptors = (): number => readdirSync('/proc/self/fd').length;
const mappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length;
let received = 0;
const problems = new Set<string>();

const rest = (milliseconds: number): void =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

// What comes in goes out again by the same port, so that frames are under way in both directions when the end comes; at the
// end free chunks are given and no frame is taken, so that the rx ring is full.
function round(): void {
  must(dp.addPort(1, openers[backend](name), { ringEntries: 64, fillTarget: 32 }));
  for (let i = 0; i < 20; i++) {
    received += dp.poll(now());
    dp.takeUpcalls((upcall) => void dp.execute(upcall, [{ type: 'output', port: 1 }]));
  }
  for (let i = 0; i < 4; i++) {
    dp.process(1, 0, now());
    rest(4);
    dp.netdev(1)!.poll(now());
  }
  must(dp.removePort(1));
  for (const problem of dp.audit().problems) problems.add(problem);
}

for (let i = 0; i < 5; i++) round();
globalThis.gc?.();
const before = [descriptors(), mappings()] as const;
for (let i = 0; i < rounds; i++) round();
globalThis.gc?.();
const after = [descriptors(), mappings()] as const;
const report: RoundsReport = {
  received,
  descriptors: [before[0], after[0]],
  mappings: [before[1], after[1]],
  problems: [...problems],
};
process.send!(report);
process.disconnect();
