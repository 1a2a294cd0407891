/**
 * Matches on the wire: OpenFlow 1.0's struct ofp_match, OpenFlow 1.1's standard match, NXM and OXM.
 *
 * Terms
 *   OfMatch   a Match over a PipelineKey: what an OpenFlow table holds of a flow
 *   NXM, OXM  runs of header, value and mask: Nicira's without a frame, OpenFlow's with type, length and padding
 *
 * Invariants
 *   `in_port` in an OfMatch's key is an OpenFlow port (sixteen-bit form), never a datapath port.
 *   Bits outside the mask are zero, so two matches are the same when their bytes are.
 *   What a version's form cannot say is left out of it, as Open vSwitch does; nothing throws.
 *
 * Not supported
 *   Where tunnel metadata lies in tun_opts: it stands beside the key by index, and the bridge's TLV table says.
 */
import { ok, type Result } from '../lib/result.ts';
import { type OfError, ofFail } from './error.ts';
import { decodeMatch10, encodeMatch10, MATCH10_SIZE } from './oxm/match10.ts';
import { decodeMatch11, encodeMatch11, MATCH11_SIZE } from './oxm/match11.ts';
import { decodeTlvs, type TlvOptions, tlvBytes } from './oxm/tlv.ts';
import type { Cookie, OfMatch, TlvMatch } from './oxm/types.ts';
import type { OfVersion } from './version.ts';
import { u16At, Writer } from './wire.ts';

export type { Cookie, OfMatch, TlvMatch } from './oxm/types.ts';

/** A match and the bytes it took, padding included. */
export interface SizedMatch {
  readonly match: OfMatch;
  readonly size: number;
}

const STANDARD = 0;
const OXM = 1;

function decodeFramed(bytes: Uint8Array, options: TlvOptions): Result<SizedMatch, OfError> {
  if (bytes.length < 4) return ofFail('OFPBMC_BAD_LEN');
  const [type, size] = [u16At(bytes, 0), u16At(bytes, 2)];
  if (type === STANDARD) {
    if (size !== MATCH11_SIZE || bytes.length < MATCH11_SIZE) return ofFail('OFPBMC_BAD_LEN');
    const match = decodeMatch11(bytes.subarray(0, MATCH11_SIZE));
    return match.ok ? ok({ match: match.value, size: MATCH11_SIZE }) : match;
  }
  if (type !== OXM) return ofFail('OFPBMC_BAD_TYPE');
  const padded = (size + 7) & ~7;
  if (size < 4 || padded > bytes.length) return ofFail('OFPBMC_BAD_LEN');
  const read = decodeTlvs(bytes.subarray(4, size), options);
  return read.ok ? ok({ match: read.value.match, size: padded }) : read;
}

/** The match at the beginning of the bytes, in the frame of that version. */
export function decodeMatch(
  version: OfVersion,
  bytes: Uint8Array,
  options: TlvOptions = {},
): Result<SizedMatch, OfError> {
  if (version >= 2) return decodeFramed(bytes, options);
  if (bytes.length < MATCH10_SIZE) return ofFail('OFPBMC_BAD_LEN');
  return ok({ match: decodeMatch10(bytes), size: MATCH10_SIZE });
}

/** In the frame of that version, padding included. */
export function encodeMatch(version: OfVersion, match: OfMatch): Uint8Array {
  if (version === 1) return encodeMatch10(match);
  return version === 2 ? encodeMatch11(match) : encodeOxm(version, match);
}

/** With type, length and padding. */
export function encodeOxm(version: OfVersion, match: OfMatch): Uint8Array {
  const fields = tlvBytes(match, version);
  return new Writer()
    .u16(OXM)
    .u16(4 + fields.length)
    .bytes(fields)
    .pad8()
    .done();
}

/** Nicira's form: entries alone. The cookie may stand among them. */
export const decodeNxm = (bytes: Uint8Array, options: TlvOptions = {}): Result<TlvMatch, OfError> =>
  decodeTlvs(bytes, { ...options, allowsCookie: true });

/** Without padding. */
export const encodeNxm = (match: OfMatch, cookie: Cookie | null = null): Uint8Array => tlvBytes(match, 1, cookie);
