/** `weft trace`: what a switch of a network in memory would do with a packet, step by step. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { fromHex } from '../lib/bytes.ts';
import { MILLISECOND, SECOND } from '../lib/clock.ts';
import { formatFrame } from '../packet/index.ts';
import { buildNetwork, checkDescription, type Network, type NetworkDescription } from '../sim/index.ts';
import type { TraceReport } from '../vswitchd/types.ts';
import { describeDemo, machines } from './demo/topology.ts';
import { UsageError } from './failure.ts';
import type { Console } from './terminal.ts';

interface TraceOptions {
  readonly network?: string;
  readonly tenants?: boolean;
  readonly at: string;
  readonly bridge?: string;
  readonly cold?: boolean;
  readonly json?: boolean;
}

/** Hosts of which every pair pings, at the most. */
const WARM_HOSTS_MAX = 32;

const HELP = `
The packet is a frame in hexadecimal digits, or flow text as ovs-appctl ofproto/trace takes it:
  weft trace --at hv1:vm1 'icmp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:04,nw_src=10.0.0.1,nw_dst=10.0.0.4'
  weft trace --at hv1:vm1 'ffffffffffff 020000000001 0806 0001080006040001
                           020000000001 0a000001 000000000000 0a000004'

The network is the demo's, or a JSON file:
  { "hosts":    { "a": { "ipv4": "10.0.0.1/24" }, "b": { "ipv4": "10.0.0.2/24" } },
    "switches": { "s1": { "ports": { "p1": { "tag": 10 }, "p2": { "tag": 10 } } } },
    "links":    [ { "a": "a", "b": "s1:p1" }, { "a": "b", "b": "s1:p2", "latency": 50 } ] }
All hosts ping each other first, so that addresses are known; --cold leaves that out.

Exit status: 0, or 2 when the command cannot be carried out.`;

export function traceCommand(console: Console): Command {
  return new Command('trace')
    .description('what a switch would do with a packet, step by step')
    .argument('<packet...>', 'a frame in hexadecimal, or flow text')
    .requiredOption('--at <switch:port>', 'where the packet comes in')
    .option('--network <file>', 'a network as JSON; the demo network when left out')
    .option('--tenants', 'the demo network with two tenants')
    .option('--bridge <name>', 'the bridge that has the port; found by the port when left out')
    .option('--cold', 'no pings before: nothing is learned')
    .option('--json', 'print the trace as JSON')
    .addHelpText('after', HELP)
    .action((packet: string[], options: TraceOptions) => console.setStatus(trace(packet.join(''), options, console)));
}

function trace(packet: string, options: TraceOptions, console: Console): number {
  const net = build(options);
  try {
    if (!options.cold) warm(net);
    const report = traceAt(net, packet, options);
    const frame = frameOf(packet);
    if (options.json) console.out(`${JSON.stringify(report, null, 2)}\n`);
    else console.out(`${frame ? `Frame: ${formatFrame(frame)}\n` : ''}${report.text.trimEnd()}\n`);
    return 0;
  } finally {
    net.close();
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function build(options: TraceOptions): Network {
  const { network } = options;
  if (network === undefined) return buildNetwork(describeDemo(machines(options.tenants ?? false)));
  try {
    const description: NetworkDescription = checkDescription(JSON.parse(readFileSync(network, 'utf8')));
    return buildNetwork(description);
  } catch (error) {
    throw new UsageError(`${network}: ${messageOf(error)}`);
  }
}

function warm(net: Network): void {
  const hosts = [...net.hosts.values()].filter((host) => host.ipv4 !== null).slice(0, WARM_HOSTS_MAX);
  for (const from of hosts)
    for (const to of hosts)
      if (from !== to) {
        from.ping(to.ipv4!);
        net.advance(MILLISECOND);
      }
  net.advance(2 * SECOND);
}

/** Null for what is not hexadecimal. */
function frameOf(packet: string): Uint8Array | null {
  const frame = fromHex(packet.replace(/[\s:]/g, ''));
  return frame && frame.length > 0 ? frame : null;
}

function traceAt(net: Network, packet: string, options: TraceOptions): TraceReport {
  const [name = '', port = ''] = options.at.split(':');
  const place = net.switches.get(name);
  if (!place)
    throw new UsageError(`--at ${options.at}: there is no switch "${name}" (${[...net.switches.keys()].join(', ')})`);
  const bridge = options.bridge ?? place.bridgeOf(port);
  if (bridge === null) throw new UsageError(`--at ${options.at}: ${name} has no port "${port}"`);
  const frame = frameOf(packet);
  try {
    return place.trace(frame ? { frame, inPort: port } : { flow: withPort(packet, port) }, bridge);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

const withPort = (flow: string, port: string): string => (/\bin_port=/.test(flow) ? flow : `in_port=${port},${flow}`);
