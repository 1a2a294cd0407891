// Each command line of cli/ovsdb-tools.txt goes to ovsdb-client or ovsdb-tool and to ours: output, errors, exit status and the
// database at the end are the same, once UUIDs and times are masked. Then monitors, backups and locks, which take two.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CliIo } from '../../src/cli/common/io.ts';
import { runOvsdbClient } from '../../src/cli/ovsdb/client.ts';
import { runOvsdbTool } from '../../src/cli/ovsdb/tool.ts';
import { content, mask, type Outcome, ours, reference, scenariosOf, sortLines } from './cli-support.ts';
import { DatabaseServer, splitWords } from './ovsdb-support.ts';

const file = readFileSync(join(import.meta.dirname, 'cli', 'ovsdb-tools.txt'), 'utf8');

const schemas: Readonly<Record<string, string>> = {
  'x.ovsschema':
    '{"name":"X","version":"1.2.3","cksum":"12345 678","tables":{"T":{"columns":{"a":{"type":"integer"},' +
    '"b":{"type":{"key":"string","min":0,"max":"unlimited"}}},"isRoot":true}}}',
  'y.ovsschema':
    '{"name":"X","version":"1.3.0","tables":{"T":{"columns":{"a":{"type":"integer"},"c":{"type":"string"}},"isRoot":true}}}',
  'bad.json': '{"name":',
};

const programs: Readonly<Record<string, readonly [string, (args: readonly string[], io: CliIo) => Promise<number>]>> = {
  client: ['ovsdb-client', runOvsdbClient],
  tool: ['ovsdb-tool', runOvsdbTool],
};

function normal({ out, err, status }: Outcome, dir: string): Outcome {
  const quiet = err.replaceAll(/^.*\|reconnect\|INFO\|.*\n/gm, '').replaceAll(/^[^|]*\|\d+\|(?=fatal_signal)/gm, '');
  const short = (text: string): string => mask(text, dir).replaceAll(/\b[0-9a-f]{8}\b/g, '<id>');
  return { out: sortLines(short(out)).replaceAll(/-{36,} */g, '<rule>'), err: short(quiet), status };
}

async function startBoth(): Promise<readonly [DatabaseServer, DatabaseServer]> {
  const both = await Promise.all([DatabaseServer.start('reference'), DatabaseServer.start('reference')]);
  for (const server of both) for (const [name, text] of Object.entries(schemas)) server.write(name, text);
  return both;
}

const envOf = (server: DatabaseServer): NodeJS.ProcessEnv => ({
  ...process.env,
  OVS_RUNDIR: server.dir,
  OVS_DBDIR: server.dir,
});

for (const { name, lines } of scenariosOf(file)) {
  test(`ovsdb-client, ovsdb-tool: ${name}`, async () => {
    const [theirs, own] = await startBoth();
    try {
      for (const line of lines) {
        const wordsFor = (server: DatabaseServer): string[] =>
          splitWords(line.replaceAll('$DIR', server.dir).replaceAll('$DB', server.socket));
        const [program, run] = programs[wordsFor(own)[0]!]!;
        const [expected, actual] = await Promise.all([
          reference(program, wordsFor(theirs).slice(1), envOf(theirs)),
          ours(run, wordsFor(own).slice(1), envOf(own)),
        ]);
        assert.deepEqual(normal(actual, own.dir), normal(expected, theirs.dir), line);
      }
      assert.equal(await content(own), await content(theirs));
    } finally {
      await Promise.all([theirs.close(), own.close()]);
    }
  });
}

const monitors = [
  'monitor Bridge name,other_config',
  'monitor Bridge name other_config',
  'monitor Bridge name,!initial,!delete',
  'monitor Bridge name,!insert,!modify',
  '-f csv monitor Bridge name,other_config',
  '-f json monitor Bridge name,other_config',
  'monitor ALL',
  'monitor-cond [true] Bridge name,other_config',
  'monitor-cond [["name","==","br1"]] Bridge name,other_config',
  'monitor-cond-since [true] Bridge name,other_config',
];

test('monitors show the same changes', async () => {
  const [theirs, own] = await startBoth();
  try {
    const watching = monitors.map((line) => {
      const args = ['--timeout=3', ...line.split(' ')];
      return [reference('ovsdb-client', args, envOf(theirs)), ours(runOvsdbClient, args, envOf(own))] as const;
    });
    await delay(700);
    for (const server of [theirs, own]) {
      await server.vsctl('add-br', 'br0');
      await delay(50);
      await server.vsctl('set', 'bridge', 'br0', 'other_config:a=b');
      await delay(50);
      await server.vsctl('add-br', 'br1', '--', 'set', 'bridge', 'br1', 'other_config:c=d');
      await delay(50);
      await server.vsctl('del-br', 'br0');
    }
    for (const [i, [reference, own_]] of watching.entries()) {
      const [expected, actual] = await Promise.all([reference, own_]);
      assert.deepEqual(normal(actual, own.dir), normal(expected, theirs.dir), monitors[i]);
    }
  } finally {
    await Promise.all([theirs.close(), own.close()]);
  }
});

test('a backup of ours is restored by the reference and the other way round', async () => {
  const [theirs, own] = await startBoth();
  try {
    await own.vsctl('add-br', 'br0', '--', 'add-port', 'br0', 'p1', '--', 'set', 'port', 'p1', 'tag=5');
    const before = await content(own);
    const backup = await ours(runOvsdbClient, ['backup', own.socket], envOf(own));
    assert.equal(backup.status, 0, backup.err);
    writeFileSync(join(theirs.dir, 'backup.db'), backup.out);
    const restored = await theirs.run('sh', ['-c', 'ovsdb-client restore "$1" < backup.db', 'sh', theirs.socket]);
    assert.equal(restored, '');
    assert.equal(await content(theirs), before);

    const text = await theirs.run('sh', ['-c', 'ovsdb-client backup "$1" | cat', 'sh', theirs.socket]);
    await own.vsctl('del-br', 'br0');
    const back = await ours(runOvsdbClient, ['restore', own.socket], envOf(own), text);
    assert.deepEqual(back, { out: '', err: '', status: 0 });
    assert.equal(await content(own), before);

    const other = await theirs.run('sh', ['-c', 'ovsdb-tool create x.db x.ovsschema; cat x.db']);
    const refused = await ours(runOvsdbClient, ['restore', own.socket], envOf(own), other);
    assert.equal(refused.status, 1);
    assert.match(
      refused.err,
      /backup schema has version "1.2.3" but database schema has version "8.3.1" \(use --force/,
    );
    const nonsense = await ours(runOvsdbClient, ['restore', own.socket], envOf(own), '{"x":1}');
    assert.match(nonsense.err, /ovsdb error: \/dev\/stdin: unexpected file format/);
  } finally {
    await Promise.all([theirs.close(), own.close()]);
  }
});

test('locks are taken, stolen and given back', async () => {
  const server = await DatabaseServer.start('reference');
  try {
    const run = (...args: string[]): Promise<Outcome> => ours(runOvsdbClient, ['--timeout=2', ...args], envOf(server));
    const first = run('lock', 'l');
    await delay(200);
    const second = run('lock', 'l');
    await delay(200);
    const third = run('steal', 'l');
    const [a, b, c] = await Promise.all([first, second, third]);
    assert.equal(a.out, '{"locked":true}\nstolen\n["l"]\n');
    assert.equal(b.out, '{"locked":false}\n');
    assert.equal(c.out, '{"locked":true}\n');
    assert.equal(a.status, 142);
  } finally {
    await server.close();
  }
});
