/**
 * The arena: where subtables, their tables, flows and action lists live.
 *
 * Size classes, one free list each; a free cell's first word links to the next (a Flow's second word does, see below).
 *
 *   flow cells      CLASS_FLOW + (blocks + 3) / 4: 128, 192, 256 … 640 bytes, a header line and four key blocks a line.
 *                   Type-stable: a cell is a Flow for ever, so that a stale pointer to one (the exact-match cache keeps
 *                   them) always finds a Flow: its subtable is 0 while it is free.
 *   subtables       CLASS_SUBTABLE: SUBTABLE_SIZEOF bytes
 *   regions         CLASS_REGION + log2(bytes) - 6: 64 bytes to 1 GiB, powers of two; a larger free region is split
 *                   when the arena's fresh end is used up
 *   action lists    CLASS_LIST + n: 16 to 256 bytes in steps of 16, then powers of two to 32 KiB
 *
 * All cells are 64-aligned but lists, which are 16-aligned. Cells never move. Nothing here traps when the arena is full:
 * 0 comes back, and the caller refuses and counts.
 *
 * Not supported: giving memory of one kind to another. A table that held a million flows and then ten keeps its regions
 * on the free list for other tables.
 */
import {
  FLOW_HASH,
  FLOW_SIZEOF,
  SUBTABLE_SIZEOF,
  WORKER_ARENA,
  WORKER_ARENA_END,
  WORKER_ARENA_NEXT,
  WORKER_ARENA_USED,
  WORKER_FREE_LISTS,
} from '../../src/gen/layout';

const CLASS_FLOW: u32 = 0;
const CLASS_SUBTABLE: u32 = 16;
const CLASS_REGION: u32 = 24;
const CLASS_LIST: u32 = 64;
const REGION_LOG2_MIN: u32 = 6;
const REGION_LOG2_MAX: u32 = 30;
const LIST_STEP_MAX: u32 = 256;

export function initArena(w: usize): void {
  store<u32>(w, (load<u32>(w, WORKER_ARENA) + 63) & ~63, WORKER_ARENA_NEXT);
  store<f64>(w, 0, WORKER_ARENA_USED);
}

// @inline
function freeHead(w: usize, sizeClass: u32): usize {
  return w + WORKER_FREE_LISTS + ((<usize>sizeClass) << 2);
}

// @inline
function account(w: usize, bytes: f64): void {
  store<f64>(w, load<f64>(w, WORKER_ARENA_USED) + bytes, WORKER_ARENA_USED);
}

/** Fresh memory from the arena's end; 0 when that is used up. Zero as the host laid it out. */
function carve(w: usize, size: u32, align: u32): usize {
  const at = (load<u32>(w, WORKER_ARENA_NEXT) + align - 1) & ~(align - 1);
  const end = load<u32>(w, WORKER_ARENA_END);
  if (at > end || end - at < size) return 0;
  store<u32>(w, at + size, WORKER_ARENA_NEXT);
  return at;
}

/** @param link where in the cell the free list's link lies */
function takeCell(w: usize, sizeClass: u32, size: u32, align: u32, link: usize): usize {
  const head = freeHead(w, sizeClass);
  let cell = <usize>load<u32>(head);
  if (cell != 0) store<u32>(head, load<u32>(cell + link));
  else cell = carve(w, size, align);
  if (cell != 0) account(w, size);
  return cell;
}

function giveCell(w: usize, sizeClass: u32, size: u32, cell: usize, link: usize): void {
  const head = freeHead(w, sizeClass);
  store<u32>(cell + link, load<u32>(head));
  store<u32>(head, <u32>cell);
  account(w, -(<f64>size));
}

// @inline
function flowCellSize(blocks: u32): u32 {
  return <u32>FLOW_SIZEOF + ((max(blocks, 1) + 3) >> 2) * 64;
}

/** A Flow for a packed key of `blocks` blocks. What a former life left in it stays, but subtable is 0. */
export function allocFlow(w: usize, blocks: u32): usize {
  return takeCell(w, CLASS_FLOW + ((blocks + 3) >> 2), flowCellSize(blocks), 64, FLOW_HASH);
}

/** @param blocks as it was allocated with. The caller has set subtable to 0. */
export function freeFlow(w: usize, flow: usize, blocks: u32): void {
  giveCell(w, CLASS_FLOW + ((blocks + 3) >> 2), flowCellSize(blocks), flow, FLOW_HASH);
}

export function allocSubtable(w: usize): usize {
  return takeCell(w, CLASS_SUBTABLE, <u32>SUBTABLE_SIZEOF, 64, 0);
}

export function freeSubtable(w: usize, subtable: usize): void {
  giveCell(w, CLASS_SUBTABLE, <u32>SUBTABLE_SIZEOF, subtable, 0);
}

/** Zeroed memory of 1 << log2 bytes; 0 when there is none, or log2 is beyond what an arena can hold. */
export function allocRegion(w: usize, log2: u32): usize {
  if (log2 < REGION_LOG2_MIN || log2 > REGION_LOG2_MAX) return 0;
  const size = (<u32>1) << log2;
  let region = takeCell(w, CLASS_REGION + log2 - REGION_LOG2_MIN, size, 64, 0);
  if (region == 0) region = splitRegion(w, log2);
  if (region != 0) memory.fill(region, 0, size);
  return region;
}

export function freeRegion(w: usize, region: usize, log2: u32): void {
  giveCell(w, CLASS_REGION + log2 - REGION_LOG2_MIN, (<u32>1) << log2, region, 0);
}

/** Takes the smallest larger free region and puts what is left of it, half by half, on the free lists. */
function splitRegion(w: usize, log2: u32): usize {
  for (let larger = log2 + 1; larger <= REGION_LOG2_MAX; larger++) {
    const head = freeHead(w, CLASS_REGION + larger - REGION_LOG2_MIN);
    const region = <usize>load<u32>(head);
    if (region == 0) continue;
    store<u32>(head, load<u32>(region));
    account(w, <f64>((<u32>1) << larger));
    for (let half = larger - 1; half >= log2; half--) freeRegion(w, region + ((<usize>1) << half), half);
    return region;
  }
  return 0;
}

// @inline
function listClass(size: u32): u32 {
  if (size <= LIST_STEP_MAX) return CLASS_LIST + ((size + 15) >> 4);
  return CLASS_LIST + (LIST_STEP_MAX >> 4) + (32 - <u32>clz(size - 1)) - 8;
}

// @inline
function listCellSize(size: u32): u32 {
  if (size <= LIST_STEP_MAX) return (size + 15) & ~15;
  return (<u32>1) << (32 - <u32>clz(size - 1));
}

/** @param size bytes of header and list, 1 to 32768 */
export function allocList(w: usize, size: u32): usize {
  return takeCell(w, listClass(size), listCellSize(size), 16, 0);
}

export function freeList(w: usize, list: usize, size: u32): void {
  giveCell(w, listClass(size), listCellSize(size), list, 0);
}
