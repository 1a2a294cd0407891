/** `weft replay`: a capture goes through a switch; out come a capture a port, counters, and why packets were dropped. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type DropReasonName, dropReasons } from '../gen/tables.ts';
import type { CaptureProblem, CaptureReader } from '../packet/pcap.ts';
import { UsageError } from './failure.ts';
import { type Engine, FlowEngine, FRAME_SIZE_MAX, SwitchEngine } from './replay/engine.ts';
import { EACH_PORTS_MAX, parsePortMap } from './replay/port-map.ts';
import { parsePortSpec } from './replay/ports.ts';
import { openInput, Replay, type ReplayPort, type ReplayTotals } from './replay/run.ts';
import { type Console, type Paint, table } from './terminal.ts';

interface ReplayOptions {
  readonly portMap?: readonly string[];
  readonly port?: readonly string[];
  readonly flow?: readonly string[];
  readonly flows?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** What `--json` prints. */
interface ReplayReport {
  readonly input: ReplayTotals & {
    readonly file: string;
    readonly format: string;
    /** Why reading stopped early; null when it did not. */
    readonly problem: CaptureProblem | null;
  };
  readonly ports: readonly ReplayPort[];
  /** Reasons that happened. */
  readonly drops: readonly { readonly reason: string; readonly packets: number; readonly help: string }[];
  /** Counters of the datapath. */
  readonly datapath: Readonly<Record<string, number>>;
  /** Megaflows at the end. */
  readonly flows: number;
  readonly conservation: { readonly difference: number };
}

const HELP = `
Port map: which port a packet comes in by. Rules are tried in the order given; the first that fits decides.
  all=PORT         every packet
  mac:MAC=PORT     source address
  vlan:ID=PORT     VLAN of the outermost tag; vlan:none=PORT for packets without one
  if:NAME=PORT     interface of a pcapng capture, by name or by number from 0
  mac              a port of its own for each source address: mac1, mac2 … (the default)
  vlan             a port for each VLAN: vlan10, untagged …
  if               a port for each interface
  At most ${EACH_PORTS_MAX} ports come of one such rule. Packets that no rule takes are counted and left out.

Flows: datapath flows in text form, ports by name or by number (in the order of --port, then of --port-map):
  in_port(p1),eth_type(0x0800),ipv4(dst=10.0.0.0/255.0.0.0), actions:p2
  Without --flow and --flows the switch learns addresses and keeps VLANs apart, as OpenFlow's NORMAL does.

Examples:
  weft replay in.pcap --out out
  weft replay in.pcapng --port-map if:eth0=left --port-map if:eth1=right --out out --json
  weft replay in.pcap --port-map all=p1 --port p2 --flow 'in_port(p1),eth() actions:p2' --out out

Exit status: 0, 1 when the capture is damaged or the counts do not add up, 2 when the command cannot be carried out.`;

const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

export function replayCommand(console: Console): Command {
  return new Command('replay')
    .description('send a capture (pcap or pcapng) through a switch')
    .argument('<capture>', 'the file to read')
    .option('--port-map <rule>', 'which port packets come in by; see below; may be repeated', collect)
    .option('--port <spec>', 'a port: NAME[,tag=N][,trunks=N+N][,mode=MODE]; may be repeated', collect)
    .option('--flow <text>', 'a datapath flow; may be repeated', collect)
    .option('--flows <file>', 'datapath flows from a file, one a line; # starts a comment')
    .requiredOption('--out <dir>', 'folder for the captures, one a port')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', HELP)
    .action((capture: string, options: ReplayOptions) => console.setStatus(replay(capture, options, console)));
}

function replay(file: string, options: ReplayOptions, console: Console): number {
  const { portMap = ['mac'], port = [], flow = [] } = options;
  const flows = [...flow, ...(options.flows === undefined ? [] : readFlows(options.flows))];
  const isNormal = flow.length === 0 && options.flows === undefined;
  const map = parsePortMap(portMap);
  const specs = port.map(parsePortSpec);
  const input = openInput(file);
  try {
    const flowEngine = isNormal ? null : new FlowEngine();
    const engine = flowEngine ?? new SwitchEngine();
    const run = new Replay(engine, file, options.out);
    for (const spec of specs) run.addPort(spec);
    for (const name of map.names) run.addPort({ name, vlan: {} });
    for (const text of flows) flowEngine?.addFlow(text);
    run.run(input.reader, map);
    const report = reportOf(file, input.reader, run, engine);
    run.close();
    console.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, console.paint));
    if (report.input.problem) console.err(`weft: ${file}: ${report.input.problem.message}\n`);
    return report.input.problem?.severity === 'error' || report.conservation.difference !== 0 ? 1 : 0;
  } finally {
    input.close();
  }
}

function readFlows(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return text
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

function reportOf(file: string, reader: CaptureReader, run: Replay, engine: Engine): ReplayReport {
  const drops = engine.drops();
  return {
    input: { file, format: reader.format, ...run.totals, problem: reader.problem },
    ports: run.ports,
    drops: dropReasons
      .map(({ name, help }) => ({ reason: name, packets: drops[name as DropReasonName] ?? 0, help }))
      .filter(({ reason, packets }) => reason !== 'none' && packets > 0),
    datapath: engine.counters(),
    flows: engine.flowCount(),
    conservation: { difference: engine.difference() },
  };
}

function textOf(report: ReplayReport, paint: Paint): string {
  const { input, ports, drops } = report;
  const seconds = (input.duration / 1e6).toFixed(6);
  const refused = ports.reduce((sum, port) => sum + port.refused, 0);
  const lines = [
    `${paint('bold', input.file)}: ${input.format}, ${input.packets} packets, ${input.bytes} bytes, ${seconds} s`,
    ...(input.snapped > 0 ? [`${input.snapped} packets are snapped: switched at their whole length`] : []),
    ...(input.unmapped > 0 ? [`${input.unmapped} packets fit no rule of the port map`] : []),
    ...(refused > 0 ? [`${refused} packets are longer than the switch takes (${FRAME_SIZE_MAX} bytes)`] : []),
    '',
    table([
      ['port', 'number', 'in', 'out', 'refused', 'capture'].map((head) => paint('bold', head)),
      ...ports.map((port) => [port.name, port.number, port.received, port.sent, port.refused, port.file]),
    ]),
    '',
    drops.length === 0 ? 'nothing was dropped' : paint('bold', 'dropped'),
    table(drops.map(({ reason, packets, help }) => [paint('yellow', reason), packets, help])),
    '',
    `${report.flows} megaflows, ${report.datapath.misses ?? 0} misses`,
  ];
  return `${lines.join('\n').replace(/\n{3,}/g, '\n\n')}\n`;
}
