/** The TCP of a host: who listens, which connection a segment belongs to, and RST for the rest. */
import { toHex } from '../../lib/bytes.ts';
import type { Random } from '../../lib/random.ts';
import { buildTcp, IP_PROTO, parseTcp, TCP_FLAG, type Tcp } from '../../packet/index.ts';
import { formatAddress, type Ip, type IpPacket } from '../host/ip.ts';
import type { Scheduler } from '../scheduler.ts';
import { TcpConnection } from './connection.ts';
import { seqAdd } from './sequence.ts';

const HEADER_SIZE = 20;
const EPHEMERAL_FIRST = 49152;
const EPHEMERAL_COUNT = 16384;
const CONNECTIONS_MAX = 65536;

export type Accept = (connection: TcpConnection) => void;

const keyOf = (localPort: number, remote: Uint8Array, remotePort: number): string =>
  `${localPort} ${toHex(remote)} ${remotePort}`;

export class TcpLayer {
  readonly #ip: Ip;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #listeners = new Map<number, Accept>();
  readonly #connections = new Map<string, TcpConnection>();
  #nextPort = 0;
  badChecksum = 0;
  resetsSent = 0;

  constructor(ip: Ip, scheduler: Scheduler, random: Random) {
    this.#ip = ip;
    this.#scheduler = scheduler;
    this.#random = random;
    ip.handle(IP_PROTO.TCP, (packet) => this.#receive(packet));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** @param accept called with every new connection when its SYN arrives. @throws when the port is taken */
  listen(port: number, accept: Accept): void {
    if (this.#listeners.has(port)) throw new Error(`TCP port ${port} is taken`);
    this.#listeners.set(port, accept);
  }

  /** New connections are refused from now on; those that are there stay. */
  unlisten(port: number): void {
    this.#listeners.delete(port);
  }

  /** @throws when there is no address to send from, or no free port */
  connect(remote: Uint8Array, remotePort: number): TcpConnection {
    const local = this.#ip.source(remote);
    if (!local) throw new Error(`no address of this host reaches ${formatAddress(remote)}`);
    const connection = this.#create(local, this.#freePort(remote, remotePort), remote, remotePort);
    connection.connect();
    return connection;
  }

  #freePort(remote: Uint8Array, remotePort: number): number {
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + ((this.#nextPort + i) % EPHEMERAL_COUNT);
      if (this.#connections.has(keyOf(port, remote, remotePort))) continue;
      this.#nextPort = port - EPHEMERAL_FIRST + 1;
      return port;
    }
    throw new Error('no TCP port is free');
  }

  #create(local: Uint8Array, localPort: number, remote: Uint8Array, remotePort: number): TcpConnection {
    const key = keyOf(localPort, remote, remotePort);
    const connection = new TcpConnection({
      scheduler: this.#scheduler,
      mss: this.#ip.payloadMax(remote) - HEADER_SIZE,
      localPort,
      remotePort,
      remoteAddress: formatAddress(remote),
      initialSequence: this.#random.u32(),
      transmit: (header, payload) => this.#transmit(local, remote, header, payload),
      released: () => this.#connections.delete(key),
    });
    this.#connections.set(key, connection);
    return connection;
  }

  #transmit(src: Uint8Array, dst: Uint8Array, header: Tcp, payload: Uint8Array): void {
    const segment = buildTcp(header, payload, { src, dst, protocol: IP_PROTO.TCP });
    this.#ip.send(src, dst, IP_PROTO.TCP, segment);
  }

  #receive(packet: IpPacket): void {
    const tcp = parseTcp(packet.payload, packet);
    if (!tcp?.checksumOk || packet.isMulticast) {
      this.badChecksum++;
      return;
    }
    const { header, payload } = tcp;
    const connection = this.#connections.get(keyOf(header.dstPort, packet.src, header.srcPort));
    if (connection) {
      connection.receive(header, payload);
      return;
    }
    const accept = this.#listeners.get(header.dstPort);
    const isOpening = (header.flags & (TCP_FLAG.SYN | TCP_FLAG.ACK | TCP_FLAG.RST)) === TCP_FLAG.SYN;
    if (!accept || !isOpening || this.#connections.size >= CONNECTIONS_MAX) {
      this.#reset(packet, header, payload.length);
      return;
    }
    const opened = this.#create(packet.dst, header.dstPort, packet.src, header.srcPort);
    accept(opened);
    opened.accept(header);
  }

  /** RFC 9293 §3.10.7.1. */
  #reset(packet: IpPacket, segment: Tcp, payloadSize: number): void {
    if (segment.flags & TCP_FLAG.RST) return;
    this.resetsSent++;
    const size = payloadSize + (segment.flags & TCP_FLAG.SYN ? 1 : 0) + (segment.flags & TCP_FLAG.FIN ? 1 : 0);
    const hasAck = (segment.flags & TCP_FLAG.ACK) !== 0;
    const numbers = hasAck
      ? { sequence: segment.acknowledgment, acknowledgment: 0, flags: TCP_FLAG.RST }
      : { sequence: 0, acknowledgment: seqAdd(segment.sequence, size), flags: TCP_FLAG.RST | TCP_FLAG.ACK };
    const ports = { srcPort: segment.dstPort, dstPort: segment.srcPort };
    const rest = { window: 0, urgent: 0, mss: null, windowScale: null };
    this.#transmit(packet.dst, packet.src, { ...ports, ...numbers, ...rest }, new Uint8Array());
  }
}
