/**
 * Workers in threads: what two do in the time of one.
 *
 *   node bench/workers.ts [--rounds N] [--seconds S] [--cpus 0,1] [--json]
 *
 * Each worker has a port whose device makes frames out of a trace in the linear memory (1,000 UDP flows of 60 bytes in
 * a shuffled order, a megaflow each, both MAC addresses and the TTL rewritten) and a port that throws away what is sent to
 * it. *own*: frames leave by the worker's own port. *crossed*: by the next worker's, so that every frame is handed over;
 * no more are made than the other worker takes, as what is dropped would count as work.
 *
 * Rounds alternate between one worker and two, each in a datapath of its own, the other one paused. Two numbers come of it:
 * frames a second by the clock, which other load on the machine makes smaller, and frames a second of CPU time, times
 * the number of workers: what the clock would say on a quiet machine with a core for each.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Datapath } from '../src/datapath/datapath.ts';
import { FlowKey } from '../src/flow/key.ts';
import { HAND_OVER_SIZEOF, PORT_SIZEOF } from '../src/gen/layout.ts';
import { KEY } from '../src/gen/tables.ts';
import { Random } from '../src/lib/random.ts';
import { must } from '../src/lib/result.ts';
import { workerThreads } from '../src/vswitchd/worker-threads.ts';
import { inOrder, output, setEth, setIpv4Ttl } from './actions.ts';
import { ipv4Frame } from './frames.ts';
import { medianRatio, shuffled, spreadOf } from './statistics.ts';
import type { TraceDevice } from './worker-device.ts';

const FLOWS = 1000;
const FRAME_SPACE = 64;
const root = join(import.meta.dirname, '..');
const kernelPath = join(root, 'build', 'bench-device.shared.wasm');

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '0.5' },
    cpus: { type: 'string', default: '0,1' },
    json: { type: 'boolean', default: false },
  },
});

function buildKernel(): void {
  mkdirSync(join(root, 'build'), { recursive: true });
  const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  const args = ['bench/device.ts', '--config', 'asconfig.json', '--target', 'release', '--sharedMemory'];
  execFileSync(process.execPath, [asc, ...args, '--outFile', kernelPath], { cwd: root, stdio: 'inherit' });
}

/** The first and the second port of a worker: frames come in by the one and leave by another's second. */
const inPortOf = (worker: number): number => 1 + 2 * worker;
const outPortOf = (worker: number): number => 2 + 2 * worker;

const tpSrcOf = (flow: number): number => 1000 + flow;

function install(dp: Datapath, workers: number, isCrossed: boolean): void {
  for (let worker = 0; worker < workers; worker++) {
    for (let flow = 0; flow < FLOWS; flow++) {
      const [key, mask] = [new FlowKey(), new FlowKey()];
      for (const [field, value] of [
        [KEY.in_port, inPortOf(worker)],
        [KEY.tp_src, tpSrcOf(flow)],
      ] as const) {
        key.set(field, value);
        mask.setAllOnes(field);
      }
      const out = outPortOf(isCrossed ? (worker + 1) % workers : worker);
      const { encoded } = inOrder(setEth(flow, flow + 1), setIpv4Ttl(63), output(out));
      must(dp.putFlow({ key, mask }, encoded, { worker }));
    }
  }
}

/** Writes a worker's trace behind `at`; returns where the frames lie. */
function writeTrace(memory: WebAssembly.Memory, at: number, worker: number): { index: number; frames: number } {
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const frames = at + 8 * FLOWS;
  shuffled(new Random(1 + worker), FLOWS).forEach((flow, i) => {
    const ports = { tpSrc: tpSrcOf(flow), tpDst: 9 };
    const frame = ipv4Frame({ ethDst: 1, ethSrc: 2, src: 1, dst: 2, proto: 17, ttl: 64, ...ports });
    bytes.set(frame, frames + i * FRAME_SPACE);
    view.setUint32(at + 8 * i, i * FRAME_SPACE, true);
    view.setUint16(at + 8 * i + 4, frame.length, true);
    view.setUint16(at + 8 * i + 6, inPortOf(worker), true);
  });
  return { index: at, frames };
}

const TRACE_SIZE = FLOWS * (8 + FRAME_SPACE) + 64;

function makeDatapath(workers: number, isCrossed: boolean): Datapath {
  const cpus = values.cpus.split(',').map(Number);
  const threads = workerThreads({ opener: new URL('./worker-device.ts', import.meta.url).href, cpus });
  const sizes = { framesCount: 2048 * workers, cacheEntries: 8192, packetSlots: 512, ringSpaceSize: 1 << 20 };
  const dp = must(Datapath.create({ ...sizes, workerCount: workers, threads }));
  install(dp, workers, isCrossed);
  const { ringSpace, ports, handOvers } = dp.plan;
  for (let worker = 0; worker < workers; worker++) {
    // the traces lie at the end of the ring space, where no port takes any
    const at = ringSpace.start + ringSpace.size - (worker + 1) * (Math.ceil(TRACE_SIZE / 64) * 64);
    const trace = writeTrace(dp.memory, at, worker);
    const pair = worker * workers + ((worker + 1) % workers);
    const handOver = isCrossed ? handOvers.start + pair * HAND_OVER_SIZEOF : 0;
    for (const number of [outPortOf(worker), inPortOf(worker)]) {
      const frameCount = number === inPortOf(worker) ? FLOWS : 0;
      const place = { number, port: ports.start + number * PORT_SIZEOF, handOver };
      const device: TraceDevice = { ...place, kernelPath, ...trace, frameCount };
      must(dp.addPort(number, must(dp.openDevice(device, worker))));
    }
  }
  return dp;
}

interface Round {
  readonly byClock: number;
  readonly byCpu: number;
  readonly dropped: number;
}

const sum = (rows: Readonly<Record<string, number>>): number => Object.values(rows).reduce((a, b) => a + b, 0);

function measure(dp: Datapath): Round {
  dp.resume();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const [sent, dropped] = [dp.counters().tx_packets!, sum(dp.drops())];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(values.seconds) * 1000);
  const packets = dp.counters().tx_packets! - sent;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const round = {
    byClock: packets / seconds / 1e6,
    byCpu: (packets / (user + system)) * dp.workerCount,
    dropped: sum(dp.drops()) - dropped,
  };
  dp.pause();
  return round;
}

function compare(name: string, isCrossed: boolean): object {
  const pair = [makeDatapath(1, false), makeDatapath(2, isCrossed)] as const;
  for (const dp of pair) {
    dp.pause();
    measure(dp);
  }
  const rounds = Array.from({ length: Number(values.rounds) }, () => pair.map(measure));
  const [one, two] = [0, 1].map((i) => rounds.map((round) => round[i]!)) as [Round[], Round[]];
  for (const dp of pair) {
    dp.resume();
    const { problems } = dp.audit();
    if (problems.length > 0) throw new Error(problems.join('; '));
    dp.close();
  }
  const figures = (kind: 'byClock' | 'byCpu'): object => ({
    one: spreadOf(one.map((round) => round[kind])),
    two: spreadOf(two.map((round) => round[kind])),
    ratio: medianRatio(
      two.map((round) => round[kind]),
      one.map((round) => round[kind]),
    ),
  });
  return {
    name,
    clock: figures('byClock'),
    cpu: figures('byCpu'),
    dropped: two.reduce((n, { dropped }) => n + dropped, 0),
  };
}

buildKernel();
for (const [name, isCrossed] of [
  ['own', false],
  ['crossed', true],
] as const)
  console.log(JSON.stringify(compare(name, isCrossed), null, values.json ? 0 : 2));
