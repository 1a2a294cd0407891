/** `packets:3, bytes:180, used:0.004s, flags:SR.`: what a flow has seen. */
import type { Scanner } from './scanner.ts';

export interface FlowStats {
  readonly packets: number;
  readonly bytes: number;
  /** Milliseconds since the last packet; null for never. */
  readonly idleMs: number | null;
  /** All TCP flags seen (RFC 9293 §3.1). */
  readonly tcpFlags: number;
}

export const noStats: FlowStats = { packets: 0, bytes: 0, idleMs: null, tcpFlags: 0 };

/** One letter a flag, as tcpdump writes them: the value's lowest bit is F. */
const letters = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'C', 'N'];

function formatTcpFlagLetters(flags: number): string {
  const known = letters.filter((_, bit) => (flags & (1 << bit)) !== 0).join('');
  const unknown = flags & 0xe00;
  return `${known}${unknown === 0 ? '' : `[${unknown.toString(16)}]`}`;
}

export function formatStats(stats: FlowStats): string {
  const used = stats.idleMs === null ? 'never' : `${(stats.idleMs / 1000).toFixed(3)}s`;
  const flags = stats.tcpFlags === 0 ? '' : `, flags:${formatTcpFlagLetters(stats.tcpFlags)}`;
  return `packets:${stats.packets}, bytes:${stats.bytes}, used:${used}${flags}`;
}

function parseTcpFlagLetters(s: Scanner): number {
  let flags = 0;
  for (const letter of s.match(/[FSRP.UECN]*/y)) flags |= 1 << letters.indexOf(letter);
  const rest = s.match(/\[[0-9a-f]+\]/y);
  return flags | (rest === '' ? 0 : Number.parseInt(rest.slice(1, -1), 16) & 0xe00);
}

function parseUsed(s: Scanner): number | null {
  s.expect('used:');
  if (s.take('never')) return null;
  const start = s.at;
  const seconds = s.match(/[0-9]+(\.[0-9]+)?s/y);
  if (seconds === '') s.fail('expected "never" or seconds', start);
  return Math.round(Number.parseFloat(seconds) * 1000);
}

export function parseStats(s: Scanner): FlowStats {
  s.expect('packets:');
  const packets = Number(s.number(53));
  s.skipSeparators();
  s.expect('bytes:');
  const bytes = Number(s.number(53));
  s.skipSeparators();
  const idleMs = parseUsed(s);
  s.skipSeparators();
  const tcpFlags = s.take('flags:') ? parseTcpFlagLetters(s) : 0;
  s.skipSeparators();
  s.match(/(offloaded:\w+|dp:\w+)[,\s]*/y);
  s.match(/(offloaded:\w+|dp:\w+)[,\s]*/y);
  return { packets, bytes, idleMs, tcpFlags };
}
