/** Echo, both ways: answers requests (RFC 792, RFC 4443 §4) and sends them. */
import { MILLISECOND, type Micros, SECOND } from '../../lib/clock.ts';
import { buildIcmp, buildIcmpv6, ICMP, ICMPV6, IP_PROTO, parseIcmp, parseIcmpv6 } from '../../packet/index.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Ip, IpPacket } from './ip.ts';

export interface PingOptions {
  /** Requests; 1 when left out. */
  readonly count?: number;
  /** Microseconds between requests; 1 s when left out. */
  readonly interval?: Micros;
  /** Microseconds that the last request is waited for; 1 s when left out. */
  readonly timeout?: Micros;
  /** Bytes of data in a request; 56 when left out. */
  readonly size?: number;
}

/** A ping under way. */
export class Ping {
  readonly count: number;
  sent = 0;
  received = 0;
  /** Replies to a request that was answered already. */
  duplicates = 0;
  /** Requests that could not be sent at all: no route, or too big. */
  unsendable = 0;
  /** Microseconds, one a reply, in the order of arrival. */
  readonly roundTrips: Micros[] = [];
  isDone = false;

  constructor(count: number) {
    this.count = count;
  }

  /** Every request was answered. */
  get isReachable(): boolean {
    return this.received === this.count;
  }

  get lost(): number {
    return this.sent - this.received;
  }
}

interface Running {
  readonly ping: Ping;
  /** When request i was sent; null once it is answered. */
  readonly sentAt: (Micros | null)[];
}

/** The pattern of ping(8): easy to see in a capture, and wrong bytes show. */
const patternOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => i & 0xff);

export class Echo {
  readonly #ip: Ip;
  readonly #scheduler: Scheduler;
  readonly #running = new Map<number, Running>();
  #nextId = 1;
  /** Requests answered. */
  answered = 0;
  badChecksum = 0;

  constructor(ip: Ip, scheduler: Scheduler) {
    this.#ip = ip;
    this.#scheduler = scheduler;
    ip.handle(IP_PROTO.ICMP, (packet) => this.#receive4(packet));
    ip.handle(IP_PROTO.ICMPV6, (packet) => this.#receive6(packet));
  }

  ping(dst: Uint8Array, options: PingOptions = {}): Ping {
    const { count = 1, interval = SECOND, timeout = SECOND, size = 56 } = options;
    const ping = new Ping(count);
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) & 0xffff || 1;
    const running: Running = { ping, sentAt: [] };
    this.#running.set(id, running);
    const finish = (): void => {
      ping.isDone = true;
      this.#running.delete(id);
    };
    const request = (sequence: number): void => {
      running.sentAt[sequence] = this.#scheduler.now();
      ping.sent++;
      if (!this.#send(dst, id, sequence, size)) ping.unsendable++;
      if (sequence + 1 < count) this.#scheduler.after(interval, () => request(sequence + 1));
      else this.#scheduler.after(timeout, finish);
    };
    this.#scheduler.after(0, () => request(0));
    return ping;
  }

  #send(dst: Uint8Array, id: number, sequence: number, size: number): boolean {
    const src = this.#ip.source(dst);
    if (!src) return false;
    const rest = ((id << 16) | (sequence & 0xffff)) >>> 0;
    return this.#emit(src, dst, true, rest, patternOf(size));
  }

  #emit(src: Uint8Array, dst: Uint8Array, isRequest: boolean, rest: number, data: Uint8Array): boolean {
    if (dst.length === 4) {
      const type = isRequest ? ICMP.ECHO_REQUEST : ICMP.ECHO_REPLY;
      return this.#ip.send(src, dst, IP_PROTO.ICMP, buildIcmp({ type, code: 0, rest }, data)) === null;
    }
    const type = isRequest ? ICMPV6.ECHO_REQUEST : ICMPV6.ECHO_REPLY;
    const pseudo = { src, dst, protocol: IP_PROTO.ICMPV6 };
    return this.#ip.send(src, dst, IP_PROTO.ICMPV6, buildIcmpv6({ type, code: 0, rest }, data, pseudo)) === null;
  }

  #receive4(packet: IpPacket): void {
    const icmp = parseIcmp(packet.payload);
    if (!icmp?.checksumOk) this.badChecksum++;
    else if (icmp.header.type === ICMP.ECHO_REQUEST) this.#answer(packet, icmp.header.rest, icmp.payload);
    else if (icmp.header.type === ICMP.ECHO_REPLY) this.#reply(icmp.header.rest);
  }

  #receive6(packet: IpPacket): void {
    const icmp = parseIcmpv6(packet.payload, packet);
    if (!icmp?.checksumOk) this.badChecksum++;
    else if (icmp.header.type === ICMPV6.ECHO_REQUEST) this.#answer(packet, icmp.header.rest, icmp.payload);
    else if (icmp.header.type === ICMPV6.ECHO_REPLY) this.#reply(icmp.header.rest);
  }

  #answer(packet: IpPacket, rest: number, data: Uint8Array): void {
    // An answer to a group comes from an address of our own
    const src = packet.isMulticast ? this.#ip.source(packet.src) : packet.dst;
    if (!src) return;
    this.answered++;
    this.#emit(src, packet.src, false, rest, data);
  }

  #reply(rest: number): void {
    const running = this.#running.get(rest >>> 16);
    if (!running) return;
    const sequence = rest & 0xffff;
    const sentAt = running.sentAt[sequence];
    if (sentAt === undefined) return;
    if (sentAt === null) {
      running.ping.duplicates++;
      return;
    }
    running.sentAt[sequence] = null;
    running.ping.received++;
    running.ping.roundTrips.push(this.#scheduler.now() - sentAt);
    if (running.ping.received === running.ping.count) running.ping.isDone = true;
  }
}

/** Text of a round-trip time, as ping(8) prints it. */
export const formatRoundTrip = (time: Micros): string => `${(time / MILLISECOND).toFixed(3)} ms`;
