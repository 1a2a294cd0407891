/**
 * Ports, megaflows and traffic for tests of several workers: random flows between memory ports, so that the same traffic
 * can go through any number of workers, called in turn or in threads of their own.
 */
import assert from 'node:assert/strict';
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { Datapath, type DatapathOptions } from '../../../src/datapath/datapath.ts';
import type { DpAction } from '../../../src/flow/odp/action.ts';
import type { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import { matchOf, udpFrame } from '../../support/datapath.ts';

export const sizes = { framesCount: 4096, flowMax: 4096, arenaSize: 2 << 20, cacheEntries: 1024, packetSlots: 256 };

export interface FlowPlan {
  readonly inPort: number;
  /** Source port of the flow's frames. */
  readonly sport: number;
  readonly actions: readonly DpAction[];
}

/** Megaflows by in_port and source port: one output, several with a tag between them, or a drop. */
export function randomFlows(random: Random, ports: number, count: number): FlowPlan[] {
  const tag = (): DpAction => ({ type: 'push_vlan', tpid: 0x8100, tci: 0x1000 + random.below(4094) });
  // different ports: a burst goes through one action after the other, so that two streams to one port may mix
  const outputs = (): DpAction[] => {
    const first = random.below(ports);
    return [0, 1, 2].map((i) => ({ type: 'output', port: 1 + ((first + i) % ports) }));
  };
  return Array.from({ length: count }, (_, i) => {
    const [one, two, three] = outputs();
    const shape = random.below(8);
    const actions = shape === 0 ? [] : shape < 3 ? [one!, tag(), two!, three!] : [one!];
    return { inPort: 1 + random.below(ports), sport: 1000 + i, actions };
  });
}

/** A frame of a flow, with its number in the payload. */
export function flowFrame(flow: FlowPlan, sequence: number): Uint8Array {
  const frame = udpFrame({ sport: flow.sport, payloadSize: 22 });
  new DataView(frame.buffer, frame.byteOffset).setUint32(frame.length - 4, sequence);
  return frame;
}

export class WorkersBed {
  readonly dp: Datapath;
  readonly ports: readonly MemoryNetdev[];

  constructor(workerCount: number, portCount: number, options: DatapathOptions = {}) {
    this.dp = must(Datapath.create({ ...sizes, workerCount, ...options }));
    this.ports = Array.from({ length: portCount }, (_, i) => new MemoryNetdev(`p${i + 1}`, { queueMax: 1 << 20 }));
    this.ports.forEach((port, i) => {
      must(this.dp.addPort(i + 1, port, { worker: i % workerCount }));
    });
  }

  port(number: number): MemoryNetdev {
    return this.ports[number - 1]!;
  }

  install(flows: readonly FlowPlan[]): void {
    for (const { inPort, sport, actions } of flows) {
      const match = matchOf({ in_port: inPort, recirc_id: 0, tp_src: sport });
      must(this.dp.putFlow(match, actions, { worker: this.dp.portWorker(inPort)! }));
    }
  }

  /** Polls until nothing moves: for workers without threads. */
  run(now = 1_000_000): void {
    while (this.dp.poll(now) > 0);
  }

  check(): void {
    assert.deepEqual(this.dp.audit().problems, []);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What left by each port, by flow (its source port), in order. */
export function sentByFlow(sent: readonly (readonly Uint8Array[])[]): Map<string, string[]> {
  const flows = new Map<string, string[]>();
  sent.forEach((frames, i) => {
    for (const frame of frames) {
      const isTagged = frame[12] === 0x81;
      const at = isTagged ? 38 : 34;
      const key = `port ${i + 1}, flow ${(frame[at]! << 8) | frame[at + 1]!}`;
      const list = flows.get(key);
      if (list) list.push(hex(frame));
      else flows.set(key, [hex(frame)]);
    }
  });
  return new Map([...flows].sort(([a], [b]) => (a < b ? -1 : 1)));
}
