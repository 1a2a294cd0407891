/** A network: hosts, switches and the links between them, on one virtual clock, from one seed. */
import { type Micros, SECOND } from '../lib/clock.ts';
import { Random } from '../lib/random.ts';
import type { Sink } from '../packet/pcap.ts';
import { createSwitch } from '../vswitchd/switch.ts';
import type { SwitchOptions } from '../vswitchd/types.ts';
import { auditNetwork, type NetworkAudit } from './audit.ts';
import { type Capture, startCapture } from './capture.ts';
import { FrameLog, type PortFrame } from './frame-log.ts';
import { type HostOptions, parseHostOptions } from './host/config.ts';
import { Host } from './host/host.ts';
import { Link, LinkEnd, type LinkEndpoint, type LinkOptions } from './link.ts';
import { Scheduler } from './scheduler.ts';
import { type SimPort, SimSwitch } from './switch.ts';

/** Small enough that dozens of switches fit into a test. */
const SMALL_SWITCH: SwitchOptions = {
  memorySize: 4 * 1024 * 1024,
  frameCount: 512,
  flowLimit: 4096,
  ringSize: 64,
};

const TIMEOUT: Micros = 60 * SECOND;

export interface NetworkOptions {
  /** The same seed gives the same bytes at the same times. 1 when left out. */
  readonly seed?: number;
}

export class Network {
  readonly seed: number;
  readonly #scheduler = new Scheduler();
  readonly #log = new FrameLog();
  readonly #hosts = new Map<string, Host>();
  readonly #switches = new Map<string, SimSwitch>();
  readonly #links: Link[] = [];
  readonly #captures: Capture[] = [];

  constructor(options: NetworkOptions = {}) {
    this.seed = options.seed ?? 1;
  }

  /** Microseconds since the network was made. */
  get now(): Micros {
    return this.#scheduler.now();
  }

  get hosts(): ReadonlyMap<string, Host> {
    return this.#hosts;
  }

  get switches(): ReadonlyMap<string, SimSwitch> {
    return this.#switches;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** @throws for a name that is taken and for options that make no sense */
  addHost(name: string, options: HostOptions = {}): Host {
    this.#claim(name);
    const index = this.#hosts.size + 1;
    const host = new Host(name, parseHostOptions(options, index), this.#scheduler, this.#random(1, index));
    this.#hosts.set(name, host);
    return host;
  }

  /** @throws for a name that is taken */
  addSwitch(name: string, options: SwitchOptions = {}): SimSwitch {
    this.#claim(name);
    const core = createSwitch({ ...SMALL_SWITCH, ...options });
    const added = new SimSwitch(name, this.#switches.size + 1, core, this.#scheduler);
    this.#switches.set(name, added);
    return added;
  }

  /**
   * Plugs a link in: a host has one socket, a switch as many as it has ports; a switch itself gets a new port with the
   * other end's name. @throws when a socket is taken, and for options out of range
   */
  link(a: Host | SimPort | SimSwitch, b: Host | SimPort | SimSwitch, options: LinkOptions = {}): Link {
    const stationA = a instanceof SimSwitch ? a.addPort(this.#freePort(a, b.name)) : a;
    const stationB = b instanceof SimSwitch ? b.addPort(this.#freePort(b, a.name)) : b;
    const ends: [LinkEndpoint, LinkEndpoint] = [endpoint(stationA), endpoint(stationB)];
    const index = this.#links.length;
    const world = { scheduler: this.#scheduler, log: this.#log };
    const link = new Link(index, ends, options, world, this.#random(2, index));
    plug(stationA, new LinkEnd(link, 0));
    plug(stationB, new LinkEnd(link, 1));
    this.#links.push(link);
    return link;
  }

  host(name: string): Host {
    return found(this.#hosts.get(name), 'host', name);
  }

  switch(name: string): SimSwitch {
    return found(this.#switches.get(name), 'switch', name);
  }

  /** Runs everything up to and including this time. */
  run(until: Micros): void {
    this.#scheduler.run(until);
  }

  /** Runs for so long. */
  advance(by: Micros): void {
    this.#scheduler.run(this.#scheduler.now() + by);
  }

  /** Runs until the condition holds. False when it does not within `timeout` (60 s of virtual time), or nothing is left to happen. */
  runUntil(condition: () => boolean, timeout: Micros = TIMEOUT): boolean {
    const end = this.now + timeout;
    while (!condition()) if (!this.#scheduler.step(end)) return condition();
    return true;
  }

  /** Calls back at a time of the virtual clock. */
  at(time: Micros, run: () => void): void {
    this.#scheduler.at(time, run);
  }

  /** SHA-256, in hexadecimal, over every frame on every link: when it ended, where, how, and its bytes. */
  digest(): string {
    return this.#log.digest();
  }

  /** Sees every frame at every port. */
  onFrame(observer: (seen: PortFrame) => void): void {
    this.#log.observe(observer);
  }

  /** Writes a pcap file of every port. @param sinkOf where to; null leaves a port out */
  capture(sinkOf: (port: string) => Sink | null): Capture {
    const capture = startCapture(this.#log, sinkOf);
    this.#captures.push(capture);
    return capture;
  }

  /** Where every frame ended. */
  audit(): NetworkAudit {
    return auditNetwork(this);
  }

  /** Closes captures and switches. */
  close(): void {
    for (const capture of this.#captures) capture.close();
    for (const one of this.#switches.values()) one.close();
  }

  #claim(name: string): void {
    if (this.#hosts.has(name) || this.#switches.has(name)) throw new Error(`there is a ${name} already`);
  }

  #freePort(owner: SimSwitch, wanted: string): string {
    if (!owner.ports.has(wanted)) return wanted;
    for (let i = 2; ; i++) if (!owner.ports.has(`${wanted}-${i}`)) return `${wanted}-${i}`;
  }

  /** A generator of its own for everything that draws: what is added elsewhere changes nothing for it. */
  #random(kind: number, index: number): Random {
    return new Random(this.seed ^ Math.imul(kind, 0x9e3779b9) ^ Math.imul(index + 1, 0x85ebca6b));
  }
}

const endpoint = (station: Host | SimPort): LinkEndpoint => ({
  name: station instanceof Host ? station.name : `${station.owner.name}:${station.name}`,
  station,
});

function plug(station: Host | SimPort, end: LinkEnd): void {
  const isTaken = station instanceof Host ? station.isAttached : station.end !== null;
  if (isTaken) throw new Error(`${endpoint(station).name} has a link already`);
  if (station instanceof Host) station.attach(end);
  else station.end = end;
}

function found<T>(value: T | undefined, kind: string, name: string): T {
  if (value === undefined) throw new Error(`there is no ${kind} ${name}`);
  return value;
}
