// Help, completions and manual pages come from one description: everything is in it, and the pages are up to date.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runAppctl } from '../../../src/cli/appctl/index.ts';
import { tools } from '../../../src/cli/describe/index.ts';
import { runDpctl } from '../../../src/cli/dpctl/index.ts';
import { runOfctl } from '../../../src/cli/ofctl/index.ts';
import { runOvsdbClient } from '../../../src/cli/ovsdb/client.ts';
import { runOvsdbTool } from '../../../src/cli/ovsdb/tool.ts';
import { runVsctl } from '../../../src/cli/vsctl/index.ts';
import { runClientCommand } from '../../../src/main/clients.ts';
import { completionFor, shells } from '../../../src/main/docs/completion.ts';
import { manPages } from '../../../src/main/docs/man.ts';
import { subcommandSummaries } from '../../../src/main/program.ts';
import { say } from './support.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const clients = {
  'ovs-vsctl': runVsctl,
  'ovs-ofctl': runOfctl,
  'ovs-appctl': runAppctl,
  'ovs-dpctl': runDpctl,
  'ovsdb-client': runOvsdbClient,
  'ovsdb-tool': runOvsdbTool,
} as const;

test('every client has help and a version, and help lists what the description has', async () => {
  for (const tool of tools) {
    const client = clients[tool.program as keyof typeof clients];
    const help = await say(client, ['--help']);
    assert.equal(help.status, 0);
    assert.match(help.out, new RegExp(`^${tool.program}.*\nusage: ${tool.program} `, 's'));
    if (tool.program !== 'ovs-appctl') {
      for (const { name } of tool.commands)
        assert.match(help.out, new RegExp(`^ +${name}( |$)`, 'm'), `${tool.program} ${name}`);
    }
    assert.match((await say(client, ['--version'])).out, new RegExp(`^${tool.program} \\(Open vSwitch\\) 3\\.1\\.0\n`));
  }
});

test('the description has every command of ovs-ofctl', async () => {
  const { out } = await say(runOfctl, ['--help']);
  const known = [...out.matchAll(/^ {2}([a-z][a-z-]+)/gm)].map(([, name]) => name!);
  const described = tools.find(({ program }) => program === 'ovs-ofctl')!.commands.map(({ name }) => name);
  assert.deepEqual([...described].sort(), [...new Set(known)].sort());
});

test('every command and option says what it does, in a line', () => {
  for (const { program, commands, options } of tools) {
    for (const { name, help } of commands) assert.match(help, /^[^\n]{5,80}$/, `${program} ${name}`);
    for (const { long, help } of options)
      if (help !== undefined) assert.match(help, /^[^\n]{5,90}$/, `${program} ${long}`);
  }
});

test('manual pages are up to date (npm run man)', () => {
  const folder = join(root, 'docs', 'man');
  const pages = manPages(subcommandSummaries());
  assert.deepEqual(readdirSync(folder).sort(), [...pages.keys()].sort());
  for (const [name, text] of pages) assert.equal(readFileSync(join(folder, name), 'utf8'), text, name);
});

/** What bash offers for a command line whose last word is not finished. */
function complete(words: readonly string[]): string[] {
  const script = `eval "$(cat)"; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _weft; echo "\${COMPREPLY[@]}"`;
  const input = completionFor('bash', subcommandSummaries());
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { input, encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim().split(' ');
}

test('bash completes subcommands, commands and options', () => {
  assert.deepEqual(complete(['weft', 'vsc']), ['vsctl']);
  assert.deepEqual(complete(['weft', 'vsctl', 'add-b']), ['add-br', 'add-bond', 'add-bond-iface']);
  assert.deepEqual(complete(['ovs-vsctl', '--no-w']), ['--no-wait']);
  assert.deepEqual(complete(['weft', 'ovsdb', 'client', 'list-']), ['list-dbs', 'list-tables', 'list-columns']);
  assert.deepEqual(complete(['/usr/bin/ovs-ofctl', 'add-flow']), ['add-flow', 'add-flows']);
  assert.deepEqual(complete(['weft', 'completion', 'z']), ['zsh']);
});

test('every shell’s completion knows every command', () => {
  for (const shell of shells) {
    const text = completionFor(shell, subcommandSummaries());
    for (const { commands } of tools)
      for (const { name } of commands) assert.ok(text.includes(name), `${shell} ${name}`);
  }
});

test('weft runs the clients, with -- between commands', async () => {
  let [out, err] = ['', ''];
  const console = {
    out: (text: string): void => {
      out += text;
    },
    err: (text: string): void => {
      err += text;
    },
  };
  const run = (...args: string[]): Promise<number> | null => runClientCommand(args, console, subcommandSummaries());
  assert.equal(await run('vsctl', 'list-br', '--', 'nosuch'), 1);
  assert.equal(err, "ovs-vsctl: unknown command 'nosuch'; use --help for help\n");
  assert.equal(await run('ovsdb', 'tool', 'compare-versions', '1.2.3', '<', '1.2.4'), 0);
  assert.equal(await run('ovsdb', 'tool', 'compare-versions', '1.2.3', '>', '1.2.4'), 2);
  assert.equal(run('demo'), null);
  assert.throws(() => run('ovsdb', 'nosuch'), /no such program: nosuch/);
  assert.throws(() => run('completion', 'tcsh'), /usage: weft completion bash\|zsh\|fish/);
  assert.equal(await run('completion', 'fish'), 0);
  assert.match(out, /complete -c ovs-vsctl/);
});
