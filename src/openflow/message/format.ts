/**
 * Messages as text, as `ovs-ofctl ofp-print` prints them: the name, the transaction, what it says; for what cannot be read
 * the error's name and the bytes.
 */
import { u16At } from '../wire.ts';
import type { TextContext } from './codec.ts';
import { families, type OfMessage } from './families.ts';
import { fitsSize, identify, type OfHeader } from './header.ts';
import { hexDump } from './hex-dump.ts';
import { decodeBody } from './message.ts';

type Formatter = (message: OfMessage, context: TextContext) => string;
const formatters = new Map<string, Formatter>(
  families.flatMap((family) => Object.entries(family.format) as [string, Formatter][]),
);

export const DEFAULT_VERBOSITY = 2;

function versionText(version: number): string {
  if (version === 1) return '';
  if (version >= 2 && version <= 6) return ` (OF1.${version - 1})`;
  return ` (OF 0x${version.toString(16).padStart(2, '0')})`;
}

const headText = ({ spec, version, xid }: OfHeader): string =>
  `${spec.shown}${versionText(version)} (xid=0x${xid.toString(16)}):`;

const MORE = 1;

function flagsText({ spec, flags, version }: OfHeader): string {
  if (spec.direction === null || flags === 0) return '';
  const unknown = spec.direction === 'reply' || version >= 4 ? flags & ~MORE : flags;
  const words = unknown === flags ? '' : '[more]';
  return ` flags=${words}${unknown === 0 ? '' : `[***unknown flags 0x${unknown.toString(16).padStart(4, '0')}***]`}`;
}

/** Why the bytes are not one message; empty when they are. */
function sizeProblem(bytes: Uint8Array): string {
  const size = u16At(bytes, 2);
  if (size > bytes.length) return `(***truncated to ${bytes.length} bytes from ${size}***)\n`;
  if (size < bytes.length) return `(***only uses ${size} bytes out of ${bytes.length}***)\n`;
  return '';
}

const endLine = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

/** What the message says, without its name. */
export function formatMessage(message: OfMessage, context: Omit<TextContext, 'formatInner' | 'table'>): string {
  return formatters.get(message.kind)!(message, { ...context, formatInner: formatBytes, table: String });
}

function formatKnown(header: OfHeader, verbosity: number): string {
  const flagWords = flagsText(header);
  const head = headText(header) + flagWords;
  const message = decodeBody(header, { isLoose: true, hasTableId: true });
  if (message.ok) {
    const { version, flags } = header;
    return endLine(head + formatMessage(message.value, { version, verbosity, flags }));
  }
  return `${head}${flagWords === '' ? ' ' : '\n'}***decode error: ${message.error.name}***\n${hexDump(header.bytes)}`;
}

/** Any bytes that are to be a message. @param verbosity 0 to 4, as ovs-ofctl counts it */
export function formatBytes(bytes: Uint8Array, verbosity: number = DEFAULT_VERBOSITY): string {
  if (bytes.length === 0) return 'OpenFlow message is empty\n';
  if (bytes.length < 8) return `OpenFlow packet too short (only ${bytes.length} bytes):\n${hexDump(bytes)}`;
  const problem = sizeProblem(bytes);
  const header = identify(bytes);
  const isCut = problem.startsWith('(***truncated');
  if (problem !== '') return `${isCut && header.ok ? `${headText(header.value)}\n` : ''}${problem}${hexDump(bytes)}`;
  if (!header.ok) return `***decode error: ${header.error.name}***\n${hexDump(bytes)}`;
  if (!fitsSize(header.value.spec, header.value.body.length))
    return `***decode error: OFPBRC_BAD_LEN***\n${hexDump(bytes)}`;
  return formatKnown(header.value, verbosity);
}
