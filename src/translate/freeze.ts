/**
 * Freezing and thawing: a packet leaves translation for the datapath (or a controller) and comes back where it was.
 *
 * triggerFreeze() stops every open list of actions, and each adds what it has not done to `frozenActions`. Whoever works on a
 * copy of the packet (the pipeline, a bucket, a clone) finishes freezing at its end: the state gets an id, and the datapath's
 * `recirc` names it.
 *
 * The pipeline's fields and tunnel metadata are in the state, not in the packet: they are part of the id. A state that a
 * trace makes is remembered until the trace lets go of it.
 */
import { KEY, type PipelineKey } from '../flow/key.ts';
import { bigToBytes, bytesToBig, hexOf } from '../flow/odp/number.ts';
import { KEY_SIZE } from '../gen/layout.ts';
import { formatActions } from '../openflow/action/index.ts';
import { commit } from './commit.ts';
import type { XlateContext } from './context.ts';
import { putControllerAction } from './controller-cookie.ts';
import { clearConnection } from './protocols.ts';
import type { FrozenAction, FrozenState } from './recirc.ts';

const NOTHING = new Uint8Array(0);
const TUNNEL_START = KEY.tun_id.offset;

/** What every frozen state of this point in the pipeline has. */
type Circumstances = Pick<
  FrozenState,
  'bridge' | 'ruleCookie' | 'inPort' | 'pipeline' | 'tunnel' | 'stack' | 'isConntracked'
>;

function isTunnelled({ words }: PipelineKey): boolean {
  for (let i = TUNNEL_START / 4; i < KEY_SIZE / 4; i++) if (words[i] !== 0) return true;
  return false;
}

function circumstances(ctx: XlateContext): Circumstances {
  const { flow } = ctx;
  return {
    bridge: ctx.bridge.name,
    ruleCookie: ctx.ruleCookie,
    inPort: flow.get(KEY.in_port),
    pipeline: flow.bytes.slice(KEY_SIZE),
    tunnel: isTunnelled(flow) ? flow.bytes.slice(TUNNEL_START, KEY_SIZE) : NOTHING,
    stack: ctx.stack.map((value) => value.slice()),
    isConntracked: ctx.isConntracked,
  };
}

/** The state's id, which is one of the answer's. */
function intern(ctx: XlateContext, state: FrozenState): number {
  const id = ctx.picture.recircs.intern(state);
  ctx.recircIds.push(id);
  return id;
}

/** For a copy that goes to a controller: nothing goes on with it, but its metadata is here. */
export function freezeForController(ctx: XlateContext, userdata: Uint8Array): number {
  return intern(ctx, { ...circumstances(ctx), tableId: ctx.tableId, actions: [], actionSet: [], userdata });
}

function freeze(ctx: XlateContext, tableId: number): number {
  const { pause, freezeHash } = ctx;
  const state: FrozenState = {
    ...circumstances(ctx),
    tableId,
    actions: ctx.frozenActions,
    actionSet: ctx.actionSet.slice(),
    userdata: pause?.userdata.slice() ?? NOTHING,
  };
  const id = intern(ctx, state);
  if (pause) {
    if (!ctx.effects.isDry) putControllerAction(ctx, { ...pause, recircId: id, isContinuation: true });
  } else {
    if (freezeHash) ctx.actions.push({ type: 'hash', ...freezeHash });
    ctx.actions.push({ type: 'recirc', id });
  }
  ctx.cancelFreeze();
  return id;
}

/** The end of a list that was to be frozen: the datapath's packet becomes what it should be, and leaves. */
export function finishFreezing(ctx: XlateContext): void {
  commit(ctx);
  freeze(ctx, 0);
}

/** The packet goes on here, and a copy of it comes back in a table. Returns the copy's id. */
export function forkByRecirculation(ctx: XlateContext, tableId: number): number {
  ctx.isFreezing = true;
  return freeze(ctx, tableId);
}

const formatFrozen = (actions: readonly FrozenAction[]): string =>
  actions.map((action) => (action.type === 'unroll' ? formatUnroll(action) : formatActions([action]))).join(',');

function formatUnroll({ tableId, ruleCookie }: Extract<FrozenAction, { type: 'unroll' }>): string {
  return `unroll_xlate(table=${tableId}, cookie=${ruleCookie})`;
}

/** The reference tells this cookie with its bytes turned round. */
const swapped = (cookie: bigint): bigint => bytesToBig(bigToBytes(cookie, 8).reverse());

/** Does what an unroll among frozen actions says: those that follow are a rule's that is not looked up again. */
export function unroll(ctx: XlateContext, action: Extract<FrozenAction, { type: 'unroll' }>): void {
  ctx.tableId = action.tableId;
  ctx.ruleCookie = action.ruleCookie;
  if (!ctx.isTracing) return;
  ctx.report('action', formatUnroll(action));
  ctx.report('thaw', `restored state: table=${action.tableId}, cookie=${hexOf(swapped(action.ruleCookie))}`);
}

/** Writes what the datapath has not carried: port, pipeline fields, tunnel metadata. */
export function restoreMetadata(flow: PipelineKey, { inPort, pipeline, tunnel }: FrozenState): void {
  flow.set(KEY.in_port, inPort);
  flow.bytes.set(pipeline, KEY_SIZE);
  if (tunnel.length > 0) flow.bytes.set(tunnel, TUNNEL_START);
  else flow.bytes.fill(0, TUNNEL_START, KEY_SIZE);
}

/**
 * Makes the context what it was when the packet was frozen. Its actions are left to the caller: when there are none, the
 * packet is looked up in the state's table. False when the bridge is gone.
 */
export function thaw(ctx: XlateContext, state: FrozenState): boolean {
  const bridge = ctx.picture.bridges.get(state.bridge);
  let isThawed = false;
  ctx.within('thaw', 'thaw', () => {
    if (!bridge) {
      ctx.report('error', 'Frozen bridge no longer exists.');
      ctx.error = 'no_recirculation_context';
      ctx.noteDrop('in_port_invalid');
      return;
    }
    ctx.bridge = bridge;
    ctx.tablesVersion = bridge.pipeline.version;
    ctx.isThawed = true;
    ctx.tableId = state.tableId;
    ctx.report('thaw', `Resuming from table ${state.tableId}`);
    ctx.isConntracked = state.isConntracked;
    if (!state.isConntracked) clearConnection(ctx.flow);
    restoreMetadata(ctx.flow, state);
    ctx.stack = state.stack.map((value) => value.slice());
    ctx.actionSet = state.actionSet.slice();
    if (state.actionSet.length > 0) ctx.report('thaw', `Restoring action set: ${formatActions(state.actionSet)}`);
    if (state.actions.length > 0) ctx.report('thaw', `Restoring actions: ${formatFrozen(state.actions)}`);
    isThawed = true;
  });
  return isThawed;
}

/** The state that a packet comes back with. Null, and the translation's error, when nobody remembers it. */
export function frozenStateOf(ctx: XlateContext): FrozenState | null {
  const id = ctx.initial.get(KEY.recirc_id);
  const state = ctx.picture.recircs.get(id);
  if (state) return state;
  if (ctx.isTracing) ctx.report('error', `Recirculation context not found for ID ${id.toString(16)}`);
  ctx.error = 'no_recirculation_context';
  ctx.noteDrop('in_port_invalid');
  return null;
}
