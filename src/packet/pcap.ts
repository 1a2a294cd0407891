/**
 * Capture files: pcap and pcapng, read and written one record at a time.
 *
 * Terms. A *source* gives bytes, a *sink* takes them; only ./pcap/file.ts knows of files. A *record* is a captured frame:
 * the bytes that were kept, the size that it had (larger when the capture was *snapped*), and its time in seconds and
 * nanoseconds. An *interface* is what pcapng says about where frames were seen; a pcap file has exactly one.
 *
 * Invariants. A reader holds one record at most, however long the file is: the record that next() returns, and its
 * bytes, are valid until the next call. A file that ends in the middle of a record gives every whole record and then
 * a warning. A file that is wrong gives every record before the wrong place and then an error. Neither throws.
 *
 * Formats. draft-ietf-opsawg-pcap: magic a1b2c3d4 (microseconds) and a1b23c4d (nanoseconds), both byte orders.
 * draft-ietf-opsawg-pcapng: section header, interface description (if_name, if_tsresol, if_tsoffset), enhanced, simple
 * and obsolete packet blocks, both byte orders, several sections; other blocks are skipped.
 *
 * Not supported: link types other than Ethernet; the modified pcap of magic a1b2cd34; compressed files; comments and
 * other options, which are skipped; frame check sequences, which stay part of the frame.
 */
export type { ByteOrder } from './pcap/bytes.ts';
export { fileSink, fileSource } from './pcap/file.ts';
export { type BytesSink, bytesSink, bytesSource, type Sink, type Source } from './pcap/io.ts';
export { openCapture } from './pcap/open.ts';
export {
  type CaptureFormat,
  type CaptureInterface,
  type CaptureProblem,
  type CaptureReader,
  type CaptureRecord,
  type CaptureWriter,
  LINKTYPE_ETHERNET,
  microsOf,
} from './pcap/types.ts';
export { PcapWriter, type PcapWriterOptions } from './pcap/write-pcap.ts';
export { PcapngWriter, type PcapngWriterOptions } from './pcap/write-pcapng.ts';
