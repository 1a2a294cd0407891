/**
 * The log file that holds a database: records one after the other, each a header line `OVSDB JSON length sha1` and a line of
 * JSON of that many bytes with its line end.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ovsdbLimits } from '../spec/ovsdb.ts';
import { ioError, OvsdbError, syntaxError } from './error.ts';
import { isObject, type Json, type JsonObject, parseJson, stringify } from './json.ts';

const MAGIC = 'OVSDB JSON ';
const CLUSTER_MAGIC = 'OVSDB CLUSTER ';
const HEADER_SIZE_MAX = 128;
const FILE_MODE = 0o640;

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

function encodeRecord(json: JsonObject): Uint8Array {
  const body = Buffer.from(`${stringify(json)}\n`);
  return Buffer.concat([Buffer.from(`${MAGIC}${body.length} ${sha1(body)}\n`), body]);
}

export class Log {
  readonly name: string;
  #fd: number;
  /** Where the next record is read or written. */
  #offset = 0;
  /** Where the last record that was read starts. */
  #previous = 0;
  /** Size after the last compaction, or of schema and first record. */
  #base = 0;
  #isWriting = false;
  /** Once a write has failed, the file's state is unknown: every later write fails as well. */
  #writeError: OvsdbError | null = null;

  private constructor(name: string, fd: number) {
    this.name = name;
    this.#fd = fd;
  }

  /** @throws OvsdbError */
  static open(name: string, mode: 'read' | 'read-write' = 'read-write'): Log {
    try {
      return new Log(name, openSync(name, mode === 'read' ? 'r' : 'r+'));
    } catch (error) {
      throw ioError(error, `${name}: open failed`);
    }
  }

  /** Makes a new file. @throws OvsdbError, also when it exists */
  static create(name: string): Log {
    try {
      const log = new Log(name, openSync(name, 'wx+', FILE_MODE));
      syncFolder(name);
      return log;
    } catch (error) {
      throw ioError(error, `${name}: create failed`);
    }
  }

  get offset(): number {
    return this.#offset;
  }

  /** Takes the size so far as what the file has at least. */
  markBase(): void {
    this.#base = this.#offset;
  }

  /** True when the file is worth compacting. */
  get hasGrown(): boolean {
    return this.#offset > ovsdbLimits.COMPACT_SIZE_MIN && this.#offset > 2 * this.#base;
  }

  #readAt(position: number, size: number): Buffer {
    const buffer = Buffer.allocUnsafe(size);
    let done = 0;
    while (done < size) {
      const count = readSync(this.#fd, buffer, done, size - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return buffer.subarray(0, done);
  }

  /**
   * The next record; null at the end of the file.
   * @throws OvsdbError when what follows is no whole record; reading again gives the same
   */
  read(): JsonObject | null {
    const start = this.#readAt(this.#offset, HEADER_SIZE_MAX);
    if (start.length === 0) return null;
    const end = start.indexOf(0x0a);
    const header = start.subarray(0, end < 0 ? start.length : end).toString('latin1');
    const parts = /^OVSDB JSON (\d+) ([0-9a-fA-F]{40})$/.exec(header);
    if (!parts || end < 0 || Number(parts[1]) === 0) throw this.#badHeader(header);
    const at = this.#offset + end + 1;
    const json = this.#readBody(at, Number(parts[1]), parts[2]!.toLowerCase());
    this.#previous = this.#offset;
    this.#offset = at + Number(parts[1]);
    return json;
  }

  #badHeader(header: string): OvsdbError {
    if (header.startsWith(CLUSTER_MAGIC)) {
      return new OvsdbError('ovsdb error', `${this.name}: clustered databases are not supported`);
    }
    if (this.#offset === 0) return new OvsdbError('ovsdb error', `${this.name}: unexpected file format`);
    return syntaxError(undefined, `${this.name}: parse error at offset ${this.#offset} in header line "${header}"`);
  }

  #readBody(at: number, size: number, hash: string): JsonObject {
    const left = fstatSync(this.#fd).size - at;
    if (left < size) {
      const what = `${this.name}: error reading ${size} bytes starting at offset ${at}`;
      throw new OvsdbError('I/O error', what, { ioError: 'End of file' });
    }
    const where = `${this.name}: ${size} bytes starting at offset ${at}`;
    if (size > ovsdbLimits.RECORD_SIZE_MAX) throw new OvsdbError('ovsdb error', `${where} are too many`);
    const body = this.#readAt(at, size);
    const actual = sha1(body);
    if (actual !== hash)
      throw syntaxError(undefined, `${where} have SHA-1 hash ${actual} but should have hash ${hash}`);
    const json = parsed(body, where);
    if (!isObject(json)) throw syntaxError(undefined, `${where} are not a JSON object`);
    return json;
  }

  /** Forgets the last record that was read: the next write overwrites it. */
  unread(): void {
    this.#offset = this.#previous;
  }

  /**
   * Appends a record.
   * @throws OvsdbError
   */
  write(json: JsonObject): void {
    if (this.#writeError) throw this.#writeError;
    try {
      // What was torn off by a crash is cut before the first write, not earlier: a reader must not destroy anything
      if (!this.#isWriting) ftruncateSync(this.#fd, this.#offset);
      this.#isWriting = true;
      const bytes = encodeRecord(json);
      let done = 0;
      while (done < bytes.length) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#offset + done);
      }
      this.#offset += bytes.length;
    } catch (error) {
      this.#writeError = ioError(error, `${this.name}: write failed`);
      try {
        ftruncateSync(this.#fd, this.#offset);
        // The file is as it was: a disk that has room again can go on
        this.#writeError = null;
      } catch {
        // stays unusable
      }
      throw ioError(error, `${this.name}: write failed`);
    }
  }

  /** Returns when everything written is on the disk. @throws OvsdbError */
  commit(): void {
    try {
      fdatasyncSync(this.#fd);
    } catch (error) {
      this.#writeError = ioError(error, `${this.name}: fsync failed`);
      throw this.#writeError;
    }
  }

  /**
   * Replaces the file by one with other records, all of it or nothing.
   * @throws OvsdbError; the file is as it was then
   */
  replace(records: readonly JsonObject[]): void {
    const temporary = `${this.name}.tmp`;
    try {
      if (existsSync(temporary)) unlinkSync(temporary);
      const next = Log.create(temporary);
      try {
        for (const record of records) next.write(record);
        fsyncSync(next.#fd);
        renameSync(temporary, this.name);
      } catch (error) {
        next.close();
        unlinkSync(temporary);
        throw error;
      }
      closeSync(this.#fd);
      this.#fd = next.#fd;
      this.#offset = next.#offset;
      this.#previous = next.#offset;
      this.#isWriting = true;
      this.#writeError = null;
      this.markBase();
      syncFolder(this.name);
    } catch (error) {
      throw error instanceof OvsdbError ? error : ioError(error, `${temporary}: could not replace ${this.name}`);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function parsed(body: Uint8Array, where: string): Json {
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw syntaxError(undefined, `${where} are not valid JSON (${(error as Error).message})`);
  }
}

function syncFolder(name: string): void {
  const fd = openSync(dirname(name), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
