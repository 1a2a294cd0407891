/**
 * One connection of a bridge: what it has said of itself, and what waits to be sent to it.
 *
 * What: bytes in (receive), bytes out (takeOutput), and the state that OpenFlow keeps for each connection: role, asynchronous
 * configuration, formats, controller id. What its messages ask for is done in manager.ts.
 * Terms: *primary*, a controller; *service*, who only asks, such as ovs-ofctl: it is told nothing unasked before it sets a
 * miss_send_len; *snoop*, somebody who gets copies of all messages of a connection.
 * Invariants: messages are answered in the order in which they came. While REPLIES_MAX answers wait, no further message is
 * looked at, and wantsInput is false. Asynchronous messages beyond ASYNC_BYTES_MAX are dropped and counted.
 */
import { type Micros, SECOND } from '../../lib/clock.ts';
import { MultipartReassembler, multipartPieces } from '../../openflow/connection/multipart.ts';
import { errorInVersionOf, Session } from '../../openflow/connection/session.ts';
import type { OfError } from '../../openflow/error.ts';
import type { FlowForm } from '../../openflow/message/codec.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import { encodeBody, encodeMessage } from '../../openflow/message/message.ts';
import type { AsyncType } from '../../openflow/message/role.ts';
import type { OfVersion } from '../../openflow/version.ts';
import type { OfErrorName } from '../../spec/of-errors.ts';
import { type AsyncConfig, asyncDefault, asyncNothing, asyncSetTtl, INVALID_TTL } from './async-config.ts';
import { Bundles } from './bundles.ts';
import { ConnectionMonitors } from './monitor-state.ts';
import { type OutputClass, OutputQueue } from './output.ts';
import { PacketScheduler } from './packet-scheduler.ts';
import type { OfPeer, OfRequest } from './types.ts';

/** Answers that wait before no more requests are taken. */
const REPLIES_MAX = 100;
/** Messages that wait for their turn before the peer is to be read no more. */
const INBOX_MAX = 256;
/** Bytes of asynchronous messages (flow-removed among them) that may wait. */
const ASYNC_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of pieces of multipart requests that may wait for the rest. */
const MULTIPART_BYTES_MAX = 4 * 1024 * 1024;
const MISS_SEND_LENGTH = 128;
const MULTIPART_TIME_MAX: Micros = SECOND;

export interface ConnectionSettings {
  readonly kind: 'primary' | 'service';
  /** 0 for never. */
  readonly probeInterval: Micros;
  /** Packet-ins a second; 0 for no limit. */
  readonly rateLimit: number;
  readonly burstLimit: number;
  /** Packet-ins that may wait to be sent. */
  readonly queueSize: number;
  /** False: nothing unasked before the peer says what it wants. */
  readonly asyncMessages: boolean;
}

export interface ConnectionCounters {
  /** Asynchronous messages that found no room. */
  asyncDropped: number;
  packetInsDropped: number;
  errorsSent: number;
}

/** What a connection asks of its manager. */
export interface ConnectionHost {
  /** A message of the version that was agreed on, or not. */
  message(connection: Connection, bytes: Uint8Array, now: Micros): void;
}

export interface ConnectionOptions {
  readonly id: number;
  readonly name: string;
  /** Bit n: wire version n. */
  readonly versions: number;
  readonly helloTimeout: Micros;
  readonly settings: ConnectionSettings;
  readonly bundleIdle: Micros;
  /** Something is to be sent. */
  readonly outputReady?: () => void;
}

export class Connection implements OfPeer {
  readonly id: number;
  readonly name: string;
  readonly bundles: Bundles;
  readonly monitors = new ConnectionMonitors();
  readonly counters: ConnectionCounters = { asyncDropped: 0, packetInsDropped: 0, errorsSent: 0 };
  readonly multipart = new MultipartReassembler(MULTIPART_BYTES_MAX);
  /** Of misses, and of all other packet-ins. Null: no limit. */
  schedulers: { miss: PacketScheduler; action: PacketScheduler } | null = null;
  role: 'equal' | 'primary' | 'secondary' = 'equal';
  hasTableIds = false;
  usesNxm = false;
  missSendLength: number;
  controllerId = 0;
  packetInFormat: 'standard' | 'nxt_packet_in' | 'nxt_packet_in2' = 'standard';
  /** What it has said it wants; null for what its version has by default. */
  asyncConfig: AsyncConfig | null = null;
  /** Why it ended, as the system would call it; null while it lives. */
  closedBy: string | null = null;
  /** Why it ended, for the log. */
  closedWhy = '';
  /** When anything but the usual first questions of a controller came: then it has taken the switch over. */
  admittedAt: Micros | null = null;
  /** Messages that process() takes at the most; whoever sets it sees to it that process() is called again. */
  slice = Number.POSITIVE_INFINITY;
  /** Gets copies of all messages, sent and received. */
  snoops: ((bytes: Uint8Array) => void)[] = [];
  #settings: ConnectionSettings;
  readonly #host: ConnectionHost;
  readonly #session: Session;
  readonly #output = new OutputQueue();
  readonly #outputReady: () => void;
  #inbox: Uint8Array[] = [];
  #isProcessing = false;

  constructor(now: Micros, host: ConnectionHost, options: ConnectionOptions) {
    const { id, name, versions, helloTimeout, settings } = options;
    this.id = id;
    this.name = name;
    this.#host = host;
    this.#outputReady = options.outputReady ?? (() => undefined);
    this.#settings = settings;
    this.bundles = new Bundles(options.bundleIdle);
    this.missSendLength = settings.kind === 'primary' ? MISS_SEND_LENGTH : 0;
    this.#session = new Session(now, {
      versions,
      probeInterval: settings.probeInterval,
      helloTimeout,
      isRaw: true,
      helloXid: id,
    });
    this.#makeSchedulers();
  }

  #makeSchedulers(): void {
    const { rateLimit, burstLimit } = this.#settings;
    if (rateLimit <= 0) this.schedulers = null;
    else if (this.schedulers) {
      this.schedulers.miss.configure(rateLimit, burstLimit);
      this.schedulers.action.configure(rateLimit, burstLimit);
    } else {
      const make = (): PacketScheduler => new PacketScheduler(rateLimit, burstLimit);
      this.schedulers = { miss: make(), action: make() };
    }
  }

  configure(settings: ConnectionSettings): void {
    this.#settings = settings;
    this.#session.setProbeInterval(settings.probeInterval);
    this.#makeSchedulers();
  }

  get settings(): ConnectionSettings {
    return this.#settings;
  }

  get kind(): 'primary' | 'service' {
    return this.#settings.kind;
  }

  /** A version has been agreed on, and it has not ended. */
  get isConnected(): boolean {
    return this.#session.version !== null && this.closedBy === null;
  }

  /** A probe waits for its answer. */
  get isIdle(): boolean {
    return this.#session.isIdle;
  }

  /** @throws before a version was agreed on */
  get version(): OfVersion {
    const { version } = this.#session;
    if (version === null) throw new Error(`${this.name} has no version yet`);
    return version;
  }

  get async(): AsyncConfig {
    if (this.asyncConfig) return this.asyncConfig;
    return this.#settings.asyncMessages ? asyncDefault(this.version) : asyncNothing;
  }

  get wantsInvalidTtl(): boolean {
    return (this.async.packet_in.primary & (1 << INVALID_TTL)) !== 0;
  }

  set wantsInvalidTtl(isOn: boolean) {
    this.asyncConfig = asyncSetTtl(this.async, isOn);
  }

  /** Whether it wants to be told that, for that reason. */
  wants(type: AsyncType, reason: number): boolean {
    if (!this.isConnected) return false;
    if (this.kind === 'service' && this.missSendLength === 0) return false;
    const mask = this.async[type];
    return ((this.role === 'secondary' ? mask.secondary : mask.primary) & (1 << reason)) !== 0;
  }

  // Input

  /** False: what the peer sends is to wait where it is. */
  get wantsInput(): boolean {
    return this.#inbox.length < INBOX_MAX;
  }

  receive(bytes: Uint8Array, now: Micros): void {
    for (const event of this.#session.receive(bytes, now)) {
      if (event.kind === 'raw') {
        this.#inbox.push(event.bytes);
        for (const snoop of this.snoops) snoop(event.bytes);
      } else if (event.kind === 'closed') this.#closedBySession(event);
    }
    this.#takeSessionOutput();
    this.process(now);
  }

  #closedBySession({ why, error }: { readonly why: string; readonly error: string }): void {
    this.#takeSessionOutput();
    this.close(error, why);
  }

  get #repliesWaiting(): number {
    return this.#output.messages('reply') + this.#output.messages('removed');
  }

  /** Something waits that could be done. */
  get hasInput(): boolean {
    return this.#inbox.length > 0 && this.closedBy === null && this.#repliesWaiting < REPLIES_MAX;
  }

  /** Does what waits, as far as answers find room, and `slice` messages at the most. */
  process(now: Micros): void {
    if (this.#isProcessing) return;
    this.#isProcessing = true;
    let done = 0;
    while (
      done < this.slice &&
      done < this.#inbox.length &&
      this.closedBy === null &&
      this.#repliesWaiting < REPLIES_MAX
    )
      this.#host.message(this, this.#inbox[done++]!, now);
    if (done > 0) this.#inbox = this.#inbox.slice(done);
    this.#isProcessing = false;
  }

  /** It has ended; what is to be sent still can be. Safe to call twice. */
  close(error: string, why: string): void {
    if (this.closedBy !== null) return;
    this.closedBy = error;
    this.closedWhy = why;
    this.#inbox = [];
  }

  // Output

  #takeSessionOutput(): void {
    for (const bytes of this.#session.takeOutput()) {
      this.#output.push('reply', bytes);
      // Hello and the errors of hello are between the two ends
      if (bytes[1] === 2) for (const snoop of this.snoops) snoop(bytes);
    }
    if (!this.#output.isEmpty) this.#outputReady();
  }

  send(kind: OutputClass, bytes: Uint8Array): void {
    if (!this.isConnected) return;
    this.#output.push(kind, bytes);
    for (const snoop of this.snoops) snoop(bytes);
    this.#outputReady();
  }

  /** An asynchronous message in the peer's version; one that the version lacks is not sent. False: it found no room. */
  tell(message: OfMessage, kind: 'async' | 'removed' = 'async'): boolean {
    const bytes = encodeMessage(message, this.version, 0);
    return bytes === null || this.tellBytes(bytes, kind);
  }

  tellBytes(bytes: Uint8Array, kind: 'async' | 'removed' = 'async'): boolean {
    const waiting = this.#output.bytes('async') + this.#output.bytes('removed');
    if (waiting + bytes.length > ASYNC_BYTES_MAX) {
      this.counters.asyncDropped++;
      return false;
    }
    this.send(kind, bytes);
    return true;
  }

  /** A packet-in that nothing holds back any more. */
  sendPacketIn(bytes: Uint8Array): void {
    if (this.#output.messages('packet_in') >= this.#settings.queueSize) this.counters.packetInsDropped++;
    else this.send('packet_in', bytes);
  }

  waiting(kind: OutputClass): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#output.messages(kind), bytes: this.#output.bytes(kind) };
  }

  get hasOutput(): boolean {
    return !this.#output.isEmpty;
  }

  /** The next message to be sent, once; null for none. Call process() when the queue has become shorter. */
  takeOutput(): Uint8Array | null {
    this.#takeSessionOutput();
    return this.#output.shift();
  }

  // Answers

  #encode(message: OfMessage, { envelope }: Pick<OfRequest, 'envelope'>): Uint8Array {
    const { xid } = envelope.header;
    const bytes = encodeMessage(message, this.version, xid, 0, this.#formOf({ envelope }));
    if (bytes === null) throw new Error(`OpenFlow version ${this.version} has no ${message.kind}`);
    return bytes;
  }

  /** A question in Nicira's form is answered in it. */
  #formOf({ envelope }: Pick<OfRequest, 'envelope'>): FlowForm {
    return { isNxm: envelope.header.spec.raw.startsWith('NX'), hasTableId: this.hasTableIds };
  }

  reply(request: OfRequest, message: OfMessage): void {
    this.send('reply', this.#encode(message, request));
  }

  replyMultipart(request: OfRequest, parts: Iterable<OfMessage>, empty: OfMessage): void {
    const records = this.#bodies(parts, this.#formOf(request));
    for (const bytes of multipartPieces(this.#encode(empty, request), records)) this.send('reply', bytes);
  }

  *#bodies(parts: Iterable<OfMessage>, form: FlowForm): Generator<Uint8Array> {
    for (const part of parts) {
      const encoded = encodeBody(part, this.version, form);
      if (encoded === null) throw new Error(`OpenFlow version ${this.version} has no ${part.kind}`);
      yield encoded.body;
    }
  }

  fail({ bytes }: Pick<OfRequest, 'bytes'>, error: OfError | OfErrorName): void {
    this.counters.errorsSent++;
    this.send('reply', errorInVersionOf(error, bytes));
  }

  // Time

  wakeAt(): Micros | null {
    if (this.closedBy !== null) return null;
    const oldest = this.multipart.oldest;
    const times = [
      this.#session.wakeAt(),
      this.bundles.wakeAt(),
      oldest === null ? null : oldest + MULTIPART_TIME_MAX,
      this.schedulers?.miss.wakeAt() ?? null,
      this.schedulers?.action.wakeAt() ?? null,
    ].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  run(now: Micros): void {
    if (this.closedBy !== null) return;
    for (const event of this.#session.run(now)) if (event.kind === 'closed') this.#closedBySession(event);
    this.#takeSessionOutput();
    for (const bytes of this.multipart.expire(now - MULTIPART_TIME_MAX))
      this.fail({ bytes }, 'OFPBRC_MULTIPART_REQUEST_TIMEOUT');
    for (const bytes of this.bundles.expire(now)) this.fail({ bytes }, 'OFPBFC_TIMEOUT');
    if (this.schedulers)
      for (const scheduler of [this.schedulers.action, this.schedulers.miss])
        for (const bytes of scheduler.run(now)) this.sendPacketIn(bytes);
    this.process(now);
  }
}
