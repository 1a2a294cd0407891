/**
 * A switch between real interfaces of several queues, in a process of its own: by one worker without threads, or by several
 * with. Sends 'ready', answers 'report' and 'stop' with a QueuesReport, 'kill' with a WorkerLoss, and { try: request } with
 * what came of adding such a port: its status, or the error.
 * usage: node io-queues.ts WORKERS JSON-of-DeviceRequest[]
 */
import { loadNative } from '../../backends/native/index.ts';
import type { PortStats } from '../../src/datapath/ports.ts';
import type { WorkerLoss } from '../../src/datapath/team.ts';
import { must, type Result } from '../../src/lib/result.ts';
import type { Netdev, NetdevStatus } from '../../src/netdev/netdev.ts';
import { type DeviceRequest, openDevice, queueRequests } from '../../src/vswitchd/devices.ts';
import { Runner } from '../../src/vswitchd/runner.ts';
import { createSwitch } from '../../src/vswitchd/switch.ts';
import { workerThreads } from '../../src/vswitchd/worker-threads.ts';

export interface QueuesReport {
  readonly problems: readonly string[];
  readonly difference: number;
  readonly handedOver: number;
  /** By worker. */
  readonly received: readonly number[];
  readonly stats: readonly PortStats[];
  readonly status: readonly (readonly NetdevStatus[])[];
}

const workers = Number(process.argv[2]);
const devices = JSON.parse(process.argv[3]!) as readonly DeviceRequest[];
const now = (): number => performance.now() * 1000;
let onLoss: ((loss: WorkerLoss) => void) | null = null;
const sw = createSwitch({
  frameCount: 16384,
  ...(workers > 1 ? { workers, threads: workerThreads({ clock: { now } }) } : {}),
  onWorkerLost: (loss) => onLoss?.(loss),
});
const dp = sw.datapath;
sw.addBridge({ name: 'br0', mac: Uint8Array.of(2, 0, 0, 0, 0, 0xff) });
const onError = (error: unknown): void => {
  throw error;
};
const runner = new Runner(sw, { now, onError });

const open = (request: DeviceRequest, worker: number): Result<Netdev> =>
  workers > 1 ? dp.openQueues(queueRequests(request), worker) : openDevice(request);

const numbers = devices.map((request, i) => {
  const netdev = must(open(request, i % workers));
  const { dpPort } = sw.addPort('br0', { name: request.name, netdev });
  if (workers === 1) runner.watch(netdev);
  return dpPort!;
});
if (workers > 1) {
  const bell = must(loadNative()).EventBell.open();
  dp.ringDescriptor(bell.fd);
  runner.watch(bell);
}
runner.start();

function report(): QueuesReport {
  const stats = numbers.flatMap((number) => dp.portStats(number) ?? []);
  const status = numbers.flatMap((number) => [dp.portStatus(number) ?? []]);
  const received = Array.from({ length: workers }, (_, worker) => dp.counters(worker).rx_packets!);
  const { problems, difference } = sw.audit();
  return { problems, difference, handedOver: dp.counters().handed_over!, received, stats, status };
}

function attempt(request: DeviceRequest): unknown {
  const opened = open(request, 0);
  if (!opened.ok) return opened.error;
  const added = dp.addPort(900, opened.value);
  if (!added.ok) {
    opened.value.close();
    return added.error;
  }
  const status = dp.portStatus(900);
  dp.removePort(900);
  return status;
}

process.on('message', (command: string | { readonly try: DeviceRequest }) => {
  if (typeof command === 'object') process.send!(attempt(command.try));
  else if (command === 'report') process.send!(report());
  else if (command === 'kill') {
    onLoss = (loss) => process.send!(loss);
    dp.failWorker(0, 'kill');
  } else {
    const { stats, status } = report();
    runner.close();
    sw.close();
    process.send!({ ...report(), stats, status });
    process.disconnect();
  }
});
process.send!('ready');
