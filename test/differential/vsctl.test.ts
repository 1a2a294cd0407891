// Each command line of cli/vsctl.txt goes to ovs-vsctl and to ours, each on a database of its own: output, errors, exit status
// and, at the end of a scenario, the whole database are the same, once UUIDs and times are masked.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runVsctl } from '../../src/cli/vsctl/index.ts';
import { content, mask, type Outcome, ours, reference, scenariosOf, sortLines } from './cli-support.ts';
import { DatabaseServer, splitWords } from './ovsdb-support.ts';

const file = readFileSync(join(import.meta.dirname, 'cli', 'vsctl.txt'), 'utf8');

function normal({ out, err, status }: Outcome, dir: string): Outcome {
  return { out: sortLines(mask(out, dir)), err: mask(err, dir), status };
}

for (const { name, lines } of scenariosOf(file)) {
  test(`ovs-vsctl: ${name}`, async () => {
    const [theirs, own] = await Promise.all([DatabaseServer.start('reference'), DatabaseServer.start('reference')]);
    try {
      const before = (server: DatabaseServer): string[] => ['--timeout=10', '--no-wait', `--db=${server.socket}`];
      for (const line of lines) {
        const words = splitWords(line);
        const env = { ...process.env, OVS_RUNDIR: theirs.dir };
        const [expected, actual] = await Promise.all([
          reference('ovs-vsctl', [...before(theirs), ...words], env),
          ours(runVsctl, [...before(own), ...words], { ...env, OVS_RUNDIR: own.dir }),
        ]);
        assert.deepEqual(normal(actual, own.dir), normal(expected, theirs.dir), line);
      }
      assert.equal(await content(own), await content(theirs));
    } finally {
      await Promise.all([theirs.close(), own.close()]);
    }
  });
}

test('ovs-vsctl: servers that are not there', async () => {
  const server = await DatabaseServer.start('reference');
  try {
    const env = { ...process.env, OVS_RUNDIR: join(server.dir, 'nowhere') };
    for (const line of [
      'list-br',
      '-vconsole:off --db=unix:/nonexistent list-br',
      '--db=unix:/nonexistent list-br',
      '--db=foo:1 list-br',
      '--db=tcp:127.0.0.1:1 list-br',
      `--db=unix:${server.dir}/conf.db list-br`,
      `--db=unix:/nonexistent,${server.socket} --no-wait list-br`,
      '--db=ssl:127.0.0.1:1 list-br',
    ]) {
      const words = splitWords(line);
      const [expected, actual] = [await reference('ovs-vsctl', words, env), await ours(runVsctl, words, env)];
      const said = ({ err, out, status }: Outcome): Outcome => ({
        err: line.startsWith('-v') ? err : lastLine(mask(err, server.dir)),
        out,
        status,
      });
      assert.deepEqual(said(actual), said(expected), line);
    }
  } finally {
    await server.close();
  }
});

/** Before its last words the reference logs every attempt. */
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)!;

test('ovs-vsctl: many at once lose nothing', async () => {
  const server = await DatabaseServer.start('reference');
  try {
    const before = ['--timeout=20', '--no-wait', `--db=${server.socket}`];
    const run = (...words: string[]): Promise<Outcome> => ours(runVsctl, [...before, ...words], process.env);
    await run('add-br', 'br0');
    const names = Array.from({ length: 20 }, (_, i) => `p${i}`).sort();
    const outcomes = await Promise.all(names.map((name) => run('add-port', 'br0', name, `tag=${name.slice(1)}`)));
    for (const outcome of outcomes) assert.deepEqual(outcome, { out: '', err: '', status: 0 });
    assert.equal((await run('list-ports', 'br0')).out, names.map((name) => `${name}\n`).join(''));
    // Of those that want the same name, one gets it
    const rivals = await Promise.all(Array.from({ length: 5 }, () => run('add-port', 'br0', 'same')));
    assert.equal(rivals.filter(({ status }) => status === 0).length, 1);
    for (const { err, status } of rivals.filter((one) => one.status !== 0)) {
      assert.equal(status, 1);
      assert.match(err, /cannot create a port named same because a port named same already exists on bridge br0/);
    }
    const waiter = run('wait-until', 'port', 'p0', 'tag=77');
    await run('set', 'port', 'p0', 'tag=77');
    assert.equal((await waiter).status, 0);
  } finally {
    await server.close();
  }
});
