// The database server over TLS: certificates by options, by the database's SSL table, and who is not let in.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { issue, makeCa } from '../support/certificates.ts';

const server = join(import.meta.dirname, '..', '..', 'bin', 'ovsdb-server');
const children: ChildProcess[] = [];
let dir: string;
const file = (name: string): string => join(dir, name);

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-ovsdb-tls-'));
  for (const ca of ['ca', 'other']) makeCa(dir, ca);
  issue(dir, 'server', 'ca');
  issue(dir, 'client', 'ca');
  issue(dir, 'stranger', 'other');
});

after(async () => {
  for (const child of children) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
  }
  rmSync(dir, { recursive: true, force: true });
});

const ask = (command: string, ...args: readonly string[]) =>
  spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });

async function start(name: string, ...args: readonly string[]): Promise<void> {
  ask('ovsdb-tool', 'create', file(`${name}.db`), '/usr/share/openvswitch/vswitch.ovsschema');
  const all = [
    `--remote=punix:${file(`${name}.sock`)}`,
    '--unixctl=none',
    '-vconsole:off',
    ...args,
    file(`${name}.db`),
  ];
  children.push(spawn(server, all, { stdio: 'ignore' }));
  for (let i = 0; !existsSync(file(`${name}.sock`)) && i < 500; i++) await delay(20);
}

const client = (who: string, port: number) =>
  ask(
    'ovsdb-client',
    ...['-t', '5', '-p', file(`${who}.key`), '-c', file(`${who}.pem`), '-C', file('ca.pem')],
    ...['list-dbs', `ssl:127.0.0.1:${port}`],
  );

test('certificates by options: a client of the CA is served, a stranger is not', async () => {
  const files = ['-p', file('server.key'), '-c', file('server.pem'), '-C', file('ca.pem')];
  await start('options', '--remote=pssl:16641:127.0.0.1', ...files);
  assert.equal(client('client', 16_641).stdout, 'Open_vSwitch\n_Server\n');
  assert.notEqual(client('stranger', 16_641).status, 0);
});

test('certificates and remotes by the database, as ovs-vsctl sets them', async () => {
  const places = ['private_key', 'certificate', 'ca_cert'].map((column) => `db:Open_vSwitch,SSL,${column}`);
  const [key, certificate, ca] = places;
  await start(
    'places',
    '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
    ...[`--private-key=${key}`, `--certificate=${certificate}`, `--bootstrap-ca-cert=${ca}`],
  );
  const vsctl = (...args: readonly string[]): void => {
    const { status, stderr } = ask('ovs-vsctl', '-t', '5', '--no-wait', `--db=unix:${file('places.sock')}`, ...args);
    assert.equal(status, 0, stderr);
  };
  vsctl('init');
  vsctl('set-manager', 'pssl:16642:127.0.0.1');
  assert.notEqual(client('client', 16_642).status, 0);
  vsctl('set-ssl', file('server.key'), file('server.pem'), file('ca.pem'));
  let answer = client('client', 16_642);
  for (let i = 0; answer.status !== 0 && i < 50; i++) {
    await delay(50);
    answer = client('client', 16_642);
  }
  assert.equal(answer.stdout, 'Open_vSwitch\n_Server\n');
});
