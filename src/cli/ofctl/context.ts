/** What one run of the program knows: its options, where it reads and writes, and the transaction ids it has given out. */

import type { CliIo } from '../common/io.ts';

export interface OfctlOptions {
  /** Bits of wire versions that may be spoken. */
  readonly versions: number;
  /** Bits of flow protocols (protocols.ts) that may be used. */
  readonly protocols: number;
  readonly verbosity: number;
  readonly isStrict: boolean;
  readonly isReadOnly: boolean;
  readonly readds: boolean;
  readonly isBundle: boolean;
  readonly mayCreate: boolean;
  readonly showsStats: boolean;
  readonly usesNames: boolean | null;
  readonly packetInFormat: 'nxm' | 'openflow10' | 'nxt_packet_in2' | null;
  readonly timestamps: boolean;
  /** Fields to sort flows by, in turn. */
  readonly sorting: readonly SortKey[];
  /** Seconds; null for ever. */
  readonly timeout: number | null;
  readonly tls: TlsFiles;
}

export interface SortKey {
  /** A field's name, or `priority`. */
  readonly field: string;
  readonly descends: boolean;
}

export interface TlsFiles {
  readonly privateKey: string | null;
  readonly certificate: string | null;
  readonly caCert: string | null;
}

export class Context {
  readonly options: OfctlOptions;
  readonly io: CliIo;
  readonly #closers = new Set<() => void>();
  #xid = 0;

  constructor(options: OfctlOptions, io: CliIo) {
    this.options = options;
    this.io = io;
  }

  /** What is to be closed when the run ends, however it ends. */
  atEnd(close: () => void): void {
    this.#closers.add(close);
  }

  end(): void {
    for (const close of this.#closers) close();
  }

  /** A transaction id that was not given out before. */
  nextXid(): number {
    this.#xid = (this.#xid + 1) >>> 0;
    return this.#xid;
  }
}
