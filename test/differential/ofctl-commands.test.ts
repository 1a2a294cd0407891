// Each command line is given to ovs-ofctl and to ours against the same reference switch: output, errors and exit status are
// equal once times are masked. Log lines, which only the reference writes, are left out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runOfctl } from '../../src/cli/ofctl/index.ts';
import { commandLines } from './ofctl-command-cases.ts';
import { Oracle } from './oracle.ts';

const wordsOf = (line: string): string[] =>
  (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));

const isLogLine = (line: string): boolean => /^\d{4}-\d\d-\d\dT.*\|(WARN|INFO)\|/.test(line);
const mask = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !isLogLine(line))
    .join('\n')
    .replace(/duration[=:][\d.]+s/g, 'duration')
    .replace(/time=[\d.]+ ms/g, 'time')
    .replace(/^Finished in.*$/gm, 'Finished')
    .replace(/idle_age=\d+, /g, '');

interface Outcome {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

function reference(args: readonly string[], env: NodeJS.ProcessEnv): Outcome {
  const { stdout, stderr, status } = spawnSync('ovs-ofctl', args, { env, encoding: 'latin1', maxBuffer: 1 << 26 });
  return { out: mask(stdout), err: mask(stderr), status };
}

async function ours(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  let [out, err] = ['', ''];
  const status = await runOfctl(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    stdin: () => '',
    env,
    now: () => performance.now(),
    date: () => Date.now(),
    uuid: () => '',
  });
  return { out: mask(out), err: mask(err), status };
}

test('every command says what ovs-ofctl says', async () => {
  const oracle = await Oracle.start();
  try {
    oracle.addBridge('br0');
    for (const port of [1, 2, 3]) oracle.addPort('br0', `p${port}`, port);
    const env = { ...process.env, OVS_RUNDIR: oracle.dir };
    for (const line of commandLines) {
      if (line.startsWith('!')) {
        oracle.ofctl(...wordsOf(line.slice(1)).map((word) => (word === 'br0' ? `unix:${oracle.dir}/br0.mgmt` : word)));
        continue;
      }
      const args = ['-t', '5', ...wordsOf(line)];
      const theirs = reference(args, env);
      assert.deepEqual(await ours(args, env), theirs, line);
    }
  } finally {
    oracle.close();
  }
});
