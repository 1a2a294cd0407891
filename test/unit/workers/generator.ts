/** An opener for workers' threads whose devices bring a burst whenever they are asked, and swallow what is sent. */
import { ok, type Result } from '../../../src/lib/result.ts';
import type { Netdev, NetdevStats } from '../../../src/netdev/netdev.ts';
import type { DeviceRings } from '../../../src/netdev/rings.ts';
import { udpFrame } from '../../support/udp-frame.ts';

const BURST = 32;

class GeneratorNetdev implements Netdev {
  readonly type = 'dummy';
  readonly mtu = 1500;
  readonly isUp = true;
  readonly mac = new Uint8Array(6);
  readonly name: string;
  readonly #frame: Uint8Array;
  #rings: DeviceRings | null = null;

  constructor(sport: number) {
    this.name = `generator ${sport}`;
    this.#frame = udpFrame({ sport });
  }

  attach(rings: DeviceRings): Result<void> {
    this.#rings = rings;
    return ok(undefined);
  }

  poll(): number {
    let count = 0;
    while (count < BURST && this.#rings?.canDeliver() && this.#rings.deliver(this.#frame)) count++;
    return count;
  }

  flush(): number {
    return this.#rings?.take(() => {}) ?? 0;
  }

  stats(): NetdevStats {
    return { rxDropped: this.#rings?.rxDropped ?? 0, rxErrors: 0, txDropped: 0, txErrors: 0 };
  }

  close(): void {
    this.#rings = null;
  }
}

/** @param sport source port of its frames */
export const openDevice = (sport: number): Result<Netdev> => ok(new GeneratorNetdev(sport));
