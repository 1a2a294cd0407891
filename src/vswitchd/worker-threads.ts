/**
 * Threads for a datapath's workers, by node:worker_threads:
 *
 *   const threads = workerThreads({ cpus: [2, 3] });
 *   const dp = must(Datapath.create({ workerCount: 2, threads, onWorkerLost: report }));
 *   must(dp.openPort(1, { type: 'packet', name: 'eth0' }, { worker: 0 }));
 *
 * Messages and answers go by a message port that both ends read when they like, without their event loops.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { ThreadStarter, WorkerThread } from '../datapath/threads.ts';
import type { Clock, Micros } from '../lib/clock.ts';
import type { Result } from '../lib/result.ts';

export interface WorkerThreadOptions {
  /** URL of a module with a function `openDevice(description): Result<Netdev>`; devices.ts when left out. */
  readonly opener?: string;
  /** Processors, by worker: a thread runs on the one at its index, and any at all when there is none. */
  readonly cpus?: readonly number[];
  /** The clock that the control side goes by: the threads' goes with it. The system's monotonic one when left out. */
  readonly clock?: Clock;
}

const monotonic = (): Micros => Number(process.hrtime.bigint()) / 1000;

const SUFFIX = import.meta.filename.slice(import.meta.filename.lastIndexOf('.'));

export function workerThreads({ opener, cpus = [], clock }: WorkerThreadOptions = {}): ThreadStarter {
  return {
    start(data, events): WorkerThread {
      const { port1: ours, port2: theirs } = new MessageChannel();
      // answers are fetched, not delivered
      ours.unref();
      const workerData = {
        start: data,
        mail: theirs,
        opener: opener ?? new URL(`./devices${SUFFIX}`, import.meta.url).href,
        cpu: cpus[data.index] ?? null,
        clockOffset: clock ? clock.now() - monotonic() : 0,
      };
      const entry = new URL(`./worker-thread${SUFFIX}`, import.meta.url);
      const worker = new Worker(entry, { workerData, transferList: [theirs], name: `weft worker ${data.index}` });
      let reason: string | null = null;
      worker.on('message', () => events.onReady());
      worker.on('error', (error) => {
        reason = error instanceof Error ? error.message : String(error);
      });
      worker.on('exit', (code) => {
        ours.close();
        events.onExit(reason ?? `the thread ended with status ${code}`);
      });
      return {
        post: (message) => ours.postMessage(message),
        receive: () => receiveMessageOnPort(ours)?.message as Result<unknown> | undefined,
        terminate: () => void worker.terminate(),
      };
    },
  };
}
