/**
 * ct: its options are kept as text, in the order in which Open vSwitch writes them; the flag and the zone are also read.
 * `text` holds every option but commit and zone.
 */
import type { Scanner } from '../scanner.ts';
import { type ActionForm, type ActionOf, form } from './form.ts';

/** Options behind commit and zone, in their order; each may take `=value` or `(...)`. */
const OPTIONS = ['mark', 'label', 'helper', 'timeout', 'nat'];
const NESTING_MAX = 2;

/** One option with all that hangs on it: its brackets are balanced. */
function parseOption(s: Scanner): string {
  const start = s.at;
  let depth = 0;
  while (!s.atEnd) {
    const next = s.text[s.at]!;
    if (depth === 0 && (next === ',' || next === ')')) break;
    if (next === '(' && ++depth > NESTING_MAX) s.fail('brackets too deep');
    if (next === ')') depth--;
    if (!s.failed) s.at++;
  }
  if (depth !== 0) s.fail('unbalanced brackets', start);
  return s.text.slice(start, s.at);
}

/** A mask is always written; C reads numbers in any base. */
function withMask(option: string): string {
  const found = /^(mark)=([^/]+)$/.exec(option);
  if (!found || !/^(0x[0-9a-fA-F]+|[0-9]+)$/.test(found[2]!)) return option;
  return `mark=0x${BigInt(found[2]!).toString(16)}/0xffffffff`;
}

function parseCt(s: Scanner): ActionOf<'ct'> {
  const rest = new Map<string, string>();
  let commit = false;
  let force = false;
  let zone = 0;
  if (s.take('(')) {
    while (!s.failed && !s.take(')')) {
      const start = s.at;
      const option = parseOption(s);
      const word = /^[a-z_]*/.exec(option)![0];
      const zoneText = /^zone=([0-9]{1,5}|0x[0-9a-fA-F]{1,4})$/.exec(option)?.[1];
      if (option === 'commit') commit = true;
      else if (option === 'force_commit') force = true;
      else if (zoneText !== undefined && Number(zoneText) <= 0xffff) zone = Number(zoneText);
      else if (OPTIONS.includes(word) && !rest.has(word)) rest.set(word, withMask(option));
      else s.fail('unknown or repeated option of ct', start);
      if (!s.take(',') && !s.peek(')')) s.fail('expected "," or ")"');
    }
  }
  const options = OPTIONS.flatMap((word) => rest.get(word) ?? []);
  return { type: 'ct', commit: commit || force, zone, text: [...(force ? ['force'] : []), ...options].join(',') };
}

function formatCt({ commit, zone, text }: ActionOf<'ct'>): string {
  const isForced = text === 'force' || text.startsWith('force,');
  const parts = [
    ...(commit ? [isForced ? 'force_commit' : 'commit'] : []),
    ...(zone === 0 ? [] : [`zone=${zone}`]),
    ...(isForced ? text.slice('force,'.length) : text).split(',').filter((part) => part !== ''),
  ];
  return parts.length === 0 ? 'ct' : `ct(${parts.join(',')})`;
}

export const ctForm: ActionForm = form({ type: 'ct', parse: parseCt, format: formatCt });
