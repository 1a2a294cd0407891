/**
 * The control ring, worker's end: records that the control side wrote, carried out in order between bursts.
 *
 * A record is answered in place (status, result) before control_consumer passes it. A record that makes no sense is
 * answered STATUS_INVALID and changes nothing; one whose header cannot be believed ends the drain, because what follows
 * cannot be found: the ring is then skipped to its producer. Both count as control_errors.
 *
 * A frame that EXECUTE brings itself (INLINE) gets a chunk of the worker's. A chunk that EXECUTE or RELEASE names belongs to the worker from then on, whatever the status, unless it is
 * STATUS_INVALID.
 */
import {
  COUNTER_CONTROL_ERRORS,
  COUNTER_CONTROL_RECORDS,
  COUNTER_INJECTED_PACKETS,
  COUNTER_UPCALLS_CONSUMED,
  COUNTER_UPCALLS_EXECUTED,
  DROP_NO_FRAME,
} from '../src/gen/counters';
import { KEY_IN_PORT, KEY_RECIRC_ID } from '../src/gen/key';
import {
  CONTROL_EXECUTE,
  CONTROL_FLOW_DELETE,
  CONTROL_FLOW_FLUSH,
  CONTROL_FLOW_PUT,
  CONTROL_METER_SET,
  CONTROL_PAD,
  CONTROL_RELEASE,
  CONTROL_RESULT,
  CONTROL_SIZE,
  CONTROL_SIZEOF,
  CONTROL_STATUS,
  CONTROL_TYPE,
  EXECUTE_ACTIONS_SIZE,
  EXECUTE_CHUNK,
  EXECUTE_CSUM_START,
  EXECUTE_DATA,
  EXECUTE_DEPTH,
  EXECUTE_FLAGS,
  EXECUTE_FLOW_ID,
  EXECUTE_HELD,
  EXECUTE_INLINE,
  EXECUTE_KEY_MAP,
  EXECUTE_LOOKUP,
  EXECUTE_PACKET_TYPE,
  EXECUTE_SIZE,
  EXECUTE_SIZEOF,
  FLOW_BYTES,
  FLOW_DELETE_BYTES,
  FLOW_DELETE_GENERATION,
  FLOW_DELETE_ID,
  FLOW_DELETE_PACKETS,
  FLOW_DELETE_SIZEOF,
  FLOW_DELETE_TCP_FLAGS,
  FLOW_DELETE_USED,
  FLOW_GENERATION,
  FLOW_PACKETS,
  FLOW_PUT_ACTIONS_SIZE,
  FLOW_PUT_COOKIE,
  FLOW_PUT_FLAGS,
  FLOW_PUT_KEY_MAP,
  FLOW_PUT_SIZEOF,
  FLOW_TCP_FLAGS,
  FLOW_USED,
  KEY_SIZE,
  METER_SET_SIZEOF,
  PACKET_CSUM_START,
  PACKET_DEPTH,
  PACKET_PACKET_TYPE,
  PACKET_RECIRC_ID,
  PACKET_TCP_FLAGS,
  PACKET_UPCALL,
  RELEASE_CHUNK,
  RELEASE_REASON,
  RELEASE_SIZEOF,
  STATUS_INVALID,
  STATUS_NO_MEMORY,
  STATUS_NOT_FOUND,
  STATUS_OK,
  WORKER_CONTROL,
  WORKER_CONTROL_CONSUMER,
  WORKER_CONTROL_PRODUCER,
} from '../src/gen/layout';
import { ACTIONS_SIZE_MAX, CONTROL_RING_SIZE, HEADROOM } from '../src/gen/limits';
import { runActions } from './action/index';
import { meterSet } from './action/meter';
import { flowById, flushFlows, putFlow, removeFlow } from './classifier/flows';
import { allocPacket, dropPacket, initPacket, metaBlocks, setKeyBlocks } from './layout/packets';
import {
  chunkOf,
  chunkSizeOf,
  countDrop,
  counterAdd,
  giveChunk,
  listMark,
  listRelease,
  listReserve,
  listSet,
  takeChunk,
} from './layout/worker';
import { parsePacket } from './packet/parse';
import { creditFlow, processList } from './pipeline';

/** Carries out the records that wait. Returns how many. */
export function drainControl(w: usize): u32 {
  const producer = atomic.load<u32>(w, WORKER_CONTROL_PRODUCER);
  let consumer = load<u32>(w, WORKER_CONTROL_CONSUMER);
  let count: u32 = 0;
  while (consumer != producer) {
    const offset = consumer & (CONTROL_RING_SIZE - 1);
    const record = <usize>load<u32>(w, WORKER_CONTROL) + <usize>offset;
    const size = load<u32>(record, CONTROL_SIZE);
    const room = min(producer - consumer, CONTROL_RING_SIZE - offset);
    if (size < <u32>CONTROL_SIZEOF || (size & 15) != 0 || size > room) {
      counterAdd(w, COUNTER_CONTROL_ERRORS, 1);
      atomic.store<u32>(w, producer, WORKER_CONTROL_CONSUMER);
      break;
    }
    if (load<u32>(record, CONTROL_TYPE) != CONTROL_PAD) {
      const status = carryOut(w, record, size - <u32>CONTROL_SIZEOF);
      store<u32>(record, status, CONTROL_STATUS);
      counterAdd(w, status == STATUS_OK ? COUNTER_CONTROL_RECORDS : COUNTER_CONTROL_ERRORS, 1);
      count++;
    }
    consumer += size;
    atomic.store<u32>(w, consumer, WORKER_CONTROL_CONSUMER);
  }
  return count;
}

/** @param size bytes behind the header */
function carryOut(w: usize, record: usize, size: u32): u32 {
  const body = record + CONTROL_SIZEOF;
  switch (load<u32>(record, CONTROL_TYPE)) {
    case CONTROL_FLOW_PUT:
      return flowPut(w, body, size, record + CONTROL_RESULT);
    case CONTROL_FLOW_DELETE:
      return flowDelete(w, body, size);
    case CONTROL_FLOW_FLUSH:
      flushFlows(w);
      return STATUS_OK;
    case CONTROL_EXECUTE:
      return execute(w, body, size);
    case CONTROL_RELEASE:
      return release(w, body, size);
    case CONTROL_METER_SET:
      return size < <u32>METER_SET_SIZEOF ? STATUS_INVALID : meterSet(w, body, size);
    default:
      return STATUS_INVALID;
  }
}

/** Whether an action list of `actionsSize` bytes is well-sized and lies behind `fixed` bytes of a body of `size`. */
function hasActions(size: u32, fixed: u32, actionsSize: u32): bool {
  return actionsSize <= ACTIONS_SIZE_MAX && (actionsSize & 3) == 0 && <u64>fixed + <u64>actionsSize <= <u64>size;
}

function flowPut(w: usize, body: usize, size: u32, answer: usize): u32 {
  if (size < <u32>FLOW_PUT_SIZEOF) return STATUS_INVALID;
  const keyMap = load<u64>(body, FLOW_PUT_KEY_MAP);
  if (keyMap >> <u64>(KEY_SIZE >> 4) != 0) return STATUS_INVALID;
  const blocks = <u32>popcnt<u64>(keyMap);
  const fixed = <u32>FLOW_PUT_SIZEOF + (blocks << 5);
  const actionsSize = load<u32>(body, FLOW_PUT_ACTIONS_SIZE);
  if (!hasActions(size, fixed, actionsSize)) return STATUS_INVALID;
  const masks = body + FLOW_PUT_SIZEOF;
  if (!isMatch(masks, blocks)) return STATUS_INVALID;
  const cookie = load<u32>(body, FLOW_PUT_COOKIE);
  const flags = load<u32>(body, FLOW_PUT_FLAGS);
  return putFlow(w, keyMap, masks, body + <usize>fixed, actionsSize, cookie, flags, answer);
}

/** Whether no mask block is zero, and the key behind the masks lies within them. */
function isMatch(masks: usize, blocks: u32): bool {
  const keys = masks + ((<usize>blocks) << 4);
  for (let i: usize = 0; i < (<usize>blocks) << 4; i += 16) {
    const mask = v128.load(masks + i);
    if (!v128.any_true(mask) || v128.any_true(v128.andnot(v128.load(keys + i), mask))) return false;
  }
  return true;
}

function flowDelete(w: usize, body: usize, size: u32): u32 {
  if (size < <u32>FLOW_DELETE_SIZEOF) return STATUS_INVALID;
  const flow = flowById(w, load<u32>(body, FLOW_DELETE_ID));
  if (flow == 0 || load<u32>(flow, FLOW_GENERATION) != load<u32>(body, FLOW_DELETE_GENERATION)) return STATUS_NOT_FOUND;
  store<u64>(body, load<u64>(flow, FLOW_PACKETS), FLOW_DELETE_PACKETS);
  store<u64>(body, load<u64>(flow, FLOW_BYTES), FLOW_DELETE_BYTES);
  store<f64>(body, load<f64>(flow, FLOW_USED), FLOW_DELETE_USED);
  store<u32>(body, load<u16>(flow, FLOW_TCP_FLAGS), FLOW_DELETE_TCP_FLAGS);
  removeFlow(w, flow);
  return STATUS_OK;
}

/** Whether the frame lies within the chunk that it is said to be in. */
function isFrame(w: usize, chunk: usize, data: usize, size: u32): bool {
  if (chunk == 0 || chunkOf(w, chunk) != chunk || chunkOf(w, data) != chunk) return false;
  return size <= chunkSizeOf(w) - <u32>(data - chunk);
}

function execute(w: usize, body: usize, size: u32): u32 {
  const fixed = <u32>EXECUTE_SIZEOF + KEY_SIZE;
  if (size < fixed) return STATUS_INVALID;
  const actionsSize = load<u32>(body, EXECUTE_ACTIONS_SIZE);
  if (!hasActions(size, fixed, actionsSize)) return STATUS_INVALID;
  const bytes = load<u32>(body, EXECUTE_SIZE);
  const flags = load<u32>(body, EXECUTE_FLAGS);
  const isInline = (flags & EXECUTE_INLINE) != 0;
  if (isInline) {
    if (<u64>fixed + <u64>actionsSize + <u64>bytes > <u64>size || bytes > chunkSizeOf(w) - HEADROOM)
      return STATUS_INVALID;
  } else if (!isFrame(w, load<u32>(body, EXECUTE_CHUNK), load<u32>(body, EXECUTE_DATA), bytes)) return STATUS_INVALID;
  const chunk = isInline ? takeChunk(w) : <usize>load<u32>(body, EXECUTE_CHUNK);
  // a frame that there is no chunk for was never here
  if (chunk == 0) return STATUS_NO_MEMORY;
  const data = isInline ? chunk + HEADROOM : <usize>load<u32>(body, EXECUTE_DATA);
  if (isInline) memory.copy(data, body + <usize>(fixed + actionsSize), bytes);

  counterAdd(w, (flags & EXECUTE_HELD) != 0 ? COUNTER_UPCALLS_EXECUTED : COUNTER_INJECTED_PACKETS, 1);
  const mark = listMark(w);
  const list = listReserve(w, 1);
  const p = list != 0 ? allocPacket(w) : 0;
  if (p == 0) {
    listRelease(w, mark);
    countDrop(w, DROP_NO_FRAME);
    giveChunk(w, chunk);
    return STATUS_NO_MEMORY;
  }
  fillPacket(body, p, data, bytes, chunk);
  listSet(list, 0, p);
  if ((flags & EXECUTE_LOOKUP) != 0) processList(w, list, 1);
  else runOn(w, list, p, body, actionsSize);
  listRelease(w, mark);
  return STATUS_OK;
}

/** Makes a taken slot the frame that an Execute record names, with its metadata. */
function fillPacket(body: usize, p: usize, data: usize, size: u32, chunk: usize): void {
  const key = body + EXECUTE_SIZEOF;
  initPacket(p, data, size, chunk, load<u32>(key, KEY_IN_PORT));
  setKeyBlocks(p, key, metaBlocks(load<u64>(body, EXECUTE_KEY_MAP)) & (((<u64>1) << (KEY_SIZE >> 4)) - 1));
  store<u32>(p, load<u32>(key, KEY_RECIRC_ID), PACKET_RECIRC_ID);
  store<u32>(p, load<u32>(body, EXECUTE_PACKET_TYPE), PACKET_PACKET_TYPE);
  store<u16>(p, <u16>load<u32>(body, EXECUTE_DEPTH), PACKET_DEPTH);
  store<u32>(p, load<u32>(body, EXECUTE_FLAGS) & EXECUTE_HELD, PACKET_UPCALL);
  store<u64>(p, load<u64>(body, EXECUTE_CSUM_START), PACKET_CSUM_START); // and the three behind it
}

/** Runs an Execute record's own actions on its frame. */
function runOn(w: usize, list: usize, p: usize, body: usize, actionsSize: u32): void {
  const reason = parsePacket(w, p);
  if (reason != 0) {
    dropPacket(w, p, reason);
    return;
  }
  const flow = flowById(w, load<u32>(body, EXECUTE_FLOW_ID));
  if (flow != 0) creditFlow(w, flow, 1, <u64>load<u32>(body, EXECUTE_SIZE), load<u16>(p, PACKET_TCP_FLAGS));
  runActions(w, list, 1, body + EXECUTE_SIZEOF + <usize>KEY_SIZE, actionsSize);
}

function release(w: usize, body: usize, size: u32): u32 {
  if (size < <u32>RELEASE_SIZEOF) return STATUS_INVALID;
  const chunk = <usize>load<u32>(body, RELEASE_CHUNK);
  if (chunk == 0 || chunkOf(w, chunk) != chunk) return STATUS_INVALID;
  const reason = load<u32>(body, RELEASE_REASON);
  if (reason == 0) counterAdd(w, COUNTER_UPCALLS_CONSUMED, 1);
  else countDrop(w, reason);
  giveChunk(w, chunk);
  return STATUS_OK;
}
