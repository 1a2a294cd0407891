/**
 * Packets through flow tables, in the reference's daemon and in ours: scenarios of test/differential/packets/*.txt.
 *
 * Terms. A file begins with lines that every scenario of it begins with; `== title` begins a scenario. A line is a verb and words
 * (single quotes keep words together):
 *   ports BRIDGE NAME…      a bridge in secure mode with ports p1 … pN, `ports br0 4`; further words are settings of the bridge
 *   vsctl|ofctl|appctl …    Debian's tools; what they say is compared, failures too. `of VERSION` sets ofctl's -O from there on
 *   flow TEXT, group TEXT   to br0; lines that follow each other go in one message stream. `flow@br1 TEXT` to another bridge
 *   packet PORT TEXT [x N]  a frame made of a match, such as `tcp,nw_src=1.2.3.4,tp_dst=80`, comes in (N times)
 *   inject PORT HEX|FLOW …  frames as netdev-dummy/receive takes them
 *   out                     frames that have gone out of all ports since the last time, by port
 *   echo                    frames of tunnels that have gone out by p3 come back by it, their outer ends swapped
 *   count                   how many they are: which of several ports a hash of the datapath leads to is the datapath's own
 *   stats [BRIDGE]          flows, tables, groups, meters and ports, once everything is counted
 *   flows                   megaflows of the datapath
 *   monitor NAME BRIDGE …   an ovs-ofctl monitor in the background; `snoop NAME BRIDGE`
 *   heard NAME              what it has printed since the last time; `tell NAME HEX` makes it send a message
 *   warp MS                 moves the clock
 *
 * Invariants. Both sides do a line before the next one begins. Bridges are removed behind each scenario. With WEFT_SHOW set, what
 * the reference says to each line is printed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { composeFrame } from '../../src/flow/compose.ts';
import { toHex } from '../../src/lib/bytes.ts';
import { parseMatch } from '../../src/openflow/match-text.ts';
import type { DummyDevices, Oracle } from './oracle.ts';
import { mask, renumbered, sorted, turnedRound, withoutEntropy, withoutWildBits } from './packets-text.ts';
import { closePair, type Difference, type Pair, type Subject, startPair } from './subject.ts';

const TRIES = 500;
const TURNS = 3;

/** The frame that a match says: fields it leaves out are zero, but for addresses. */
export function frameOf(text: string, payloadSize?: number): Uint8Array {
  const match = parseMatch(text);
  if (!match.ok) throw new Error(`${text}: ${JSON.stringify(match.error)}`);
  return composeFrame(match.value.key.packet, payloadSize);
}

/** Calls of ovs-appctl's protocol (JSON-RPC, RFC 7047 §4) on one connection. */
class Control {
  readonly #socket: Socket;
  readonly #waiting: { resolve(text: string): void; reject(error: Error): void }[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#receive(chunk));
    const gone = (error: Error): void => {
      for (const one of this.#waiting.splice(0)) one.reject(error);
    };
    socket.on('error', gone);
    socket.on('close', () => gone(new Error('the other side has hung up')));
  }

  static open(path: string): Promise<Control> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new Control(socket));
      });
    });
  }

  #receive(chunk: string): void {
    this.#text += chunk;
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}', end + 1)) {
      let answer: { result: string | null; error: string | null };
      try {
        answer = JSON.parse(this.#text.slice(0, end + 1));
      } catch {
        continue;
      }
      this.#text = this.#text.slice(end + 1);
      end = -1;
      this.#waiting.shift()?.resolve(answer.result ?? `error: ${answer.error}`);
    }
  }

  call(method: string, ...params: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(JSON.stringify({ id: 0, method, params }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface Listener {
  readonly child: ChildProcess;
  readonly control: Control;
  output: string;
  read: number;
}

/** One of the two switches. */
export class Face {
  readonly dir: string;
  readonly #switch: Oracle | Subject;
  readonly #control: Control;
  readonly #listeners = new Map<string, Listener>();
  readonly #env: NodeJS.ProcessEnv;
  #ports: string[] = [];
  #version: readonly string[] = [];

  private constructor(one: Oracle | Subject, control: Control) {
    this.#switch = one;
    this.dir = one.dir;
    this.#control = control;
    this.#env = { ...process.env, OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir };
  }

  static async open(one: Oracle | Subject): Promise<Face> {
    const face = new Face(one, await Control.open(join(one.dir, 'vswitchd.ctl')));
    await face.run('ovs-vsctl', ['--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2']);
    return face;
  }

  appctl(method: string, ...params: readonly string[]): Promise<string> {
    return this.#control.call(method, ...params);
  }

  /** @returns what the tool has said on both its outputs, and how it ended when that was a failure */
  run(command: string, args: readonly string[], input = ''): Promise<string> {
    const db = command === 'ovs-vsctl' ? [`--db=unix:${join(this.dir, 'db.sock')}`] : [];
    return new Promise((resolve) => {
      const child = spawn(command, ['--timeout=10', ...db, ...args], { env: this.#env });
      let [out, errors] = ['', ''];
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      child.on('close', (code) => resolve(mask(out + errors, this.dir) + (code === 0 ? '' : `[ends with ${code}]`)));
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
  }

  async ofctl(args: readonly string[], input = ''): Promise<string> {
    return sorted(await this.run('ovs-ofctl', [...this.#version, ...args], input));
  }

  async addBridge(bridge: string, count: number, settings: readonly string[], from: number): Promise<string> {
    const versions = 'protocols=[OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15]';
    const ports = Array.from({ length: count }, (_, i) => `p${from + i}`);
    const commands = ports.flatMap((port) => [
      ...[
        '--',
        'add-port',
        bridge,
        port,
        '--',
        'set',
        'interface',
        port,
        'type=dummy',
        `ofport_request=${port.slice(1)}`,
      ],
      `options:tx_pcap=${join(this.dir, `${port}.pcap`)}`,
    ]);
    const own = ['datapath_type=dummy', 'fail_mode=secure', versions, ...settings];
    this.#ports.push(...ports);
    return this.run('ovs-vsctl', ['add-br', bridge, '--', 'set', 'bridge', bridge, ...own, ...commands]);
  }

  /** Returns when the main loop has gone round some times: what came in is through. */
  async settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) {
      await this.appctl('version');
      await delay(1);
    }
    await this.appctl('version');
  }

  async inject(port: string, frames: readonly string[]): Promise<string> {
    const said = await this.appctl('netdev-dummy/receive', port, ...frames);
    await this.settle();
    return said;
  }

  /** Frames out of every port since the last time. */
  out(): string {
    return this.#ports
      .flatMap((port) => this.#switch.framesOut(port).map((frame) => `${port}: ${toHex(withoutEntropy(frame))}\n`))
      .join('');
  }

  /** Frames that p3 has sent come back by it, with MAC and IPv4 addresses swapped: the other end of a tunnel. */
  async echo(): Promise<string> {
    const sent = this.#switch.framesOut('p3').map(turnedRound);
    for (const frame of sent) await this.inject('p3', [toHex(frame)]);
    return `${sent.map((frame) => toHex(withoutEntropy(frame))).join('\n')}\n`;
  }

  async stats(bridge: string): Promise<string> {
    await this.appctl('revalidator/purge');
    const lists = ['dump-flows', 'dump-ports', 'dump-tables', 'dump-group-stats', 'meter-stats'];
    const says: string[] = [];
    for (const list of lists) says.push(await this.run('ovs-ofctl', ['-O', 'OpenFlow13', list, bridge]));
    says[1] = says[1]!
      .split(/\n(?= {2}port )/)
      .sort()
      .join('\n');
    return sorted(says.join('').replaceAll(/(?<=drop=|errs=|frame=|over=|crc=|coll=)\?/g, '0'));
  }

  async megaflows(): Promise<string> {
    const said = await this.appctl('dpctl/dump-flows', '--names');
    // The reference does not count the packet that made a megaflow
    const text = mask(said, this.dir).replaceAll(/ packets:\d+, bytes:\d+,| flags:[A-Z.]+,/g, '');
    const known = withoutWildBits(text)
      .replaceAll(/(?<=recirc_id=)[1-9]\d*(?=,rule_cookie)/g, 'N')
      .replaceAll(/,pcp=0\/0x0|,label=0\/0x0,tc=0\/0,ttl=0\/0x0,bos=0\/0/g, '');
    return renumbered(known.split('\n').sort().join('\n'));
  }

  async listen(name: string, args: readonly string[]): Promise<string> {
    const path = join(this.dir, `${name}.ctl`);
    const child = spawn('ovs-ofctl', [...this.#version, `--unixctl=${path}`, ...args], { env: this.#env });
    const listener = { child, output: '', read: 0 };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        listener.output += chunk;
      });
    }
    for (let i = 0; i < TRIES && !existsSync(path); i++) await delay(5);
    if (!existsSync(path)) throw new Error(`ovs-ofctl ${args.join(' ')}: ${listener.output}`);
    const control = await Control.open(path);
    this.#listeners.set(name, Object.assign(listener, { control }));
    await this.#settle(name, control);
    return '';
  }

  async #settle(name: string, control: Control): Promise<void> {
    await this.settle();
    // Whoever snoops asks nothing
    if (name.startsWith('snoop')) await delay(50);
    else await control.call('ofctl/barrier');
  }

  async heard(name: string): Promise<string> {
    const listener = this.#listeners.get(name)!;
    await this.#settle(name, listener.control);
    await delay(20);
    const text = listener.output.slice(listener.read);
    listener.read = listener.output.length;
    return mask(text, this.dir)
      .split('\n')
      .filter((line) => !/OFPT_BARRIER_REPLY/.test(line))
      .join('\n');
  }

  async tell(name: string, method: string, words: readonly string[]): Promise<string> {
    const said = await this.#listeners.get(name)!.control.call(`ofctl/${method}`, ...words);
    return mask(said, this.dir);
  }

  use(version: string): void {
    this.#version = ['-O', version];
  }

  async clear(): Promise<void> {
    for (const { child, control } of this.#listeners.values()) {
      control.close();
      child.kill();
    }
    for (const name of this.#listeners.keys()) {
      const path = join(this.dir, `${name}.ctl`);
      for (let i = 0; i < TRIES && existsSync(path); i++) await delay(2);
    }
    this.#listeners.clear();
    this.#version = [];
    // What has not been asked for is no matter of the next scenario's
    if (this.#ports.length > 0) this.out();
    this.#ports = [];
    const bridges = (await this.run('ovs-vsctl', ['list-br'])).split('\n').filter(Boolean);
    if (bridges.length > 0) await this.run('ovs-vsctl', bridges.flatMap((name) => ['--', 'del-br', name]).slice(1));
  }

  close(): void {
    for (const { child } of this.#listeners.values()) child.kill();
    this.#control.close();
  }
}

/** Both, and how to do a line on them. */
export class Bed {
  readonly pair: Pair;
  readonly reference: Face;
  readonly ours: Face;
  #count = 0;

  private constructor(pair: Pair, reference: Face, ours: Face) {
    this.pair = pair;
    this.reference = reference;
    this.ours = ours;
  }

  /** @param dummies which ports are dummies: all of them, or tunnels are tunnels */
  static async start(dummies: DummyDevices = 'override'): Promise<Bed> {
    const pair = await startPair({ dummies });
    return new Bed(pair, await Face.open(pair.oracle), await Face.open(pair.subject));
  }

  close(): void {
    this.reference.close();
    this.ours.close();
    closePair(this.pair);
  }

  both(action: (face: Face) => Promise<string> | string): Promise<[string, string]> {
    return Promise.all([action(this.reference), action(this.ours)]);
  }

  async clear(): Promise<void> {
    this.#count = 0;
    await Promise.all([this.reference.clear(), this.ours.clear()]);
  }

  /** @returns what both say to a line */
  line(line: string): Promise<[string, string]> {
    const [verb = '', ...words] = splitWords(line);
    const [first = '', ...rest] = words;
    switch (verb) {
      case 'ports': {
        const from = this.#count + 1;
        const count = Number(rest[0]);
        this.#count += count;
        return this.both((face) => face.addBridge(first, count, rest.slice(1), from));
      }
      case 'of':
        return this.both((face) => {
          face.use(first);
          return '';
        });
      case 'vsctl':
        return this.both((face) => face.run('ovs-vsctl', words));
      case 'ofctl':
        return this.both((face) => face.ofctl(words));
      case 'appctl':
        return this.both(async (face) => {
          const said = await face.appctl(first, ...rest);
          await face.settle();
          return mask(said, face.dir);
        });
      case 'packet': {
        const times = rest[1] === 'x' ? Number(rest[2]) : 1;
        const hex = toHex(frameOf(rest[0] ?? ''));
        return this.both((face) => face.inject(first, Array(times).fill(hex)));
      }
      case 'inject':
        return this.both((face) => face.inject(first, rest));
      case 'count':
        return this.both((face) => `${face.out().split('\n').length - 1} frames`);
      case 'out':
        return this.both((face) => face.out());
      case 'echo':
        return this.both((face) => face.echo());
      case 'stats':
        return this.both((face) => face.stats(first || 'br0'));
      case 'flows':
        return this.both((face) => face.megaflows());
      case 'monitor':
        return this.both((face) => face.listen(first, ['monitor', ...rest]));
      case 'snoop':
        return this.both((face) => face.listen(first, ['snoop', ...rest]));
      case 'heard':
        return this.both((face) => face.heard(first));
      case 'tell':
        return this.both((face) => face.tell(first, rest[0]!, rest.slice(1)));
      case 'warp':
        return this.both(async (face) => {
          await face.appctl('time/warp', first, first);
          await face.settle();
          return '';
        });
      default:
        throw new Error(`no such verb: ${verb}`);
    }
  }

  /** Runs a scenario on both. @returns where they answered differently; empty when they are the same */
  async compare(scenario: string): Promise<Difference[]> {
    const differences: Difference[] = [];
    const note = (line: string, [reference, ours]: readonly [string, string]): void => {
      if (process.env.WEFT_SHOW) console.log(`> ${line}\n${reference}`);
      if (reference !== ours) differences.push(narrowed(line, reference, ours));
    };
    try {
      for (const { line, input } of linesOf(scenario)) {
        if (input === null) note(line, await this.line(line));
        else note(line, await this.both((face) => face.ofctl([...splitWords(line), '-'], input)));
      }
    } finally {
      await this.clear();
    }
    return differences;
  }
}

const splitWords = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** Lines of a text that differ, when it has many. */
function narrowed(line: string, reference: string, ours: string): Difference {
  const [left, right] = [reference.split('\n'), ours.split('\n')];
  if (left.length < 4 && right.length < 4) return { line, reference, ours };
  const [inLeft, inRight] = [new Set(left), new Set(right)];
  const only = (lines: readonly string[], other: ReadonlySet<string>): string =>
    lines.filter((one) => !other.has(one)).join('\n');
  const difference = { line, reference: only(left, inRight), ours: only(right, inLeft) };
  return difference.reference === difference.ours ? { line, reference, ours } : difference;
}

interface Line {
  readonly line: string;
  /** What goes to the command's input; null for a line that is no command of ovs-ofctl with one. */
  readonly input: string | null;
}

const bulk: Readonly<Record<string, string>> = { flow: 'add-flows', group: 'add-groups' };

/** Lines of a scenario; flows and groups that follow each other are one. */
function linesOf(scenario: string): Line[] {
  const lines: Line[] = [];
  let [open, input] = ['', ''];
  const end = (): void => {
    if (open !== '') lines.push({ line: open, input });
    [open, input] = ['', ''];
  };
  for (const raw of scenario.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, word = '', bridge = 'br0', text = ''] = /^(flow|group)(?:@(\S+))? (.*)$/.exec(line) ?? [];
    const command = word === '' ? '' : `${bulk[word]} ${bridge}`;
    if (command !== open) end();
    if (command === '') lines.push({ line, input: null });
    else {
      open = command;
      input += `${text}\n`;
    }
  }
  end();
  return lines;
}

export interface Scenario {
  readonly title: string;
  readonly text: string;
}

/** Scenarios of a file. */
export function readScenarios(path: string): Scenario[] {
  const [preamble = '', ...parts] = readFileSync(path, 'utf8').split(/^== /m);
  return parts.map((part) => {
    const at = part.indexOf('\n');
    return { title: part.slice(0, at), text: preamble + part.slice(at + 1) };
  });
}
