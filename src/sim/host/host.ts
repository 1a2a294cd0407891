/** A machine at the end of a link: it answers ARP, neighbour discovery and echo, and has UDP and TCP sockets. */
import { formatMac } from '../../lib/addresses.ts';
import type { Random } from '../../lib/random.ts';
import type { LinkEnd, Station } from '../link.ts';
import type { Scheduler } from '../scheduler.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import { type Accept, TcpLayer } from '../tcp/layer.ts';
import { type HostAddress, type HostConfig, parseAddress } from './config.ts';
import { formatAddress, Ip, type IpCounters } from './ip.ts';
import { Nic, type NicCounters } from './nic.ts';
import { Echo, type Ping, type PingOptions } from './ping.ts';
import { UdpLayer, type UdpSocket } from './udp.ts';

export interface HostCounters extends NicCounters, IpCounters {
  /** Packets that found no neighbour to go to. */
  txUnresolved: number;
  echoesAnswered: number;
}

export class Host implements Station {
  readonly name: string;
  readonly #nic: Nic;
  readonly #ip: Ip;
  readonly #echo: Echo;
  readonly #udp: UdpLayer;
  readonly #tcp: TcpLayer;
  readonly #addresses: readonly HostAddress[];
  /** Sees every frame that arrives, before the host looks at it. */
  onFrame: ((frame: Uint8Array) => void) | null = null;

  constructor(name: string, config: HostConfig, scheduler: Scheduler, random: Random) {
    this.name = name;
    this.#addresses = config.addresses;
    this.#nic = new Nic(config.mac, config.vlan, config.mtu);
    this.#ip = new Ip(this.#nic, config, scheduler);
    this.#echo = new Echo(this.#ip, scheduler);
    this.#udp = new UdpLayer(this.#ip);
    this.#tcp = new TcpLayer(this.#ip, scheduler, random);
  }

  get mac(): string {
    return formatMac(this.#nic.mac);
  }

  get vlan(): number | null {
    return this.#nic.vlan;
  }

  /** The address given, without its prefix; null when none was. */
  get ipv4(): string | null {
    const own = this.#addresses.find(({ address }) => address.length === 4);
    return own ? formatAddress(own.address) : null;
  }

  /** The address given, else the link-local one. */
  get ipv6(): string {
    return formatAddress(this.#addresses.find(({ address }) => address.length === 16)!.address);
  }

  get counters(): HostCounters {
    const more = { txUnresolved: this.#ip.unresolved, echoesAnswered: this.#echo.answered };
    return { ...this.#nic.counters, ...this.#ip.counters, ...more };
  }

  get isAttached(): boolean {
    return this.#nic.end !== null;
  }

  /** Called by Network.link. */
  attach(end: LinkEnd): void {
    this.#nic.end = end;
  }

  /** Sends echo requests. @throws for text that is no address */
  ping(address: string, options: PingOptions = {}): Ping {
    return this.#echo.ping(parseAddress(address), options);
  }

  /** @param port the next free one when left out. @throws when it is taken */
  udp(port?: number): UdpSocket {
    return this.#udp.open(port);
  }

  /** @throws when the port is taken */
  tcpListen(port: number, accept: Accept): void {
    this.#tcp.listen(port, accept);
  }

  tcpUnlisten(port: number): void {
    this.#tcp.unlisten(port);
  }

  /** @throws for text that is no address, and when this host has no address of its kind */
  tcpConnect(address: string, port: number): TcpConnection {
    return this.#tcp.connect(parseAddress(address), port);
  }

  /** Connections that are not closed yet. */
  get tcpConnectionCount(): number {
    return this.#tcp.connectionCount;
  }

  /** Sends bytes as they are: an Ethernet frame. They are copied. */
  sendFrame(frame: Uint8Array): void {
    this.#nic.sendFrame(frame.slice());
  }

  receive(frame: Uint8Array): void {
    this.onFrame?.(frame);
    const ethernet = this.#nic.receive(frame);
    if (ethernet) this.#ip.receive(ethernet.header.ethType, ethernet.payload);
  }

  carrier(isUp: boolean): void {
    if (!isUp) this.#ip.flushNeighbors();
  }
}
