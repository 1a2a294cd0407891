import type { Micros } from '../../lib/clock.ts';

/** LINKTYPE_ETHERNET of the tcpdump.org registry. */
export const LINKTYPE_ETHERNET = 1;
/** Bytes of a frame that a reader takes, at the most (libpcap's MAXIMUM_SNAPLEN). */
export const CAPTURED_SIZE_MAX = 262144;

export type CaptureFormat = 'pcap' | 'pcapng';

/** One captured frame. The reader uses the object again for the next one. */
export interface CaptureRecord {
  /** Whole seconds since 1970, or since whatever the writer's clock started. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
  /** The bytes that were kept; valid until the next record is read. */
  readonly data: Uint8Array;
  /** Bytes that the frame had; larger than `data.length` when it was snapped. */
  readonly originalSize: number;
  /** Index of the interface, counted over all sections. */
  readonly interfaceIndex: number;
}

export interface CaptureInterface {
  readonly linkType: number;
  /** Bytes kept of a frame at the most; 0 is no limit. */
  readonly snapLen: number;
  /** Clock ticks a second. */
  readonly ticksPerSecond: number;
  /** Empty when the file does not say. */
  readonly name: string;
}

/** Why a reader stopped before the end of its source. A truncated file is a warning: nothing before the cut is lost. */
export interface CaptureProblem {
  readonly severity: 'warning' | 'error';
  readonly message: string;
  /** Bytes from the start of the file to the record that is wrong. */
  readonly offset: number;
}

export interface CaptureReader {
  readonly format: CaptureFormat;
  /** Grows while reading: a file can describe interfaces anywhere. */
  readonly interfaces: readonly CaptureInterface[];
  /** Null at the end, also when the end is a problem. */
  next(): CaptureRecord | null;
  /** Why next() gave null early; null when it did not. */
  readonly problem: CaptureProblem | null;
}

export interface CaptureWriter {
  /**
   * @param data the frame; only as much as the snap length allows is kept
   * @param originalSize bytes that the frame had, when `data` is but its beginning
   */
  write(seconds: number, nanos: number, data: Uint8Array, originalSize?: number, interfaceIndex?: number): void;
  /** The same at a time in microseconds; a fraction of one counts. */
  writeAt(at: Micros, data: Uint8Array, originalSize?: number, interfaceIndex?: number): void;
  /** Hands on what is buffered. */
  flush(): void;
  /** Flushes and closes the sink. */
  close(): void;
  readonly recordCount: number;
}

/** The time of a record in microseconds since 1970; exact to about a quarter of one. */
export const microsOf = (record: CaptureRecord): Micros => record.seconds * 1e6 + record.nanos / 1e3;

/** What a reader's record holds before the first frame. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
