/** Flows: dump, add, change, delete, replace, compare. */
import { statSync } from 'node:fs';
import { formatActions } from '../../openflow/action/index.ts';
import { fieldOf, findField, readValue } from '../../openflow/field/index.ts';
import { encodeNxm, type OfMatch } from '../../openflow/match.ts';
import type { OfMessage } from '../../openflow/message/families.ts';
import type { FlowModCommand, FlowModMessage } from '../../openflow/message/flow-mod.ts';
import { formatFlow, type OfFlowStats } from '../../openflow/message/flow-stats.ts';
import { matchText } from '../../openflow/message/match-text.ts';
import { decodeMessage } from '../../openflow/message/message.ts';
import { Exit, Fatal } from '../common/io.ts';
import { runBundle } from './bundle.ts';
import { Session } from './connection.ts';
import type { Context, SortKey } from './context.ts';
import { linesOf, readText } from './files.ts';
import { type Names, noNames, parseFlowMod, parseFlowRequest, type Usable } from './flow-text.ts';
import { fetchNames, putNames, type SwitchNames } from './names.ts';
import { P } from './protocols.ts';
import { dump, openForFlowMods, printReply, setDumpProtocol } from './session.ts';

type RequestKind = 'flow_stats_request' | 'aggregate_request';

/** Opens a connection and makes the request, in a form that can say it. */
async function openForDump(
  context: Context,
  name: string,
  flowText: string,
  kind: RequestKind,
): Promise<{ session: Session; request: OfMessage }> {
  const names = flowText === '' ? noNames : await fetchNames(context, name, 'ports');
  const read = parseFlowRequest(flowText, kind, names);
  if (!read.ok) throw new Fatal(read.error);
  const session = await Session.open(context, name);
  await setDumpProtocol(context, session, read.value.protocols);
  return { session, request: read.value.value };
}

async function fetchFlows(session: Session, request: OfMessage, context: Context): Promise<OfFlowStats[]> {
  const flows: OfFlowStats[] = [];
  for await (const bytes of session.multipart(request)) {
    const reply = decodeMessage(bytes, { isLoose: true });
    if (reply.ok && reply.value.message.kind === 'flow_stats_reply') flows.push(...reply.value.message.flows);
    else {
      printReply(context, bytes);
      throw new Exit(1);
    }
  }
  return flows;
}

/** Below zero when a comes first: fields that are not matched come last. */
function compareBy({ field, descends }: SortKey, a: OfFlowStats, b: OfFlowStats): number {
  const sign = descends ? -1 : 1;
  if (field.toLowerCase() === 'priority') return sign * (a.priority - b.priority);
  const spec = fieldOf(findField(field)!.name);
  const [hasA, hasB] = [a, b].map((flow) => readValue(flow.match.mask, spec) !== 0n);
  if (hasA !== hasB) return hasA ? -1 : 1;
  const [left, right] = [readValue(a.match.key, spec), readValue(b.match.key, spec)];
  return left === right ? 0 : sign * (left < right ? -1 : 1);
}

const flagsOf = (flow: OfFlowStats): string => (flow.flags.length === 0 ? '' : `${flow.flags.join(' ')} `);

function flowLine(flow: OfFlowStats, showsStats: boolean): string {
  if (showsStats) return formatFlow(flow);
  const cookie = flow.cookie === 0n ? '' : `cookie=0x${flow.cookie.toString(16)}, `;
  const table = flow.table === 0 ? '' : `table=${flow.table}, `;
  const idle = flow.idleTimeout === 0 ? '' : `idle_timeout=${flow.idleTimeout}, `;
  const hard = flow.hardTimeout === 0 ? '' : `hard_timeout=${flow.hardTimeout}, `;
  const importance = flow.importance === 0 ? '' : `importance=${flow.importance}, `;
  const match = matchText(flow.match, flow.priority);
  const head = ` ${cookie}${table}${idle}${hard}${flagsOf(flow)}${importance}${match}`;
  return `${head}${match === '' ? '' : ' '}actions=${formatActions(flow.actions)}`;
}

export async function dumpFlows(context: Context, [name, flow = '']: readonly string[]): Promise<void> {
  const { sorting, showsStats, usesNames } = context.options;
  const { session, request } = await openForDump(context, name!, flow, 'flow_stats_request');
  try {
    if (sorting.length === 0 && showsStats && !usesNames) {
      await dump(context, session, request);
      return;
    }
    const flows = await fetchFlows(session, request, context);
    const names: SwitchNames | null = usesNames ? await fetchNames(context, name!, 'tables') : null;
    const sorted = flows.toSorted((a, b) => {
      for (const key of sorting) {
        const order = compareBy(key, a, b);
        if (order !== 0) return order;
      }
      return 0;
    });
    for (const one of sorted) {
      const line = flowLine({ ...one, idleAge: null, hardAge: null }, showsStats);
      context.io.out(`${names ? putNames(line, names) : line}\n`);
    }
  } finally {
    session.close();
  }
}

export async function dumpAggregate(context: Context, [name, flow = '']: readonly string[]): Promise<void> {
  const { session, request } = await openForDump(context, name!, flow, 'aggregate_request');
  try {
    await dump(context, session, request);
  } finally {
    session.close();
  }
}

// Changes

/** Sends flow-mods, as a bundle when that was asked for. */
async function sendFlowMods(context: Context, name: string, mods: readonly Usable<FlowModMessage>[]): Promise<void> {
  const isBundle = context.options.isBundle;
  const bundleProtocols: number = P.OF13_UP | P.OF10;
  const usable = mods.reduce((all, mod) => all & mod.protocols, isBundle ? bundleProtocols : (P.ANY as number));
  const session = await openForFlowMods(context, name, usable);
  const messages = mods.map((mod) => mod.value);
  try {
    if (isBundle) await runBundle(context, session, messages, ['ordered', 'atomic']);
    else await session.transactAll(messages);
  } finally {
    session.close();
  }
}

function parseMods(
  text: string,
  source: string,
  command: FlowModCommand | null,
  names: Names,
): Usable<FlowModMessage>[] {
  return linesOf(text).map(({ number, text: line }) => {
    const read = parseFlowMod(line, command, names);
    if (!read.ok) throw new Fatal(`${source}:${number}: ${read.error}`);
    return read.value;
  });
}

async function modFromFile(
  context: Context,
  name: string,
  file: string,
  command: FlowModCommand | null,
): Promise<void> {
  const names = await fetchNames(context, name, 'tables');
  await sendFlowMods(
    context,
    name,
    parseMods(readText(context, file), file === '-' ? '<stdin>' : file, command, names),
  );
}

async function modOne(context: Context, name: string, text: string, command: FlowModCommand): Promise<void> {
  if (text === '-') {
    await modFromFile(context, name, text, command);
    return;
  }
  const names = await fetchNames(context, name, 'tables');
  const read = parseFlowMod(text, command, names);
  if (!read.ok) throw new Fatal(read.error);
  await sendFlowMods(context, name, [read.value]);
}

export const addFlow = (context: Context, [name, flow]: readonly string[]): Promise<void> =>
  modOne(context, name!, flow!, 'add');
export const addFlows = (context: Context, [name, file]: readonly string[]): Promise<void> =>
  modFromFile(context, name!, file!, null);
export const modFlows = (context: Context, [name, flow]: readonly string[]): Promise<void> =>
  modOne(context, name!, flow!, context.options.isStrict ? 'modify_strict' : 'modify');
export const delFlows = (context: Context, [name, flow = '']: readonly string[]): Promise<void> =>
  modOne(context, name!, flow, context.options.isStrict ? 'delete_strict' : 'delete');

// Comparing

interface Known {
  readonly match: OfMatch;
  readonly table: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly idleTimeout: number;
  readonly hardTimeout: number;
  readonly importance: number;
  readonly flags: readonly FlowModMessage['flags'][number][];
  readonly actions: FlowModMessage['actions'];
}

const keyOf = (f: Known): string => `${f.table}/${f.priority}/${Buffer.from(encodeNxm(f.match)).toString('hex')}`;
const contentOf = (f: Known): string =>
  [f.cookie, f.idleTimeout, f.hardTimeout, f.importance, formatActions(f.actions)].join('/');

const knownOfMod = (m: FlowModMessage): Known => ({ ...m, table: m.table === 0xff ? 0 : m.table, cookie: m.newCookie });

interface Side {
  readonly flows: Map<string, Known>;
  readonly protocols: number;
}

function readSide(context: Context, file: string, names: Names): Side {
  const mods = parseMods(readText(context, file), file, 'add', names);
  return {
    flows: new Map(mods.map(({ value }) => [keyOf(knownOfMod(value)), knownOfMod(value)])),
    protocols: mods.reduce((all, mod) => all & mod.protocols, P.ANY as number),
  };
}

async function fetchSide(context: Context, session: Session): Promise<Side> {
  const read = parseFlowRequest('', 'flow_stats_request', noNames);
  if (!read.ok) throw new Fatal(read.error);
  await setDumpProtocol(context, session, P.ANY);
  const flows = await fetchFlows(session, read.value.value, context);
  return { flows: new Map(flows.map((flow) => [keyOf(flow), flow])), protocols: P.ANY };
}

const noMod = { buffer: 0xffffffff, outPort: 0xffff, outGroup: 0xffffffff, cookie: 0n, cookieMask: 0n } as const;

const modOf = (f: Known, command: 'add' | 'delete_strict'): FlowModMessage => ({
  kind: 'flow_mod',
  command,
  ...noMod,
  table: f.table,
  match: f.match,
  priority: f.priority,
  newCookie: command === 'add' ? f.cookie : 0xffffffffffffffffn,
  idleTimeout: command === 'add' ? f.idleTimeout : 0,
  hardTimeout: command === 'add' ? f.hardTimeout : 0,
  importance: command === 'add' ? f.importance : 0,
  flags: command === 'add' ? f.flags : [],
  actions: command === 'add' ? f.actions : [],
});

export async function replaceFlows(context: Context, [name, file]: readonly string[]): Promise<void> {
  const names = await fetchNames(context, name!, 'ports');
  const wanted = readSide(context, file!, names);
  const session = await openForFlowMods(context, name!, wanted.protocols);
  try {
    const present = await fetchSide(context, session);
    const mods: FlowModMessage[] = [];
    for (const [key, flow] of present.flows) if (!wanted.flows.has(key)) mods.push(modOf(flow, 'delete_strict'));
    for (const [key, flow] of wanted.flows) {
      const now = present.flows.get(key);
      if (!now || context.options.readds || contentOf(now) !== contentOf(flow)) mods.push(modOf(flow, 'add'));
    }
    if (context.options.isBundle) await runBundle(context, session, mods, ['ordered', 'atomic']);
    else await session.transactAll(mods);
  } finally {
    session.close();
  }
}

const isFile = (name: string): boolean =>
  /^[/.]/.test(name) || (!name.includes(':') && statSync(name, { throwIfNoEntry: false }) !== undefined);

async function sideOf(context: Context, name: string, names: Names): Promise<Side> {
  if (isFile(name)) return readSide(context, name, names);
  const session = await Session.open(context, name);
  try {
    return await fetchSide(context, session);
  } finally {
    session.close();
  }
}

function diffLine(f: Known): string {
  const words: string[] = [];
  if (f.cookie !== 0n) words.push(`cookie=0x${f.cookie.toString(16)}`);
  if (f.table !== 0) words.push(`table=${f.table}`);
  if (f.idleTimeout !== 0) words.push(`idle_timeout=${f.idleTimeout}`);
  if (f.hardTimeout !== 0) words.push(`hard_timeout=${f.hardTimeout}`);
  if (f.importance !== 0) words.push(`importance=${f.importance}`);
  const match = matchText(f.match, f.priority);
  const head = `${words.map((word) => `${word} `).join('')}${match}`;
  return `${head}${match === '' ? '' : ' '}actions=${formatActions(f.actions)}\n`;
}

/** Status 2 when there are differences. */
export async function diffFlows(context: Context, [left, right]: readonly string[]): Promise<void> {
  const isSwitch = (name: string): boolean => !isFile(name);
  const named = [left!, right!].find(isSwitch);
  const names = named === undefined ? noNames : await fetchNames(context, named, 'ports');
  const [a, b] = [await sideOf(context, left!, names), await sideOf(context, right!, names)];
  let text = '';
  for (const [key, flow] of a.flows) {
    const other = b.flows.get(key);
    if (other && contentOf(other) === contentOf(flow)) continue;
    text += `-${diffLine(flow)}`;
    if (other) text += `+${diffLine(other)}`;
  }
  for (const [key, flow] of b.flows) if (!a.flows.has(key)) text += `+${diffLine(flow)}`;
  context.io.out(text);
  if (text !== '') throw new Exit(2);
}
