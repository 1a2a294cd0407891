/** Mininet with our switch: topologies of real namespaces, everybody reaches everybody, and nothing stays behind. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Machine, root, whyNoMachine } from '../support/machine.ts';

const CUSTOM = join(root, 'examples', 'mininet', 'weft.py');

describe('Mininet', { skip: whyNoMachine('mn', 'ovs-testcontroller'), timeout: 150_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.create({ ours: [] });
  });
  after(() => machine?.close());

  /** Runs Mininet to its end. @returns what it said */
  function mn(...args: readonly string[]): string {
    const { status, stdout, stderr } = machine.ask(null, 'mn', '--custom', CUSTOM, ...args);
    assert.equal(status, 0, stdout + stderr);
    return stdout + stderr;
  }

  function nothingIsLeft(): void {
    assert.doesNotMatch(machine.sh('ps ax'), /ovs-vswitchd|ovsdb-server|mininet/);
    assert.match(machine.sh('ip -br link'), /^lo\b[^\n]*\n$/);
    assert.equal(machine.sh('ls -d /tmp/weft-mininet-* 2>/dev/null || true'), '');
  }

  for (const [topology, count] of [
    ['tree,2', 12],
    ['linear,3', 6],
  ] as const)
    it(`${topology} under ovs-testcontroller: no ping is lost`, () => {
      const said = mn('--switch', 'weft', '--controller', 'ovsc', '--topo', topology, '--test', 'pingall');
      assert.match(said, new RegExp(`Results: 0% dropped \\(${count}/${count} received\\)`));
      nothingIsLeft();
    });

  it('without a controller, fail mode standalone: a plain learning switch', () => {
    const sw = 'weft,failMode=standalone';
    const said = mn('--switch', sw, '--controller', 'none', '--topo', 'linear,2', '--test', 'pingall');
    assert.match(said, /Results: 0% dropped \(2\/2 received\)/);
    nothingIsLeft();
  });

  it('a missing program is said, and nothing is left', () => {
    const args = [
      'WEFT_BIN=/none',
      'mn',
      '--custom',
      CUSTOM,
      '--switch',
      'weft',
      '--controller',
      'none',
      '--test',
      'none',
    ];
    const { stdout, stderr } = machine.ask(null, 'env', ...args);
    assert.match(stdout + stderr, /none\/ovsdb-server/);
    machine.ask(null, 'mn', '-c');
    nothingIsLeft();
  });
});
