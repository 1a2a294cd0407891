/** Matches as the messages of `ovs-ofctl` print them, and the packets that messages carry. */
import { extractKey } from '../../flow/extract.ts';
import { KEY } from '../../flow/key.ts';
import { formatFlowKey } from '../../flow/text.ts';
import type { OfMatch } from '../match.ts';
import { formatMatch } from '../match-text.ts';
import { u16At } from '../wire.ts';
import { hexDump } from './hex-dump.ts';

/** OpenFlow's default priority, which is not printed. */
export const DEFAULT_PRIORITY = 0x8000;

/** Fields of a match, after its priority when that is not the default; empty when it matches everything. */
export function matchText(match: OfMatch, priority: number = DEFAULT_PRIORITY): string {
  const fields = formatMatch(match);
  if (priority === DEFAULT_PRIORITY) return fields;
  return fields === '' ? `priority=${priority}` : `priority=${priority},${fields}`;
}

const CHECKSUMS: Readonly<Record<number, readonly [word: string, offset: number]>> = {
  1: ['icmp_csum', 2],
  6: ['tcp_csum', 16],
  17: ['udp_csum', 6],
};

/** One line: the packet's headers, and its transport checksum. From verbosity 3 on its bytes, too. */
export function packetText(data: Uint8Array, verbosity: number): string {
  if (verbosity < 1 || data.length === 0) return '';
  const { key, offsets } = extractKey(data);
  let text = formatFlowKey(key, '0').replace(/\bin_port=[^,]*,?/, '');
  // A later fragment has no transport header, though its bytes are shown as one
  if (/,nw_frag=later/.test(text)) text = text.replace(/(,nw_frag=later).*$/, '$1');
  const checksum = CHECKSUMS[key.get(KEY.nw_proto)];
  const isIp = key.get(KEY.eth_type) === 0x0800 || key.get(KEY.eth_type) === 0x86dd;
  if (checksum && isIp && offsets.l4 !== null && offsets.l4 + checksum[1] + 2 <= data.length) {
    text += ` ${checksum[0]}:${u16At(data, offsets.l4 + checksum[1]).toString(16)}`;
  }
  return `${text}\n${verbosity >= 3 ? hexDump(data) : ''}`;
}
