/**
 * A cable between two stations, one transmitter at each end.
 *
 * A frame waits for the transmitter (bandwidth, queue), may be lost, doubled or held back, and arrives after the latency.
 * What the link does to frames is drawn from its own generator, so that a link added elsewhere changes nothing here.
 * frames sent + frames doubled = frames delivered + frames dropped + frames on the way, at every moment.
 */
import { MILLISECOND, type Micros, SECOND } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { FrameLog, LinkOutcome } from './frame-log.ts';
import type { Scheduler } from './scheduler.ts';

/** Whatever a link's end is plugged into. */
export interface Station {
  /** Takes a frame; the bytes are its own from now on. */
  receive(frame: Uint8Array): void;
  /** The link came up or went down. */
  carrier(isUp: boolean): void;
}

export interface LinkOptions {
  /** Microseconds from the last bit out to the frame's arrival. 10 when left out. */
  readonly latency?: Micros;
  /** Bits a second in each direction. 10 Gbit/s when left out. */
  readonly bandwidth?: number;
  /** Probability that a frame is lost. */
  readonly loss?: number;
  /** Probability that a frame is held back by `reorderDelay`, so that later ones overtake it. */
  readonly reorder?: number;
  /** Microseconds. Five times the latency, at least a millisecond, when left out. */
  readonly reorderDelay?: Micros;
  /** Probability that a frame arrives twice. */
  readonly duplicate?: number;
  /** Bytes behind the Ethernet header and one tag. 1500 when left out. */
  readonly mtu?: number;
  /** Frames that wait for a transmitter at the most. 1000 when left out. */
  readonly queue?: number;
}

export const LINK_OPTION_NAMES: readonly (keyof LinkOptions)[] = [
  'latency',
  'bandwidth',
  'loss',
  'reorder',
  'reorderDelay',
  'duplicate',
  'mtu',
  'queue',
];

export interface LinkCounters {
  /** Frames that the station gave to the link. */
  sent: number;
  /** Copies that the link made. */
  duplicated: number;
  delivered: number;
  /** Frames between the ends. */
  inFlight: number;
  link_loss: number;
  link_down: number;
  link_queue: number;
  link_mtu: number;
}

const newCounters = (): LinkCounters => ({
  sent: 0,
  duplicated: 0,
  delivered: 0,
  inFlight: 0,
  link_loss: 0,
  link_down: 0,
  link_queue: 0,
  link_mtu: 0,
});

const ETHERNET_SIZE = 14;
const TAG_SIZE = 4;

const isTagged = (frame: Uint8Array): boolean =>
  (frame[12] === 0x81 && frame[13] === 0x00) || (frame[12] === 0x88 && frame[13] === 0xa8);

const checkProbability = (name: string, value: number): number => {
  if (!(value >= 0 && value <= 1)) throw new Error(`${name} is a probability from 0 to 1, not ${value}`);
  return value;
};

const checkAtLeast = (name: string, value: number, least: number): number => {
  if (!(value >= least)) throw new Error(`${name} must be at least ${least}, not ${value}`);
  return value;
};

/** @throws for values out of range */
function withDefaults(options: LinkOptions): Required<LinkOptions> {
  const latency = checkAtLeast('latency', options.latency ?? 10, 0);
  return {
    latency,
    bandwidth: checkAtLeast('bandwidth', options.bandwidth ?? 10e9, 1),
    loss: checkProbability('loss', options.loss ?? 0),
    reorder: checkProbability('reorder', options.reorder ?? 0),
    reorderDelay: checkAtLeast('reorderDelay', options.reorderDelay ?? Math.max(5 * latency, MILLISECOND), 0),
    duplicate: checkProbability('duplicate', options.duplicate ?? 0),
    mtu: checkAtLeast('mtu', options.mtu ?? 1500, 68),
    queue: checkAtLeast('queue', options.queue ?? 1000, 1),
  };
}

export interface LinkEndpoint {
  readonly name: string;
  readonly station: Station;
}

/** What a link shares with its network. */
export interface LinkWorld {
  readonly scheduler: Scheduler;
  readonly log: FrameLog;
}

export class Link {
  readonly id: number;
  readonly ends: readonly [LinkEndpoint, LinkEndpoint];
  readonly options: Required<LinkOptions>;
  /** By direction: [0] from the first end to the second, [1] back. */
  readonly counters: readonly [LinkCounters, LinkCounters] = [newCounters(), newCounters()];
  readonly #world: LinkWorld;
  readonly #random: Random;
  readonly #busyUntil: [Micros, Micros] = [0, 0];
  readonly #queued: [number, number] = [0, 0];
  #isUp = true;
  /** Frames of an earlier epoch were on the link when it went down. */
  #epoch = 0;

  constructor(
    id: number,
    ends: readonly [LinkEndpoint, LinkEndpoint],
    options: LinkOptions,
    world: LinkWorld,
    random: Random,
  ) {
    this.id = id;
    this.ends = ends;
    this.options = withDefaults(options);
    this.#world = world;
    this.#random = random;
  }

  get name(): string {
    return `${this.ends[0].name}-${this.ends[1].name}`;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** What is on the link when it goes down is lost (link_down). */
  setUp(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (!isUp) {
      this.#epoch++;
      this.#busyUntil.fill(this.#world.scheduler.now());
    }
    for (const end of this.ends) end.station.carrier(isUp);
  }

  /** Takes the link down after `after` microseconds, for `duration`. */
  flap(after: Micros, duration: Micros): void {
    const { scheduler } = this.#world;
    scheduler.after(after, () => this.setUp(false));
    scheduler.after(after + duration, () => this.setUp(true));
  }

  /** Sends from an end; the bytes belong to the link from now on. */
  send(direction: 0 | 1, frame: Uint8Array): void {
    const { scheduler, log } = this.#world;
    const now = scheduler.now();
    log.seen({ time: now, port: this.ends[direction].name, direction: 'tx', frame });
    const counters = this.counters[direction];
    counters.sent++;
    counters.inFlight++;
    const refusal = this.#refusal(direction, frame);
    if (refusal) {
      this.#end(direction, refusal, frame);
      return;
    }
    const start = Math.max(now, this.#busyUntil[direction]);
    const departure = start + (frame.length * 8 * SECOND) / this.options.bandwidth;
    this.#busyUntil[direction] = departure;
    this.#queued[direction]++;
    const epoch = this.#epoch;
    scheduler.at(departure, () => this.#depart(direction, frame, epoch));
  }

  #refusal(direction: 0 | 1, frame: Uint8Array): Exclude<LinkOutcome, 'delivered'> | null {
    if (!this.#isUp) return 'link_down';
    const room = this.options.mtu + ETHERNET_SIZE + (isTagged(frame) ? TAG_SIZE : 0);
    if (frame.length > room) return 'link_mtu';
    return this.#queued[direction] >= this.options.queue ? 'link_queue' : null;
  }

  #depart(direction: 0 | 1, frame: Uint8Array, epoch: number): void {
    this.#queued[direction]--;
    if (epoch !== this.#epoch) {
      this.#end(direction, 'link_down', frame);
      return;
    }
    const { options } = this;
    if (options.duplicate > 0 && this.#random.chance(options.duplicate)) {
      this.counters[direction].duplicated++;
      this.counters[direction].inFlight++;
      this.#fly(direction, frame.slice(), epoch);
    }
    this.#fly(direction, frame, epoch);
  }

  #fly(direction: 0 | 1, frame: Uint8Array, epoch: number): void {
    const { options } = this;
    if (options.loss > 0 && this.#random.chance(options.loss)) {
      this.#end(direction, 'link_loss', frame);
      return;
    }
    const isHeldBack = options.reorder > 0 && this.#random.chance(options.reorder);
    const delay = options.latency + (isHeldBack ? options.reorderDelay : 0);
    this.#world.scheduler.after(delay, () =>
      this.#end(direction, epoch === this.#epoch ? 'delivered' : 'link_down', frame),
    );
  }

  #end(direction: 0 | 1, outcome: LinkOutcome, frame: Uint8Array): void {
    const { scheduler, log } = this.#world;
    const now = scheduler.now();
    this.counters[direction][outcome]++;
    this.counters[direction].inFlight--;
    log.ended(now, this.id, direction, outcome, frame);
    if (outcome !== 'delivered') return;
    const to = this.ends[1 - direction]!;
    log.seen({ time: now, port: to.name, direction: 'rx', frame });
    to.station.receive(frame);
  }
}

/** What a station holds of its link: it sends by this. */
export class LinkEnd {
  readonly link: Link;
  readonly #direction: 0 | 1;

  constructor(link: Link, direction: 0 | 1) {
    this.link = link;
    this.#direction = direction;
  }

  send(frame: Uint8Array): void {
    this.link.send(this.#direction, frame);
  }
}
