/**
 * A switch on the wheel of `weft run`, which notes when a turn with frames begins.
 * usage: node io-run-wheel.ts TYPE NAME…. Sends 'ready'; answers 'turns' (µs of the monotonic clock), 'cpu' (µs) and 'stop'.
 */
import { must } from '../../src/lib/result.ts';
import { openDevice } from '../../src/vswitchd/devices.ts';
import { Runner } from '../../src/vswitchd/runner.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';

const [type = '', ...names] = process.argv.slice(2);
const sw = createSwitch({ ringSize: 1024, frameCount: 8192 });
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) });
const now = (): number => Number(process.hrtime.bigint()) / 1000;
const turns: number[] = [];
let frames = 0;
const runner = new Runner(sw, {
  now,
  onTurn: (time) => {
    if (runner.counters.frames > frames) turns.push(time);
    frames = runner.counters.frames;
  },
  onError: (error) => {
    throw error;
  },
});
for (const name of names) {
  const netdev = must(openDevice({ type, name }));
  sw.addPort('br0', { name, netdev });
  runner.watch(netdev);
}
runner.start();

const answers: Readonly<Record<string, () => unknown>> = {
  turns: () => turns.splice(0),
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  stop() {
    runner.close();
    sw.close();
    setImmediate(() => process.disconnect());
    return { ...runner.counters };
  },
};
process.on('message', (question: string) => process.send!(answers[question]!()));
process.send!('ready');
