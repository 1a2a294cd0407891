/**
 * node bench/openflow/run.ts [--quick] [--rounds N] [--json FILE] [--update]: the OpenFlow side of bin/ovs-vswitchd beside that of
 * Debian's ovs-vswitchd, both with dummy devices, in one run.
 *
 * What. Flow-mods a second, one by one, streamed and in bundles; memory a flow; dump and delete; flow set-ups a second and the
 * megaflows that come of them; packet-out and packet-in; frames that are lost while flow-mods stream in. The client is ours and
 * speaks OpenFlow 1.4 over the bridge's management socket; Debian's ovs-ofctl counts the flows.
 *
 * Invariants. Rounds alternate between the two switches, which share the machine's moods; figures are medians of the rounds. Every
 * frame of a set-up must come back. A flow-mod that is refused, or a flow that is not there, ends the run.
 *
 * Set-ups are bound by one processor for the switch and one for the client: with fewer, the figures say little.
 *
 * Not measured: TLS, several controllers at once.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spreadOf } from '../statistics.ts';
import { SwitchUnderTest } from './daemons.ts';
import { measureFlowMods } from './flow-mods.ts';
import { measureLoss, measureRoundTrips } from './forwarding.ts';
import { makePipelines } from './pipelines.ts';
import { type Both, markdown, type Results } from './report.ts';
import { measureSetUps } from './set-ups.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    update: { type: 'boolean', default: false },
  },
});
const sizes = options.quick ? [20_000] : [100_000, 1_000_000];
// Fewer than the megaflows that the reference allows itself at first
const connections = options.quick ? 5_000 : 8_000;
const rounds = options.quick ? 1 : Number(options.rounds);
const [BEGIN, END] = ['<!-- bench/openflow -->', '<!-- bench/openflow:end -->'];
const WARM = 20_000;
const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'performance.md');

/** The median of every number in results of one form. */
function medianOf<T extends object>(all: readonly T[]): T {
  const names = Object.keys(all[0]!) as (keyof T)[];
  return Object.fromEntries(
    names.map((name) => [name, spreadOf(all.map((one) => one[name] as number)).median]),
  ) as unknown as T;
}

async function measureBoth<T extends object>(
  what: string,
  pair: Both<SwitchUnderTest>,
  count: number,
  measure: (one: SwitchUnderTest, round: number) => Promise<T>,
): Promise<Both<T>> {
  const [weft, ovs]: [T[], T[]] = [[], []];
  for (let round = 0; round < count; round++) {
    process.stderr.write(`${what}, ${round + 1} of ${count}\n`);
    ovs.push(await measure(pair.ovs, round));
    weft.push(await measure(pair.weft, round));
  }
  return { weft: medianOf(weft), ovs: medianOf(ovs) };
}

async function measureAll(pair: Both<SwitchUnderTest>): Promise<Results> {
  const flowMods: Results['flowMods'][number][] = [];
  // A daemon is not measured in its first second
  await measureBoth('to warm up', pair, 2, (one) => measureFlowMods(one, WARM));
  for (const size of sizes) {
    const count = size >= 1_000_000 ? 1 : rounds;
    flowMods.push(await measureBoth(`${size} flows`, pair, count, (one) => measureFlowMods(one, size)));
  }
  const roundTrips = await measureBoth('packet-out and packet-in', pair, rounds, measureRoundTrips);
  const loss = await measureBoth('frames and flow-mods', pair, 1, (one) => measureLoss(one, sizes.at(-1)!));
  const setUps: Results['setUps'][number][] = [];
  let number = 0;
  for (const pipeline of makePipelines(connections, Number(options.seed))) {
    const first = (number += rounds);
    const both = await measureBoth(pipeline.name, pair, rounds, (one, round) =>
      measureSetUps(one, pipeline, first + round),
    );
    setUps.push({ name: pipeline.name, ...both });
  }
  return { processor: cpus()[0]!.model, flowMods, setUps, roundTrips, loss };
}

function update(text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place for the results`);
  writeFileSync(PAGE, `${page.slice(0, from + BEGIN.length)}\n${text}\n${page.slice(to)}`);
}

const pair = { weft: await SwitchUnderTest.start('Weft'), ovs: await SwitchUnderTest.start('Open vSwitch') };
try {
  const results = await measureAll(pair);
  const text = markdown(results);
  console.log(text);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.update) update(text);
} finally {
  pair.weft.close();
  pair.ovs.close();
}
process.exit(0);
