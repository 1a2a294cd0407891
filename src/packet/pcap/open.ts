import { fail, type Result } from '../../lib/result.ts';
import { Input } from './bytes.ts';
import type { Source } from './io.ts';
import { openPcap } from './read-pcap.ts';
import { openPcapng, PCAPNG_SECTION } from './read-pcapng.ts';
import type { CaptureReader } from './types.ts';

/** Finds out by the first bytes what the source holds. Fails when it is no capture, or none of Ethernet frames. */
export function openCapture(source: Source): Result<CaptureReader> {
  const input = new Input(source);
  if (!input.need(4)) return fail(input.available === 0 ? 'the file is empty' : 'the file is too short for a capture');
  const magic = input.u32(0);
  if (magic === PCAPNG_SECTION) return openPcapng(input);
  return openPcap(input, magic);
}
