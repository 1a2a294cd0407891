/** The switches that are compared, each started in the middle namespace on processor 1. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inside, netns } from './netns.ts';

export const SWITCH_CPU = 1;
export const OTHER_CPU = 0;
const folder = import.meta.dirname;
export const tool = join(folder, 'native', 'target', 'release', 'weft-io');
const VSWITCHD = '/usr/lib/openvswitch-switch/ovs-vswitchd';

/** Whether frames are rewritten on their way or passed as they are. */
export type Task = 'rewrite' | 'plain';

export interface RunningSwitch {
  /** Null when it runs in the kernel's own time. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

export interface SwitchKind {
  readonly name: string;
  readonly tasks: readonly Task[];
  start(task: Task): Promise<RunningSwitch>;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

async function startProcess(command: readonly string[]): Promise<RunningSwitch> {
  const [program, ...args] = inside('switch', SWITCH_CPU, ...command);
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve());
    child.once('exit', () => reject(new Error(`${command.join(' ')} ended`)));
  });
  return {
    pid: child.pid!,
    async stop() {
      child.stdin!.end();
      setTimeout(() => child.kill('SIGTERM'), 300);
      await ended(child);
      // The kernel lets go of queues a moment later
      await delay(300);
    },
  };
}

const weft = (backend: 'afxdp' | 'packet'): SwitchKind => ({
  name: `Weft, ${backend}`,
  tasks: ['rewrite', 'plain'],
  start: (task) => startProcess([process.execPath, join(folder, 'weft-switch.ts'), backend, task, 's0', 's1']),
});

const native: SwitchKind = {
  name: 'native AF_XDP loop',
  tasks: ['rewrite'],
  start: () => startProcess([tool, 'forward', 's0', 's1', String(SWITCH_CPU)]),
};

/** Open vSwitch with its own database in a folder of its own. */
class OvsSwitch implements RunningSwitch {
  readonly #dir = mkdtempSync(join(tmpdir(), 'weft-bench-io-'));
  readonly #children: ChildProcess[] = [];
  #vswitchd: ChildProcess | null = null;

  get #env(): NodeJS.ProcessEnv {
    const dir = this.#dir;
    return { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir, OVS_SYSCONFDIR: dir };
  }

  get pid(): number {
    return this.#vswitchd!.pid!;
  }

  #run(command: string, ...args: readonly string[]): string {
    return execFileSync(command, args, { env: this.#env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  #spawn(command: readonly string[]): ChildProcess {
    const child = spawn(command[0]!, command.slice(1), { env: this.#env, stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  async #waitFor(file: string): Promise<void> {
    for (let i = 0; !existsSync(join(this.#dir, file)); i++) {
      if (i > 500) throw new Error(`Open vSwitch did not make ${file}`);
      await delay(20);
    }
  }

  async start(type: 'afxdp' | 'system', task: Task): Promise<this> {
    const dir = this.#dir;
    const db = `unix:${dir}/db.sock`;
    this.#run('ovsdb-tool', 'create', `${dir}/conf.db`, '/usr/share/openvswitch/vswitch.ovsschema');
    this.#spawn(['ovsdb-server', `--remote=p${db}`, '--unixctl=none', `${dir}/conf.db`]);
    await this.#waitFor('db.sock');
    const vsctl = (...args: readonly string[]): string => this.#run('ovs-vsctl', '--timeout=20', `--db=${db}`, ...args);
    vsctl('--no-wait', 'init');
    const mask = `other_config:pmd-cpu-mask=0x${(1 << SWITCH_CPU).toString(16)}`;
    vsctl('--no-wait', 'set', 'Open_vSwitch', '.', mask);
    const options = [`--unixctl=${dir}/ctl`, `--log-file=${dir}/log`, '-vconsole:off', '-vsyslog:off'];
    // Its threads choose their processor themselves, by the mask
    this.#vswitchd = this.#spawn(['ip', 'netns', 'exec', netns.switch, VSWITCHD, ...options, db]);
    await this.#waitFor('ctl');
    vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev', 'fail_mode=secure');
    for (const port of ['s0', 's1']) {
      vsctl(
        'add-port',
        'br0',
        port,
        '--',
        'set',
        'interface',
        port,
        `type=${type}`,
        `ofport_request=${Number(port[1]) + 1}`,
      );
      if (vsctl('get', 'interface', port, 'error').trim() !== '[]')
        throw new Error(vsctl('get', 'interface', port, 'error'));
    }
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ]) {
      const rewrite = task === 'rewrite' ? 'mod_dl_dst:02:00:00:00:00:03,dec_ttl,' : '';
      const match = task === 'rewrite' ? 'ip,' : '';
      this.#run('ovs-ofctl', 'add-flow', 'br0', `${match}in_port=${from},actions=${rewrite}output:${to}`);
    }
    return this;
  }

  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      child.kill('SIGTERM');
      await ended(child);
    }
    rmSync(this.#dir, { recursive: true, force: true });
    await delay(300);
  }
}

const openVswitch = (type: 'afxdp' | 'system'): SwitchKind => ({
  name: `Open vSwitch, ${type === 'afxdp' ? 'afxdp' : 'packet sockets'}`,
  tasks: ['rewrite', 'plain'],
  async start(task) {
    const running = new OvsSwitch();
    try {
      return await running.start(type, task);
    } catch (error) {
      await running.stop();
      throw error;
    }
  },
});

/** The kernel's own: no rewriting, and its time is the sender's. */
const bridge: SwitchKind = {
  name: 'Linux bridge',
  tasks: ['rewrite', 'plain'],
  start: () => {
    const ip = (...args: readonly string[]): string =>
      execFileSync('ip', ['-n', netns.switch, ...args], { encoding: 'utf8' });
    ip('link', 'add', 'br9', 'type', 'bridge');
    ip('link', 'set', 'br9', 'up');
    for (const port of ['s0', 's1']) ip('link', 'set', port, 'master', 'br9');
    return Promise.resolve({
      pid: null,
      stop: () => {
        ip('link', 'del', 'br9');
        return Promise.resolve();
      },
    });
  },
};

export const switches: readonly SwitchKind[] = [
  native,
  weft('afxdp'),
  openVswitch('afxdp'),
  weft('packet'),
  openVswitch('system'),
  bridge,
];
