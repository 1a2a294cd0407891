/** Captures of what goes over the ports of a network: one file a port, both directions, times to the nanosecond. */
import { PcapWriter, type Sink } from '../packet/pcap.ts';
import type { FrameLog } from './frame-log.ts';

export interface Capture {
  /** Frames written, by port. */
  readonly counts: ReadonlyMap<string, number>;
  /** Flushes and closes every sink. Nothing is captured any more. */
  close(): void;
}

/** @param sinkOf called once a port, when its first frame goes by; null: not this port */
export function startCapture(log: FrameLog, sinkOf: (port: string) => Sink | null): Capture {
  const writers = new Map<string, PcapWriter | null>();
  const counts = new Map<string, number>();
  let isOpen = true;
  const writerOf = (port: string): PcapWriter | null => {
    const known = writers.get(port);
    if (known !== undefined) return known;
    const sink = sinkOf(port);
    const writer = sink ? new PcapWriter(sink, { resolution: 'nano' }) : null;
    writers.set(port, writer);
    return writer;
  };
  log.observe(({ time, port, frame }) => {
    const writer = isOpen ? writerOf(port) : null;
    if (!writer) return;
    writer.writeAt(time, frame);
    counts.set(port, (counts.get(port) ?? 0) + 1);
  });
  return {
    counts,
    close(): void {
      isOpen = false;
      for (const writer of writers.values()) writer?.close();
      writers.clear();
    },
  };
}
