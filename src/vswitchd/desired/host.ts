/**
 * The machine around a switch: brings a switch to its desired state, and keeps it there while interfaces come and go.
 *
 * What. apply() carries out the steps between the last state and the new one. A port whose interface is not there, or
 * cannot be opened, *waits*: tick() tries again. A device that vanished is taken off its bridge, and waits.
 *
 * Invariants. A port that comes back has the OpenFlow number that it had. close() leaves the machine as it was found: what
 * was made is removed, what was changed is put back.
 */
import { loadNative } from '../../../backends/native/index.ts';
import { NativeNetdev } from '../../../backends/native/netdev.ts';
import { MILLISECOND, type Micros, SECOND } from '../../lib/clock.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import type { OfPort } from '../../translate/types.ts';
import { openDevice } from '../devices.ts';
import type { Runner } from '../runner.ts';
import type { Switch } from '../switch.ts';
import type { PortConfig } from '../types.ts';
import { nothing, planSteps, type Step, stepText } from './plan.ts';
import type { DesiredBridge, DesiredPort, DesiredState } from './types.ts';

type Picture = Omit<DesiredState, 'settings'>;

/** Puts flows in place of those of a bridge, all or none; null puts the default ones. Returns what is wrong; null for nothing. */
export type FlowSetter = (bridge: string, flows: readonly string[] | null) => string | null;

export interface LivePort {
  readonly port: DesiredPort;
  /** Null for patch ports and tunnels, and while it waits. */
  readonly device: Netdev | null;
  /** Null while it waits. */
  readonly ofport: OfPort | null;
  /** Why it waits. */
  readonly error: string | null;
}

export interface LiveBridge {
  readonly bridge: DesiredBridge;
  /** The kernel's end of the local port, where there is one. */
  readonly device: Netdev | null;
  readonly error: string | null;
}

/** What waits is tried again after so long; twice as long after each failure. */
const RETRY_FIRST: Micros = 250 * MILLISECOND;
const RETRY_MAX: Micros = 10 * SECOND;

/** A device of the kernel that is open, and whose interface is no more. */
const isGone = (device: Netdev): boolean => 'fd' in device && device.fd === null;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Host {
  readonly #switch: Switch;
  readonly #runner: Pick<Runner, 'watch' | 'unwatch' | 'wake'>;
  readonly #log: (line: string) => void;
  readonly #setFlows: FlowSetter;
  readonly #bridges = new Map<string, LiveBridge>();
  readonly #ports = new Map<string, LivePort>();
  /** When what waits is tried again, by name. */
  readonly #retries = new Map<string, { readonly at: Micros; readonly delay: Micros }>();
  /** Bridges whose flows could not be put in. */
  readonly #waitingFlows = new Set<string>();
  #state: Picture = nothing;

  constructor(
    target: Switch,
    runner: Pick<Runner, 'watch' | 'unwatch' | 'wake'>,
    log: (line: string) => void,
    setFlows: FlowSetter,
  ) {
    this.#switch = target;
    this.#setFlows = setFlows;
    this.#runner = runner;
    this.#log = log;
  }

  get bridges(): ReadonlyMap<string, LiveBridge> {
    return this.#bridges;
  }

  get ports(): ReadonlyMap<string, LivePort> {
    return this.#ports;
  }

  /** What apply() would do. */
  plan(to: Picture): Step[] {
    return planSteps(this.#state, to);
  }

  /** Carries out what is missing. Traffic of what stays is not disturbed. Returns the steps that were made. */
  apply(to: Picture): readonly Step[] {
    const steps = this.plan(to);
    this.#state = to;
    for (const step of steps) {
      this.#log(stepText(step));
      this.#carryOut(step);
    }
    this.#runner.wake();
    return steps;
  }

  #carryOut(step: Step): void {
    switch (step.does) {
      case 'remove-port':
        this.#takeOff(step.port.name);
        this.#ports.delete(step.port.name);
        break;
      case 'remove-bridge':
        this.#removeBridge(step.bridge.name);
        this.#bridges.delete(step.bridge.name);
        break;
      case 'add-bridge':
        this.#addBridge(step.bridge);
        break;
      case 'add-port':
        this.#addPort(step.port, null);
        break;
      case 'set-vlan': {
        const live = this.#ports.get(step.port.name);
        if (live) this.#ports.set(step.port.name, { ...live, port: step.port });
        if (live?.ofport != null) this.#switch.setPortVlan(step.port.bridge, step.port.name, step.port.vlan);
        break;
      }
      case 'add-route':
        if (this.#isThere(step.route.bridge)) this.#addRoute(step.route);
        break;
      case 'set-flows':
        if (this.#isThere(step.bridge)) this.#putFlows(step.bridge, step.flows);
        break;
      case 'set-neighbor': {
        const { bridge, address, mac } = step.neighbor;
        if (this.#isThere(bridge)) this.#switch.setNeighbor(bridge, address, mac);
        break;
      }
    }
  }

  #isThere(bridge: string): boolean {
    return this.#bridges.get(bridge)?.error === null;
  }

  /** Names of ports that wait cannot be resolved: such flows are put in when the ports are there. */
  #putFlows(bridge: string, flows: readonly string[] | null): void {
    const wrong = this.#setFlows(bridge, flows);
    if (wrong === null) this.#waitingFlows.delete(bridge);
    else {
      this.#waitingFlows.add(bridge);
      this.#log(`! flows of ${bridge} are not in: ${wrong}`);
    }
  }

  #addRoute({ prefix, prefixLength, bridge, gateway }: Picture['routes'][number]): void {
    this.#switch.addRoute(prefix, prefixLength, bridge, gateway);
  }

  // ---- bridges ----

  #addBridge(bridge: DesiredBridge): void {
    let device: Netdev | null = null;
    try {
      device = bridge.local === 'internal' ? this.#openInternal(bridge) : null;
      const { name, mac, addresses, forwardBpdu, macAging, macTableSize, failMode } = bridge;
      const local = device ?? (bridge.local === 'embedded' ? 'embedded' : 'none');
      this.#switch.addBridge({ name, mac, local, addresses, forwardBpdu, macAging, macTableSize, failMode });
      if (device) this.#runner.watch(device);
      this.#bridges.set(name, { bridge, device, error: null });
    } catch (error) {
      device?.close();
      this.#wait('bridge', bridge.name, messageOf(error), this.#bridges.get(bridge.name)?.error);
      this.#bridges.set(bridge.name, { bridge, device: null, error: messageOf(error) });
    }
  }

  /** @throws when the interface cannot be made, or an address not be given */
  #openInternal({ name, mac, mtu, addresses }: DesiredBridge): Netdev {
    const options = { mac, ...(mtu === null ? {} : { mtu }) };
    const opened = openDevice({ type: 'internal', name, options });
    if (!opened.ok) throw new Error(opened.error);
    const addon = loadNative();
    try {
      for (const { address, prefixLength } of addresses)
        if (addon.ok) addon.value.setAddress(name, address, prefixLength, true);
    } catch (error) {
      opened.value.close();
      throw error;
    }
    return opened.value;
  }

  #removeBridge(name: string): void {
    const live = this.#bridges.get(name);
    if (live?.error !== null) return;
    if (live.device) this.#runner.unwatch(live.device);
    this.#switch.removeBridge(name);
    live.device?.close();
  }

  /** Makes a bridge anew, with its ports, routes and neighbours. */
  #remakeBridge(bridge: DesiredBridge): void {
    const ports = [...this.#ports.values()].filter(({ port }) => port.bridge === bridge.name);
    for (const { port } of ports) this.#takeOff(port.name);
    this.#removeBridge(bridge.name);
    this.#addBridge(bridge);
    if (!this.#isThere(bridge.name)) return;
    for (const { port, ofport } of ports) this.#addPort(port, ofport);
    for (const route of this.#state.routes) if (route.bridge === bridge.name) this.#addRoute(route);
    for (const { bridge: at, address, mac } of this.#state.neighbors)
      if (at === bridge.name) this.#switch.setNeighbor(at, address, mac);
    const flows = this.#state.flows.get(bridge.name);
    if (flows) this.#putFlows(bridge.name, flows);
  }

  // ---- ports ----

  /** @param ofport the number that it had, when it comes back */
  #addPort(port: DesiredPort, ofport: OfPort | null): void {
    const { name, bridge, target, vlan } = port;
    let device: Netdev | null = null;
    try {
      if (!this.#isThere(bridge)) throw new Error(`bridge ${bridge} waits`);
      device = target.kind === 'device' ? this.#open(target) : null;
      const number = port.ofport ?? this.#freeAgain(bridge, ofport);
      const common = { name, vlan, protected: port.protected, ...(number === null ? {} : { ofport: number }) };
      const config: PortConfig =
        target.kind === 'patch'
          ? { ...common, patch: target.peer }
          : target.kind === 'tunnel'
            ? { ...common, tunnel: target.tunnel }
            : { ...common, netdev: device! };
      const info = this.#switch.addPort(bridge, config);
      if (device) this.#runner.watch(device);
      this.#ports.set(name, { port, device, ofport: info.ofport, error: null });
    } catch (error) {
      device?.close();
      this.#wait('port', name, messageOf(error), this.#ports.get(name)?.error);
      this.#ports.set(name, { port, device: null, ofport, error: messageOf(error) });
    }
  }

  /** The number that a port had, unless another one has it by now. */
  #freeAgain(bridge: string, ofport: OfPort | null): OfPort | null {
    const isTaken = [...this.#ports.values()].some(
      (live) => live.port.bridge === bridge && live.error === null && live.ofport === ofport,
    );
    return isTaken ? null : ofport;
  }

  #open({ backend, interface: name, options }: Extract<DesiredPort['target'], { kind: 'device' }>): Netdev {
    const opened = openDevice({ type: backend, name, options });
    if (!opened.ok) throw new Error(opened.error);
    return opened.value;
  }

  /** Says once why something waits. */
  #wait(what: string, name: string, reason: string, before: string | null | undefined): void {
    if (before !== reason) this.#log(`! ${what} ${name} waits: ${reason}`);
  }

  /** Off its bridge, with its device closed; it stays known. */
  #takeOff(name: string): void {
    const live = this.#ports.get(name);
    if (!live || live.error !== null) return;
    if (live.device) this.#runner.unwatch(live.device);
    this.#switch.removePort(live.port.bridge, name);
    live.device?.close();
    this.#ports.set(name, { ...live, device: null, error: 'taken off' });
  }

  // ---- interfaces that come and go ----

  /**
   * Takes off what is gone, and tries what waits. To be called now and then, and when interfaces changed.
   * @param hasChanged an interface came or changed: all that waits is tried at once
   */
  tick(now: Micros, hasChanged: boolean): void {
    if (hasChanged) this.#lookAtLinks();
    for (const live of [...this.#bridges.values()]) {
      const isLost = live.device !== null && isGone(live.device);
      if (isLost || (live.error !== null && this.#isDue(live.bridge.name, now))) this.#remakeBridge(live.bridge);
    }
    for (const { port, device } of [...this.#ports.values()]) {
      if (!device || !isGone(device)) continue;
      this.#log(`! port ${port.name}: its interface is gone`);
      this.#takeOff(port.name);
    }
    for (const live of [...this.#ports.values()]) if (live.error !== null) this.#tryAgain(live, now);
  }

  #lookAtLinks(): void {
    this.#retries.clear();
    for (const { device } of [...this.#ports.values(), ...this.#bridges.values()])
      if (device instanceof NativeNetdev) device.linkChanged();
    this.#runner.wake();
  }

  /** Whether to try again; the next time is later. */
  #isDue(name: string, now: Micros): boolean {
    const { at = now, delay = RETRY_FIRST } = this.#retries.get(name) ?? {};
    if (now < at) return false;
    this.#retries.set(name, { at: now + delay, delay: Math.min(RETRY_MAX, 2 * delay) });
    return true;
  }

  #tryAgain({ port, ofport }: LivePort, now: Micros): void {
    if (!this.#isThere(port.bridge) || !this.#isDue(port.name, now)) return;
    this.#addPort(port, ofport);
    if (this.#ports.get(port.name)?.error === null) {
      this.#retries.delete(port.name);
      this.#log(`+ port ${port.name} of ${port.bridge} is there`);
      if (this.#waitingFlows.has(port.bridge)) this.#putFlows(port.bridge, this.#state.flows.get(port.bridge) ?? null);
      this.#runner.wake();
    }
  }

  /** Everything off. The switch itself stays open. */
  close(): void {
    for (const name of [...this.#ports.keys()]) this.#takeOff(name);
    for (const name of [...this.#bridges.keys()]) this.#removeBridge(name);
    this.#ports.clear();
    this.#bridges.clear();
    this.#state = nothing;
  }
}
