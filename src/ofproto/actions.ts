/** What flow tables and groups must know of OpenFlow actions. */
import { equalBytes } from '../lib/bytes.ts';
import type { OfAction } from '../openflow/action/types.ts';
import type { OfActions } from './connections/types.ts';
import type { ActionFacts } from './flow-mod.ts';
import type { GroupFacts } from './groups.ts';

const OFPP_CONTROLLER = 0xfffd;

/** Actions held by clone, ct and write_actions. */
const nestedIn = (action: OfAction): OfActions => ('actions' in action ? action.actions : []);

/** Every action, and what is inside it, in order. */
export function* flattened(actions: OfActions): Generator<OfAction> {
  for (const action of actions) {
    yield action;
    if ('actions' in action) yield* flattened(nestedIn(action));
  }
}

/** Actions that name nothing of the bridge and hold no others: nothing of it needs to be counted or looked up. */
export function isLeaf(actions: OfActions): boolean {
  for (const action of actions) {
    const { type } = action;
    if (type === 'output' || type === 'resubmit' || type === 'goto_table') continue;
    if (type === 'group' || type === 'meter' || type === 'learn' || 'actions' in action) return false;
  }
  return true;
}

/** Whether one of the actions, or of those inside them, is such. */
function someAction(actions: OfActions, test: (action: OfAction) => boolean): boolean {
  return actions.some((action) => test(action) || ('actions' in action && someAction(nestedIn(action), test)));
}

function outputsTo(action: OfAction, port: number): boolean {
  if (action.type === 'output' || action.type === 'enqueue') return action.port === port;
  return action.type === 'controller' && port === OFPP_CONTROLLER;
}

function equalValues(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => equalValues((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}

export const equalActions = (a: OfActions, b: OfActions): boolean => equalValues(a, b);

/** Groups that the actions lead to by themselves, each once. */
export function groupsOf(actions: OfActions): number[] {
  const groups = new Set<number>();
  for (const action of flattened(actions)) if (action.type === 'group') groups.add(action.group);
  return [...groups];
}

/** The meter that a flow's packets go through first; null for none. */
export function meterOf(actions: OfActions): number | null {
  const meter = actions.find(({ type }) => type === 'meter');
  return meter?.type === 'meter' ? meter.id : null;
}

export const actionFacts: ActionFacts<OfActions> & GroupFacts<OfActions> = {
  outputsTo: (actions, port) => someAction(actions, (action) => outputsTo(action, port)),
  usesGroup: (actions, group) => someAction(actions, (action) => action.type === 'group' && action.group === group),
  usesMeter: (actions, meter) => someAction(actions, (action) => action.type === 'meter' && action.id === meter),
  equal: equalActions,
  groupsOf,
};
