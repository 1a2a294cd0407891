/** The control records that carry a frame: EXECUTE and RELEASE. */

import { type FlowKey, keyMapOf } from '../flow/key.ts';
import * as L from '../gen/layout.ts';
import { ACTIONS_SIZE_MAX } from '../gen/limits.ts';
import { DROP, type DropReasonName, KEY } from '../gen/tables.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import { FLOW_ID_BITS } from './memory.ts';
import type { ExecuteError, InjectedFrame, Upcall } from './types.ts';
import type { UpcallQueue } from './upcalls.ts';
import type { Views } from './views.ts';
import { STATUS_LOST, type WorkerHost } from './worker.ts';

/** Behind these actions, or none at all: the frame is looked up as if it had come in by its in_port. */
export type ExecuteActions = Uint8Array | 'lookup';

/** Whether the worker would take them: it cannot be asked when it runs in a thread of its own. */
const areActions = (actions: ExecuteActions): boolean =>
  actions === 'lookup' || (actions.length <= ACTIONS_SIZE_MAX && actions.length % 4 === 0);

export class Executor {
  readonly #views: Views;
  readonly #worker: WorkerHost;
  readonly #upcalls: UpcallQueue;
  readonly #frameSizeMax: number;

  constructor(views: Views, worker: WorkerHost, upcalls: UpcallQueue, frameSizeMax: number) {
    this.#views = views;
    this.#worker = worker;
    this.#upcalls = upcalls;
    this.#frameSizeMax = frameSizeMax;
  }

  /**
   * Answers an upcall: its frame goes on with these actions. On an error the frame was dropped, and the upcall is
   * answered all the same: actions that make no sense (action_invalid), or no Packet slot (no_frame).
   */
  upcall(upcall: Upcall, actions: ExecuteActions, flowId: number): Result<void, ExecuteError> {
    this.#upcalls.check(upcall);
    if (!areActions(actions)) return this.#refuse(upcall);
    const views = this.#views;
    const slot = this.#upcalls.address(upcall.slot);
    const record = this.#begin(actions, flowId, L.EXECUTE_HELD);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.EXECUTE_CHUNK, views.getU32(slot + L.UPCALL_SLOT_CHUNK));
    views.setU32(body + L.EXECUTE_DATA, views.getU32(slot + L.UPCALL_SLOT_DATA));
    views.setU32(body + L.EXECUTE_SIZE, views.getU32(slot + L.UPCALL_SLOT_SIZE));
    views.setU32(body + L.EXECUTE_KEY_MAP, views.getU32(slot + L.UPCALL_SLOT_KEY_MAP));
    views.setU32(body + L.EXECUTE_KEY_MAP + 4, views.getU32(slot + L.UPCALL_SLOT_KEY_MAP + 4));
    views.setU32(body + L.EXECUTE_PACKET_TYPE, views.getU32(slot + L.UPCALL_SLOT_PACKET_TYPE));
    views.setU32(body + L.EXECUTE_DEPTH, views.getU32(slot + L.UPCALL_SLOT_DEPTH));
    views.setU16(body + L.EXECUTE_CSUM_START, views.getU16(slot + L.UPCALL_SLOT_CSUM_START));
    views.setU16(body + L.EXECUTE_CSUM_OFFSET, views.getU16(slot + L.UPCALL_SLOT_CSUM_OFFSET));
    views.setU16(body + L.EXECUTE_GSO_SIZE, views.getU16(slot + L.UPCALL_SLOT_GSO_SIZE));
    views.setU16(body + L.EXECUTE_GSO_TYPE, views.getU16(slot + L.UPCALL_SLOT_GSO_TYPE));
    views.u8.copyWithin(body + L.EXECUTE_SIZEOF, slot + L.UPCALL_SLOT_KEY, slot + L.UPCALL_SLOT_KEY + L.KEY_SIZE);
    const done = this.#post(record);
    // a record that makes no sense changes nothing: the frame would be held for ever
    if (!done.ok && done.error === 'invalid') return this.#refuse(upcall);
    this.#upcalls.answered(upcall);
    return done;
  }

  /** A worker in a thread of its own is not waited for: what it refuses, it counts. */
  #post(record: number): Result<void, ExecuteError> {
    const status = this.#worker.post(record);
    if (status === null || status === L.STATUS_OK) return ok(undefined);
    if (status === L.STATUS_INVALID) return fail('invalid');
    return fail(status === STATUS_LOST ? 'worker_lost' : 'no_frame');
  }

  #refuse(upcall: Upcall): Result<void, ExecuteError> {
    this.release(upcall, 'action_invalid');
    return fail('invalid');
  }

  /** Sends a frame of the control side's own. */
  inject({ frame, key }: InjectedFrame, actions: ExecuteActions, flowId: number): Result<void, ExecuteError> {
    if (!areActions(actions)) return fail('invalid');
    if (frame.length > this.#frameSizeMax) return fail('too_long');
    const views = this.#views;
    const record = this.#begin(actions, flowId, L.EXECUTE_INLINE, frame.length);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.EXECUTE_SIZE, frame.length);
    this.#writeKey(body, key);
    views.setU16(body + L.EXECUTE_CSUM_START, L.NONE_U16);
    const actionsSize = views.getU32(body + L.EXECUTE_ACTIONS_SIZE);
    views.u8.set(frame, body + L.EXECUTE_SIZEOF + L.KEY_SIZE + actionsSize);
    return this.#post(record);
  }

  #writeKey(body: number, key: FlowKey): void {
    const views = this.#views;
    const map = keyMapOf(key);
    views.setU32(body + L.EXECUTE_KEY_MAP, Number(map & 0xffffffffn));
    views.setU32(body + L.EXECUTE_KEY_MAP + 4, Number(map >> 32n));
    // in the packet as in the key: bytes in network order
    const type = key.at(KEY.packet_type);
    views.u8.set(type, body + L.EXECUTE_PACKET_TYPE);
    views.u8.set(key.bytes, body + L.EXECUTE_SIZEOF);
  }

  #begin(actions: ExecuteActions, flowId: number, flags: number, frameSize = 0): number {
    const views = this.#views;
    const isLookup = actions === 'lookup';
    const size = isLookup ? 0 : actions.length;
    const record = this.#worker.begin(L.CONTROL_EXECUTE, L.EXECUTE_SIZEOF + L.KEY_SIZE + size + frameSize);
    const body = record + L.CONTROL_SIZEOF;
    views.setU32(body + L.EXECUTE_ACTIONS_SIZE, size);
    views.setU32(body + L.EXECUTE_FLOW_ID, this.#ownFlow(flowId));
    views.setU32(body + L.EXECUTE_FLAGS, flags | (isLookup ? L.EXECUTE_LOOKUP : 0));
    if (!isLookup) views.u8.set(actions, body + L.EXECUTE_SIZEOF + L.KEY_SIZE);
    return record;
  }

  /** A flow's number at this worker; none for other workers' flows. */
  #ownFlow(id: number): number {
    const isOurs = id !== L.NONE_U32 && id >>> FLOW_ID_BITS === this.#worker.plan.index;
    return isOurs ? id & ((1 << FLOW_ID_BITS) - 1) : L.NONE_U32;
  }

  /** Answers an upcall: its frame goes nowhere. */
  release(upcall: Upcall, reason: DropReasonName | 'consumed'): void {
    this.#upcalls.check(upcall);
    const record = this.#worker.begin(L.CONTROL_RELEASE, L.RELEASE_SIZEOF);
    const body = record + L.CONTROL_SIZEOF;
    const slot = this.#upcalls.address(upcall.slot);
    this.#views.setU32(body + L.RELEASE_CHUNK, this.#views.getU32(slot + L.UPCALL_SLOT_CHUNK));
    this.#views.setU32(body + L.RELEASE_REASON, reason === 'consumed' ? 0 : DROP[reason]);
    this.#worker.post(record);
    this.#upcalls.answered(upcall);
  }
}
