import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildEthernet, type VlanTag } from '../../../src/packet/index.ts';
import {
  bytesSource,
  type CaptureRecord,
  fileSink,
  openCapture,
  PcapngWriter,
  PcapWriter,
} from '../../../src/packet/pcap.ts';
import { scratch, weft } from './weft.ts';

interface ReplayJson {
  readonly input: Record<string, unknown>;
  readonly ports: readonly {
    readonly name: string;
    readonly received: number;
    readonly sent: number;
    readonly refused: number;
  }[];
  readonly drops: readonly { readonly reason: string; readonly packets: number; readonly help: string }[];
  readonly datapath: Record<string, number>;
  readonly flows: number;
  readonly conservation: { readonly difference: number };
}

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** An experimental Ethertype. The payload begins with `mark`. */
function frame(src: number, dst: number, mark: number, vlan?: number, size = 46): Uint8Array {
  const tags: VlanTag[] = vlan === undefined ? [] : [{ tpid: 0x8100, tci: vlan }];
  const payload = new Uint8Array(size);
  payload[0] = mark;
  return buildEthernet({ dst: mac(dst), src: mac(src), tags, ethType: 0x88b5 }, payload);
}

interface Packet {
  readonly nanos: number;
  readonly data: Uint8Array;
  readonly originalSize?: number;
}

function writePcap(file: string, packets: readonly Packet[], snapLen = 262144): void {
  const sink = fileSink(file);
  assert.ok(sink.ok);
  const writer = new PcapWriter(sink.value, { resolution: 'nano', snapLen });
  for (const { nanos, data, originalSize } of packets) writer.write(1_700_000_000, nanos, data, originalSize);
  writer.close();
}

function readAll(file: string): CaptureRecord[] {
  const opened = openCapture(bytesSource(readFileSync(file)));
  assert.ok(opened.ok);
  const records: CaptureRecord[] = [];
  for (let record = opened.value.next(); record; record = opened.value.next())
    records.push({ ...record, data: record.data.slice() });
  return records;
}

async function replayJson(...args: readonly string[]): Promise<ReplayJson> {
  const { status, stdout, stderr } = await weft('replay', '--json', ...args);
  assert.equal(status, 0, stderr);
  const report: ReplayJson = JSON.parse(stdout);
  assert.equal(report.conservation.difference, 0);
  return report;
}

const counts = (report: ReplayJson): (string | number)[][] => report.ports.map((p) => [p.name, p.received, p.sent]);

test('learning by source address: the schema of --json, times and bytes of the captures', async (t) => {
  const at = scratch(t);
  const packets = [
    { nanos: 1, data: frame(1, 2, 0xa) },
    { nanos: 1_000_002, data: frame(2, 1, 0xb) },
    { nanos: 2_000_003, data: frame(1, 2, 0xc) },
  ];
  writePcap(at('in.pcap'), packets);
  const report = await replayJson(at('in.pcap'), '--out', at('out'), '--port-map', 'mac', '--port', 'third');
  assert.deepEqual(counts(report), [
    ['third', 0, 1],
    ['mac1', 2, 1],
    ['mac2', 1, 1],
  ]);
  assert.deepEqual(report.input, {
    file: at('in.pcap'),
    format: 'pcap',
    packets: 3,
    bytes: 180,
    snapped: 0,
    unmapped: 0,
    duration: 2000.002,
    problem: null,
  });
  assert.deepEqual(Object.keys(report), ['input', 'ports', 'drops', 'datapath', 'flows', 'conservation']);
  assert.deepEqual(Object.keys(report.ports[0]!), [
    'name',
    'number',
    'file',
    'received',
    'receivedBytes',
    'sent',
    'sentBytes',
    'refused',
  ]);
  assert.equal(report.datapath.rx_packets, 3);
  // The first packet went out before the second port was there
  const third = readAll(at('out/third.pcap'));
  assert.deepEqual([third[0]!.seconds, third[0]!.nanos, third[0]!.data], [1_700_000_000, 1, packets[0]!.data]);
  assert.equal(readAll(at('out/mac1.pcap'))[0]!.nanos, 1_000_002);
  assert.equal(readAll(at('out/mac2.pcap'))[0]!.nanos, 2_000_003);
});

test('ports by VLAN, by address and all others; access ports take the tag off', async (t) => {
  const at = scratch(t);
  writePcap(at('in.pcap'), [
    { nanos: 1, data: frame(1, 9, 1, 10) },
    { nanos: 2, data: frame(2, 9, 2, 20) },
    { nanos: 3, data: frame(3, 9, 3) },
    { nanos: 4, data: frame(4, 9, 4, 10) },
  ]);
  const map = [
    '--port-map',
    'mac:02:00:00:00:00:04=four',
    '--port-map',
    'vlan:10=trunk',
    '--port-map',
    'vlan:20=trunk',
  ];
  const ports = ['--port', 'trunk,trunks=10+20', '--port', 'ten,tag=10', '--port', 'twenty,tag=20'];
  const report = await replayJson(at('in.pcap'), '--out', at('out'), ...map, ...ports, '--port-map', 'vlan:none=ten');
  assert.deepEqual(counts(report), [
    ['trunk', 2, 2],
    ['ten', 1, 2],
    ['twenty', 0, 1],
    ['four', 1, 3],
  ]);
  assert.deepEqual(readAll(at('out/twenty.pcap'))[0]!.data, frame(2, 9, 2));
});

test('pcapng: ports by interface name and number', async (t) => {
  const at = scratch(t);
  const sink = fileSink(at('in.pcapng'));
  assert.ok(sink.ok);
  const writer = new PcapngWriter(sink.value, { interfaces: ['eth0', 'eth1', 'eth2'] });
  for (let i = 0; i < 3; i++) writer.write(5, i, frame(i + 1, 9, i), undefined, i);
  writer.close();
  const rules = ['--port-map', 'if:eth0=left', '--port-map', 'if:1=right'];
  const report = await replayJson(at('in.pcapng'), '--out', at('out'), ...rules);
  assert.deepEqual([report.input.format, report.input.unmapped], ['pcapng', 1]);
  assert.deepEqual(counts(report), [
    ['left', 1, 1],
    ['right', 1, 1],
  ]);
  assert.deepEqual(
    counts(await replayJson(at('in.pcapng'), '--out', at('out'), '--port-map', 'if')).map(([name]) => name),
    ['eth0', 'eth1', 'eth2'],
  );
});

test('flows: what they do not take is dropped with a reason', async (t) => {
  const at = scratch(t);
  writePcap(at('in.pcap'), [
    { nanos: 1, data: frame(1, 2, 1) },
    { nanos: 2, data: frame(1, 3, 2) },
    { nanos: 3, data: frame(1, 4, 3) },
  ]);
  writeFileSync(at('flows'), '# to the third\nin_port(p1),eth(dst=02:00:00:00:00:03), actions:drop\n');
  const flow = 'in_port(p1),eth(dst=02:00:00:00:00:02), actions:push_vlan(vid=5,pcp=0),p2';
  const args = [at('in.pcap'), '--out', at('out'), '--port-map', 'all=p1', '--port', 'p2', '--flow', flow];
  const report = await replayJson(...args, '--flows', at('flows'));
  assert.deepEqual(counts(report), [
    ['p2', 0, 1],
    ['p1', 3, 0],
  ]);
  assert.deepEqual(
    report.drops.map(({ reason, packets }) => [reason, packets]),
    [
      ['upcall_refused', 1],
      ['explicit', 1],
    ],
  );
  assert.deepEqual(readAll(at('out/p2.pcap'))[0]!.data, frame(1, 2, 1, 5));
  const text = (await weft('replay', ...args)).stdout;
  assert.match(text, /upcall_refused +2 +missed/);
});

test('snapped packets are switched at their whole length and written as short as they were', async (t) => {
  const at = scratch(t);
  const whole = frame(1, 2, 7, undefined, 1000);
  writePcap(at('in.pcap'), [{ nanos: 1, data: whole }], 64);
  const report = await replayJson(at('in.pcap'), '--out', at('out'), '--port-map', 'all=p1', '--port', 'p2');
  assert.deepEqual([report.input.snapped, report.input.bytes], [1, 1014]);
  const out = readAll(at('out/p2.pcap'))[0]!;
  assert.deepEqual([out.data, out.originalSize], [whole.subarray(0, 64), 1014]);
});

test('large frames pass, runts are dropped with a reason', async (t) => {
  const at = scratch(t);
  writePcap(at('in.pcap'), [
    { nanos: 1, data: frame(1, 2, 7, undefined, 60_000) },
    { nanos: 2, data: new Uint8Array(10) },
  ]);
  const report = await replayJson(at('in.pcap'), '--out', at('out'), '--port-map', 'all=p1', '--port', 'p2');
  assert.deepEqual(
    counts(report),
    [
      ['p1', 2, 0],
      ['p2', 0, 1],
    ].reverse(),
  );
  assert.deepEqual(
    report.drops.map(({ reason, packets }) => [reason, packets]),
    [['rx_runt', 1]],
  );
});

test('a capture that is cut short: a warning; one that is damaged: status 1; both give what was whole', async (t) => {
  const at = scratch(t);
  writePcap(at('in.pcap'), [
    { nanos: 1, data: frame(1, 2, 1) },
    { nanos: 2, data: frame(2, 1, 2) },
  ]);
  const bytes = readFileSync(at('in.pcap'));
  writeFileSync(at('cut.pcap'), bytes.subarray(0, bytes.length - 5));
  const cut = await weft('replay', at('cut.pcap'), '--out', at('out'), '--json');
  assert.equal(cut.status, 0);
  assert.match(cut.stderr, /cut\.pcap: /);
  assert.equal((JSON.parse(cut.stdout) as ReplayJson).input.packets, 1);
  const damaged = Buffer.from(bytes);
  damaged.writeUInt32LE(0xffffffff, 24 + 16 + 60 + 8);
  writeFileSync(at('bad.pcap'), damaged);
  assert.equal((await weft('replay', at('bad.pcap'), '--out', at('out'))).status, 1);
});

test('what cannot be carried out is told in one line, with status 2', async (t) => {
  const at = scratch(t);
  writePcap(at('in.pcap'), []);
  writeFileSync(at('text'), 'this is no capture');
  writeFileSync(at('empty'), '');
  const out = ['--out', at('out')];
  for (const [args, message] of [
    [[at('none.pcap'), ...out], /cannot read .*none\.pcap: ENOENT/],
    [[at('.'), ...out], /cannot read .*EISDIR/],
    [[at('text'), ...out], /text: not a capture/],
    [[at('empty'), ...out], /empty: the file is empty/],
    [[at('in.pcap'), '--out', at('.'), '--port-map', 'all=in'], /in\.pcap is the capture that is read/],
    [[at('in.pcap')], /required option '--out <dir>'/],
    [[at('in.pcap'), '--out', at('text')], /cannot write/],
    [[at('in.pcap'), ...out, '--port-map', 'p1'], /port map "p1": no "=PORT"/],
    [[at('in.pcap'), ...out, '--port-map', 'vlan:5000=p1'], /not a VLAN: "5000"/],
    [[at('in.pcap'), ...out, '--port-map', 'vlan:=p1'], /not a VLAN: ""/],
    [[at('in.pcap'), ...out, '--port-map', 'mac:xx=p1'], /not a MAC address: "xx"/],
    [[at('in.pcap'), ...out, '--port-map', 'ip:1=p1'], /rules are all=PORT/],
    [[at('in.pcap'), ...out, '--port-map', 'ip'], /port map "ip": no "=PORT", and neither mac, vlan nor if/],
    [[at('in.pcap'), ...out, '--port-map', 'all=../x'], /not a port name/],
    [[at('in.pcap'), ...out, '--port', 'p,tag=x'], /not a VLAN: "x"/],
    [[at('in.pcap'), ...out, '--port', 'p,what=1'], /what is "what=1"/],
    [[at('in.pcap'), ...out, '--flow', 'nonsense'], /flow "nonsense": /],
    [[at('in.pcap'), ...out, '--flow', 'in_port(px),eth(), actions:1'], /px/],
    [
      [at('in.pcap'), ...out, '--port', 'p,tag=1', '--flow', 'in_port(1),eth(), actions:1'],
      /VLAN settings are for NORMAL/,
    ],
    [[at('in.pcap'), ...out, '--flows', at('none')], /cannot read .*none/],
  ] as const) {
    const { status, stderr } = await weft('replay', ...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /^\s+at /m, 'a stack');
  }
});
