/**
 * Scenarios of OpenFlow requests, run at the same time on the reference and on our switch daemon, and compared line by line.
 *
 * What. A file holds scenarios: `== title`, or `== title {10,13,15}` for one that is run in each of these versions. Every
 * scenario finds a new bridge br0 with the ports p1, p2 and p3 (OpenFlow ports 1 to 3), fail mode secure, all versions allowed.
 *
 * Terms (lines of a scenario). `of COMMAND …`: ovs-ofctl in the scenario's version. `ofctl …`, `vsctl …`, `appctl …`: the tools
 * themselves; `wait …`: ovs-vsctl, and the switch has done it when the line ends. `flows A | B | …`: add-flow for each.
 * `file NAME` … `end`: the lines between become @DIR/NAME. `raw HEX…`: bytes to the management socket, one message a word;
 * `Vv` at the start of a message is the version, `LLLL` after the type its length, and what comes back is printed.
 * `monitor NAME ARGS…`: ovs-ofctl monitor; `send NAME HEX`; `heard NAME`: what it has said since. `inject PORT FRAME …`, `frames`:
 * what all ports have sent; `warp MS`; `settle`: statistics are up to date; `port NAME NUMBER setting…`.
 * `# …` is a comment; @V is the version (13), @X its byte (04).
 *
 * Invariants. The clock of both stands still but for `warp`: ages and durations are compared as they are. Lines of flow and group
 * dumps are sorted, since hash tables are dumped in no order; everything else is compared byte by byte.
 */

import assert from 'node:assert/strict';
import {
  type ChildProcess,
  execFile,
  type SpawnOptionsWithStdioTuple,
  type StdioNull,
  type StdioPipe,
  spawn,
} from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../src/lib/bytes.ts';
import type { Oracle } from './oracle.ts';
import { withSecondLook } from './second-look.ts';
import type { Difference, Pair, Subject } from './subject.ts';

type Face = Oracle | Subject;

const PORTS = [1, 2, 3];
const WAIT_MS_MAX = 5_000;
const VERSIONS = new Map([
  ['10', 1],
  ['11', 2],
  ['12', 3],
  ['13', 4],
  ['14', 5],
  ['15', 6],
]);

export interface Scenario {
  readonly title: string;
  /** 10 to 15. */
  readonly version: string;
  readonly lines: readonly string[];
}

/** Scenarios of one file, those with versions once for each. */
export function readScenarios(path: string): Scenario[] {
  return readFileSync(path, 'utf8')
    .split(/^== /m)
    .slice(1)
    .flatMap((part) => {
      const [head = '', ...lines] = part.split('\n');
      const [, title, versions] = /^(.*?)(?:\s*\{([\d,]+)\})?$/.exec(head)!;
      if (!versions) return [{ title: title!, version: '13', lines }];
      return versions.split(',').map((version) => ({ title: `${title} (OpenFlow${version})`, version, lines }));
    });
}

const splitWords = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** What differs from run to run. */
function mask(text: string, dir: string): string {
  return text
    .replaceAll(dir, 'DIR')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\(xid=0x[0-9a-f]+\)/g, '(xid=X)')
    .replace(/\(Weft, for Open vSwitch\)/g, '(Open vSwitch)')
    .replace(/aa:55:aa:55:[0-9a-f]{2}:[0-9a-f]{2}/g, 'aa:55:aa:55:NN:NN')
    .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?(\||:)/g, 'TIME$1');
}

/** Hash tables are dumped in no order. */
function sortDump(text: string): string {
  const lines = text.split('\n');
  const at = lines.flatMap((line, i) => (/^ (cookie|group_id|event=)/.test(line) ? [i] : []));
  const sorted = at.map((i) => lines[i]!).sort();
  for (const [n, i] of at.entries()) lines[i] = sorted[n]!;
  return lines.join('\n');
}

interface Monitor {
  readonly child: ChildProcess;
  readonly control: string;
  text: string;
}

/** One of the two switches while a scenario runs on it. */
class Run {
  readonly #face: Face;
  readonly #version: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #monitors = new Map<string, Monitor>();

  constructor(face: Face, version: string) {
    this.#face = face;
    this.#version = version;
    const { dir } = face;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
  }

  /** A tool's whole output, and its exit code when it fails. */
  #tool(command: string, args: readonly string[]): Promise<string> {
    return new Promise((done) => {
      const child = execFile(command, args, { env: this.#env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        const code = error ? `[exit ${error.code ?? error.signal}]\n` : '';
        done(mask(stdout + stderr + code, this.#face.dir));
      });
      child.stdin?.end();
    });
  }

  ofctl = async (...args: readonly string[]): Promise<string> =>
    sortDump(await this.#tool('ovs-ofctl', ['--timeout=4', ...args]));
  vsctl = (...args: readonly string[]): Promise<string> =>
    this.#tool('ovs-vsctl', ['--timeout=4', `--db=unix:${join(this.#face.dir, 'db.sock')}`, ...args]);
  appctl = (...args: readonly string[]): Promise<string> => this.appctlAt('vswitchd.ctl', ...args);
  appctlAt = (control: string, ...args: readonly string[]): Promise<string> =>
    this.#tool('ovs-appctl', ['--timeout=4', `--target=${join(this.#face.dir, control)}`, ...args]);
  of = (command: string, ...args: readonly string[]): Promise<string> => {
    const options = command.startsWith('-') ? 1 + args.findIndex((word) => !word.startsWith('-')) : 0;
    const words = [command, ...args];
    words.splice(options + 1, 0, 'br0');
    return this.ofctl('-O', `OpenFlow${this.#version}`, ...words);
  };

  portWords(name: string, number: string, settings: readonly string[]): string[] {
    const pcap = `options:tx_pcap=${join(this.#face.dir, `${name}.pcap`)}`;
    const type = settings.some((each) => each.startsWith('type=')) ? [] : ['type=dummy', pcap];
    const set = ['--', 'set', 'interface', name, `ofport_request=${number}`, ...type, ...settings];
    return ['--', 'add-port', 'br0', name, ...set];
  }

  async begin(): Promise<void> {
    const bridge = ['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', 'fail_mode=secure'];
    bridge.push('protocols=[OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15]');
    bridge.push('other_config:hwaddr="ee:01:02:03:04:05"');
    // In two transactions, so that ports come in the same order on both
    const made = await this.vsctl(...bridge);
    const said = made + (await this.vsctl(...PORTS.flatMap((n) => this.portWords(`p${n}`, String(n), [])).slice(1)));
    if (said !== '') throw new Error(said);
    for (const n of PORTS) this.#face.framesOut(`p${n}`);
  }

  async end(): Promise<void> {
    for (const { child } of this.#monitors.values()) child.kill();
    this.#monitors.clear();
    await this.vsctl('--if-exists', 'del-br', 'br0', '--', 'clear', 'Open_vSwitch', '.', 'other_config');
    for (const n of PORTS) rmSync(join(this.#face.dir, `p${n}.pcap`), { force: true });
  }

  frames(): string {
    return PORTS.map((n) => `p${n}: ${this.#face.framesOut(`p${n}`).map(toHex).join(' ')}\n`).join('');
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.#face.dir, name), text);
  }

  /** Messages over a connection of their own, one after the other; what comes back, until a barrier's reply. */
  async raw(messages: readonly string[]): Promise<string> {
    const version = VERSIONS.get(this.#version)!;
    const barrier = fromHex(`${hex(version)}${version === 1 ? '12' : '14'}00080badcafe`);
    const hello = fromHex(`${hex(version)}000008000000ff`);
    const sent = messages.map((text) => fromHex(withLength(text.replaceAll('@X', hex(version)))));
    const received = await talk(join(this.#face.dir, 'br0.mgmt'), [hello, ...sent, barrier]);
    const file = join(this.#face.dir, 'answers.bin');
    writeFileSync(file, Buffer.concat(received));
    const texts = await this.ofctl('ofp-parse', file);
    return `${received.map((each) => each.toString('hex')).join('\n')}\n${texts}`;
  }

  async monitor(name: string, args: readonly string[]): Promise<void> {
    const control = `${name}.ctl`;
    const path = join(this.#face.dir, control);
    const words = ['-O', `OpenFlow${this.#version}`, '--timeout=30', `--unixctl=${path}`, 'monitor', 'br0', ...args];
    const options: SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioPipe> = {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    };
    const isOption = (word: string): boolean => word.startsWith('-P');
    const child = spawn('ovs-ofctl', [...words.filter(isOption), ...words.filter((w) => !isOption(w))], options);
    const monitor: Monitor = { child, control, text: '' };
    const take = (chunk: Buffer): void => {
      monitor.text += chunk.toString('latin1');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    this.#monitors.set(name, monitor);
    for (let waited = 0; !existsSync(path) && waited < WAIT_MS_MAX && child.exitCode === null; waited += 5)
      await delay(5);
    await this.appctlAt(control, 'ofctl/barrier');
  }

  async heard(name: string): Promise<string> {
    const monitor = this.#monitors.get(name)!;
    // The reference tells some things only after a turn of its main loop or two
    let before = -1;
    while (before !== monitor.text.length) {
      before = monitor.text.length;
      await delay(60);
      await this.appctl('version');
    }
    await this.appctlAt(monitor.control, 'ofctl/barrier');
    const { text } = monitor;
    monitor.text = '';
    return mask(text, this.#face.dir).replace(/^.*(BARRIER|ofctl\/barrier).*\n/gm, '');
  }

  send(name: string, text: string): Promise<string> {
    const message = withLength(text.replaceAll('@X', hex(VERSIONS.get(this.#version)!)));
    return this.appctlAt(this.#monitors.get(name)!.control, 'ofctl/send', message);
  }

  async line(words: readonly string[]): Promise<string> {
    const [verb, ...rest] = words as [string, ...string[]];
    switch (verb) {
      case 'of':
        return this.of(rest[0]!, ...rest.slice(1));
      case 'ofctl':
      case 'vsctl':
      case 'appctl':
        return this[verb](...rest);
      case 'port':
        return this.vsctl(...this.portWords(rest[0]!, rest[1]!, rest.slice(2)));
      case 'flows': {
        const flows = rest.join(' ').split(' | ');
        const said: string[] = [];
        for (const flow of flows) said.push(await this.of('add-flow', flow.trim()));
        return said.join('');
      }
      case 'raw':
        return this.raw(rest);
      case 'monitor':
        await this.monitor(rest[0]!, rest.slice(1));
        return '';
      case 'heard':
        return this.heard(rest[0]!);
      case 'send':
        return this.send(rest[0]!, rest[1]!);
      case 'inject': {
        const said = await this.appctl('netdev-dummy/receive', ...rest);
        return said + (await this.appctl('version')).slice(0, 0);
      }
      case 'frames':
        return this.frames();
      case 'warp':
        await this.appctl('time/warp', rest[0]!, rest[1] ?? rest[0]!);
        // Time-outs are looked for in the turns of the main loop that follow
        for (let turn = 0; turn < 3; turn++) await this.appctl('version');
        return '';
      case 'settle':
        return this.appctl('revalidator/purge');
      default:
        throw new Error(`no such verb: ${verb}`);
    }
  }

  /** What every line of the scenario says. */
  async all(lines: readonly string[]): Promise<string[]> {
    const answers: string[] = [];
    let file: { name: string; lines: string[] } | null = null;
    for (const raw of lines) {
      const line = this.#filled(raw.trim());
      let answer = '';
      if (file) {
        if (line === 'end') {
          this.write(file.name, `${file.lines.join('\n')}\n`);
          file = null;
        } else file.lines.push(line);
      } else if (line.startsWith('file ')) file = { name: line.slice(5), lines: [] };
      else if (line !== '' && !line.startsWith('#')) answer = await this.line(splitWords(line));
      answers.push(answer);
    }
    return answers;
  }

  #filled(line: string): string {
    return line
      .replaceAll('@DIR', this.#face.dir)
      .replaceAll('@V', this.#version)
      .replaceAll('@TCP', TCP)
      .replaceAll('@UDP', UDP);
  }
}

const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** TCP 10.0.0.1:1 → 10.0.0.2:2 and UDP 10.0.0.1:1 → 10.0.0.3:53, Ethernet ::1 → ::2. */
const TCP =
  '505400000002505400000001080045000028000000004006f97b0a0000010a000002000100020000000000000000500000000000000000000000';
const UDP =
  '50540000000250540000000108004500001c0000000040110000 0a0000010a00000300010035000800000000000000000000000000000000'.replace(
    ' ',
    '',
  );

/** Puts the length where a message has LLLL. */
function withLength(text: string): string {
  return text.replaceAll('_', '').replace('LLLL', (text.replaceAll('_', '').length / 2).toString(16).padStart(4, '0'));
}

const BARRIER_XID = 0x0badcafe;

/** Says the messages, and hears what comes back until the last one's reply or the end. */
function talk(path: string, messages: readonly Uint8Array[]): Promise<Buffer[]> {
  return new Promise((done, fail) => {
    const socket = connect(path);
    const received: Buffer[] = [];
    let rest = Buffer.alloc(0);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      done(received);
    };
    const timer = setTimeout(finish, WAIT_MS_MAX);
    socket.on('error', (error) => (received.length > 0 ? finish() : fail(error)));
    socket.on('close', finish);
    socket.on('connect', () => socket.write(Buffer.concat(messages)));
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= rest.readUInt16BE(2)) {
        const size = Math.max(8, rest.readUInt16BE(2));
        const message = rest.subarray(0, size);
        rest = rest.subarray(size);
        if (message.readUInt32BE(4) === BARRIER_XID) return finish();
        if (message[1] !== 0) received.push(message);
      }
    });
  });
}

async function runOn(face: Face, { version, lines }: Scenario): Promise<string[]> {
  const run = new Run(face, version);
  try {
    await run.begin();
    return await run.all(lines);
  } finally {
    await run.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Runs a scenario on both at the same time. @returns where they answered differently */
export async function compareOpenFlow({ oracle, subject }: Pair, scenario: Scenario): Promise<Difference[]> {
  if (!isAlive(subject.pid))
    throw new Error(
      `the daemon is gone: ${subject
        .log()
        .replace(/^.*\|INFO\|.*\n/gm, '')
        .slice(0, 2000)}`,
    );
  const [theirs, ours] = await Promise.all([runOn(oracle, scenario), runOn(subject, scenario)]);
  if (process.env.WEFT_SHOW)
    for (const [i, line] of scenario.lines.entries()) if (line) console.log(`> ${line}\n${theirs[i]}`);
  return theirs.flatMap((reference, i) =>
    reference === ours[i] ? [] : [{ line: scenario.lines[i]!.trim(), ...narrow(reference, ours[i]!) }],
  );
}

/** Of long answers, only the lines that differ. */
function narrow(reference: string, ours: string): { reference: string; ours: string } {
  const [a, b] = [reference.split('\n'), ours.split('\n')];
  if (a.length + b.length < 12) return { reference, ours };
  const differ = (x: string[], y: string[]): string =>
    x
      .filter((line, i) => line !== y[i])
      .slice(0, 12)
      .join('\n');
  return { reference: differ(a, b), ours: differ(b, a) };
}

/** One test a scenario of the files. WEFT_SCENARIO, a pattern, picks some by name. */
export function testScenarios(folder: string, files: readonly string[], pair: () => Pair): void {
  const only = process.env.WEFT_SCENARIO;
  for (const file of files) {
    for (const scenario of readScenarios(join(folder, file))) {
      const name = `${file}: ${scenario.title}`;
      if (only !== undefined && !new RegExp(only).test(name)) continue;
      test(name, async (t) => {
        assert.deepEqual(await withSecondLook(t, () => compareOpenFlow(pair(), scenario)), []);
      });
    }
  }
}
