/** The commands dpctl/* that put megaflows in by hand, take them out and look at one; and those that read actions. */
import { readFileSync } from 'node:fs';
import type { Match } from '../../flow/key.ts';
import type { DpPort } from '../../flow/odp/action.ts';
import { formatActions, formatFlow, formatMatch } from '../../flow/odp/format.ts';
import { parseActions, parseKey, parseMatch } from '../../flow/odp/parse.ts';
import { MILLISECOND } from '../../lib/clock.ts';
import { systemMessage } from '../../ovsdb/error.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { behindDatapath, dpctlError, registerDpctl } from './datapath-argument.ts';

const UFID = /^ufid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*,?\s*/i;

/** Flow ids by the name that was given with the flow: those that nobody named have none to be found by. */
type Names = Map<string, { readonly id: number; readonly generation: number }>;

const portByName =
  (daemon: SwitchDaemon) =>
  (name: string): DpPort | null => {
    const live = daemon.config.interfaceOf(name);
    return live ? (daemon.target.port(live.bridge, name)?.dpPort ?? null) : null;
  };

function matchOf(daemon: SwitchDaemon, text: string, what: (error: string) => string): Match {
  const match = parseMatch(text, { portByName: portByName(daemon) });
  if (!match.ok) throw dpctlError(what(`syntax error at ${text}`), 'EINVAL');
  return match.value;
}

/** Id of the megaflow with exactly this match; null for none. */
function find({ target }: SwitchDaemon, { key, mask }: Match): number | null {
  for (const id of target.datapath.flowIds()) {
    const match = target.datapath.flow(id)?.match;
    if (match?.key.equals(key) && match.mask.equals(mask)) return id;
  }
  return null;
}

function named({ target }: SwitchDaemon, names: Names, name: string): number | null {
  const known = names.get(name);
  return known && target.datapath.flowGeneration(known.id) === known.generation ? known.id : null;
}

interface Put {
  readonly flow: string;
  readonly actions: string;
  readonly how: 'add' | 'mod';
}

/** Names of a datapath's flows that are kept at the most. */
const NAMES_MAX = 10_000;

function put(daemon: SwitchDaemon, names: Names, { flow, actions: text, how }: Put): void {
  const { datapath } = daemon.target;
  const name = UFID.exec(flow)?.[1];
  const match = matchOf(daemon, flow.replace(UFID, ''), (error) => `parsing flow key (${error})`);
  const actions = parseActions(text, { portByName: portByName(daemon) });
  if (!actions.ok) throw dpctlError('parsing actions', 'EINVAL');
  const old = find(daemon, match);
  if ((old !== null) !== (how === 'mod')) throw dpctlError('updating flow table', how === 'add' ? 'EEXIST' : 'ENOENT');
  const id = datapath.putFlow(match, actions.value, { replace: how === 'mod' });
  if (!id.ok) throw dpctlError('updating flow table', 'EINVAL');
  if (name !== undefined && names.size < NAMES_MAX)
    names.set(name, { id: id.value, generation: datapath.flowGeneration(id.value)! });
}

function remove(daemon: SwitchDaemon, names: Names, text: string): void {
  const { datapath } = daemon.target;
  const name = UFID.exec(text)?.[1];
  const id =
    name === undefined
      ? find(
          daemon,
          matchOf(daemon, text, (error) => error),
        )
      : named(daemon, names, name);
  if (id === null) {
    const hint = name === undefined ? '\nPerhaps you need to specify a UFID?' : '';
    throw new CommandError(`ovs-vswitchd: deleting flow (No such file or directory)${hint}`);
  }
  datapath.deleteFlow(id, datapath.flowGeneration(id)!);
}

function get(daemon: SwitchDaemon, names: Names, text: string): string {
  const name = UFID.exec(text)?.[1];
  if (name === undefined) return 'ovs-vswitchd: parsing flow ufid\n';
  const id = named(daemon, names, name);
  const flow = id === null ? null : daemon.target.datapath.flow(id);
  if (!flow) throw dpctlError('getting flow', 'ENOENT');
  const { packets, bytes, used, tcpFlags } = flow.stats;
  const idleMs = used === 0 ? null : (daemon.clock.now() - used) / MILLISECOND;
  return `${formatFlow({ match: flow.match, actions: flow.actions, stats: { packets, bytes, idleMs, tcpFlags } })}\n`;
}

const FILE_SIZE_MAX = 64 << 20;

/** Lines of a file: `[add|modify|delete] FLOW ACTIONS`. */
function fromFile(daemon: SwitchDaemon, names: Names, path: string, usual: 'add' | 'modify' | 'delete'): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').slice(0, FILE_SIZE_MAX);
  } catch (error) {
    return `ovs-vswitchd: Opening file "${path}" failed (${systemMessage(error)})\n`;
  }
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const [, verb = usual, rest = ''] = /^(?:(add|modify|delete)\s+)?(.*)$/.exec(line)!;
    if (verb === 'delete') {
      remove(daemon, names, rest);
      continue;
    }
    const end = rest.lastIndexOf(') ');
    const at = end < 0 ? rest.search(/\s/) : end + 1;
    if (at < 0) throw dpctlError('parsing actions', 'EINVAL');
    const how = verb === 'add' ? 'add' : 'mod';
    put(daemon, names, { flow: rest.slice(0, at), actions: rest.slice(at + 1).trim(), how });
  }
  return '';
}

function normalize(daemon: SwitchDaemon, [flow, text]: readonly string[]): string {
  const key = parseKey(flow!, { portByName: portByName(daemon) });
  if (!key.ok) throw dpctlError('odp_flow_key_from_string', 'EINVAL');
  const actions = parseActions(text!, { portByName: portByName(daemon) });
  if (!actions.ok) throw dpctlError('odp_actions_from_string', 'EINVAL');
  const match = matchOf(daemon, flow!, (error) => error);
  return `input flow: ${formatMatch(match)}\nno vlan: no mpls: ${formatActions(actions.value)}\n`;
}

export function registerFlowCommands(control: ControlSocket, daemon: SwitchDaemon, flush: () => void): void {
  const names: Names = new Map();
  for (const how of ['add', 'mod'] as const) {
    registerDpctl(control, `${how}-flow`, (args) => {
      const [flow = '', actions] = behindDatapath(daemon, args, 3);
      if (actions === undefined) throw dpctlError('parsing actions', 'EINVAL');
      put(daemon, names, { flow, actions, how });
      return '';
    });
    registerDpctl(control, `${how}-flows`, (args) => {
      const [path = ''] = behindDatapath(daemon, args, 2);
      return fromFile(daemon, names, path, how === 'add' ? 'add' : 'modify');
    });
  }
  registerDpctl(control, 'get-flow', (args) => get(daemon, names, behindDatapath(daemon, args, 2)[0] ?? ''));
  registerDpctl(control, 'del-flow', (args) => {
    remove(daemon, names, behindDatapath(daemon, args, 2)[0] ?? '');
    return '';
  });
  registerDpctl(control, 'del-flows', (args) => {
    const [path] = behindDatapath(daemon, args, 3);
    if (path !== undefined) return fromFile(daemon, names, path, 'delete');
    flush();
    return '';
  });
  registerDpctl(control, 'parse-actions', (args) =>
    args
      .map((text) => {
        const actions = parseActions(text);
        if (!actions.ok) throw dpctlError('odp_actions_from_string', 'EINVAL');
        return `${formatActions(actions.value)}\n`;
      })
      .join(''),
  );
  registerDpctl(control, 'normalize-actions', (args) => normalize(daemon, args));
}
