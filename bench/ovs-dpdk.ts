/**
 * Open vSwitch with DPDK under test: a private daemon whose polling thread switches a trace from a pcap device that
 * plays it for ever (net_pcap, infinite_rx) to one that throws frames away.
 *
 *   node bench/ovs-dpdk.ts --workload W2 [--rounds R] [--seed S]
 *
 * The trace's megaflows are installed with dpctl/add-flows while the revalidators are paused. The daemon is stopped
 * (SIGSTOP) between rounds, so that others can be measured in between. Cost is the polling thread's own count of cycles
 * per packet (pmd-stats-show), less the share of the time that it was not on a processor (schedstat).
 *
 * It starts an ovsdb-server and an ovs-vswitchd in a temporary folder and ends both, by process id, when it is closed.
 *
 * Not supported: workloads with tags, IPv6 or tunnels; several ports.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { writeFlows, writeTrace } from './ovs-text.ts';
import type { SwitchUnderTest } from './served.ts';
import type { Round } from './weft.ts';
import type { Workload } from './workload-file.ts';
import { makeWorkload } from './workloads.ts';

const VSWITCHD = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk';
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
/** Frames that the packet pool has room for beside its own needs: of 262,144. */
const TRACE_MAX = 196_608;
const MEMORY_MB = 2048;
const HUGE_PAGES = '/proc/sys/vm/nr_hugepages';
const HUGE_PAGE_MB = 2;
const ROUND_MS = 500;

export const hasOvsDpdk = (): boolean => existsSync(VSWITCHD) && existsSync(SCHEMA);

export const canOvsRun = (name: string): boolean => /^W[1-5](\/|$)/.test(name);

interface PmdStats {
  readonly packets: number;
  readonly emcHits: number;
  readonly megaflowHits: number;
  readonly subtablesPerHit: number;
  readonly misses: number;
  readonly cycles: number;
  readonly cyclesPerPacket: number;
}

/** Reads what pmd-stats-show says of the polling thread. */
export function parsePmdStats(text: string): PmdStats | null {
  const pmd = text.split('main thread:').find((section) => section.includes('pmd thread'));
  if (!pmd) return null;
  const number = (name: string): number => Number(new RegExp(`${name}: ([0-9.]+)`).exec(pmd)?.[1] ?? 0);
  return {
    packets: number('packets received'),
    emcHits: number('emc hits'),
    megaflowHits: number('megaflow hits'),
    subtablesPerHit: number('avg. subtable lookups per megaflow hit'),
    misses: number('miss with success upcall') + number('miss with failed upcall'),
    cycles: number('idle cycles') + number('processing cycles'),
    cyclesPerPacket: number('avg processing cycles per packet'),
  };
}

export class OvsDpdk implements SwitchUnderTest {
  readonly name = 'ovs-dpdk';
  readonly #folder = mkdtempSync(join(tmpdir(), 'weft-ovs-dpdk-'));
  readonly #children: ChildProcess[] = [];
  #pollThread = '';
  #isStopped = false;
  /** What the number of huge pages was before; null when it was left alone. */
  #hugePagesBefore: string | null = null;

  static async start(workload: Workload): Promise<OvsDpdk> {
    const ovs = new OvsDpdk();
    try {
      await ovs.#start(workload);
    } catch (error) {
      const log = join(ovs.#folder, 'vswitchd.log');
      const tail = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(-12).join('\n') : '';
      await ovs.close();
      throw new Error(
        `Open vSwitch with DPDK did not start: ${error instanceof Error ? error.message : error}\n${tail}`,
      );
    }
    return ovs;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, OVS_RUNDIR: this.#folder, OVS_DBDIR: this.#folder, OVS_LOGDIR: this.#folder };
  }

  #run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { env: this.#environment, encoding: 'utf8', maxBuffer: 1 << 28, stdio: 'pipe' });
  }

  #vsctl(...args: string[]): string {
    return this.#run('ovs-vsctl', '--timeout=20', `--db=unix:${this.#path('db.sock')}`, ...args);
  }

  #appctl(...args: string[]): string {
    return this.#run('ovs-appctl', '--timeout=120', '-t', this.#path('vswitchd.ctl'), ...args);
  }

  async #spawn(command: string, args: readonly string[], ready: string): Promise<void> {
    const child = spawn(command, args, { env: this.#environment, stdio: 'ignore' });
    this.#children.push(child);
    for (let i = 0; i < 200 && !existsSync(this.#path(ready)); i++) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${command} ended`);
      await sleep(50);
    }
  }

  async #start(workload: Workload): Promise<void> {
    const unix = `unix:${this.#path('db.sock')}`;
    this.#run('ovsdb-tool', 'create', this.#path('conf.db'), SCHEMA);
    const database = [this.#path('conf.db'), `--remote=p${unix}`, `--unixctl=${this.#path('ovsdb.ctl')}`];
    await this.#spawn('ovsdb-server', [...database, '-vconsole:off'], 'db.sock');
    this.#vsctl('--no-wait', 'init');
    const config = {
      'dpdk-init': 'true',
      'dpdk-extra': `--no-pci ${this.#takeHugePages()}`,
      'dpdk-lcore-mask': '0x1',
      'pmd-cpu-mask': '0x2',
      ...(workload.cacheOff ? { 'emc-insert-inv-prob': '0' } : {}),
    };
    const settings = Object.entries(config).map(([name, value]) => `other_config:${name}="${value}"`);
    this.#vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...settings);
    const control = [`--unixctl=${this.#path('vswitchd.ctl')}`, `--pidfile=${this.#path('vswitchd.pid')}`];
    const log = [`--log-file=${this.#path('vswitchd.log')}`, '-vconsole:off'];
    await this.#spawn(VSWITCHD, [unix, ...control, ...log], 'vswitchd.ctl');
    await this.#addPorts(workload);
  }

  /** Huge pages are Open vSwitch's better half: asked for when they may be, given back by close(). */
  #takeHugePages(): string {
    const plain = `--no-huge --legacy-mem -m ${MEMORY_MB} --file-prefix=weft${process.pid}`;
    const wanted = MEMORY_MB / HUGE_PAGE_MB;
    try {
      const before = readFileSync(HUGE_PAGES, 'utf8').trim();
      if (Number(before) < wanted) {
        writeFileSync(HUGE_PAGES, `${wanted}`);
        this.#hugePagesBefore = before;
      }
      return Number(readFileSync(HUGE_PAGES, 'utf8')) >= wanted ? `--socket-mem ${MEMORY_MB}` : plain;
    } catch {
      return plain;
    }
  }

  /** The sink first: then there is a polling thread to install megaflows in before the first frame comes. */
  async #addPorts(workload: Workload): Promise<void> {
    writeTrace(workload, this.#path('one.pcap'), 1);
    writeTrace(workload, this.#path('trace.pcap'), TRACE_MAX);
    this.#vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail_mode=secure');
    this.#addPort('sink', `net_pcap0,rx_pcap=${this.#path('one.pcap')}`);
    this.#appctl('revalidator/pause');
    const sink = /port (\d+): sink/.exec(this.#appctl('dpctl/show'));
    if (!sink) throw new Error('the sink is not a port of the datapath');
    // the workload's port 1 is the next to come, its port 2 the sink
    const sinkNumber = Number(sink[1]);
    writeFlows(workload, this.#path('flows'), (port) => (port === 1 ? sinkNumber + 1 : sinkNumber));
    this.#appctl('dpctl/add-flows', this.#path('flows'));
    this.#addPort('source', `net_pcap1,rx_pcap=${this.#path('trace.pcap')},infinite_rx=1`);
    this.#findPollThread();
    await sleep(300);
    this.#checkFlows(workload);
    this.#signal('SIGSTOP');
  }

  /** A single miss would install a megaflow that drops everything, and the rest would be a measurement of that. */
  #checkFlows(workload: Workload): void {
    const [, hits, misses] = /lookups: hit:(\d+) missed:(\d+)/.exec(this.#appctl('dpctl/show')) ?? [];
    if (misses !== '0' || hits === '0') throw new Error(`${workload.name}: ${hits} lookups hit and ${misses} missed`);
  }

  #addPort(name: string, device: string): void {
    this.#vsctl(
      'add-port',
      'br0',
      name,
      '--',
      'set',
      'interface',
      name,
      'type=dpdk',
      `options:dpdk-devargs="${device}"`,
    );
  }

  get #daemon(): number {
    return Number(readFileSync(this.#path('vswitchd.pid'), 'utf8'));
  }

  #findPollThread(): void {
    const tasks = `/proc/${this.#daemon}/task`;
    const thread = readdirSync(tasks).find((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').startsWith('pmd-c'));
    if (!thread) throw new Error('there is no polling thread');
    this.#pollThread = `${tasks}/${thread}/schedstat`;
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.#daemon, signal);
    this.#isStopped = signal === 'SIGSTOP';
  }

  /** Nanoseconds on a processor, and waiting for one. */
  #schedule(): readonly [number, number] {
    const [run = 0, wait = 0] = readFileSync(this.#pollThread, 'utf8').split(' ').map(Number);
    return [run, wait];
  }

  /** The polling thread cannot be given a number of packets: it runs for a while. */
  async round(_packets: number): Promise<Round> {
    this.#signal('SIGCONT');
    await sleep(100);
    const [runBefore, waitBefore] = this.#schedule();
    const start = performance.now();
    this.#appctl('dpif-netdev/pmd-stats-clear');
    await sleep(ROUND_MS);
    const text = this.#appctl('dpif-netdev/pmd-stats-show');
    const wall = (performance.now() - start) / 1e3;
    const [run, wait] = this.#schedule();
    this.#signal('SIGSTOP');
    const stats = parsePmdStats(text);
    if (!stats || stats.packets === 0) throw new Error(`no packets in: ${text}`);
    const onProcessor = (run - runBefore) / Math.max(1, run - runBefore + wait - waitBefore);
    const ns = (stats.cyclesPerPacket / tscGhz()) * onProcessor;
    return {
      ns_per_packet: ns,
      cpu_seconds: (ns * stats.packets) / 1e9,
      wall_seconds: wall,
      packets: stats.packets,
      tx_packets: stats.packets,
      cache_hits: stats.emcHits,
      megaflow_hits: stats.megaflowHits,
      misses: stats.misses,
      subtables_visited: Math.round(stats.subtablesPerHit * stats.megaflowHits),
      drops: 0,
    };
  }

  async close(): Promise<void> {
    if (this.#isStopped) this.#signal('SIGCONT');
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const deadline = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(deadline);
    }
    if (this.#hugePagesBefore !== null) writeFileSync(HUGE_PAGES, this.#hugePagesBefore);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

let ghz = 0;

/** Ticks of the time stamp counter a nanosecond: what a polling thread's cycles are. */
function tscGhz(): number {
  if (ghz !== 0) return ghz;
  const known = /^model name.*@ ([0-9.]+)GHz|^bogomips\s*: ([0-9.]+)/im.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  // a processor's BogoMIPS are twice its time stamp counter's MHz
  ghz = known?.[1] ? Number(known[1]) : Number(known?.[2]) / 2000;
  return ghz;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workload: { type: 'string', default: 'W2' },
      rounds: { type: 'string', default: '7' },
      seed: { type: 'string', default: '1' },
    },
  });
  const ovs = await OvsDpdk.start(makeWorkload(values.workload, Number(values.seed)));
  try {
    for (let i = 0; i < Number(values.rounds); i++) process.stdout.write(`${JSON.stringify(await ovs.round(0))}\n`);
  } finally {
    await ovs.close();
  }
}

if (import.meta.main) await main();
