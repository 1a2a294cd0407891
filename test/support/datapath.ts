/**
 * A small datapath with n memory ports, numbered from 1, for tests:
 *
 *   const bed = testDatapath({ ports: 3 });
 *   bed.port(1).send(udpFrame({ dst: 2 }));
 *   bed.run();                               // everything that waits goes through
 *   bed.port(2).takeSent();
 *   bed.check();                             // the conservation check
 */
import assert from 'node:assert/strict';
import { MemoryNetdev } from '../../backends/memory/index.ts';
import { Datapath, type DatapathOptions } from '../../src/datapath/datapath.ts';
import type { Upcall } from '../../src/datapath/types.ts';
import { FlowKey, type KeyField, type KeyFieldName, type Match } from '../../src/flow/key.ts';
import { KEY } from '../../src/gen/tables.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { must } from '../../src/lib/result.ts';

export { testMac, udpFrame } from './udp-frame.ts';

export interface TestDatapathOptions extends DatapathOptions {
  /** Memory ports, numbered 1 to this; 2 when left out. */
  readonly ports?: number;
}

export class TestDatapath {
  readonly dp: Datapath;
  readonly clock = new ManualClock(1_000_000);
  readonly #ports: MemoryNetdev[];

  constructor(dp: Datapath, ports: MemoryNetdev[]) {
    this.dp = dp;
    this.#ports = ports;
  }

  /** The device of a port. */
  port(number: number): MemoryNetdev {
    const netdev = this.#ports[number - 1];
    if (!netdev) throw new Error(`the test datapath has no port ${number}`);
    return netdev;
  }

  /** Polls until nothing moves. Returns frames processed. */
  run(): number {
    let total = 0;
    for (let count = this.dp.poll(this.clock.now()); count > 0; count = this.dp.poll(this.clock.now())) total += count;
    return total;
  }

  /** Polls and answers upcalls until nothing moves. */
  runWith(answer: (upcall: Upcall) => void): void {
    while (this.run() + this.dp.takeUpcalls(answer) > 0);
  }

  /** Takes all waiting upcalls. */
  upcalls(): Upcall[] {
    const taken: Upcall[] = [];
    this.dp.takeUpcalls((upcall) => taken.push(upcall));
    return taken;
  }

  /** Fails unless every chunk and every frame is in exactly one place. */
  check(): void {
    assert.deepEqual(this.dp.audit().problems, []);
  }
}

export function testDatapath({ ports = 2, ...options }: TestDatapathOptions = {}): TestDatapath {
  const sizes = { framesCount: 1024, flowMax: 4096, arenaSize: 4 << 20, cacheEntries: 1024 };
  const dp = must(Datapath.create({ ...sizes, ...options }));
  const netdevs = Array.from({ length: ports }, (_, i) => new MemoryNetdev(`p${i + 1}`));
  netdevs.forEach((netdev, i) => {
    must(dp.addPort(i + 1, netdev));
  });
  return new TestDatapath(dp, netdevs);
}

/** A match of the named fields, each in full. */
export function matchOf(fields: Partial<Record<KeyFieldName, number | Uint8Array>>): Match {
  const [key, mask] = [new FlowKey(), new FlowKey()];
  for (const [name, value] of Object.entries(fields)) {
    const field = KEY[name as KeyFieldName] as KeyField;
    if (typeof value === 'number') key.set(field, value);
    else key.setBytes(field, value);
    mask.setAllOnes(field);
  }
  return { key, mask };
}
