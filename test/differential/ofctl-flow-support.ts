/**
 * What ovs-ofctl alone can be asked: the bytes of a flow, and what it reads in bytes. No switch is needed.
 *
 * It prints the bytes of a message that it cannot read itself, and it writes debug_slow, which it cannot read: a flow with
 * that action at its end is printed as bytes.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OfVersion } from '../../src/openflow/version.ts';

export const versionName = (version: OfVersion): string => `OpenFlow1${version - 1}`;

/** Flow formats of ovs-ofctl. NXM is OpenFlow 1.0's wire with Nicira's match. */
export type FlowFormat = 'openflow10' | 'nxm' | OfVersion;

const formats: Readonly<Record<string, readonly [version: string, format: string]>> = {
  openflow10: ['OpenFlow10', 'OpenFlow10-table_id'],
  nxm: ['OpenFlow10', 'NXM-table_id'],
  2: ['OpenFlow11', 'OpenFlow11'],
  3: ['OpenFlow12', 'OXM-OpenFlow12'],
  4: ['OpenFlow13', 'OXM-OpenFlow13'],
  5: ['OpenFlow14', 'OXM-OpenFlow14'],
  6: ['OpenFlow15', 'OXM-OpenFlow15'],
};

export function ofctl(args: readonly string[], input = ''): { stdout: string; stderr: string } {
  const run = spawnSync('ovs-ofctl', args, { input, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000 });
  if (run.error) throw new Error(`ovs-ofctl is not installed: ${run.error.message}`);
  return { stdout: run.stdout, stderr: run.stderr };
}

export interface FlowBytes {
  readonly match: Uint8Array;
  /** Actions; behind OpenFlow 1.0 those of apply-actions. */
  readonly actions: Uint8Array;
}

const SLOW_SIZE = 16;

function cutFlow(format: FlowFormat, bytes: Uint8Array): FlowBytes {
  const end = bytes.length - SLOW_SIZE;
  if (format === 'openflow10') return { match: bytes.slice(8, 48), actions: bytes.slice(72, end) };
  const u16 = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
  if (format === 'nxm') {
    const size = u16(40);
    return { match: bytes.slice(48, 48 + size), actions: bytes.slice(48 + ((size + 7) & ~7), end) };
  }
  const size = (u16(50) + 7) & ~7;
  return { match: bytes.slice(48, 48 + size), actions: bytes.slice(48 + size + 8, end) };
}

const wholeLine = /^([0-9a-f]{8}) {2}((?:[0-9a-f]{2}[ -]?)+)/;

/** The messages that were printed as bytes. */
function dumpsOf(text: string): Uint8Array[] {
  const dumps: number[][] = [];
  for (const line of text.split('\n')) {
    const found = wholeLine.exec(line);
    if (!found) continue;
    if (found[1] === '00000000') dumps.push([]);
    dumps.at(-1)!.push(...found[2]!.match(/[0-9a-f]{2}/g)!.map((byte) => Number.parseInt(byte, 16)));
  }
  return dumps.map((bytes) => Uint8Array.from(bytes));
}

/**
 * What ovs-ofctl sends for each of these flows.
 * @param flows without `actions=`: the match, and the actions behind a blank
 */
export function flowBytes(format: FlowFormat, flows: readonly { match: string; actions: string }[]): FlowBytes[] {
  const dir = mkdtempSync(join(tmpdir(), 'weft-ofctl-'));
  try {
    const file = join(dir, 'flows');
    const lines = flows.map(
      ({ match, actions }) => `${match} actions=${actions === '' ? '' : `${actions},`}debug_slow`,
    );
    writeFileSync(file, `${lines.join('\n')}\n`);
    const [version, name] = formats[format]!;
    const { stdout, stderr } = ofctl(['-O', version, '-F', name, 'parse-flows', file]);
    const dumps = dumpsOf(stdout);
    if (dumps.length !== flows.length) {
      throw new Error(`${dumps.length} messages for ${flows.length} flows: ${stderr.slice(-600)}`);
    }
    return dumps.map((bytes) => cutFlow(format, bytes));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export interface Reading {
  /** The actions' text, or null when they were refused. */
  readonly text: string | null;
  /** The name of the error. */
  readonly error: string | null;
  /** Whether it writes other bytes than it read. */
  readonly writesOther: boolean;
}

/** What ovs-ofctl reads in each of these lists of actions (or of instructions). */
export function readActions(
  version: OfVersion,
  lists: readonly Uint8Array[],
  command: 'parse-actions' | 'parse-instructions' = 'parse-actions',
): Reading[] {
  const input = lists.map((bytes) => `${hexOf(bytes)}\n`).join('');
  const { stdout } = ofctl([command, versionName(version)], input);
  const blocks = stdout.split('\n\n').slice(0, lists.length);
  if (blocks.length !== lists.length) throw new Error(`${blocks.length} answers for ${lists.length} lists`);
  return blocks.map((block) => {
    const lines = block.split('\n').filter((line) => line !== '');
    const bad = /^bad \S+ (?:actions|instructions): (\S+)/.exec(lines[0] ?? '');
    if (bad) return { text: null, error: bad[1]!, writesOther: false };
    return { text: (lines[0] ?? '').replace('actions=', ''), error: null, writesOther: lines.length > 1 };
  });
}
