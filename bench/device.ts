// @ts-nocheck AssemblyScript: compiled by asc into build/bench-device.wasm when the bench starts
/**
 * The device's end of a port's rings, over the datapath's own memory: what native code is for the native twin and the
 * kernel is for AF_XDP. `deliver` copies frames of the trace into free chunks, `drain` takes sent ones and brings their
 * chunks home. No globals, no data, no allocation.
 */
import {
  PORT_COMP_ENTRIES,
  PORT_COMP_MASK,
  PORT_COMP_PRODUCER,
  PORT_FILL_CONSUMER,
  PORT_FILL_ENTRIES,
  PORT_FILL_MASK,
  PORT_FILL_PRODUCER,
  PORT_RX_CONSUMER,
  PORT_RX_ENTRIES,
  PORT_RX_MASK,
  PORT_RX_PRODUCER,
  PORT_TX_CONSUMER,
  PORT_TX_ENTRIES,
  PORT_TX_MASK,
  PORT_TX_PRODUCER,
  PORT_UMEM_BASE,
} from '../src/gen/layout';
import { HEADROOM } from '../src/gen/limits';

/** Copies 16 bytes at a time: up to 15 bytes behind the frame come along, which the chunk has room for. */
function copy(to: usize, from: usize, size: usize): void {
  const end = from + size;
  while (from < end) {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  }
}

/** Where in its chunk a frame goes: as src/netdev/rings.ts does it, up to seven cache lines behind HEADROOM. */
function placeIn(chunk: u32, size: u32, chunkSize: u32): u32 {
  const room = (chunkSize - HEADROOM - size) & ~63;
  return chunk + HEADROOM + min<u32>(((chunk >>> ctz<u32>(chunkSize)) & 7) << 6, room);
}

/**
 * Puts frames of the trace, from entry `first` on, onto the port's rx ring: at most `limit`, as long as they came in by
 * `number`. Returns how many fitted.
 * @param index { u32 offset, u16 size, u16 in_port } each
 */
export function deliver(
  port: usize,
  number: u32,
  chunkSize: u32,
  index: usize,
  frames: usize,
  first: u32,
  limit: u32,
): u32 {
  const rx = load<u32>(port, PORT_RX_PRODUCER);
  const fill = load<u32>(port, PORT_FILL_CONSUMER);
  const rxMask = load<u32>(port, PORT_RX_MASK);
  const fillMask = load<u32>(port, PORT_FILL_MASK);
  const rxEntries = load<u32>(port, PORT_RX_ENTRIES);
  const fillEntries = load<u32>(port, PORT_FILL_ENTRIES);
  const base = load<u32>(port, PORT_UMEM_BASE);
  const rxConsumer = atomic.load<u32>(load<u32>(port, PORT_RX_CONSUMER));
  const fillProducer = atomic.load<u32>(load<u32>(port, PORT_FILL_PRODUCER));
  let to = load<u32>(rx);
  let at = load<u32>(fill);
  let entry = index + ((<usize>first) << 3);
  const end = entry + ((<usize>limit) << 3);
  let count: u32 = 0;
  for (; entry < end; entry += 8) {
    if (<u32>load<u16>(entry, 6) !== number || at === fillProducer || to - rxConsumer > rxMask) break;
    const size = <u32>load<u16>(entry, 4);
    const address = placeIn(load<u32>(fillEntries + ((at & fillMask) << 3)), size, chunkSize);
    copy(base + address, frames + load<u32>(entry), size);
    const descriptor = rxEntries + ((to & rxMask) << 4);
    store<u64>(descriptor, address);
    store<u64>(descriptor, size, 8);
    to++;
    at++;
    count++;
  }
  atomic.store<u32>(fill, at);
  atomic.store<u32>(rx, to);
  return count;
}

/** Sends everything on the port's tx ring. Returns frames. */
export function drain(port: usize, chunkSize: u32): u32 {
  const tx = load<u32>(port, PORT_TX_CONSUMER);
  const comp = load<u32>(port, PORT_COMP_PRODUCER);
  const txMask = load<u32>(port, PORT_TX_MASK);
  const compMask = load<u32>(port, PORT_COMP_MASK);
  const txEntries = load<u32>(port, PORT_TX_ENTRIES);
  const compEntries = load<u32>(port, PORT_COMP_ENTRIES);
  const end = atomic.load<u32>(load<u32>(port, PORT_TX_PRODUCER));
  const from = load<u32>(tx);
  let home = load<u32>(comp);
  for (let at = from; at !== end; at++) {
    const address = load<u32>(txEntries + ((at & txMask) << 4));
    store<u64>(compEntries + ((home & compMask) << 3), address & ~(chunkSize - 1));
    home++;
  }
  atomic.store<u32>(comp, home);
  atomic.store<u32>(tx, end);
  return end - from;
}
