/** What every link tells about its frames: a digest of all of it, and whoever else wants to know. */
import { createHash } from 'node:crypto';
import type { Micros } from '../lib/clock.ts';

/** Where a frame on a link can end. The place in this list goes into the digest: new ones come at its end. */
const linkOutcomes = ['delivered', 'link_loss', 'link_down', 'link_queue', 'link_mtu'] as const;
export type LinkOutcome = (typeof linkOutcomes)[number];

/** A frame seen at a port: of a host, or of a switch. */
export interface PortFrame {
  readonly time: Micros;
  /** As `Network.link` named it: the host's name, or switch and port with a colon between. */
  readonly port: string;
  readonly direction: 'rx' | 'tx';
  /** Valid during the call. */
  readonly frame: Uint8Array;
}

const HEADER_SIZE = 8 + 4 + 1 + 1 + 4;

export class FrameLog {
  readonly #hash = createHash('sha256');
  readonly #header = new Uint8Array(HEADER_SIZE);
  readonly #view = new DataView(this.#header.buffer);
  readonly #observers: ((seen: PortFrame) => void)[] = [];

  /** A frame on a link came to its end. Time, link, direction, outcome, size and bytes go into the digest. */
  ended(time: Micros, link: number, direction: 0 | 1, outcome: LinkOutcome, frame: Uint8Array): void {
    this.#view.setFloat64(0, time, true);
    this.#view.setUint32(8, link, true);
    this.#view.setUint8(12, direction);
    this.#view.setUint8(13, linkOutcomes.indexOf(outcome));
    this.#view.setUint32(14, frame.length, true);
    this.#hash.update(this.#header);
    this.#hash.update(frame);
  }

  seen(frame: PortFrame): void {
    for (const observer of this.#observers) observer(frame);
  }

  observe(observer: (seen: PortFrame) => void): void {
    this.#observers.push(observer);
  }

  /** Hexadecimal; of everything so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
