/** A header and the bytes it carries; `payload` is a view of the bytes that were parsed. */
export interface Parsed<Header> {
  readonly header: Header;
  readonly payload: Uint8Array;
}

/** The same, for protocols with a checksum over the payload. */
export interface ParsedChecked<Header> extends Parsed<Header> {
  /** False when the checksum is there and wrong. */
  readonly checksumOk: boolean;
}
