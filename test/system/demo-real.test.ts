/** The demo between real interfaces: every backend finds what it should, and nothing stays behind, however it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readPing } from '../../src/main/demo-real/demo-real.ts';
import { whyNoNamespaces } from '../support/netns.ts';
import { weftBin } from '../support/weft-run.ts';

/** What a demo of this process could have left. */
function leftOf(pid: number): string[] {
  const prefix = `weft-demo-${pid}`;
  const namespaces = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  const records = existsSync('/run/weft-demo') ? readdirSync('/run/weft-demo') : [];
  const processes = readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`\0${tmpdir()}/weft-demo-`);
    } catch {
      return false;
    }
  });
  const own = processes.filter((name) => {
    try {
      return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`WEFT_DEMO_TEST=${pid}\0`);
    } catch {
      return false;
    }
  });
  return [
    ...namespaces.split('\n').filter((line) => line.startsWith(prefix)),
    ...records.filter((name) => name === `${pid}.json`),
    ...own.map((name) => `process ${name}`),
  ];
}

/** Links of this namespace: the demo must not touch them. */
const links = (): string[] => readdirSync('/sys/class/net').sort();

/** Numbers of the BPF programs of the whole machine, by bpf(2) through Python: BPF_PROG_GET_NEXT_ID. */
function programs(): Set<number> {
  const script = `
import ctypes, struct
libc, last = ctypes.CDLL(None, use_errno=True), 0
while True:
    attr = ctypes.create_string_buffer(struct.pack('=III', last, 0, 0) + bytes(116))
    if libc.syscall(321, 11, attr, 128) < 0: break
    last = struct.unpack_from('=I', attr, 4)[0]
    print(last)
`;
  const text = execFileSync('python3', ['-c', script], { encoding: 'utf8' });
  return new Set(text.split('\n').filter(Boolean).map(Number));
}

function start(backend: string): ChildProcess {
  return spawn(process.execPath, [weftBin, 'demo', '--backend', backend], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function untilNothing(pid: number): Promise<string[]> {
  const end = performance.now() + 10_000;
  while (leftOf(pid).length > 0 && performance.now() < end) await delay(50);
  return leftOf(pid);
}

it('what ping prints is understood', () => {
  const text = '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.250 ms\n3 packets transmitted, 2 received, 33% loss\n';
  assert.deepEqual(readPing(text), { received: 2, quickest: 250 });
  assert.deepEqual(readPing('3 packets transmitted, 0 received, 100% packet loss\n'), { received: 0, quickest: null });
  assert.deepEqual(readPing(''), { received: 0, quickest: null });
});

it('a backend that is none is refused', () => {
  const { status, stderr } = spawnSync(process.execPath, [weftBin, 'demo', '--backend', 'dpdk'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /^weft: "dpdk" is no backend for the demo \(there are: afxdp, tap, packet\)\n$/);
});

describe('the demo between real interfaces', { skip: whyNoNamespaces(), timeout: 240_000 }, () => {
  it('without root there is one clear line', { skip: !existsSync('/usr/bin/setpriv') && 'needs setpriv' }, () => {
    const command = ['--reuid', '65534', '--clear-groups', process.execPath, weftBin, 'demo', '--backend', 'tap'];
    const { status, stderr } = spawnSync('setpriv', command, { encoding: 'utf8' });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /^weft: the demo with --backend tap makes network namespaces: it must be run by root\n$/);
  });

  for (const backend of ['packet', 'tap', 'afxdp']) {
    it(`${backend}: 12/12 reachable, 8/8 isolated, and nothing left`, async () => {
      const [before, found] = [links(), programs()];
      const child = start(backend);
      const parts: string[] = [];
      child.stdout!.setEncoding('utf8').on('data', (text: string) => parts.push(text));
      child.stderr!.setEncoding('utf8').on('data', (text: string) => parts.push(text));
      const [status] = await once(child, 'exit');
      const out = parts.join('');
      assert.equal(status, 0, out);
      assert.match(out, /reachable within a tenant: 4\/4\nreachable: 12\/12\nisolated: 8\/8\n$/);
      assert.deepEqual(await untilNothing(child.pid!), []);
      assert.deepEqual(links(), before);
      for (let i = 0; i < 40 && [...programs()].some((id) => !found.has(id)); i++) await delay(100);
      const more = [...programs()].filter((id) => !found.has(id));
      assert.deepEqual(more, [], 'BPF programs');
    });
  }

  it('two demos run beside each other', async () => {
    const both = [start('tap'), start('packet')];
    const ends = await Promise.all(both.map((child) => once(child, 'exit')));
    assert.deepEqual(
      ends.map(([status]) => status),
      [0, 0],
    );
    for (const child of both) assert.deepEqual(await untilNothing(child.pid!), []);
  });

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const) {
    it(`after ${signal} nothing is left`, async () => {
      const child = start('afxdp');
      // in the middle of everything: the switches run
      const end = performance.now() + 20_000;
      while (execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split(`weft-demo-${child.pid}-`).length < 7) {
        assert.ok(performance.now() < end, 'the namespaces come');
        await delay(20);
      }
      await delay(1000);
      child.kill(signal);
      const [code] = await once(child, 'exit');
      assert.equal(code, status);
      assert.deepEqual(await untilNothing(child.pid!), []);
    });
  }

  it('what a demo left whose watchdog died too goes with the next start', async () => {
    const child = start('tap');
    const record = `/run/weft-demo/${child.pid}.json`;
    const end = performance.now() + 20_000;
    while (!existsSync(record) && performance.now() < end) await delay(20);
    const { namespaces } = JSON.parse(readFileSync(record, 'utf8')) as { namespaces: string[] };
    while (leftOf(child.pid!).length < namespaces.length && performance.now() < end) await delay(20);
    const watchdog = readdirSync('/proc').find((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return stat.includes(' (sh) ') && stat.split(') ')[1]!.split(' ')[1] === `${child.pid}`;
      } catch {
        return false;
      }
    });
    assert.ok(watchdog, 'there is a watchdog');
    process.kill(Number(watchdog), 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.ok(leftOf(child.pid!).length > 0);
    const next = start('tap');
    let said = '';
    next.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [status] = await once(next, 'exit');
    assert.equal(status, 0, said);
    assert.match(said, /removed what a demo left/);
    assert.deepEqual(leftOf(child.pid!), []);
  });
});
