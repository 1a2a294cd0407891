/**
 * A TCP connection (RFC 9293) on the virtual clock: handshake, MSS, cumulative acknowledgments, fast retransmit and
 * recovery, retransmission with back-off, out-of-order reassembly, windows with probes, FIN and RST.
 *
 * Not supported: selective acknowledgments, window scaling (64 KiB a round trip at the most), urgent data, delayed
 * acknowledgments, keep-alive, simultaneous open.
 */
import { type Micros, SECOND } from '../../lib/clock.ts';
import { TCP_FLAG, type Tcp } from '../../packet/index.ts';
import type { Timer } from '../scheduler.ts';
import { Congestion, type Reaction } from './congestion.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { SendBuffer } from './send-buffer.ts';
import { seqAdd, seqDiff } from './sequence.ts';
import { RetransmissionTimeout } from './timing.ts';
import type { CloseReason, TcpState, TcpWorld } from './types.ts';

const WINDOW_MAX = 65535;
/** What is assumed of a peer that names no MSS (RFC 9293 §3.7.1). */
const MSS_DEFAULT = 536;
/** Retransmissions of the same byte before the connection is given up. */
const ATTEMPTS_MAX = 15;
const SYN_ATTEMPTS_MAX = 6;
/** Twice the segment lifetime, which is half a second here (RFC 9293 says two minutes). */
const TIME_WAIT: Micros = SECOND;

export class TcpConnection {
  onOpen: (() => void) | null = null;
  /** Called with every piece in order; without it bytes wait for `read`, and the window closes when they are many. */
  onData: ((bytes: Uint8Array) => void) | null = null;
  /** The peer will send no more. */
  onEnd: (() => void) | null = null;
  onClose: ((reason: CloseReason) => void) | null = null;
  bytesReceived = 0;
  bytesAcknowledged = 0;
  segmentsRetransmitted = 0;
  timeouts = 0;

  readonly #world: TcpWorld;
  readonly #send = new SendBuffer();
  readonly #received = new ReceiveBuffer(WINDOW_MAX);
  readonly #rto = new RetransmissionTimeout();
  #congestion: Congestion;
  #state: TcpState = 'CLOSED';
  #closeReason: CloseReason | null = null;
  #mss: number;

  /** Oldest unacknowledged, next to send, highest ever sent. */
  #una: number;
  #next: number;
  #max: number;
  #sendWindow = 0;
  #windowUpdate = { sequence: 0, acknowledgment: 0 };
  #wantsClose = false;
  /** Sequence number of our FIN; null until it is sent. */
  #finSequence: number | null = null;

  #expected = 0;
  /** Sequence number of the peer's FIN, which may come ahead of bytes; null until it was seen. */
  #peerFin: number | null = null;

  #timer: Timer | null = null;
  #attempts = 0;
  /** The segment whose round trip is measured. */
  #timed: { sequence: number; at: Micros } | null = null;

  constructor(world: TcpWorld) {
    this.#world = world;
    this.#mss = world.mss;
    this.#congestion = new Congestion(this.#mss);
    this.#una = this.#next = this.#max = world.initialSequence;
  }

  get state(): TcpState {
    return this.#state;
  }

  get closeReason(): CloseReason | null {
    return this.#closeReason;
  }

  get localPort(): number {
    return this.#world.localPort;
  }

  get remotePort(): number {
    return this.#world.remotePort;
  }

  get remoteAddress(): string {
    return this.#world.remoteAddress;
  }

  get isOpen(): boolean {
    return this.#state === 'ESTABLISHED' || this.#state === 'CLOSE_WAIT';
  }

  /** Bytes not yet acknowledged. */
  get unsent(): number {
    return this.#send.size;
  }

  connect(): void {
    this.#state = 'SYN_SENT';
    this.#sendSyn();
  }

  /** Answers a SYN. */
  accept(syn: Tcp): void {
    this.#state = 'SYN_RECEIVED';
    this.#takeSyn(syn);
    this.#sendSyn();
  }

  /** Returns how many bytes were taken; 0 once the connection is closed in this direction. */
  send(bytes: Uint8Array): number {
    if (this.#wantsClose || this.#state === 'CLOSED' || this.#state === 'TIME_WAIT') return 0;
    const taken = this.#send.append(bytes);
    this.#output();
    return taken;
  }

  /** Everything that has arrived in order and was not read yet. */
  read(): Uint8Array {
    const wasClosed = this.#received.window < this.#mss;
    const bytes = this.#received.read();
    if (wasClosed && bytes.length > 0 && this.#state !== 'CLOSED') this.#sendAck();
    return bytes;
  }

  /** Sends what is left, then FIN. */
  close(): void {
    if (this.#wantsClose || this.#state === 'CLOSED') return;
    this.#wantsClose = true;
    if (this.#state === 'SYN_SENT') this.#finish('closed');
    else this.#output();
  }

  /** Sends RST. */
  abort(): void {
    if (this.#state === 'CLOSED') return;
    if (this.#state !== 'SYN_SENT') this.#transmit(TCP_FLAG.RST | TCP_FLAG.ACK, this.#next);
    this.#finish('aborted');
  }

  /** A segment for this connection; its checksum was right. */
  receive(segment: Tcp, payload: Uint8Array): void {
    if (this.#state === 'CLOSED') return;
    if (this.#state === 'SYN_SENT') this.#receiveInSynSent(segment, payload);
    else this.#receiveSegment(segment, payload);
  }

  #receiveInSynSent(segment: Tcp, payload: Uint8Array): void {
    const { flags, acknowledgment } = segment;
    const ackOk = (flags & TCP_FLAG.ACK) !== 0 && acknowledgment === this.#max;
    if (flags & TCP_FLAG.RST) {
      if (ackOk) this.#finish('refused');
      return;
    }
    if ((flags & TCP_FLAG.SYN) === 0 || !ackOk) return;
    this.#takeSyn(segment);
    this.#establish(segment);
    this.#sendAck();
    if (payload.length > 0) this.#receiveSegment({ ...segment, sequence: seqAdd(segment.sequence, 1) }, payload);
  }

  #takeSyn(segment: Tcp): void {
    this.#expected = seqAdd(segment.sequence, 1);
    this.#mss = Math.min(this.#world.mss, segment.mss ?? MSS_DEFAULT);
    this.#congestion = new Congestion(this.#mss);
  }

  #establish(segment: Tcp): void {
    this.#una = segment.acknowledgment;
    this.#sendWindow = segment.window;
    this.#windowUpdate = { sequence: segment.sequence, acknowledgment: segment.acknowledgment };
    this.#state = 'ESTABLISHED';
    this.#attempts = 0;
    this.#measure();
    this.#stopTimer();
    this.onOpen?.();
    this.#output();
  }

  /** RFC 9293 §3.10.7.4, in its order. */
  #receiveSegment(segment: Tcp, payload: Uint8Array): void {
    const { flags, sequence } = segment;
    const size = payload.length + (flags & TCP_FLAG.FIN ? 1 : 0);
    if (!this.#isAcceptable(sequence, size)) {
      if ((flags & TCP_FLAG.RST) === 0) this.#sendAck();
      // A FIN whose acknowledgment was lost comes again: the wait begins anew
      if (this.#state === 'TIME_WAIT' && flags & TCP_FLAG.FIN) this.#wait();
      if ((flags & (TCP_FLAG.RST | TCP_FLAG.SYN)) === 0 && flags & TCP_FLAG.ACK) this.#receiveAck(segment, size);
      return;
    }
    if (flags & TCP_FLAG.RST) {
      this.#receiveReset(sequence);
      return;
    }
    if (flags & TCP_FLAG.SYN) {
      this.#sendAck();
      return;
    }
    if ((flags & TCP_FLAG.ACK) === 0) return;
    if (this.#state === 'SYN_RECEIVED') {
      if (segment.acknowledgment !== this.#max) return;
      this.#establish(segment);
    }
    this.#receiveAck(segment, size);
    if (this.state !== 'CLOSED' && size > 0) this.#receivePayload(segment, payload);
  }

  #receiveReset(sequence: number): void {
    // A late segment of ours makes a peer that is gone already send one (RFC 1337)
    if (this.#state === 'TIME_WAIT') return;
    // RFC 5961 §3: only the very next number resets, others are challenged
    if (sequence !== this.#expected) this.#sendAck();
    else if (this.#state === 'CLOSING' || this.#state === 'LAST_ACK') this.#finish('closed');
    else this.#finish(this.#state === 'SYN_RECEIVED' ? 'refused' : 'reset');
  }

  #isAcceptable(sequence: number, size: number): boolean {
    const { window } = this.#received;
    const offset = seqDiff(sequence, this.#expected);
    if (window === 0) return size === 0 && offset === 0;
    if (size === 0) return offset >= 0 && offset < window;
    return offset + size > 0 && offset < window;
  }

  #receiveAck(segment: Tcp, size: number): void {
    const { acknowledgment } = segment;
    if (seqDiff(acknowledgment, this.#max) > 0) {
      this.#sendAck();
      return;
    }
    const acked = seqDiff(acknowledgment, this.#una);
    const { window } = segment;
    if (acked > 0) this.#advance(acknowledgment, acked);
    else if (acked === 0 && size === 0 && window === this.#sendWindow && this.#una !== this.#max)
      this.#react(this.#congestion.duplicate(this.#flight, this.#una, this.#max));
    if (acked >= 0) this.#updateWindow(segment);
    if (this.#sendWindow === 0) this.#attempts = 0;
    if (this.#state !== 'CLOSED') this.#output();
  }

  get #flight(): number {
    return seqDiff(this.#max, this.#una);
  }

  #advance(acknowledgment: number, acked: number): void {
    const finAcked = this.#finSequence !== null && seqDiff(acknowledgment, this.#finSequence) > 0;
    const bytes = Math.min(this.#send.size, finAcked ? acked - 1 : acked);
    this.#send.drop(bytes);
    this.bytesAcknowledged += bytes;
    this.#una = acknowledgment;
    if (seqDiff(this.#next, this.#una) < 0) this.#next = this.#una;
    this.#attempts = 0;
    this.#measure();
    this.#stopTimer();
    this.#react(this.#congestion.acknowledged(acked, acknowledgment));
    if (finAcked) this.#finAcknowledged();
  }

  #react(reaction: Reaction): void {
    if (reaction === 'retransmit') this.#retransmitOldest();
  }

  #updateWindow(segment: Tcp): void {
    const { sequence, acknowledgment, window } = segment;
    const newer = seqDiff(sequence, this.#windowUpdate.sequence);
    const isNewer = newer > 0 || (newer === 0 && seqDiff(acknowledgment, this.#windowUpdate.acknowledgment) >= 0);
    if (!isNewer) return;
    this.#sendWindow = window;
    this.#windowUpdate = { sequence, acknowledgment };
  }

  #finAcknowledged(): void {
    if (this.#state === 'FIN_WAIT_1') this.#state = 'FIN_WAIT_2';
    else if (this.#state === 'CLOSING') this.#wait();
    else if (this.#state === 'LAST_ACK') this.#finish('closed');
  }

  #receivePayload(segment: Tcp, payload: Uint8Array): void {
    const offset = seqDiff(segment.sequence, this.#expected);
    if (segment.flags & TCP_FLAG.FIN) this.#peerFin = seqAdd(segment.sequence, payload.length);
    const inOrder = this.#received.insert(offset, payload);
    this.#expected = seqAdd(this.#expected, inOrder);
    this.bytesReceived += inOrder;
    if (inOrder > 0 && this.onData) this.onData(this.#received.read());
    const isAtFin = this.#peerFin === this.#expected;
    if (isAtFin) this.#expected = seqAdd(this.#expected, 1);
    if (this.state === 'CLOSED') return;
    this.#sendAck();
    if (isAtFin) this.#peerFinished();
  }

  #peerFinished(): void {
    if (this.#state === 'ESTABLISHED') this.#state = 'CLOSE_WAIT';
    else if (this.#state === 'FIN_WAIT_1') this.#state = 'CLOSING';
    else if (this.#state === 'FIN_WAIT_2') this.#wait();
    this.onEnd?.();
  }

  #wait(): void {
    this.#state = 'TIME_WAIT';
    this.#stopTimer();
    this.#timer = this.#world.scheduler.after(TIME_WAIT, () => this.#finish('closed'));
  }

  #finish(reason: CloseReason): void {
    if (this.#state === 'CLOSED') return;
    this.#state = 'CLOSED';
    this.#closeReason = reason;
    this.#stopTimer();
    this.#world.released();
    this.onClose?.(reason);
  }

  #canSendData(): boolean {
    return this.isOpen || this.#state === 'FIN_WAIT_1' || this.#state === 'LAST_ACK' || this.#state === 'CLOSING';
  }

  /** Sends what the windows allow. */
  #output(): void {
    if (!this.#canSendData()) return;
    while (this.#sendNext());
    if (this.#una !== this.#max) this.#startTimer();
    else if (this.#sendWindow === 0 && this.#send.size > 0) this.#startTimer();
  }

  #sendNext(): boolean {
    const offset = seqDiff(this.#next, this.#una);
    const room = Math.min(this.#congestion.window, this.#sendWindow) - offset;
    const waiting = this.#send.size - offset;
    const size = Math.min(this.#mss, waiting, room);
    if (size <= 0) return waiting <= 0 && this.#sendFin();
    // Silly windows are waited out (RFC 9293 §3.8.6.2.1), unless nothing is under way that could open them
    if (size < this.#mss && size < waiting && offset > 0) return false;
    const payload = this.#send.copy(offset, size);
    this.#transmitData(this.#next, payload, size === waiting);
    return true;
  }

  #transmitData(sequence: number, payload: Uint8Array, isLast: boolean): void {
    const end = seqAdd(sequence, payload.length);
    if (seqDiff(sequence, this.#max) < 0) {
      this.segmentsRetransmitted++;
      this.#timed = null;
    } else if (!this.#timed) this.#timed = { sequence: end, at: this.#world.scheduler.now() };
    if (seqDiff(end, this.#next) > 0) this.#next = end;
    if (seqDiff(end, this.#max) > 0) this.#max = end;
    this.#transmit(TCP_FLAG.ACK | (isLast ? TCP_FLAG.PSH : 0), sequence, payload);
  }

  /** Returns false always: nothing follows a FIN. */
  #sendFin(): boolean {
    if (!this.#wantsClose) return false;
    if (this.#finSequence === null) {
      this.#finSequence = this.#next;
      this.#state = this.#state === 'CLOSE_WAIT' ? 'LAST_ACK' : 'FIN_WAIT_1';
    } else if (seqDiff(this.#next, this.#finSequence) > 0) return false;
    this.#transmit(TCP_FLAG.FIN | TCP_FLAG.ACK, this.#finSequence);
    this.#next = seqAdd(this.#finSequence, 1);
    if (seqDiff(this.#next, this.#max) > 0) this.#max = this.#next;
    return false;
  }

  #retransmitOldest(): void {
    const size = Math.min(this.#mss, this.#send.size, seqDiff(this.#max, this.#una));
    if (size > 0) this.#transmitData(this.#una, this.#send.copy(0, size), size === this.#send.size);
    else if (this.#finSequence === this.#una) this.#transmit(TCP_FLAG.FIN | TCP_FLAG.ACK, this.#una);
  }

  #startTimer(): void {
    if (this.#timer?.isPending) return;
    this.#timer = this.#world.scheduler.after(this.#rto.timeout, () => this.#timedOut());
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #timedOut(): void {
    this.timeouts++;
    this.#attempts++;
    const isOpening = this.#state === 'SYN_SENT' || this.#state === 'SYN_RECEIVED';
    if (this.#attempts > (isOpening ? SYN_ATTEMPTS_MAX : ATTEMPTS_MAX)) {
      this.#finish('timeout');
      return;
    }
    this.#rto.backOff();
    this.#timed = null;
    if (isOpening) {
      this.#sendSyn();
      return;
    }
    if (this.#sendWindow === 0 && this.#send.size > 0) this.#probe();
    else {
      this.#congestion.timedOut(this.#flight, this.#max);
      // Back to the oldest byte: everything is sent anew as the window opens
      this.#next = this.#una;
      this.#sendNext();
    }
    this.#startTimer();
  }

  /** One byte beyond a closed window asks whether it is still closed (RFC 9293 §3.8.6.1); any answer resets the count. */
  #probe(): void {
    this.#transmitData(this.#una, this.#send.copy(0, 1), false);
  }

  #measure(): void {
    if (!this.#timed || seqDiff(this.#una, this.#timed.sequence) < 0) return;
    this.#rto.measured(this.#world.scheduler.now() - this.#timed.at);
    this.#timed = null;
  }

  #sendSyn(): void {
    const iss = this.#world.initialSequence;
    this.#next = this.#max = seqAdd(iss, 1);
    if (this.#attempts === 0) this.#timed = { sequence: this.#max, at: this.#world.scheduler.now() };
    const ack = this.#state === 'SYN_RECEIVED' ? TCP_FLAG.ACK : 0;
    this.#transmit(TCP_FLAG.SYN | ack, iss, new Uint8Array(), this.#world.mss);
    this.#startTimer();
  }

  #sendAck(): void {
    this.#transmit(TCP_FLAG.ACK, this.#max);
  }

  #transmit(flags: number, sequence: number, payload: Uint8Array = new Uint8Array(), mss: number | null = null): void {
    const { localPort, remotePort } = this.#world;
    const acknowledgment = flags & TCP_FLAG.ACK ? this.#expected : 0;
    const numbers = { sequence, acknowledgment, flags, window: this.#received.window, urgent: 0 };
    this.#world.transmit({ srcPort: localPort, dstPort: remotePort, ...numbers, mss, windowScale: null }, payload);
  }
}
