/**
 * The upcall ring from the host's end. Slots are taken in order and answered in any order; a slot goes back to the
 * worker once it and all before it are answered, so an upcall's frame and key stay where they are until its answer.
 */

import { FlowKey } from '../flow/key.ts';
import type { UpcallReason } from '../flow/odp/action.ts';
import * as L from '../gen/layout.ts';
import { UPCALL_SLOTS } from '../gen/limits.ts';
import type { Upcall } from './types.ts';
import type { Views } from './views.ts';
import type { WorkerHost } from './worker.ts';

const reasons = new Map<number, UpcallReason>([
  [L.UPCALL_MISS, 'miss'],
  [L.UPCALL_ACTION, 'action'],
  [L.UPCALL_CONTROLLER, 'controller'],
  [L.UPCALL_SLOW_PATH, 'slow_path'],
  [L.UPCALL_SAMPLE, 'sample'],
]);

const NO_USERDATA = new Uint8Array(0);

export class UpcallQueue {
  readonly #views: Views;
  readonly #worker: WorkerHost;
  /** What the numbers of this worker's slots begin with: each slot of a datapath has its own. */
  readonly #base: number;
  /** Who holds each slot. */
  readonly #taken: (Upcall | null)[] = new Array<Upcall | null>(UPCALL_SLOTS).fill(null);
  /** Each slot's key, made when the slot is used for the first time. */
  readonly #keys: (FlowKey | undefined)[] = new Array<FlowKey | undefined>(UPCALL_SLOTS);
  /** Ring index of the next upcall to take. */
  #next = 0;

  constructor(views: Views, worker: WorkerHost) {
    this.#views = views;
    this.#worker = worker;
    this.#base = worker.plan.index * UPCALL_SLOTS;
  }

  get #producer(): number {
    return Atomics.load(this.#views.u32, (this.#worker.w + L.WORKER_UPCALL_PRODUCER) >>> 2);
  }

  get #consumer(): number {
    return this.#views.getU32(this.#worker.w + L.WORKER_UPCALL_CONSUMER);
  }

  /** Upcalls that wait to be taken. */
  get waiting(): number {
    return (this.#producer - this.#next) >>> 0;
  }

  /** Address of a slot: 0 to UPCALL_SLOTS - 1, or an upcall's. */
  address(slot: number): number {
    return this.#worker.plan.upcallSlots.start + (slot & (UPCALL_SLOTS - 1)) * L.UPCALL_SLOT_SIZEOF;
  }

  /** The next upcall, or null. */
  take(): Upcall | null {
    if (this.waiting === 0) return null;
    const slot = this.#next & (UPCALL_SLOTS - 1);
    const upcall = this.#read(slot);
    this.#taken[slot] = upcall;
    this.#next = (this.#next + 1) >>> 0;
    return upcall;
  }

  /** @throws unless the upcall was taken and not answered yet */
  check(upcall: Upcall): void {
    if (this.#taken[upcall.slot - this.#base] !== upcall)
      throw new Error(`upcall in slot ${upcall.slot} is answered already`);
  }

  /** After the answer: hands back every slot that nobody before it holds. */
  answered(upcall: Upcall): void {
    this.#taken[upcall.slot - this.#base] = null;
    let consumer = this.#consumer;
    while (consumer !== this.#next && this.#taken[consumer & (UPCALL_SLOTS - 1)] === null)
      consumer = (consumer + 1) >>> 0;
    Atomics.store(this.#views.u32, (this.#worker.w + L.WORKER_UPCALL_CONSUMER) >>> 2, consumer);
  }

  #read(slot: number): Upcall {
    const views = this.#views;
    const at = this.address(slot);
    const data = views.getU32(at + L.UPCALL_SLOT_DATA);
    const size = Math.min(views.getU32(at + L.UPCALL_SLOT_SIZE), views.getU32(at + L.UPCALL_SLOT_CUT_SIZE));
    const userdataSize = views.getU32(at + L.UPCALL_SLOT_USERDATA_SIZE);
    return {
      reason: reasons.get(views.getU32(at + L.UPCALL_SLOT_TYPE)) ?? 'action',
      inPort: views.getU32(at + L.UPCALL_SLOT_IN_PORT),
      frame: views.bytes(data, size),
      key: (this.#keys[slot] ??= new FlowKey(views.bytes(at + L.UPCALL_SLOT_KEY, L.KEY_SIZE))),
      userdata: userdataSize === 0 ? NO_USERDATA : views.bytes(at + L.UPCALL_SLOT_USERDATA, userdataSize),
      tcpFlags: views.getU32(at + L.UPCALL_SLOT_TCP_FLAGS),
      hash: views.getU32(at + L.UPCALL_SLOT_HASH),
      slot: this.#base + slot,
    };
  }

  /** Every slot whose frame is held: waiting, or taken and not answered. */
  *heldSlots(): Generator<number> {
    for (let index = this.#consumer; index !== this.#producer; index = (index + 1) >>> 0) {
      const slot = index & (UPCALL_SLOTS - 1);
      const isWaiting = (index - this.#next) >>> 0 < (this.#producer - this.#next) >>> 0;
      if (isWaiting || this.#taken[slot] !== null) yield slot;
    }
  }
}
