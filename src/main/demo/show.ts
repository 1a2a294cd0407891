/** The demo's text. */
import type { Micros } from '../../lib/clock.ts';
import { formatRoundTrip } from '../../sim/index.ts';
import { type Paint, type Style, table } from '../terminal.ts';
import type { PairResult } from './pings.ts';
import type { CaseReport, DropRow, HypervisorReport } from './report.ts';
import { TENANTS, UNDERLAY, type Vm, VNI } from './topology.ts';
import type { Hop } from './walk.ts';

const BOX_WIDTH = 31;
const GAP = 13;

const center = (text: string, width: number): string => {
  const left = Math.floor((width - text.length) / 2);
  return ' '.repeat(left) + text + ' '.repeat(width - text.length - left);
};

const tenantStyle = (vm: Vm): Style => (vm.tag === null ? 'cyan' : vm.tag === 10 ? 'red' : 'blue');

/** One line of both boxes, the link between them when it is that line. */
const boxLine = (paint: Paint, left: string, right: string, isWire = false): string => {
  const wire = isWire ? paint('yellow', '═'.repeat(GAP)) : ' '.repeat(GAP);
  const [open, close] = isWire ? [paint('yellow', '╪'), paint('yellow', '╪')] : ['│', '│'];
  return `  │${left}${open}${wire}${close}${right}│`;
};

/** Two hypervisors with their machines, and the tunnel between them. */
export function drawTopology(paint: Paint, vms: readonly Vm[]): string {
  const edge = '─'.repeat(BOX_WIDTH);
  const gap = ' '.repeat(GAP);
  const of = (name: string): readonly Vm[] => vms.filter((vm) => vm.hypervisor === name);
  const half = Math.floor(BOX_WIDTH / 2);
  const cells = (name: string, text: (vm: Vm) => string): string =>
    of(name)
      .map((vm, i) => paint(tenantStyle(vm), center(text(vm), i === 0 ? half : BOX_WIDTH - half)))
      .join('');
  const both = (text: (vm: Vm) => string): string => boxLine(paint, cells('hv1', text), cells('hv2', text));
  const same = (left: string, right = left, isWire = false): string =>
    boxLine(paint, paint('dim', center(left, BOX_WIDTH)), paint('dim', center(right, BOX_WIDTH)), isWire);
  return [
    `  ┌${edge}┐${gap}┌${edge}┐`,
    boxLine(paint, paint('bold', center('hv1', BOX_WIDTH)), paint('bold', center('hv2', BOX_WIDTH))),
    both((vm) => vm.name),
    both((vm) => vm.ipv4),
    ...(vms.some((vm) => vm.tag !== null) ? [both((vm) => `${TENANTS[vm.tag ?? 0]} · VLAN ${vm.tag}`)] : []),
    both(() => '│'),
    same('br-int ─────────── vxlan0', `vxlan0 (VNI ${VNI}) ─── br-int`),
    same(`br-phy ${UNDERLAY.hv1} ─ eth0 ──`, `── eth0 ─ ${UNDERLAY.hv2} br-phy`, true),
    `  └${edge}┘${gap}└${edge}┘`,
  ].join('\n');
}

const shortTime = (time: Micros): string => `${time.toFixed(0)} µs`;

function cell(paint: Paint, pair: PairResult | undefined): string {
  if (!pair) return paint('dim', '·');
  if (!pair.isReachable) return pair.isSameTenant ? paint('red', 'LOST') : paint('yellow', '—');
  const text = pair.ipv4Micros === null ? 'yes' : shortTime(pair.ipv4Micros);
  return pair.isSameTenant ? paint('green', text) : paint('red', `LEAK ${text}`);
}

/** Who reaches whom, and how fast: rows ping columns. */
export function drawMatrix(paint: Paint, { vms, pairs }: Pick<CaseReport, 'vms' | 'pairs'>): string {
  const find = (from: string, to: string): PairResult | undefined =>
    pairs.find((pair) => pair.from === from && pair.to === to);
  const name = (vm: Vm): string => paint(tenantStyle(vm), vm.name);
  return table(
    [
      [paint('dim', 'from ↓ to →'), ...vms.map(name)],
      ...vms.map((from) => [name(from), ...vms.map((to) => cell(paint, find(from.name, to.name)))]),
    ],
    4,
  );
}

/** Lines of a trace that say where the packet went; the rest is shown beside it. */
const course = (trace: string): string =>
  trace
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(-+$|Flow:|Final flow:|Megaflow:|Datapath actions:)/.test(line))
    .join('\n');

/** Actions one below the other where there are many. */
const breakActions = (actions: string, by: number): string =>
  actions.replace(/,(?=header\(|eth\(|ipv4\(|out_port\()/g, `,\n${' '.repeat(by)}`);

const indent = (text: string, by: number): string =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `${' '.repeat(by)}${line}`)
    .join('\n');

/** Port, time, frame; then what the switch decided there. */
export function drawWalk(paint: Paint, hops: readonly Hop[]): string {
  const lines: string[] = [];
  for (const [i, hop] of hops.entries()) {
    const arrow = hop.direction === 'rx' ? paint('green', '→ in ') : paint('magenta', '← out');
    lines.push(
      `  ${arrow} ${paint('bold', hop.at.padEnd(8))} ${paint('dim', `+${formatRoundTrip(hop.time)}, ${hop.size} bytes`)}`,
    );
    if (hop.frame !== hops[i - 1]?.frame) lines.push(`        ${hop.frame.replace(' | VXLAN', '\n          | VXLAN')}`);
    for (const { title, megaflow, actions, trace } of hop.decisions) {
      lines.push(`        ${paint('cyan', title)}`);
      lines.push(paint('dim', indent(course(trace), 10)));
      lines.push(`          ${paint('cyan', 'megaflow')}  ${megaflow}`);
      lines.push(`          ${paint('cyan', 'actions')}   ${paint('bold', breakActions(actions, 22))}`);
    }
  }
  return lines.join('\n');
}

export function drawCounters(paint: Paint, hypervisors: readonly HypervisorReport[]): string {
  const head = ['', 'port', 'in', 'out', 'in bytes', 'out bytes'].map((text) => paint('bold', text));
  const rows = hypervisors.flatMap(({ name, ports }) =>
    ports.map((port, i) => [
      i === 0 ? name : '',
      port.name,
      port.rxPackets,
      port.txPackets,
      port.rxBytes,
      port.txBytes,
    ]),
  );
  const datapath = hypervisors.map(({ name, cacheHits, megaflowHits, misses, flows }) => {
    const hits = `${cacheHits} cache hits, ${megaflowHits} megaflow hits, ${misses} misses`;
    return `    ${name}: ${hits}, ${flows} megaflows`;
  });
  return [table([head, ...rows], 4), '', ...datapath].join('\n');
}

export function drawDrops(paint: Paint, drops: readonly DropRow[]): string {
  if (drops.length === 0) return '    nothing was dropped';
  return table(
    drops.map(({ reason, packets, help }) => [paint('yellow', reason), packets, paint('dim', help)]),
    4,
  );
}
