/**
 * Random flow tables, groups and meters, and hundreds of random packets through them, in the reference's daemon and in ours:
 * the same frames out of every port, the same statistics, and no more megaflows than the reference has.
 *
 * Frames of a port are compared without their order: both sides handle packets in batches, and batches by megaflow.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { randomPacket, randomTables } from '../support/random-tables.ts';
import { Bed, frameOf } from './packets-bed.ts';

const ROUNDS = 30;
const PACKETS = 250;
const NIGHTLY_FACTOR = 40;
const TIME_MAX = 30_000;
const isNightly = process.env.WEFT_NIGHTLY === '1';
const seed = Number(process.env.WEFT_SEED ?? Date.now() % 1_000_000);
const PORTS = [1, 2, 3, 4];

let bed: Bed;

before(async () => {
  bed = await Bed.start();
  await bed.line('ports br0 4');
  await bed.line('ports br1 1');
  await bed.line(
    'vsctl add-port br0 pa -- set interface pa type=patch options:peer=pb ofport_request=50 -- add-port br1 pb -- set interface pb type=patch options:peer=pa ofport_request=60',
  );
  await bed.line('ofctl add-flow br1 in_port=60,actions=output:5');
});

after(() => bed.close());

const bucket = (random: Random, deeper: number): string => {
  const set = random.pick([
    '',
    '',
    'set_field:00:00:00:00:00:66->eth_dst,',
    'push_vlan:0x8100,',
    'load:1->NXM_NX_REG0[],',
  ]);
  const end = random.chance(0.2) && deeper <= 4 ? `group:${deeper}` : `output:${random.pick([1, 2, 3, 4, 50])}`;
  return `${set}${end}`;
};

/** Groups lead to groups of higher numbers only. */
function randomGroups(random: Random): string[] {
  return [4, 3, 2, 1].map((id) => {
    const buckets = Array.from({ length: 1 + random.below(3) }, () => bucket(random, id + 1));
    switch (random.below(4)) {
      case 0:
        return `group_id=${id},type=indirect,bucket=${buckets[0]}`;
      case 1:
        return `group_id=${id},type=all,${buckets.map((one) => `bucket=${one}`).join(',')}`;
      case 2:
        return `group_id=${id},type=ff,${buckets.map((one) => `bucket=watch_port:${random.pick(PORTS)},actions=${one}`).join(',')}`;
      default: {
        const fields = random.pick(['ip_src', 'eth_src', 'eth_src,tcp_src', 'ip_dst,ip_src']);
        const weighted = buckets.map((one) => `bucket=weight:${1 + random.below(9)},actions=${one}`);
        return `group_id=${id},type=select,selection_method=hash,fields(${fields}),${weighted.join(',')}`;
      }
    }
  });
}

/** Some flows send to groups and through meters. */
const withGroup = (random: Random, flow: string): string => {
  if (random.chance(0.15)) return flow.replace('actions=', `actions=group:${1 + random.below(4)},`);
  return random.chance(0.1) ? flow.replace('actions=', 'actions=meter:1,') : flow;
};

const sortedLines = (text: string): string => text.split('\n').sort().join('\n');
const megaflows = (text: string): number => text.split('\n').filter((line) => line.includes('recirc_id(')).length;

async function same(line: string, what: string): Promise<void> {
  const [reference, ours] = await bed.line(line);
  assert.equal(sortedLines(ours), sortedLines(reference), what);
}

/** Puts lines in by a command; those that ovs-ofctl itself does not take are left out. */
async function put(command: string, lines: readonly string[], what: string): Promise<void> {
  const left = [...lines];
  for (;;) {
    const input = `${left.join('\n')}\n`;
    const [reference, ours] = await bed.both((face) => face.ofctl(['-O', 'OpenFlow15', command, 'br0', '-'], input));
    assert.equal(ours, reference, what);
    if (reference === '') return;
    const refused = Number(/-:(\d+): /.exec(reference)?.[1] ?? 0);
    assert.ok(refused > 0, `${what}: ${reference}`);
    left.splice(refused - 1, 1);
  }
}

async function load(flows: readonly string[], groups: readonly string[], what: string): Promise<void> {
  for (const line of [
    'ofctl del-flows br0',
    'ofctl -O OpenFlow15 del-groups br0',
    'ofctl -O OpenFlow15 del-meters br0',
  ])
    await bed.line(line);
  await bed.line('ofctl -O OpenFlow15 add-meter br0 meter=1,pktps,stats,bands=type=drop,rate=1000000');
  await put('add-groups', groups, what);
  await put('add-flows', flows, what);
}

async function inject(packets: readonly string[]): Promise<void> {
  for (const port of PORTS) {
    const frames = packets.filter((text) => text.startsWith(`in_port=${port},`)).map((text) => toHex(frameOf(text)));
    for (let at = 0; at < frames.length; at += 16)
      await bed.both((face) => face.inject(`p${port}`, frames.slice(at, at + 16)));
  }
}

const rounds = isNightly ? ROUNDS * NIGHTLY_FACTOR : ROUNDS;

test(`random tables, groups, meters and packets; seed ${seed}`, async () => {
  const start = Date.now();
  for (let round = 0; round < rounds && (isNightly || Date.now() - start < TIME_MAX); round++) {
    const what = `WEFT_SEED=${seed + round}`;
    const random = new Random(seed + round);
    // What only OpenFlow 1.0 can say is left out
    const flows = randomTables(random)
      .map((flow) => withGroup(random, flow))
      .filter((flow) => !/mod_nw|pop_queue/.test(flow));
    await load(flows, randomGroups(random), what);
    const packets = Array.from({ length: PACKETS }, () => randomPacket(random));
    await inject(packets);
    await same('out', `${what}: frames of misses`);
    const [reference, ours] = await bed.line('flows');
    const counts = `${megaflows(ours)} megaflows, where the reference has ${megaflows(reference)}`;
    assert.ok(megaflows(ours) <= megaflows(reference), `${what}: ${counts}:\n${ours}\n${reference}`);
    await inject(packets);
    await same('out', `${what}: frames of megaflows`);
    await same('stats br0', `${what}: statistics`);
    await same('stats br1', `${what}: statistics behind the patch port`);
  }
});
