/** Capture files on disk: the one place here that knows of node:fs. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { fail, ok, type Result } from '../../lib/result.ts';
import type { Sink, Source } from './io.ts';

const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function fileSource(path: string): Result<Source> {
  try {
    const fd = openSync(path, 'r');
    return ok({
      read: (into) => readSync(fd, into, 0, into.length, null),
      close: () => closeSync(fd),
    });
  } catch (error) {
    return fail(why(error));
  }
}

/** Makes the file anew. A write that fails later (disk full) throws. */
export function fileSink(path: string): Result<Sink> {
  try {
    const fd = openSync(path, 'w');
    return ok({
      write(bytes) {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      },
      close: () => closeSync(fd),
    });
  } catch (error) {
    return fail(why(error));
  }
}
