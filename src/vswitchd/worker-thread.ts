/** The entry of a worker's thread: finds its clock, its devices' opener and its processor, and turns until it is stopped. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { loadNative } from '../../backends/native/index.ts';
import { type DescriptorWaiter, ThreadLoop } from '../datapath/thread-loop.ts';
import type { ThreadMessage, ThreadStart } from '../datapath/threads.ts';
import type { Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';

interface EntryData {
  readonly start: ThreadStart;
  readonly mail: MessagePort;
  readonly opener: string;
  readonly cpu: number | null;
  /** Microseconds that the control side's clock is ahead of the system's monotonic one. */
  readonly clockOffset: number;
}

const { start, mail, opener, cpu, clockOffset } = workerData as EntryData;
const { openDevice } = (await import(opener)) as { openDevice(device: unknown): Result<Netdev> };
const addon = loadNative();

function descriptorWaiter(): DescriptorWaiter | null {
  if (!addon.ok) return null;
  const { EventBell, waitReadable } = addon.value;
  const bell = EventBell.open();
  return {
    bell: bell.fd,
    wait(fds, timeoutMs) {
      waitReadable(Int32Array.of(bell.fd, ...fds), timeoutMs);
      bell.drain();
    },
  };
}

// where there is no such processor, any other will do
if (cpu !== null && addon.ok) {
  try {
    addon.value.setAffinity([cpu]);
  } catch (error) {
    process.emitWarning(`worker ${start.index}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
// performance.now() begins anew in each thread
const offset = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000 + clockOffset;
const now = (): number => performance.now() * 1000 + offset;

parentPort!.postMessage('ready');
new ThreadLoop(start, {
  now,
  open: openDevice,
  receive: () => receiveMessageOnPort(mail)?.message as ThreadMessage | undefined,
  answer: (result) => mail.postMessage(result),
  descriptors: descriptorWaiter(),
}).run();
mail.close();
