// Each command line of cli/appctl.txt goes to ovs-appctl and to ours; both ask the same daemon. Then the commands of ovs-dpctl
// and what ovs-vsctl says of a real switch, which needs one that runs.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runAppctl } from '../../src/cli/appctl/index.ts';
import { runDpctl } from '../../src/cli/dpctl/index.ts';
import { runVsctl } from '../../src/cli/vsctl/index.ts';
import { mask, type Outcome, ours, reference, sortLines } from './cli-support.ts';
import { Oracle } from './oracle.ts';
import { DatabaseServer, splitWords } from './ovsdb-support.ts';

const lines = readFileSync(join(import.meta.dirname, 'cli', 'appctl.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

const normal = ({ out, err, status }: Outcome, dir: string): Outcome => ({
  out: sortLines(mask(out, dir)),
  err: mask(err, dir),
  status,
});

test('ovs-appctl finds its target and shows its answer', async () => {
  const server = await DatabaseServer.start('reference');
  try {
    await server.stop();
    const pidfile = join(server.dir, 'ovsdb-server.pid');
    await server.boot([`--pidfile=${pidfile}`]);
    for (const [name, text] of [
      ['dead.pid', '999999\n'],
      ['bad.pid', 'abc'],
      ['empty.pid', ''],
    ]) {
      writeFileSync(join(server.dir, name!), text!);
    }
    // A name leads to the socket with the pid in it
    await server.run('ln', ['-s', 'db.ctl', `ovsdb-server.${server.pid}.ctl`]);
    await server.run('ln', ['-s', 'db.ctl', 'ovsdb-server.ctl']);
    const env = { ...process.env, OVS_RUNDIR: server.dir };
    for (const line of lines) {
      const words = splitWords(line.replaceAll('$DIR', server.dir));
      const expected = await reference('ovs-appctl', words, env);
      const actual = await ours(runAppctl, words, env);
      assert.deepEqual(normal(actual, server.dir), normal(expected, server.dir), line);
    }
  } finally {
    await server.close();
  }
});

/** Command lines of ovs-vsctl without --no-wait, given to the reference and to ours in turn, on bridges of their own. */
const waiting = [
  'add-br $BR -- set bridge $BR datapath_type=dummy',
  'add-port $BR $BR-p1 -- set interface $BR-p1 type=dummy ofport_request=7',
  'get interface $BR-p1 ofport',
  'wait-until interface $BR-p1 ofport=7',
  'add-port $BR $BR-p2 -- set interface $BR-p2 type=patch',
  'add-port $BR $BR-p3 -- set interface $BR-p3 type=nosuch',
  'get interface $BR-p3 ofport',
  'del-port $BR-p3',
  'set bridge $BR other_config:a=b -- get bridge $BR other_config',
  'list-ports $BR',
  'list-br',
  'del-br $BR',
  'br-exists $BR',
];

test('ovs-vsctl waits until the switch has done it', async () => {
  const oracle = await Oracle.start();
  try {
    const env = { ...process.env, OVS_RUNDIR: oracle.dir, OVS_LOGDIR: oracle.dir };
    const before = ['--timeout=10', `--db=unix:${join(oracle.dir, 'db.sock')}`];
    const results = new Map<string, Outcome[]>();
    for (const bridge of ['bra', 'brb']) {
      for (const line of waiting) {
        const words = [...before, ...splitWords(line.replaceAll('$BR', bridge))];
        const outcome = bridge === 'bra' ? await reference('ovs-vsctl', words, env) : await ours(runVsctl, words, env);
        const plain = (text: string): string => mask(text, oracle.dir).replaceAll(bridge, 'BR');
        results.set(line, [
          ...(results.get(line) ?? []),
          { out: plain(outcome.out), err: plain(outcome.err), status: outcome.status },
        ]);
      }
    }
    for (const [line, [expected, actual]] of results) assert.deepEqual(actual, expected, line);
  } finally {
    oracle.close();
  }
});

test('ovs-dpctl shows the datapath of the daemon', async () => {
  const oracle = await Oracle.start();
  try {
    oracle.addBridge('br0');
    oracle.addPort('br0', 'p1', 1);
    const target = join(oracle.dir, 'vswitchd.ctl');
    const dpctl = (...words: string[]): Promise<Outcome> =>
      ours(runDpctl, [`--target=${target}`, ...words], process.env);
    for (const words of [
      ['show'],
      ['-s', 'show'],
      ['dump-dps'],
      ['dump-flows'],
      ['-m', 'dump-flows'],
      ['dump-conntrack'],
    ]) {
      const options = words.filter((word) => word.startsWith('-'));
      const [command] = words.filter((word) => !word.startsWith('-'));
      const { out, status } = await dpctl(...words);
      assert.equal(out, oracle.appctl(`dpctl/${command}`, ...options), words.join(' '));
      assert.equal(status, 0);
    }
    const failed = await dpctl('show', 'nosuch@nosuch');
    assert.equal(failed.status, 1);
    assert.match(failed.err, /opening datapath/);
    const refused = await dpctl('--read-only', 'del-flows');
    assert.equal(refused.err, "ovs-dpctl: 'del-flows' command does not work in read only mode\n");
  } finally {
    oracle.close();
  }
});

/** What ovs-dpctl itself refuses. */
const misuse = ['', 'nosuch', '-t x show', '--bogus', 'add-if', 'dump-dps x', 'get-flow', 'cache-set-size a'];

test('ovs-dpctl refuses what the reference refuses', async () => {
  for (const line of misuse) {
    const words = splitWords(line);
    assert.deepEqual(await ours(runDpctl, words, process.env), await reference('ovs-dpctl', words, process.env), line);
  }
});
