/** `weft replay` on a capture that tcpdump made of real traffic between two namespaces that this test makes. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const tag = `weft-r${process.pid}`;
const [left, right] = [`${tag}-a`, `${tag}-b`];

const whyNot = (): string | null => {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = ['ip', 'tcpdump', 'ping'].filter((program) => spawnSync(program, ['-V']).error);
  return missing.length > 0 ? `not installed: ${missing.join(' ')}` : null;
};

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
const inside = (namespace: string, ...command: string[]): string[] => ['netns', 'exec', namespace, ...command];

function makeNamespaces(): void {
  for (const namespace of [left, right]) ip('netns', 'add', namespace);
  ip(
    'link',
    'add',
    'eth0',
    'netns',
    left,
    'address',
    '02:00:00:00:00:0a',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    right,
  );
  ip('-n', right, 'link', 'set', 'eth0', 'address', '02:00:00:00:00:0b');
  for (const [namespace, host] of [
    [left, 1],
    [right, 2],
  ] as const) {
    ip('-n', namespace, 'address', 'add', `10.9.0.${host}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'address', 'add', `fd09::${host}/64`, 'dev', 'eth0', 'nodad');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  }
}

/** A server that sends a megabyte to whoever connects, and a client that takes it: run by Node inside the namespaces. */
const SERVER = `require('net').createServer((s) => s.end(Buffer.alloc(1e6, 7))).listen(80, () => console.log('ready'))`;
const CLIENT = `let n = 0; require('net').connect(80, '10.9.0.2').on('data', (d) => (n += d.length)).on('end', () => process.exit(n === 1e6 ? 0 : 1))`;

async function traffic(): Promise<void> {
  execFileSync('ip', inside(left, 'ping', '-c', '3', '-i', '0.05', '-s', '1000', '10.9.0.2'));
  execFileSync('ip', inside(left, 'ping', '-c', '3', '-i', '0.05', 'fd09::2'));
  const server = spawn('ip', inside(right, process.execPath, '-e', SERVER), { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(server.stdout!, 'data');
    execFileSync('ip', inside(left, process.execPath, '-e', CLIENT), { timeout: 30_000 });
  } finally {
    server.kill('SIGTERM');
  }
}

async function captured(file: string, work: () => Promise<void>): Promise<void> {
  const args = inside(left, 'tcpdump', '-i', 'eth0', '-U', '-w', file, '--immediate-mode');
  const dump: ChildProcess = spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(dump.stderr!, 'data');
  try {
    await work();
    await new Promise((done) => setTimeout(done, 300));
  } finally {
    dump.kill('SIGINT');
    await once(dump, 'exit');
  }
}

/**
 * Packets of a capture as tcpdump prints them, without times: two processors can write a capture whose times go back by a
 * microsecond, and a switch's time does not.
 */
const lines = (file: string): string[] =>
  execFileSync('tcpdump', ['-nStr', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    .trim()
    .split('\n');

test('a capture of ping and TCP goes through a learning switch, frame for frame', async (t) => {
  const why = whyNot();
  if (why) return t.skip(why);
  const folder = mkdtempSync(join(tmpdir(), 'weft-replay-'));
  try {
    makeNamespaces();
    const file = join(folder, 'in.pcap');
    await captured(file, traffic);
    const total = lines(file).length;
    assert.ok(total > 30, `${total} packets captured`);

    const out = join(folder, 'out');
    const args = [
      'bin/weft.mjs',
      'replay',
      file,
      '--port-map',
      'mac:02:00:00:00:00:0a=a',
      '--port-map',
      'mac:02:00:00:00:00:0b=b',
      '--out',
      out,
      '--json',
    ];
    const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    const report = JSON.parse(run.stdout);
    assert.deepEqual(readdirSync(out).sort(), ['a.pcap', 'b.pcap']);
    // what left by b is what a had sent, and the other way round: nothing else is on this link
    const sentBy = (mac: string): number =>
      execFileSync('tcpdump', ['-nr', file, `ether src ${mac}`], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .trim()
        .split('\n').length;
    assert.equal(lines(join(out, 'b.pcap')).length, sentBy('02:00:00:00:00:0a'), JSON.stringify(report));
    assert.equal(lines(join(out, 'a.pcap')).length, sentBy('02:00:00:00:00:0b'), JSON.stringify(report));
    const merged = [...lines(join(out, 'a.pcap')), ...lines(join(out, 'b.pcap'))].sort();
    assert.deepEqual(merged, lines(file).sort());
  } finally {
    for (const namespace of [left, right]) spawnSync('ip', ['netns', 'delete', namespace]);
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a file that is no capture is refused in one line, with status 2', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-replay-'));
  const file = join(folder, 'not.pcap');
  writeFileSync(file, 'this is text');
  const run = spawnSync(
    process.execPath,
    ['bin/weft.mjs', 'replay', file, '--port-map', 'all=a', '--out', join(folder, 'out')],
    { cwd: root, encoding: 'utf8' },
  );
  rmSync(folder, { recursive: true, force: true });
  assert.equal(run.status, 2);
  assert.equal(run.stderr.trim().split('\n').length, 1);
});
