/**
 * A switch between real interfaces on two workers in threads, one port each, in a process of its own. Sends 'ready', and
 * answers 'audit' (while frames move), 'kill' (a worker ends in the midst of them, and comes back), 'cpu' and 'stop'.
 * usage: node io-workers.ts JSON-of-DeviceRequest[]
 */
import { loadNative } from '../../backends/native/index.ts';
import type { WorkerLoss } from '../../src/datapath/team.ts';
import { must } from '../../src/lib/result.ts';
import type { DeviceRequest } from '../../src/vswitchd/devices.ts';
import { Runner } from '../../src/vswitchd/runner.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';
import { workerThreads } from '../../src/vswitchd/worker-threads.ts';

export interface WorkersReport {
  readonly problems: readonly string[];
  readonly difference: number;
  readonly handedOver: number;
  readonly device: number;
}

const devices = JSON.parse(process.argv[2]!) as readonly DeviceRequest[];
const now = (): number => performance.now() * 1000;
let onLoss: ((loss: WorkerLoss) => void) | null = null;
const sw = createSwitch({
  workers: 2,
  threads: workerThreads({ clock: { now } }),
  onWorkerLost: (loss) => onLoss?.(loss),
  frameCount: 8192,
});
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) });
devices.forEach((device, i) => {
  sw.addPort('br0', { name: device.name, netdev: must(sw.datapath.openDevice(device, i % 2)) });
});
const bell = must(loadNative()).EventBell.open();
const runner = new Runner(sw, {
  now,
  onError: (error) => {
    throw error;
  },
});
sw.datapath.ringDescriptor(bell.fd);
runner.watch(bell);
runner.start();

function report(): WorkersReport {
  const { problems, difference } = sw.audit();
  const { chunks } = sw.datapath.audit();
  return { problems, difference, handedOver: sw.datapath.counters().handed_over!, device: chunks.device };
}

process.on('message', (command) => {
  if (command === 'audit') process.send!(report());
  if (command === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  }
  if (command === 'kill') {
    onLoss = (loss) => process.send!(loss);
    sw.datapath.failWorker(0, 'kill');
  }
  if (command === 'stop') {
    runner.stop();
    runner.unwatch(bell);
    sw.close();
    process.send!(report());
    process.disconnect();
  }
});
process.send!('ready');
