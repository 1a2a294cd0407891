/** Copying short runs of bytes that do not overlap. memory.copy is a call out of the module, dearer than these loops. */

/** From so many bytes on memory.copy wins. */
const LONG: usize = 512;

/** 16 bytes at a time; the last 16 overlap with those before them, so that nothing behind `size` is touched. */
// @inline
export function copyBytes(to: usize, from: usize, size: usize): void {
  // shorter than 16 bytes wraps
  if (size - 16 > LONG - 16) {
    memory.copy(to, from, size);
    return;
  }
  const last = size - 16;
  for (let i: usize = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i));
  v128.store(to + last, v128.load(from + last));
}
