/** What a replayed packet goes through: the whole switch, which learns; or a datapath with the flows given. */
import { MemoryNetdev } from '../../../backends/memory/index.ts';
import { Datapath } from '../../datapath/datapath.ts';
import { type OdpFlow, parseFlow } from '../../flow/odp/parse.ts';
import { HEADROOM } from '../../gen/limits.ts';
import type { DropReasonName } from '../../gen/tables.ts';
import type { Micros } from '../../lib/clock.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import { createSwitch } from '../../vswitchd/switch.ts';
import { UsageError } from '../failure.ts';
import type { PortSpec } from './ports.ts';

/** Chunks as large as there are: captures made with receive offload hold frames of 64 KiB. */
const CHUNK_SIZE = 65536;
/** Bytes of the longest frame. */
export const FRAME_SIZE_MAX = CHUNK_SIZE - HEADROOM;
const FRAME_COUNT = 1024;
const RING_SIZE = 8;
const BRIDGE = 'br0';
/** Bytes behind the Ethernet header that any port takes. */
export const MTU_MAX = 65535;

export interface Engine {
  /** Returns the port's number: the datapath's. */
  addPort(spec: PortSpec, device: Netdev): number;
  /** Does everything there is to do at this time. */
  run(now: Micros): void;
  nextWake(now: Micros): Micros | null;
  drops(): Readonly<Partial<Record<DropReasonName, number>>>;
  counters(): Readonly<Record<string, number>>;
  flowCount(): number;
  /** Frames in - frames out: 0, or a bug. */
  difference(): number;
  close(): void;
}

/** NORMAL: MAC learning and VLANs. */
export class SwitchEngine implements Engine {
  readonly #switch = createSwitch({ frameCount: FRAME_COUNT, chunkSize: CHUNK_SIZE, ringSize: RING_SIZE });

  constructor() {
    const mac = Uint8Array.of(2, 0x57, 0x45, 0, 0, 1);
    // The bridge's own port takes frames of any length and forgets them
    const local = new MemoryNetdev(BRIDGE, { mac, mtu: MTU_MAX, onFrame: () => {} });
    this.#switch.addBridge({ name: BRIDGE, mac, local });
  }

  addPort({ name, vlan }: PortSpec, netdev: Netdev): number {
    const info = this.#switch.addPort(BRIDGE, { name, netdev, ...(Object.keys(vlan).length > 0 ? { vlan } : {}) });
    return info.dpPort ?? 0;
  }

  run(now: Micros): void {
    this.#switch.poll(now);
  }

  nextWake(now: Micros): Micros | null {
    return this.#switch.nextWake(now);
  }

  drops(): Readonly<Partial<Record<DropReasonName, number>>> {
    return this.#switch.counters().drops;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#switch.counters().worker;
  }

  flowCount(): number {
    return this.#switch.counters().flows;
  }

  difference(): number {
    return this.#switch.audit().difference;
  }

  close(): void {
    this.#switch.close();
  }
}

/** The flows given, and nothing else: what they do not take is dropped (upcall_refused). */
export class FlowEngine implements Engine {
  readonly #datapath: Datapath;
  readonly #numbers = new Map<string, number>();

  constructor() {
    const created = Datapath.create({ framesCount: FRAME_COUNT, chunkSize: CHUNK_SIZE });
    if (!created.ok) throw new Error(created.error);
    this.#datapath = created.value;
  }

  addPort({ name, vlan }: PortSpec, device: Netdev): number {
    if (Object.keys(vlan).length > 0)
      throw new UsageError(`port "${name}": VLAN settings are for NORMAL; with --flow the flows say what happens`);
    const number = this.#numbers.size + 1;
    const added = this.#datapath.addPort(number, device, { ringEntries: RING_SIZE });
    if (!added.ok) throw new UsageError(`port "${name}": ${added.error}`);
    this.#numbers.set(name, number);
    return number;
  }

  /** @throws UsageError for text that is no flow, and for flows that the datapath refuses */
  addFlow(text: string): void {
    const flow = this.#parse(text);
    const put = this.#datapath.putFlow(flow.match, flow.actions, {});
    if (!put.ok) throw new UsageError(`flow "${text}": ${put.error === 'exists' ? 'given twice' : put.error}`);
  }

  #parse(text: string): OdpFlow {
    const parsed = parseFlow(text, { portByName: (name) => this.#numbers.get(name) ?? null });
    if (!parsed.ok) throw new UsageError(`flow "${text}": ${parsed.error}`);
    return parsed.value;
  }

  run(now: Micros): void {
    while (this.#datapath.poll(now) > 0 || this.#datapath.upcallsWaiting > 0)
      this.#datapath.takeUpcalls((upcall) =>
        this.#datapath.release(upcall, upcall.reason === 'miss' ? 'upcall_refused' : 'consumed'),
      );
  }

  nextWake(): null {
    return null;
  }

  drops(): Readonly<Partial<Record<DropReasonName, number>>> {
    return this.#datapath.drops();
  }

  counters(): Readonly<Record<string, number>> {
    return this.#datapath.counters();
  }

  flowCount(): number {
    return this.#datapath.flowCount;
  }

  difference(): number {
    const { frames } = this.#datapath.audit();
    return frames.in - frames.out;
  }

  close(): void {
    this.#datapath.close();
  }
}
