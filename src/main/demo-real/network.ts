/**
 * The demo's network on real parts: a namespace for each hypervisor and each machine, a `weft run` in each hypervisor.
 *
 * Machines hang on veth pairs, or on TAP devices when that is the backend; the underlay is a veth pair, which a packet socket
 * works when the backend is TAP.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UNDERLAY, type Vm, VNI } from '../demo/topology.ts';
import { askControl } from '../run/client.ts';
import type { RunStatus } from '../run/status.ts';
import { Ground } from './ground.ts';

export const backends = ['afxdp', 'tap', 'packet'] as const;
export type Backend = (typeof backends)[number];

const HYPERVISORS = ['hv1', 'hv2'] as const;
type Hypervisor = (typeof HYPERVISORS)[number];
/** Outer Ethernet, IPv4, UDP and VXLAN headers: what the underlay must carry beyond 1500 bytes. */
const UNDERLAY_MTU = 1600;
const START_MS = 20_000;

const macOf = (vm: Vm): string => `02:00:00:00:00:0${vm.name.slice(2)}`;

/** What `weft run` gets: JSON is YAML as well. */
function fileOf(name: Hypervisor, vms: readonly Vm[], backend: Backend): string {
  const other = HYPERVISORS.find((one) => one !== name)!;
  const port = (vm: Vm) => ({ name: vm.name, backend, ...(vm.tag === null ? {} : { tag: vm.tag }) });
  const tunnel = { type: 'vxlan', local: UNDERLAY[name], remote: UNDERLAY[other], key: VNI };
  const state = {
    bridges: [
      { name: 'br-int', ports: [...vms.filter((vm) => vm.hypervisor === name).map(port), { name: 'vxlan0', tunnel }] },
      {
        name: 'br-phy',
        mac: `02:00:00:00:0f:0${name.slice(2)}`,
        addresses: [`${UNDERLAY[name]}/24`],
        ports: [{ name: 'eth0', backend: backend === 'tap' ? 'packet' : backend }],
      },
    ],
  };
  return `${JSON.stringify(state, null, 2)}\n`;
}

export class DemoNetwork {
  readonly #ground: Ground;
  readonly #backend: Backend;
  readonly #switches = new Map<Hypervisor, { readonly child: ChildProcess; readonly said: string[] }>();

  /** @throws Error with words for the user */
  constructor(backend: Backend, vms: readonly Vm[]) {
    this.#backend = backend;
    this.#ground = new Ground([...HYPERVISORS, ...vms.map(({ name }) => name)]);
  }

  #file(name: Hypervisor): string {
    return join(this.#ground.folder, `${name}.yaml`);
  }

  #control(name: Hypervisor): string {
    return join(this.#ground.folder, `${name}.ctl`);
  }

  /** Links, switches, addresses. @throws Error with words for the user */
  async start(vms: readonly Vm[]): Promise<void> {
    const ground = this.#ground;
    const [at, size] = [ground.netns('hv1'), `${UNDERLAY_MTU}`];
    const peer = ['peer', 'name', 'eth0', 'mtu', size, 'netns', ground.netns('hv2')];
    ground.ip('-n', at, 'link', 'add', 'name', 'eth0', 'mtu', size, 'type', 'veth', ...peer);
    for (const name of HYPERVISORS)
      ground.ip('-n', ground.netns(name), 'link', 'set', 'dev', 'eth0', 'addrgenmode', 'none', 'up');
    if (this.#backend !== 'tap') for (const vm of vms) this.#addVeth(vm);
    for (const name of HYPERVISORS) this.#startSwitch(name, vms);
    await Promise.all(HYPERVISORS.map((name) => this.#ready(name)));
    if (this.#backend === 'tap') for (const vm of vms) this.#giveTap(vm);
    for (const vm of vms) this.#setAddresses(vm);
    await this.#allUp();
  }

  /** Waits until the switches have seen every link come up. */
  async #allUp(): Promise<void> {
    const end = performance.now() + START_MS;
    for (;;) {
      const down = (await this.status()).flatMap(({ ports }) => ports.filter(({ state }) => state !== 'up'));
      if (down.length === 0) return;
      if (performance.now() > end) throw new Error(`links stay down: ${down.map(({ name }) => name).join(', ')}`);
      await delay(20);
    }
  }

  #addVeth(vm: Vm): void {
    const [at, inside] = [this.#ground.netns(vm.hypervisor), this.#ground.netns(vm.name)];
    const peer = ['peer', 'name', 'eth0', 'netns', inside];
    this.#ground.ip('-n', at, 'link', 'add', 'name', vm.name, 'type', 'veth', ...peer);
    this.#ground.ip('-n', at, 'link', 'set', 'dev', vm.name, 'addrgenmode', 'none', 'up');
  }

  /** The kernel's end of a TAP device, which the switch made, goes to the machine. */
  #giveTap(vm: Vm): void {
    const [at, inside] = [this.#ground.netns(vm.hypervisor), this.#ground.netns(vm.name)];
    this.#ground.ip('-n', at, 'link', 'set', 'dev', vm.name, 'down');
    this.#ground.ip('-n', at, 'link', 'set', 'dev', vm.name, 'name', 'eth0', 'netns', inside);
  }

  #setAddresses(vm: Vm): void {
    const at = this.#ground.netns(vm.name);
    this.#ground.ip('-n', at, 'link', 'set', 'dev', 'eth0', 'address', macOf(vm), 'addrgenmode', 'none', 'up');
    this.#ground.ip('-n', at, 'address', 'add', `${vm.ipv4}/24`, 'dev', 'eth0');
    this.#ground.ip('-n', at, 'address', 'add', `${vm.ipv6}/64`, 'dev', 'eth0', 'nodad');
  }

  #startSwitch(name: Hypervisor, vms: readonly Vm[]): void {
    writeFileSync(this.#file(name), fileOf(name, vms, this.#backend));
    const state = join(this.#ground.folder, name);
    const command = [process.argv[1]!, 'run', this.#file(name), '--state', state, '--ctl', this.#control(name)];
    const child = this.#ground.start(name, process.execPath, ...command);
    const said: string[] = [];
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 1000) said.push(text);
    });
    this.#switches.set(name, { child, said });
  }

  /** Waits until a switch answers, and has all its ports. */
  async #ready(name: Hypervisor): Promise<void> {
    const { child, said } = this.#switches.get(name)!;
    const end = performance.now() + START_MS;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > end)
        throw new Error(`the switch of ${name} did not start:\n${said.join('')}`);
      await delay(50);
      const status = await this.#ask(name).catch(() => null);
      const waiting = status?.ports.filter(({ state }) => state === 'waiting') ?? [];
      if (waiting.length > 0) throw new Error(`${name}: ${waiting.map(({ error }) => error).join('; ')}`);
      if (status) return;
    }
  }

  async #ask(name: Hypervisor): Promise<RunStatus> {
    return JSON.parse(await askControl(this.#control(name), 'weft/status')) as RunStatus;
  }

  status(): Promise<RunStatus[]> {
    return Promise.all(HYPERVISORS.map((name) => this.#ask(name)));
  }

  /** Writes both files anew and has the switches read them, as SIGHUP would. */
  async change(vms: readonly Vm[]): Promise<void> {
    for (const name of HYPERVISORS) {
      writeFileSync(this.#file(name), fileOf(name, vms, this.#backend));
      await askControl(this.#control(name), 'weft/reload');
    }
  }

  /** What ping(8) printed. */
  ping(from: Vm, address: string, count: number): Promise<string> {
    return this.#ground.run(from.name, 'ping', '-n', '-c', `${count}`, '-i', '0.2', '-W', '1', address);
  }

  /** Ends the switches, which then leave the machine as it was, and removes everything. */
  async close(): Promise<void> {
    await Promise.all([...this.#switches.keys()].map((name) => this.#endSwitch(name)));
    this.#ground.remove();
  }

  async #endSwitch(name: Hypervisor): Promise<void> {
    const { child } = this.#switches.get(name)!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await Promise.race([askControl(this.#control(name), 'exit').catch(() => ''), delay(1000)]);
    await Promise.race([gone, delay(3000)]);
  }

  /** At once: for when there is no time left. */
  remove(): void {
    this.#ground.remove();
  }
}
