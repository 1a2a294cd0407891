/** UDP sockets of a host. */

import { fail, ok, type Result } from '../../lib/result.ts';
import { buildIcmp, buildIcmpv6, buildUdp, ICMP, ICMPV6, IP_PROTO, parseUdp } from '../../packet/index.ts';
import { parseAddress } from './config.ts';
import { formatAddress, type Ip, type IpPacket, type SendError } from './ip.ts';

const EPHEMERAL_FIRST = 49152;
const PORT_LAST = 65535;
/** Datagrams that wait for `read` at the most. */
const WAITING_MAX = 1024;
/** `port unreachable`: code 3 in ICMP (RFC 792), 4 in ICMPv6 (RFC 4443 §3.1). */
const PORT_UNREACHABLE_4 = 3;
const PORT_UNREACHABLE_6 = 4;
/** Bytes of the offending datagram that the error carries. */
const QUOTED_SIZE = 64;

export interface Datagram {
  readonly from: string;
  readonly fromPort: number;
  readonly data: Uint8Array;
}

export class UdpSocket {
  readonly port: number;
  /** Called for every datagram; without it they wait for `read`. */
  onMessage: ((datagram: Datagram) => void) | null = null;
  /** Datagrams dropped because nobody read. */
  overflowed = 0;
  readonly #waiting: Datagram[] = [];
  readonly #udp: UdpLayer;

  constructor(port: number, udp: UdpLayer) {
    this.port = port;
    this.#udp = udp;
  }

  send(address: string, port: number, data: Uint8Array): Result<void, SendError> {
    return this.#udp.send(this.port, parseAddress(address), port, data);
  }

  /** The oldest datagram; null when none waits. */
  read(): Datagram | null {
    return this.#waiting.shift() ?? null;
  }

  close(): void {
    this.#udp.close(this.port);
  }

  deliver(datagram: Datagram): void {
    if (this.onMessage) this.onMessage(datagram);
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(datagram);
    else this.overflowed++;
  }
}

export class UdpLayer {
  readonly #ip: Ip;
  readonly #sockets = new Map<number, UdpSocket>();
  badChecksum = 0;
  /** Datagrams to a port that nobody has: answered with port unreachable. */
  noSocket = 0;

  constructor(ip: Ip) {
    this.#ip = ip;
    ip.handle(IP_PROTO.UDP, (packet) => this.#receive(packet));
  }

  /** @param port the next free one when left out. @throws when it is taken, or none is free */
  open(port?: number): UdpSocket {
    const chosen = port ?? this.#freePort();
    if (!(Number.isInteger(chosen) && chosen > 0 && chosen <= PORT_LAST)) throw new Error(`not a UDP port: ${chosen}`);
    if (this.#sockets.has(chosen)) throw new Error(`UDP port ${chosen} is taken`);
    const socket = new UdpSocket(chosen, this);
    this.#sockets.set(chosen, socket);
    return socket;
  }

  close(port: number): void {
    this.#sockets.delete(port);
  }

  send(fromPort: number, dst: Uint8Array, port: number, data: Uint8Array): Result<void, SendError> {
    const src = this.#ip.source(dst);
    if (!src) return fail('no_address');
    const packet = buildUdp({ srcPort: fromPort, dstPort: port }, data, { src, dst, protocol: IP_PROTO.UDP });
    const error = this.#ip.send(src, dst, IP_PROTO.UDP, packet);
    return error ? fail(error) : ok(undefined);
  }

  #freePort(): number {
    for (let port = EPHEMERAL_FIRST; port <= PORT_LAST; port++) if (!this.#sockets.has(port)) return port;
    throw new Error('no UDP port is free');
  }

  #receive(packet: IpPacket): void {
    const udp = parseUdp(packet.payload, packet);
    if (!udp?.checksumOk) {
      this.badChecksum++;
      return;
    }
    const socket = this.#sockets.get(udp.header.dstPort);
    if (socket) {
      const { srcPort } = udp.header;
      socket.deliver({ from: formatAddress(packet.src), fromPort: srcPort, data: udp.payload.slice() });
      return;
    }
    this.noSocket++;
    if (!packet.isMulticast) this.#sendUnreachable(packet);
  }

  #sendUnreachable(packet: IpPacket): void {
    const quoted = packet.datagram.subarray(0, QUOTED_SIZE);
    const { src: to, dst: from } = packet;
    if (to.length === 4) {
      const icmp = buildIcmp({ type: ICMP.UNREACHABLE, code: PORT_UNREACHABLE_4, rest: 0 }, quoted);
      this.#ip.send(from, to, IP_PROTO.ICMP, icmp);
      return;
    }
    const header = { type: ICMPV6.UNREACHABLE, code: PORT_UNREACHABLE_6, rest: 0 };
    const pseudo = { src: from, dst: to, protocol: IP_PROTO.ICMPV6 };
    this.#ip.send(from, to, IP_PROTO.ICMPV6, buildIcmpv6(header, quoted, pseudo));
  }
}
