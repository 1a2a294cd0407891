/** Where capture bytes come from and go to. Synchronous: a reader asks when it needs more. */

export interface Source {
  /** Writes at least one byte at the start of `into` and returns how many; 0 at the end. */
  read(into: Uint8Array): number;
  close(): void;
}

export interface Sink {
  /** Takes all the bytes before it returns: the array is used again. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Bytes in memory as a source. @param chunkSize bytes a read gives at the most (tests give small ones) */
export function bytesSource(bytes: Uint8Array, chunkSize = 65536): Source {
  let at = 0;
  return {
    read(into) {
      const size = Math.min(into.length, bytes.length - at, chunkSize);
      into.set(bytes.subarray(at, at + size));
      at += size;
      return size;
    },
    close() {},
  };
}

export interface BytesSink extends Sink {
  /** All that was written so far. */
  bytes(): Uint8Array;
}

/** A sink that keeps everything in memory. */
export function bytesSink(): BytesSink {
  let buffer = new Uint8Array(4096);
  let size = 0;
  return {
    write(bytes) {
      if (size + bytes.length > buffer.length) {
        const larger = new Uint8Array(Math.max(buffer.length * 2, size + bytes.length));
        larger.set(buffer.subarray(0, size));
        buffer = larger;
      }
      buffer.set(bytes, size);
      size += bytes.length;
    },
    close() {},
    bytes: () => buffer.slice(0, size),
  };
}
