/** The command line: options wherever they stand, as getopt_long reads them (ovs-ofctl(8), OPTIONS). */
import { findField } from '../../openflow/field/index.ts';
import { Exit, Fatal } from '../common/io.ts';
import type { OfctlOptions, SortKey } from './context.ts';
import {
  P,
  protocolsFromName,
  protocolsOfVersions,
  protocolsText,
  versionFromName,
  versionsOfProtocols,
  versionsText,
} from './protocols.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Mutable<OfctlOptions> & { sorting: SortKey[]; wants: string | null };

type Argument = 'none' | 'required' | 'optional';
type Apply = (draft: Draft, value: string) => void;
type Row = readonly [long: string, short: string, argument: Argument, apply: Apply];

const DEFAULT_VERSIONS = 1 << 1;
/** OpenFlow 1.3, the first with bundles; 1.4, which is taken when no version was asked for that has them. */
const BUNDLE_VERSION_LEAST = 1 << 4;
const DEFAULT_BUNDLE_VERSIONS = 1 << 5;

function parseVersions(draft: Draft, text: string): void {
  draft.versions = 0;
  for (const name of text.split(/[ ,\t]+/).filter((word) => word !== '')) {
    const version = versionFromName(name);
    if (version === null) throw new Fatal(`Unknown OpenFlow version: "${name}"`);
    draft.versions |= 1 << version;
  }
}

function parseProtocols(draft: Draft, text: string): void {
  draft.protocols = 0;
  for (const name of text.split(/[ ,\t]+/).filter((word) => word !== '')) {
    const bits = protocolsFromName(name);
    if (bits === null) throw new Fatal(`${name}: unknown flow protocol`);
    draft.protocols |= bits;
  }
}

const packetInFormats: Readonly<Record<string, OfctlOptions['packetInFormat']>> = {
  standard: 'openflow10',
  openflow10: 'openflow10',
  nxm: 'nxm',
  nxt_packet_in: 'nxm',
  nxt_packet_in2: 'nxt_packet_in2',
};

function parsePacketInFormat(draft: Draft, text: string): void {
  const format = packetInFormats[text];
  if (!format) throw new Fatal(`unknown packet-in format \`${text}'`);
  draft.packetInFormat = format;
}

function addSorting(draft: Draft, field: string, descends: boolean): void {
  const isKnown = field === '' || field.toLowerCase() === 'priority' || findField(field) !== null;
  if (!isKnown) throw new Fatal(`${field}: unknown field name`);
  draft.sorting.push({ field: field === '' ? 'priority' : field, descends });
}

function parseTimeout(draft: Draft, text: string): void {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds < 1) throw new Fatal(`value ${text} on -t or --timeout is invalid`);
  draft.timeout = seconds;
}

const ignore: Apply = () => undefined;
const set =
  <K extends keyof Draft>(key: K, value: Draft[K]): Apply =>
  (draft) => {
    draft[key] = value;
  };

const tlsFile =
  (key: keyof OfctlOptions['tls']): Apply =>
  (draft, file) => {
    draft.tls = { ...draft.tls, [key]: file };
  };

const rows: readonly Row[] = [
  ['timeout', 't', 'required', parseTimeout],
  ['strict', '', 'none', set('isStrict', true)],
  ['read-only', '', 'none', set('isReadOnly', true)],
  ['readd', '', 'none', set('readds', true)],
  ['flow-format', 'F', 'required', parseProtocols],
  ['packet-in-format', 'P', 'required', parsePacketInFormat],
  ['more', 'm', 'none', (draft) => draft.verbosity++],
  ['timestamp', '', 'none', set('timestamps', true)],
  ['sort', '', 'optional', (draft, field) => addSorting(draft, field, false)],
  ['rsort', '', 'optional', (draft, field) => addSorting(draft, field, true)],
  ['names', '', 'none', set('usesNames', true)],
  ['no-names', '', 'none', set('usesNames', false)],
  ['stats', '', 'none', set('showsStats', true)],
  ['no-stats', '', 'none', set('showsStats', false)],
  ['unixctl', '', 'required', ignore],
  ['help', 'h', 'none', set('wants', 'help')],
  ['option', 'o', 'none', set('wants', 'option')],
  ['color', '', 'optional', ignore],
  ['bundle', '', 'none', set('isBundle', true)],
  ['may-create', '', 'none', set('mayCreate', true)],
  ['version', 'V', 'none', set('wants', 'version')],
  ['protocols', 'O', 'required', parseVersions],
  ['detach', '', 'none', ignore],
  ['no-chdir', '', 'none', ignore],
  ['pidfile', '', 'optional', ignore],
  ['overwrite-pidfile', '', 'none', ignore],
  ['monitor', '', 'none', ignore],
  ['user', '', 'required', ignore],
  ['verbose', 'v', 'optional', ignore],
  ['log-file', '', 'optional', ignore],
  ['syslog-target', '', 'required', ignore],
  ['syslog-method', '', 'required', ignore],
  ['private-key', 'p', 'required', tlsFile('privateKey')],
  ['certificate', 'c', 'required', tlsFile('certificate')],
  ['ca-cert', 'C', 'required', tlsFile('caCert')],
];

/** getopt's own words: printed, and the end. */
class Misused extends Error {}

const longOf = (name: string): Row => {
  const exact = rows.find(([long]) => long === name);
  const candidates = rows.filter(([long]) => long.startsWith(name));
  if (exact) return exact;
  if (candidates.length === 0) throw new Misused(`unrecognized option '--${name}'`);
  if (candidates.length > 1) {
    const list = candidates.map(([long]) => `'--${long}'`).join(' ');
    throw new Misused(`option '--${name}' is ambiguous; possibilities: ${list}`);
  }
  return candidates[0]!;
};

function takeLong(word: string, rest: string[], draft: Draft): void {
  const at = word.indexOf('=');
  const name = at < 0 ? word.slice(2) : word.slice(2, at);
  const [long, , argument, apply] = longOf(name);
  if (at >= 0) {
    if (argument === 'none') throw new Misused(`option '--${long}' doesn't allow an argument`);
    apply(draft, word.slice(at + 1));
  } else if (argument === 'required') {
    const value = rest.shift();
    if (value === undefined) throw new Misused(`option '--${long}' requires an argument`);
    apply(draft, value);
  } else apply(draft, '');
}

function takeShort(word: string, rest: string[], draft: Draft): void {
  for (let at = 1; at < word.length; at++) {
    const row = rows.find(([, short]) => short !== '' && short === word[at]);
    if (!row) throw new Misused(`invalid option -- '${word[at]}'`);
    const [, short, argument, apply] = row;
    if (argument === 'none') {
      apply(draft, '');
      continue;
    }
    const attached = word.slice(at + 1);
    const value = attached !== '' || argument === 'optional' ? attached : rest.shift();
    if (value === undefined) throw new Misused(`option requires an argument -- '${short}'`);
    apply(draft, value);
    return;
  }
}

export interface CommandLine {
  readonly options: OfctlOptions;
  readonly words: readonly string[];
  /** `help`, `version`, `option`: what is printed in place of a command. */
  readonly wants: string | null;
}

function finish(draft: Draft): void {
  const both = draft.protocols & protocolsOfVersions(draft.versions);
  if (both === 0) {
    throw new Fatal(
      `None of the enabled OpenFlow versions (${versionsText(draft.versions)}) supports any of the enabled flow formats ` +
        `(${protocolsText(draft.protocols)}).  (Use -O to enable additional OpenFlow versions or -F to enable additional ` +
        'flow formats.)',
    );
  }
  draft.protocols = both;
  draft.versions = versionsOfProtocols(both);
}

export function parseCommandLine(args: readonly string[], err: (text: string) => void): CommandLine {
  const draft: Draft = {
    versions: DEFAULT_VERSIONS,
    protocols: P.ANY,
    verbosity: 0,
    isStrict: false,
    isReadOnly: false,
    readds: false,
    isBundle: false,
    mayCreate: false,
    showsStats: true,
    usesNames: null,
    packetInFormat: null,
    timestamps: false,
    sorting: [],
    timeout: null,
    tls: { privateKey: null, certificate: null, caCert: null },
    wants: null,
  };
  const words: string[] = [];
  const rest = [...args];
  try {
    while (rest.length > 0) {
      const word = rest.shift()!;
      if (word === '--') words.push(...rest.splice(0));
      else if (word.startsWith('--')) takeLong(word, rest, draft);
      else if (word.startsWith('-') && word.length > 1) takeShort(word, rest, draft);
      else words.push(word);
      if (draft.wants !== null) break;
    }
  } catch (error) {
    if (!(error instanceof Misused)) throw error;
    err(`ovs-ofctl: ${error.message}\n`);
    throw new Exit(1);
  }
  if (words[0] === 'bundle') draft.isBundle = true;
  if (draft.isBundle && draft.versions < BUNDLE_VERSION_LEAST) draft.versions = DEFAULT_BUNDLE_VERSIONS;
  if (draft.wants === null) finish(draft);
  return { options: draft, words, wants: draft.wants };
}
