/** OpenFlow controllers of others, in a machine: os-ken's applications and ovs-testcontroller. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, type Running, root, until } from './machine.ts';

/** Where bin/test.mjs puts the last release of os-ken that has its applications; they run on Debian's. */
const OS_KEN = join(root, '.toolchain', 'os-ken');
const REST = 'http://127.0.0.1:8080';

/** Why os-ken cannot run; false when it can. */
export const whyNoOsKen = (): string | false =>
  existsSync(join(OS_KEN, 'os_ken', 'app', 'rest_router.py')) && existsSync('/usr/share/doc/python3-os-ken')
    ? false
    : 'needs os-ken (npm test brings it)';

/** Starts os-ken with some of its applications, listening on port 6653; REST on 8080. */
export async function startOsKen(machine: Machine, ...apps: readonly string[]): Promise<Running> {
  const manager = ['-B', join(import.meta.dirname, 'os_ken_manager.py'), OS_KEN];
  const names = apps.map((name) => `os_ken.app.${name}`);
  const running = machine.start(null, '/usr/bin/python3', ...manager, '--ofp-tcp-listen-port', '6653', ...names);
  await listens(machine, 6653, running);
  if (apps.some((name) => name.startsWith('rest_'))) await listens(machine, 8080, running);
  return running;
}

export async function startTestController(machine: Machine, ...options: readonly string[]): Promise<Running> {
  const running = machine.start(null, 'ovs-testcontroller', ...options, 'ptcp:6653');
  await listens(machine, 6653, running);
  return running;
}

function listens(machine: Machine, port: number, running: Running): Promise<void> {
  const holds = (): boolean => machine.run('ss', '-Hltn', `sport = ${port}`) !== '';
  return until(holds, `something listens on ${port}`, 20_000, () => running.said);
}

/** One request to os-ken's REST interface. @returns what it answered, from JSON @throws when it fails */
export function rest(
  machine: Machine,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: object,
): unknown {
  const script = [
    'import sys, urllib.error, urllib.request',
    'm, u, b = sys.argv[1:]',
    'r = urllib.request.Request(u, data=b.encode() or None, method=m)',
    'try:',
    '  print(urllib.request.urlopen(r, timeout=10).read().decode())',
    'except urllib.error.HTTPError as e:',
    '  sys.exit(f"{e.code} {e.read().decode()}")',
  ].join('\n');
  const text = body === undefined ? '' : JSON.stringify(body);
  const said = machine.run('/usr/bin/python3', '-c', script, method, `${REST}${path}`, text).trim();
  return said === '' ? null : JSON.parse(said);
}
