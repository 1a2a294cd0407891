/**
 * The protocol's error objects (RFC 7047 §3.1 and the reference's `syntax` and `io-error` members). Inside this room an error
 * is thrown; it leaves the room as a value.
 */
import { type Json, type JsonObject, stringify } from './json.ts';

export class OvsdbError extends Error {
  readonly tag: string;
  readonly details: string;
  readonly syntax: string | null;
  readonly ioError: string | null;

  constructor(tag: string, details: string, more: { syntax?: string | null; ioError?: string | null } = {}) {
    super(`${tag}: ${details}`);
    this.tag = tag;
    this.details = details;
    this.syntax = more.syntax ?? null;
    this.ioError = more.ioError ?? null;
  }

  toJson(): JsonObject {
    return {
      error: this.tag,
      details: this.details,
      ...(this.syntax === null ? {} : { syntax: this.syntax }),
      ...(this.ioError === null ? {} : { 'io-error': this.ioError }),
    };
  }

  /** One line for people. */
  override toString(): string {
    const syntax = this.syntax === null ? '' : `syntax "${this.syntax}": `;
    const io = this.ioError === null ? '' : ` (${this.ioError})`;
    return `${syntax}${this.tag}: ${this.details}${io}`;
  }

  /** The same error with more said in front of its details. */
  wrap(message: string): OvsdbError {
    return new OvsdbError(this.tag, `${message}: ${this.details}`, { syntax: this.syntax, ioError: this.ioError });
  }
}

/** An error about a piece of JSON that a client or a file gave; the piece is quoted. */
export function syntaxError(json: Json | undefined, details: string, tag = 'syntax error'): OvsdbError {
  return new OvsdbError(tag, details, { syntax: json === undefined ? null : stringify(json, true) });
}

export const constraintViolation = (details: string): OvsdbError => new OvsdbError('constraint violation', details);

const systemMessages: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EEXIST: 'File exists',
  EISDIR: 'Is a directory',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  EROFS: 'Read-only file system',
  EFBIG: 'File too large',
  EIO: 'Input/output error',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EINVAL: 'Invalid argument',
  EAGAIN: 'Resource temporarily unavailable',
  ENAMETOOLONG: 'File name too long',
  EMFILE: 'Too many open files',
};

/** The words of strerror(3) for an error of node:fs or node:net. */
export function systemMessage(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return systemMessages[code] ?? (code || String(error));
}

export function ioError(error: unknown, details: string): OvsdbError {
  return new OvsdbError('I/O error', details, { ioError: systemMessage(error) });
}
