/**
 * npm run bench: Weft, its native twin and Open vSwitch with DPDK on the same workloads, interleaved in one run.
 *
 *   npm run bench -- [--workload NAME]… [--quick] [--rounds N] [--seed S] [--json FILE] [--update]
 *                    [--native-cpu] [--no-native] [--no-ovs] [--list]
 *
 * --workload takes a name or a family (W4 is all of W4/…). --quick does three short rounds. --native-cpu adds the native
 * twin built for this processor. --update writes the tables into docs/performance.md, between its markers.
 *
 * What. Each switch runs in a process of its own and answers "so many packets" with what they cost. A round asks one
 * after the other, so that they share the machine's moods; ratios are medians of the rounds' ratios. docs/performance.md
 * says what is inside the timed part.
 *
 * Invariants. The frames, their order, the megaflows and their actions are the same for all. A miss or a drop ends the
 * run: it would be a measurement of something else.
 *
 * Not supported: several workers, packet I/O, upcalls: this is the datapath.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { canOvsRun, hasOvsDpdk, OvsDpdk } from './ovs-dpdk.ts';
import { mainTable, type Row, report, type Series } from './report.ts';
import { type SwitchUnderTest, serve } from './served.ts';
import type { Round } from './weft.ts';
import type { Workload } from './workload-file.ts';
import { makeWorkload, workloadNames } from './workloads.ts';

const root = join(import.meta.dirname, '..');
const ROUND_SECONDS = 0.3;
const ROUND_SECONDS_QUICK = 0.1;
/** What V8's SIMD amounts to: SSE4.1. */
const TARGETS = { native: 'x86-64-v2', 'native-cpu': 'native' } as const;

const { values: options } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    update: { type: 'boolean', default: false },
    'native-cpu': { type: 'boolean', default: false },
    'no-native': { type: 'boolean', default: false },
    'no-ovs': { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const roundCount = Number(options.rounds ?? (options.quick ? 3 : 7));
const say = (text: string): boolean => process.stderr.write(`bench: ${text}\n`);

function buildDeviceKernel(): void {
  const out = join(root, 'build', 'bench-device.wasm');
  mkdirSync(join(root, 'build'), { recursive: true });
  const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  const args = ['bench/device.ts', '--config', 'asconfig.json', '--target', 'release', '--outFile', out];
  execFileSync(process.execPath, [asc, ...args], { cwd: root, stdio: 'inherit' });
}

/** The native twin's executable; null when there is no cargo or it is not wanted. */
function buildNative(name: keyof typeof TARGETS): string | null {
  if (options['no-native'] || arch() !== 'x64') return null;
  const target = join(root, 'build', 'bench-native', name);
  try {
    execFileSync('cargo', ['build', '--release', '--quiet', '--target-dir', target], {
      cwd: join(import.meta.dirname, 'native'),
      env: { ...process.env, RUSTFLAGS: `-C target-cpu=${TARGETS[name]}` },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error;
    say('no cargo: the native twin is left out');
    return null;
  }
  return join(target, 'release', 'weft-native');
}

async function startSwitches(
  workload: Workload,
  file: string,
  natives: ReadonlyMap<string, string>,
): Promise<SwitchUnderTest[]> {
  const switches: SwitchUnderTest[] = [];
  try {
    const weft = [join(import.meta.dirname, 'weft.ts'), '--workload', file, '--serve'];
    switches.push(await serve('weft', process.execPath, weft));
    for (const [name, path] of natives) switches.push(await serve(name, path, ['--workload', file, '--serve']));
    if (!options['no-ovs'] && hasOvsDpdk() && canOvsRun(workload.name)) {
      const ovs = await OvsDpdk.start(workload).catch((error: Error) => void say(`${workload.name}: ${error.message}`));
      if (ovs) switches.push(ovs);
    }
    return switches;
  } catch (error) {
    await closeAll(switches);
    throw error;
  }
}

const closeAll = (switches: readonly SwitchUnderTest[]): Promise<unknown> =>
  Promise.all(switches.map((one) => one.close()));

let running: readonly SwitchUnderTest[] = [];

function check(name: string, workload: string, round: Round): Round {
  if (round.misses > 0 || round.drops > 0)
    throw new Error(`${name} on ${workload}: ${round.misses} misses and ${round.drops} drops`);
  return round;
}

async function measure(name: string, folder: string, natives: ReadonlyMap<string, string>): Promise<Row> {
  const workload = makeWorkload(name, Number(options.seed));
  const file = join(folder, 'workload');
  workload.write(file);
  running = await startSwitches(workload, file, natives);
  const cold = new Map<string, Round>();
  const rounds = new Map<string, Round[]>();
  const packets = new Map<string, number>();
  const seconds = options.quick ? ROUND_SECONDS_QUICK : ROUND_SECONDS;
  try {
    for (const one of running) {
      cold.set(one.name, check(one.name, name, await one.round(workload.frameCount)));
      // once more, to know how many packets fill a round
      const warm = check(one.name, name, await one.round(Math.max(workload.frameCount, 32_768)));
      packets.set(one.name, Math.ceil((seconds * 1e9) / warm.ns_per_packet));
      rounds.set(one.name, []);
    }
    for (let i = 0; i < roundCount; i++)
      for (const one of running)
        rounds.get(one.name)!.push(check(one.name, name, await one.round(packets.get(one.name)!)));
  } finally {
    await closeAll(running);
    running = [];
  }
  const series = Object.fromEntries(
    [...rounds].map(([one, of]): [string, Series] => [one, { cold: cold.get(one)!, rounds: of }]),
  );
  const { frameCount, flowCount, masks } = workload;
  return { workload: name, frames: frameCount, flows: flowCount, masks: masks.length, series };
}

function chosenWorkloads(): string[] {
  const all = workloadNames();
  const wanted = options.workload;
  if (!wanted) return all;
  const chosen = all.filter((name) => wanted.some((w) => name === w || name.startsWith(`${w}/`)));
  if (chosen.length === 0) throw new Error(`no workload ${wanted.join(', ')}; there are ${all.join(', ')}`);
  return chosen;
}

const machine = (): string => `${cpus()[0]?.model ?? 'an unknown processor'}, Node ${process.version}`;

function updateDocument(text: string): void {
  const path = join(root, 'docs', 'performance.md');
  const [begin, end] = ['<!-- bench:begin -->', '<!-- bench:end -->'];
  const page = readFileSync(path, 'utf8');
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no ${begin} … ${end}`);
  writeFileSync(path, `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`);
}

async function main(): Promise<void> {
  if (options.list) return void process.stdout.write(`${workloadNames().join('\n')}\n`);
  const names = chosenWorkloads();
  if (!existsSync(join(root, 'build', 'weft.wasm'))) throw new Error('build/weft.wasm is not there: npm run build');
  buildDeviceKernel();
  const natives = new Map<string, string>();
  for (const name of Object.keys(TARGETS) as (keyof typeof TARGETS)[]) {
    const path = name === 'native' || options['native-cpu'] ? buildNative(name) : null;
    if (path) natives.set(name, path);
  }
  if (!options['no-ovs'] && !hasOvsDpdk()) say('no Open vSwitch with DPDK here: left out');
  const folder = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  const rows: Row[] = [];
  try {
    for (const name of names) {
      rows.push(await measure(name, folder, natives));
      say(mainTable(rows.slice(-1)).split('\n')[2]!);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const text = report(rows, { command, machine: machine() });
  process.stdout.write(`${text}\n`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ command, machine: machine(), rows }, null, 2)}\n`);
  if (options.update) updateDocument(text);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void closeAll(running).finally(() => process.exit(1)));
await main();
