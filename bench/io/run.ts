/**
 * node bench/io/run.ts [--quick] [--rounds N] [--only REGEXP] [--update]: frames between real interfaces (W6), as root.
 *
 * What. A generator, a switch and a sink in three network namespaces joined by veth links. The generator (bench/io/native, live
 * frames of the kernel's own XDP test run) sends more than any switch takes; counted is what reaches the sink. Then TCP by iperf3
 * with the ends' offloads on, and the latency of single frames at the same rate for all. Rounds go round the switches, so that they
 * share the machine's moods; ratios are medians of the rounds' ratios.
 *
 * Invariants. Switch on processor 1, generator and sink on processor 0. All but the Linux bridge rewrite destination and TTL.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSeconds, inside, make, netns, remove, sinkPackets } from './netns.ts';
import { OTHER_CPU, type RunningSwitch, type SwitchKind, switches, tool } from './switches.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    update: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
const seconds = options.quick ? 0.5 : 1.5;
/** Frames a second of the latency runs: about half of what the slowest afxdp switch takes. */
const LATENCY_RATE = 50_000;
const page = join(import.meta.dirname, '..', '..', 'docs', 'performance.md');

const loads = ['60', '594', '1514', 'imix'].flatMap((size) => ['1', '1000'].map((flows) => ({ size, flows })));
/** Of traffic before a switch is measured, for all of them. */
const WARM_UP_SECONDS = 2;
/** Milliseconds that a command of the measurement may take. */
const IN_PLACE_MS_MAX = 20_000;
const say = (text: string): boolean => process.stderr.write(`bench/io: ${text}\n`);
const inPlace = (place: keyof typeof netns, ...command: readonly string[]): string => {
  const [program, ...args] = inside(place, OTHER_CPU, ...command);
  return execFileSync(program!, args, {
    encoding: 'utf8',
    timeout: IN_PLACE_MS_MAX,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
};
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Measurements by label and switch: one number a round. */
class Results {
  readonly #rows = new Map<string, Map<string, number[]>>();

  add(label: string, name: string, value: number): void {
    const row = this.#rows.get(label) ?? new Map<string, number[]>();
    this.#rows.set(label, row);
    row.set(name, [...(row.get(name) ?? []), value]);
  }

  /** A table with a line a label: the median of each switch. */
  table(title: string, labels: readonly string[], names: readonly string[], format: (value: number) => string): string {
    const lines = labels.map((label) => {
      const cells = names.map((name) => {
        const values = this.#rows.get(label)?.get(name);
        return values ? format(median(values)) : '—';
      });
      return `| ${label} | ${cells.join(' | ')} |`;
    });
    return [`| ${title} | ${names.join(' | ')} |`, `|---|${names.map(() => '---:|').join('')}`, ...lines].join('\n');
  }

  /** Median over the rounds of one switch's figure over another's. */
  ratio(label: string, name: string, other: string): number {
    const [a, b] = [this.#rows.get(label)?.get(name) ?? [], this.#rows.get(label)?.get(other) ?? []];
    return median(a.map((value, i) => value / b[i]!));
  }
}

const loadLabel = ({ size, flows }: { size: string; flows: string }): string =>
  `${size === 'imix' ? 'IMIX' : `${size} bytes`}, ${flows === '1' ? '1 flow' : `${flows} flows`}`;

async function flood(results: Results, kind: SwitchKind, running: RunningSwitch): Promise<void> {
  // What a compiler has to learn, it learns here
  inPlace('generator', tool, 'flood', 'g0', '60', '1', String(WARM_UP_SECONDS), String(OTHER_CPU));
  for (const load of loads) {
    const before = {
      packets: sinkPackets(),
      cpu: running.pid === null ? 0 : cpuSeconds(running.pid),
      at: performance.now(),
    };
    inPlace('generator', tool, 'flood', 'g0', load.size, load.flows, String(seconds), String(OTHER_CPU));
    await delay(20);
    const took = (performance.now() - before.at) / 1000;
    const packets = sinkPackets() - before.packets;
    results.add(loadLabel(load), kind.name, packets / took / 1000);
    if (running.pid !== null) {
      results.add(`${loadLabel(load)} cpu`, kind.name, ((cpuSeconds(running.pid) - before.cpu) / packets) * 1e9);
    }
  }
}

function latency(results: Results, kind: SwitchKind): void {
  const [out, back] = [`/run/netns/${netns.generator}`, `/run/netns/${netns.sink}`];
  const args = ['latency', out, 'g0', back, 'k0', String(LATENCY_RATE), String(2 * seconds), '60', String(OTHER_CPU)];
  const answer = execFileSync(tool, args, { encoding: 'utf8' }).trim().split(' ').map(Number);
  const [sent, received, p50, p99, p9999] = answer as [number, number, number, number, number];
  results.add('lost, %', kind.name, (100 * (sent - received)) / sent);
  results.add('p50', kind.name, p50 / 1000);
  results.add('p99', kind.name, p99 / 1000);
  results.add('p99.99', kind.name, p9999 / 1000);
}

async function tcp(results: Results, kind: SwitchKind): Promise<void> {
  const [program, ...args] = inside('sink', OTHER_CPU, 'iperf3', '--server', '--one-off', '--json');
  const { spawn } = await import('node:child_process');
  const server = spawn(program!, args, { stdio: 'ignore' });
  await delay(300);
  try {
    const text = inPlace(
      'generator',
      'iperf3',
      '--client',
      '10.0.0.2',
      '--connect-timeout',
      '2000',
      '--time',
      String(Math.ceil(2 * seconds)),
      '--json',
    );
    const { end } = JSON.parse(text) as { end: { sum_received?: { bits_per_second: number } } };
    // Where checksums that the ends leave open are not completed, no connection comes about
    results.add('TCP, Gbit/s', kind.name, (end.sum_received?.bits_per_second ?? 0) / 1e9);
  } catch (error) {
    // A switch that lets no TCP through is one that does 0
    say(`${kind.name}: iperf3: ${(error as Error).message.split('\n')[0]}`);
    results.add('TCP, Gbit/s', kind.name, 0);
  } finally {
    server.kill('SIGTERM');
  }
}

/** Every switch once, in namespaces of its own: what one leaves behind does not meet the next. */
async function round(results: Results, kinds: readonly SwitchKind[]): Promise<void> {
  for (const kind of kinds) {
    for (const task of kind.tasks) {
      make(task === 'plain');
      let running: RunningSwitch | null = null;
      try {
        running = await kind.start(task);
        await delay(300);
        if (task === 'rewrite') {
          await flood(results, kind, running);
          latency(results, kind);
        } else {
          await tcp(results, kind);
        }
      } catch (error) {
        say(`${kind.name}, ${task}: ${(error as Error).message}`);
      } finally {
        await running?.stop();
        remove();
      }
    }
    say(`${kind.name} done`);
  }
}

function report(results: Results, names: readonly string[]): string {
  const labels = loads.map(loadLabel);
  const small = labels[0]!;
  const ratio = (a: string, b: string): string => results.ratio(small, a, b).toFixed(2);
  return [
    results.table('thousand frames a second', labels, names, (value) => value.toFixed(0)),
    results.table(
      'processor time of the switch, ns a frame',
      labels.map((l) => `${l} cpu`),
      names,
      (v) => v.toFixed(0),
    ),
    results.table(`at ${LATENCY_RATE} frames/s, µs`, ['p50', 'p99', 'p99.99', 'lost, %'], names, (v) => v.toFixed(1)),
    results.table('iperf3, offloads on', ['TCP, Gbit/s'], names, (value) => value.toFixed(2)),
    `60 bytes, 1 flow: Weft on AF_XDP is ${ratio('Weft, afxdp', 'native AF_XDP loop')} of the native loop, ` +
      `${ratio('Weft, afxdp', 'Open vSwitch, afxdp')} of Open vSwitch on AF_XDP and ` +
      `${ratio('Weft, afxdp', 'Open vSwitch, packet sockets')} of Open vSwitch on packet sockets.`,
  ].join('\n\n');
}

async function main(): Promise<void> {
  if (process.getuid!() !== 0) throw new Error('needs root: it makes network namespaces');
  if (!existsSync(tool)) {
    execFileSync('cargo', ['build', '--release'], { cwd: join(import.meta.dirname, 'native'), stdio: 'inherit' });
  }
  const only = new RegExp(options.only ?? '', 'i');
  const kinds = switches.filter(({ name }) => only.test(name));
  const results = new Results();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      remove();
      process.exit(1);
    });
  }
  for (let i = 0; i < rounds; i++) {
    await round(results, kinds);
    say(`round ${i + 1} of ${rounds}`);
  }
  const text = report(
    results,
    kinds.map(({ name }) => name),
  );
  console.log(text);
  if (!options.update) return;
  const old = readFileSync(page, 'utf8');
  const [begin, end] = ['<!-- bench/io -->', '<!-- /bench/io -->'];
  const [head, rest] = old.split(begin) as [string, string];
  writeFileSync(page, `${head}${begin}\n\n${text}\n\n${end}${rest.split(end)[1]}`);
}

await main();
