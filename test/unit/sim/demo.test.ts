import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesSource, openCapture } from '../../../src/packet/pcap.ts';
import { scratch, spawnWeft, weft } from './weft.ts';

interface DemoJson {
  readonly seed: number;
  readonly ok: boolean;
  readonly reachable: string;
  readonly isolated: string;
  readonly sameTenant: string;
  readonly walk: readonly { readonly at: string; readonly decisions: readonly { readonly actions: string }[] }[];
  readonly cases: readonly {
    readonly digest: string;
    readonly difference: number;
    readonly pairs: readonly { readonly ipv4Micros: number | null; readonly ipv6Micros: number | null }[];
    readonly drops: readonly { readonly reason: string; readonly packets: number }[];
    readonly captures: readonly string[];
  }[];
}

test('the demo ends with its two lines', async () => {
  const { status, stdout, stderr } = spawnWeft('demo');
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.deepEqual(stdout.trimEnd().split('\n').slice(-2), ['reachable: 12/12', 'isolated: 8/8']);
  for (const part of ['VNI 100', 'tnl_push', 'tnl_pop', 'vlan_tagged_access', 'frames unaccounted for: 0'])
    assert.ok(stdout.includes(part), `no ${part} in:\n${stdout}`);
  assert.ok(!stdout.includes('\x1b'), 'colour without a terminal');
});

test('--json: every pair, every hop, every drop, and the same digests for the same seed', async () => {
  const run = async (seed: string): Promise<DemoJson> =>
    JSON.parse((await weft('demo', '--json', '--seed', seed)).stdout);
  const first = await run('7');
  assert.deepEqual(
    [first.seed, first.ok, first.reachable, first.isolated, first.sameTenant],
    [7, true, '12/12', '8/8', '4/4'],
  );
  const [one, two] = first.cases;
  assert.equal(one!.pairs.length, 12);
  assert.ok(one!.pairs.every((pair) => pair.ipv4Micros! > 0 && pair.ipv6Micros! > 0));
  assert.deepEqual(
    two!.drops.map(({ reason, packets }) => [reason, packets]),
    [['vlan_tagged_access', 1]],
  );
  assert.deepEqual(
    first.walk.map((hop) => hop.at),
    ['vm1', 'hv1:vm1', 'hv1:eth0', 'hv2:eth0', 'hv2:vm4', 'vm4'],
  );
  const decided = first.walk.flatMap((hop) => hop.decisions.map((decision) => decision.actions));
  assert.equal(decided.length, 3);
  assert.match(decided[0]!, /tnl_push\(.*vxlan\(.*vni=0x64\)/);
  assert.match(decided[1]!, /^tnl_pop\(\d+\)$/);
  assert.match(decided[2]!, /^\d+$/);
  assert.deepEqual(
    (await run('7')).cases.map((c) => c.digest),
    first.cases.map((c) => c.digest),
  );
});

test('--pcap writes a capture of every port', async (t) => {
  const at = scratch(t);
  const { status, stdout } = await weft('demo', '--pcap', at('pcap'), '--json');
  assert.equal(status, 0);
  const names = ['hv1-eth0', 'hv1-vm1', 'hv1-vm2', 'hv2-eth0', 'hv2-vm3', 'hv2-vm4', 'vm1', 'vm2', 'vm3', 'vm4'];
  for (const folder of ['one-network', 'two-tenants'])
    assert.deepEqual(
      readdirSync(at(`pcap/${folder}`)).sort(),
      names.map((name) => `${name}.pcap`),
    );
  assert.equal((JSON.parse(stdout) as DemoJson).cases[0]!.captures.length, 10);
  const opened = openCapture(bytesSource(readFileSync(at('pcap/one-network/hv1-eth0.pcap'))));
  assert.ok(opened.ok);
  let count = 0;
  while (opened.value.next()) count++;
  assert.ok(count > 50 && opened.value.problem === null, `${count} records`);
});

test('wrong options are told, with status 2', async (t) => {
  const at = scratch(t);
  writeFileSync(at('file'), '');
  for (const [args, message] of [
    [['demo', '--seed', 'x'], /not a seed: "x"/],
    [['demo', '--bogus'], /unknown option '--bogus'/],
    [['demo', '--pcap', at('file')], /cannot write to/],
    [['nonsense'], /unknown command 'nonsense'/],
  ] as const) {
    const { status, stderr } = await weft(...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m, 'a stack');
  }
  assert.equal((await weft('--help')).status, 0);
  assert.equal(spawnWeft('demo', '--seed', 'x').status, 2);
});

test('trace: a frame and flow text on the demo network', async () => {
  const flow = 'icmp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:04,nw_src=10.0.0.1,nw_dst=10.0.0.4,icmp_type=8';
  const traced = await weft('trace', '--at', 'hv1:vm1', flow);
  assert.equal(traced.status, 0, traced.stderr);
  assert.match(traced.stdout, /Datapath actions: .*tnl_push/);
  const arp = 'ffffffffffff02000000000108060001080006040001020000000001 0a0000010000000000000a000004';
  const report = JSON.parse((await weft('trace', '--at', 'hv1:vm1', '--json', '--cold', arp)).stdout);
  assert.match(report.flow, /^arp,/);
  assert.equal(report.drop, 'none');
});

test('trace: a network from a file, and everything that can be wrong with it', async (t) => {
  const at = scratch(t);
  const net = {
    hosts: { a: { ipv4: '10.0.0.1/24' }, b: { ipv4: '10.0.0.2/24' } },
    switches: { s1: { ports: { p1: { tag: 10 }, p2: { tag: 20 } } } },
    links: [
      { a: 'a', b: 's1:p1' },
      { a: 'b', b: 's1:p2' },
    ],
  };
  writeFileSync(at('net.json'), JSON.stringify(net));
  writeFileSync(at('bad.json'), '{"hosts":{"a":{"ip":1}}}');
  writeFileSync(at('worse.json'), '{');
  const traced = await weft(
    'trace',
    '--network',
    at('net.json'),
    '--at',
    's1:p1',
    '020000000002020000000001810000140800',
  );
  assert.equal(traced.status, 0, traced.stderr);
  assert.match(traced.stdout, /drop/);
  for (const [args, message] of [
    [['--network', at('none.json'), '--at', 's1:p1', 'ip'], /ENOENT/],
    [['--network', at('bad.json'), '--at', 's1:p1', 'ip'], /hosts\.a\.ip is not known/],
    [['--network', at('worse.json'), '--at', 's1:p1', 'ip'], /JSON/],
    [['--network', at('net.json'), '--at', 's9:p1', 'ip'], /no switch "s9"/],
    [['--network', at('net.json'), '--at', 's1:p9', 'ip'], /no port "p9"/],
    [['--network', at('net.json'), '--at', 's1:p1', 'nonsense=1'], /nonsense/],
  ] as const) {
    const { status, stderr } = await weft('trace', ...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
  }
});
