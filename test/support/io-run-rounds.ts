/**
 * Opens and closes a device again and again, as ports of a configuration would come and go, and counts what stays behind.
 * usage: node io-run-rounds.ts TYPE NAME ROUNDS
 */
import { readdirSync, readFileSync } from 'node:fs';
import { must } from '../../src/lib/result.ts';
import { openDevice } from '../../src/vswitchd/devices.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';

export interface RunRoundsReport {
  readonly descriptors: readonly [before: number, after: number];
  /** Mappings of files and sockets. */
  readonly files: readonly [before: number, after: number];
  /** All mappings. */
  readonly mappings: readonly [before: number, after: number];
  readonly problems: readonly string[];
  readonly seconds: number;
}

const [type, name, count] = process.argv.slice(2) as [string, string, string];
const sw = createSwitch({ ringSize: 64, frameCount: 1024 });
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) });
const now = (): number => performance.now() * 1000;
const problems = new Set<string>();
const descriptors = (): number => readdirSync('/proc/self/fd').length;
const maps = (): string[] => readFileSync('/proc/self/maps', 'utf8').trimEnd().split('\n');
const mappings = (): number => maps().length;
/** The fifth field is the inode; 0 for anonymous memory. */
const files = (): number => maps().filter((line) => line.split(/ +/)[4] !== '0').length;

function round(): void {
  sw.addPort('br0', { name: 'p', netdev: must(openDevice({ type, name })) });
  sw.poll(now());
  sw.removePort('br0', 'p');
}

for (let i = 0; i < 10; i++) round();
globalThis.gc?.();
const before = [descriptors(), files(), mappings()] as const;
const start = performance.now();
for (let i = 0; i < Number(count); i++) round();
const seconds = (performance.now() - start) / 1000;
globalThis.gc?.();
for (const problem of sw.audit().problems) problems.add(problem);
const report: RunRoundsReport = {
  descriptors: [before[0], descriptors()],
  files: [before[1], files()],
  mappings: [before[2], mappings()],
  problems: [...problems],
  seconds,
};
process.send!(report);
process.disconnect();
