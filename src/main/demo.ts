/** `weft demo`: two hypervisors, two virtual machines on each, VXLAN between them; once as one network, once as two. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseIpv4, parseMac } from '../lib/addresses.ts';
import { SECOND } from '../lib/clock.ts';
import { buildEthernet, buildIcmp, buildIpv4, ETH_TYPE, ICMP, IP_PROTO } from '../packet/index.ts';
import { fileSink } from '../packet/pcap.ts';
import { buildNetwork, type Network } from '../sim/index.ts';
import { pingAll } from './demo/pings.ts';
import { type CaseReport, type DemoReport, reportCase, summarize } from './demo/report.ts';
import { drawCounters, drawDrops, drawMatrix, drawTopology, drawWalk } from './demo/show.ts';
import { describeDemo, machines, type Vm } from './demo/topology.ts';
import { type Hop, walk } from './demo/walk.ts';
import { demoReal } from './demo-real/demo-real.ts';
import { UsageError } from './failure.ts';
import type { Console, Paint } from './terminal.ts';

interface DemoOptions {
  readonly seed: string;
  readonly json?: boolean;
  readonly pcap?: string;
  readonly backend?: string;
}

const HELP = `
The network lives in memory, on a virtual clock: no root, no interfaces, the same bytes for the same seed. With --backend
it is made of network namespaces, veth pairs or TAP devices, and a "weft run" a hypervisor; all of it is removed at the end.
Exit status: 0 when all is reachable that should be, and nothing else; 1 when not; 2 for a wrong option.`;

export function demoCommand(console: Console): Command {
  return new Command('demo')
    .description('two hypervisors, four virtual machines, a VXLAN tunnel, two tenants: in memory')
    .option('--seed <number>', 'what chance depends on', '1')
    .option('--json', 'print the findings as JSON')
    .option('--pcap <dir>', 'write a capture of every port into this folder')
    .option('--backend <name>', 'real interfaces, by afxdp, tap or packet: makes network namespaces, and needs root')
    .addHelpText('after', HELP)
    .action(async (options: DemoOptions) => console.setStatus(await choose(options, console)));
}

function choose(options: DemoOptions, console: Console): number | Promise<number> {
  if (options.backend === undefined || options.backend === 'memory') return demo(options, console);
  if (options.pcap !== undefined) throw new UsageError('--pcap is for the demo in memory');
  return demoReal(options.backend, options.json === true, console);
}

function demo(options: DemoOptions, console: Console): number {
  const seed = Number(options.seed);
  if (options.seed.trim() === '' || !Number.isInteger(seed)) throw new UsageError(`not a seed: "${options.seed}"`);
  const one = runCase('one network', machines(false), seed, options.pcap, 'one-network');
  const two = runCase('two tenants', machines(true), seed, options.pcap, 'two-tenants');
  const report = summarize(seed, one.report, two.report, one.hops);
  console.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, console.paint));
  return report.ok ? 0 : 1;
}

/** Captures of every port go into one folder a case. */
function startCapture(net: Network, dir: string): string[] {
  const files: string[] = [];
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot write to ${dir}: ${error instanceof Error ? error.message : String(error)}`);
  }
  net.capture((port) => {
    const file = join(dir, `${port.replace(':', '-')}.pcap`);
    const sink = fileSink(file);
    if (!sink.ok) throw new UsageError(`cannot write ${file}: ${sink.error}`);
    files.push(file);
    return sink.value;
  });
  return files;
}

function runCase(
  name: CaseReport['name'],
  vms: readonly Vm[],
  seed: number,
  pcap: string | undefined,
  folder: string,
): { report: CaseReport; hops: Hop[] } {
  const net = buildNetwork(describeDemo(vms), seed);
  const captures = pcap === undefined ? [] : startCapture(net, join(pcap, folder));
  const pairs = pingAll(net, vms);
  const hops = name === 'one network' ? walk(net, vms[0]!, vms[3]!) : [];
  if (name === 'two tenants') intrude(net, vms[1]!, vms[0]!);
  const report = reportCase(name, net, vms, pairs, captures);
  net.close();
  return { report, hops };
}

/** A machine tries to get into the other tenant's network with a tag of its own: the access port must not let it in. */
function intrude(net: Network, from: Vm, to: Vm): void {
  const [dst, src] = [parseMac(net.host(to.name).mac)!, parseMac(net.host(from.name).mac)!];
  const tags = [{ tpid: ETH_TYPE.VLAN, tci: to.tag ?? 0 }];
  const echo = buildIcmp({ type: ICMP.ECHO_REQUEST, code: 0, rest: 1 }, new Uint8Array(56));
  const addresses = { src: parseIpv4(from.ipv4)!, dst: parseIpv4(to.ipv4)! };
  const flags = { tos: 0, id: 1, dontFragment: true, moreFragments: false, fragmentOffset: 0, ttl: 64 };
  const packet = buildIpv4({ ...flags, ...addresses, protocol: IP_PROTO.ICMP, options: new Uint8Array() }, echo);
  net.host(from.name).sendFrame(buildEthernet({ dst, src, tags, ethType: ETH_TYPE.IPV4 }, packet));
  net.advance(SECOND);
}

function textOf(report: DemoReport, paint: Paint): string {
  const [one, two] = report.cases as readonly [CaseReport, CaseReport];
  const heading = (text: string): string => `\n${paint('bold', text)}\n`;
  const captures = [...one.captures, ...two.captures];
  const verdict = (text: string): string => paint(report.ok ? 'green' : 'red', text);
  const lines = [
    `${paint('bold', 'Weft')}: two hypervisors and a tunnel, in memory (seed ${report.seed})\n`,
    drawTopology(paint, one.vms),
    heading('1. One network: every machine pings every other'),
    drawMatrix(paint, one),
    heading('One packet, hop by hop: an echo request from vm1 to vm4'),
    drawWalk(paint, report.walk),
    heading('What went over the ports'),
    drawCounters(paint, one.hypervisors),
    heading('What was dropped, and why'),
    drawDrops(paint, one.drops),
    heading('2. Two tenants on the same hypervisors, kept apart by VLAN'),
    drawTopology(paint, two.vms),
    '',
    drawMatrix(paint, two),
    '\n    Then vm2 sends vm1 a frame with the other tenant’s VLAN tag on it.',
    heading('What was dropped, and why'),
    drawDrops(paint, two.drops),
    '',
    ...captures.map((file) => `wrote ${file}`),
    `digest of every frame: ${paint('dim', `${one.digest.slice(0, 16)} ${two.digest.slice(0, 16)}`)}`,
    `frames unaccounted for: ${one.difference + two.difference}`,
    `reachable within a tenant: ${report.sameTenant}`,
    verdict(`reachable: ${report.reachable}`),
    verdict(`isolated: ${report.isolated}`),
  ];
  return `${lines.join('\n')}\n`;
}
