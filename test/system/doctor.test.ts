/** `weft doctor`: on this machine, and on machines that are made up. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { examine } from '../../src/main/doctor/findings.ts';
import { type MachineFacts, readMachine } from '../../src/main/doctor/machine.ts';
import { weftBin } from '../support/weft-run.ts';

const good: MachineFacts = {
  platform: 'linux',
  kernel: '6.18.0-cloud',
  node: '24.21.0',
  isRoot: true,
  capabilities: (1n << 41n) - 1n,
  addonError: null,
  xdpError: null,
  memlock: Number.POSITIVE_INFINITY,
  hasTun: true,
  hasKvm: true,
  hugepages: 0,
  busyPoll: [0, 0],
  receiveBufferMax: 8 << 20,
  governor: 'performance',
  cpus: 4,
  interfaces: [],
};
const verdicts = (change: Partial<MachineFacts>): string[] =>
  examine({ ...good, ...change })
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ check, verdict }) => `${verdict} ${check}`);

test('a machine that has everything has no finding', () => assert.deepEqual(verdicts({}), []));

for (const [change, expected] of [
  [{ platform: 'darwin' }, ['fail operating system']],
  [{ kernel: '5.8.18' }, ['fail kernel']],
  [{ kernel: '5.10.0' }, []],
  [{ node: '24.10.0' }, ['fail Node']],
  [{ node: '25.0.0' }, []],
  [{ addonError: 'cargo is not there' }, ['fail addon']],
  [{ xdpError: 'no AF_XDP' }, ['fail AF_XDP']],
  [{ isRoot: false, capabilities: 0n }, ['fail rights']],
  [{ isRoot: false, capabilities: 0n, memlock: 65_536 }, ['fail rights', 'note memlock']],
  [{ isRoot: false, capabilities: (1n << 12n) | (1n << 13n) | (1n << 39n) | (1n << 14n) }, []],
  [{ hasTun: false, hasKvm: false }, ['fail /dev/net/tun', 'note /dev/kvm']],
  [
    { busyPoll: [50, 50], governor: 'powersave', cpus: 1 },
    ['note busy polling', 'note CPU governor', 'note processors'],
  ],
  [{ receiveBufferMax: 212_992 }, ['note receive buffer']],
] as const satisfies readonly (readonly [Partial<MachineFacts>, readonly string[]])[])
  test(`a machine with ${Object.keys(change).join(', ')} that differ`, () => {
    assert.deepEqual(verdicts(change), expected);
  });

test('interfaces are told what AF_XDP would need', () => {
  const card = { name: 'eth0', driver: 'ixgbe', mtu: 9000, queues: 8, isVirtual: false };
  const [finding] = examine({ ...good, interfaces: [card] }).slice(-1);
  assert.equal(finding!.verdict, 'note');
  assert.match(finding!.found, /^ixgbe, MTU 9000, 8 queues, XDP native$/);
  assert.match(finding!.advice, /ethtool -L eth0 combined 1; frames do not fit/);
});

test('the command says so, as text and as JSON, and ends with 0 or 1', () => {
  const expected = examine(readMachine());
  const status = expected.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
  const text = spawnSync(process.execPath, [weftBin, 'doctor'], { encoding: 'utf8' });
  assert.equal(text.status, status, text.stderr);
  for (const { check, found } of expected.slice(0, 5))
    assert.ok(
      text.stdout.split('\n').some((line) => line.includes(check) && line.includes(found)),
      check,
    );
  const json = spawnSync(process.execPath, [weftBin, 'doctor', '--json'], { encoding: 'utf8' });
  assert.equal(json.status, status);
  assert.equal(JSON.parse(json.stdout).ok, status === 0);
  assert.equal(JSON.parse(json.stdout).findings.length >= 14, true);
});
