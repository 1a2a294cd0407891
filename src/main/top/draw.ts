/** The picture of `weft top`. */
import type { PortStatus, RunStatus } from '../run/status.ts';
import { type Paint, type Style, table } from '../terminal.ts';

const stateStyle: Readonly<Record<PortStatus['state'], Style>> = { up: 'green', down: 'red', waiting: 'yellow' };
const DROPS_MAX = 12;

/** 1234567 → 1.2M. */
export function short(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let left = value;
  let unit = 0;
  while (left >= 999.5 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return unit === 0 ? left.toFixed(0) : `${left.toFixed(left < 9.95 ? 1 : 0)}${units[unit]}`;
}

const duration = (seconds: number): string => {
  const [days, rest] = [Math.floor(seconds / 86_400), Math.floor(seconds % 86_400)];
  const clock = [rest / 3600, (rest / 60) % 60, rest % 60]
    .map((part) => `${Math.floor(part)}`.padStart(2, '0'))
    .join(':');
  return days > 0 ? `${days} d ${clock}` : clock;
};

const deviceDrops = ({ counters, device }: PortStatus): number =>
  counters.rxDropped +
  counters.txDropped +
  (device ? device.rxDropped + device.txDropped + device.rxErrors + device.txErrors : 0);

/** Totals, or what came since the picture before, a second. */
function portRow(paint: Paint, port: PortStatus, before: PortStatus | undefined, seconds: number | null): string[] {
  const { counters } = port;
  const value = (name: 'rxPackets' | 'rxBytes' | 'txPackets' | 'txBytes', factor: number): string => {
    if (seconds === null) return short(counters[name] * (factor === 8 ? 1 : factor));
    return short((Math.max(0, counters[name] - (before?.counters[name] ?? 0)) * factor) / seconds);
  };
  return [
    port.bridge,
    port.name,
    `${port.ofport ?? '-'}`,
    paint(stateStyle[port.state], port.state),
    value('rxPackets', 1),
    value('rxBytes', 8),
    value('txPackets', 1),
    value('txBytes', 8),
    short(deviceDrops(port)),
    port.error ?? port.target + (port.mode === null ? '' : ` (${port.mode})`),
  ];
}

/** Workers in threads: totals, or what came since the picture before, a second. */
function workerLines(paint: Paint, status: RunStatus, last: RunStatus | null, seconds: number | null): string[] {
  if (status.workers.length === 0) return [];
  const head = ['worker', 'CPU', 'ports', 'packets', 'handed over', 'misses', 'deaths'].map((text) =>
    paint('bold', text),
  );
  const rows = status.workers.map((worker, i) => {
    const value = (name: 'rxPackets' | 'handedOver' | 'misses'): string => {
      const before = seconds === null ? 0 : (last?.workers[i]?.[name] ?? 0);
      return short(Math.max(0, worker[name] - before) / (seconds ?? 1));
    };
    const { index, cpu, ports, deaths } = worker;
    const counts = [value('rxPackets'), value('handedOver'), value('misses')];
    return [`${index}`, cpu === null ? 'any' : `${cpu}`, `${ports}`, ...counts, `${deaths}`];
  });
  return ['', table([head, ...rows], 0)];
}

/** @param last the picture before, for rates; null for totals */
export function drawTop(paint: Paint, status: RunStatus, last: RunStatus | null): string {
  const seconds = last && status.uptime > last.uptime ? status.uptime - last.uptime : null;
  const before = new Map(last?.ports.map((port) => [port.name, port]));
  const cpu = last && seconds !== null ? (status.cpu - last.cpu) / seconds : status.cpu / status.uptime;
  const unit = seconds === null ? ['packets', 'bytes'] : ['packets/s', 'bit/s'];
  const head = [
    'bridge',
    'port',
    'no',
    'state',
    ...unit.map((u) => `in ${u}`),
    ...unit.map((u) => `out ${u}`),
    'lost',
    '',
  ];
  const rows = status.ports.map((port) => portRow(paint, port, before.get(port.name), seconds));
  const { cache_hits: cache = 0, megaflow_hits: megaflow = 0, misses = 0 } = status.worker;
  const drops = Object.entries(status.drops).sort(([, a], [, b]) => b - a);
  const lines = [
    `${paint('bold', 'weft')} ${status.pid} · ${status.file ?? 'database'} · up ${duration(status.uptime)} · ` +
      `CPU ${(cpu / 10_000).toFixed(1)} % · ${short(status.memory)}B`,
    `${status.flows} megaflows · ${short(cache)} cache hits · ${short(megaflow)} megaflow hits · ${short(misses)} misses`,
    ...status.bridges
      .filter(({ error }) => error !== null)
      .map(({ name, error }) => paint('yellow', `${name}: ${error}`)),
    '',
    table([head.map((text) => paint('bold', text)), ...rows], 0),
    ...workerLines(paint, status, last, seconds),
    '',
    drops.length === 0 ? 'nothing was dropped' : paint('bold', 'dropped'),
    ...drops.slice(0, DROPS_MAX).map(([reason, count]) => `  ${reason.padEnd(28)} ${count}`),
  ];
  return `${lines.join('\n')}\n`;
}
