/** What the C library says of an error, without its code. */
import { systemMessage } from '../../ovsdb/error.ts';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EPIPE: 'Broken pipe',
  EPERM: 'Operation not permitted',
  ENOTSOCK: 'Socket operation on non-socket',
  ESRCH: 'No such process',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  ENOTFOUND: 'Invalid argument',
};

export const reasonOf = (error: unknown): string =>
  reasons[(error as { code?: string }).code ?? ''] ?? systemMessage(error);
