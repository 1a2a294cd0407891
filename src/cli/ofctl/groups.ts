/** Groups: changing them, and what they are, counted and can. */
import type { GroupCommand } from '../../openflow/message/group.ts';
import { OFPG_ALL } from '../../openflow/message/group.ts';
import { Fatal } from '../common/io.ts';
import { runBundle } from './bundle.ts';
import type { Context } from './context.ts';
import { linesOf, readText } from './files.ts';
import { parseGroupId, parseGroupMod } from './group-text.ts';
import { fetchNames } from './names.ts';
import { P } from './protocols.ts';
import { dump, openForFlowMods, using } from './session.ts';

async function change(
  context: Context,
  name: string,
  texts: readonly string[],
  file: string | null,
  command: GroupCommand | null,
): Promise<void> {
  const names = await fetchNames(context, name, 'tables');
  const lines = file === null ? texts.map((text) => ({ number: 0, text })) : linesOf(readText(context, file));
  const mods = lines.map(({ number, text }) => {
    const read = parseGroupMod(text, command, names);
    if (read.ok) return read.value;
    throw new Fatal(file === null ? read.error : `${file === '-' ? '<stdin>' : file}:${number}: ${read.error}`);
  });
  const usable = mods.reduce(
    (all, mod) => all & mod.protocols,
    context.options.isBundle ? P.OF13_UP | P.OF10 : (P.ANY as number),
  );
  const session = await openForFlowMods(context, name, usable);
  const messages = mods.map((mod) => mod.value);
  try {
    if (context.options.isBundle) await runBundle(context, session, messages, ['ordered', 'atomic']);
    else await session.transactAll(messages);
  } finally {
    session.close();
  }
}

const one =
  (command: (context: Context) => GroupCommand) =>
  (context: Context, [name, text = '']: readonly string[]): Promise<void> =>
    change(context, name!, [text], text === '-' ? '-' : null, command(context));

export const addGroup = one(() => 'add');
export const modGroup = one(({ options }) => (options.mayCreate ? 'add_or_modify' : 'modify'));
export const delGroups = one(() => 'delete');
export const insertBuckets = one(() => 'insert_bucket');
export const removeBuckets = one(() => 'remove_bucket');
export const addGroups = (context: Context, [name, file]: readonly string[]): Promise<void> =>
  change(context, name!, [], file!, null);

const idOf = (text: string | undefined): number => (text === undefined ? OFPG_ALL : (parseGroupId(text) ?? OFPG_ALL));

export const dumpGroups = (context: Context, [name, group]: readonly string[]): Promise<void> =>
  using(context, name!, (session) => dump(context, session, { kind: 'group_desc_request', id: idOf(group) }));

export async function dumpGroupStats(context: Context, [name, group]: readonly string[]): Promise<void> {
  const names = await fetchNames(context, name!, 'tables');
  let id = OFPG_ALL;
  if (group !== undefined) {
    const read = parseGroupMod(group, 'delete', names);
    if (!read.ok) throw new Fatal(read.error);
    id = read.value.value.group.id;
  }
  await using(context, name!, (session) => dump(context, session, { kind: 'group_stats_request', id }));
}

export const dumpGroupFeatures = (context: Context, [name]: readonly string[]): Promise<void> =>
  using(context, name!, (session) => dump(context, session, { kind: 'group_features_request' }));
