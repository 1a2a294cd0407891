/**
 * ct, ct_clear: the packet goes through the connection tracker, and comes back in a table when the action says so
 * (ovs-actions(7)). Here it goes on without what the tracker knows of it.
 */
import { KEY, type KeyField } from '../../flow/key.ts';
import { bytesToBig, hexOf } from '../../flow/odp/number.ts';
import type { ActionOf } from '../../openflow/action/types.ts';
import { commit } from '../commit.ts';
import type { ActionContext, XlateContext } from '../context.ts';
import { forkByRecirculation } from '../freeze.ts';
import { clearConnection } from '../protocols.ts';
import { lookAtSubfield, readSubfield } from './fields.ts';
import { natOption } from './nat.ts';

type Ct = ActionOf<'ct'>;

/** Names of application layer gateways, by their well-known ports. */
const helpers: Readonly<Record<number, string>> = { 21: 'ftp', 69: 'tftp' };

/** The packet is no longer known to the tracker. */
export function clearConntrack(ctx: XlateContext): void {
  ctx.isConntracked = false;
  clearConnection(ctx.flow);
}

const u16Of = (bytes: Uint8Array): number => bytes.reduce((value, byte) => (value << 8) | byte, 0) & 0xffff;

/** Pipeline fields: a frozen state has their values, so its id says them already. */
const isFrozenField = (name: string): boolean => /^(x{0,2}reg\d+|metadata|tun_.*|in_port(_oxm)?)$/.test(name);

function zoneOf(ctx: XlateContext, { zone }: Ct): number {
  if (typeof zone === 'number') return zone;
  const isKnown = ctx.isThawed && isFrozenField(zone.field);
  return u16Of(isKnown ? readSubfield(ctx.flow, zone) : lookAtSubfield(ctx, zone));
}

/** `mark=0x1/0xff`: the bits that the nested actions looked at or set; nothing when there are none. */
function masked(ctx: XlateContext, name: string, field: KeyField): string[] {
  const mask = numberOf(ctx.wildcards.at(field), field);
  return mask === 0n ? [] : [`${name}=${hexOf(numberOf(ctx.flow.at(field), field) & mask)}/${hexOf(mask)}`];
}

const numberOf = (bytes: Uint8Array, { order }: KeyField): bigint =>
  bytesToBig(order === 'le' ? bytes.slice().reverse() : bytes);

function helperOf(ctx: XlateContext, { alg }: Ct): string[] {
  if (alg === 0) return [];
  const helper = helpers[alg];
  if (!helper) ctx.report('warning', `cannot serialize ct_helper ${alg}`);
  return helper ? [`helper=${helper}`] : [];
}

export function ct(ctx: XlateContext, action: Ct, { isLast }: ActionContext): void {
  const zone = zoneOf(ctx, action);
  const { wildcards } = ctx;
  commit(ctx);
  // What the nested actions set is the action's business, not the megaflow's
  const [mark, label] = [wildcards.at(KEY.ct_mark).slice(), wildcards.at(KEY.ct_label).slice()];
  wildcards.setZero(KEY.ct_mark).setZero(KEY.ct_label);
  ctx.natAction = null;
  ctx.bodies.translate(ctx, action.actions, isLast, false);
  const options = [
    ...(action.isForce ? ['force'] : []),
    ...masked(ctx, 'mark', KEY.ct_mark),
    ...masked(ctx, 'label', KEY.ct_label),
    ...helperOf(ctx, action),
    ...(ctx.natAction ? [natOption(ctx.natAction)] : []),
  ];
  wildcards.setBytes(KEY.ct_mark, mark).setBytes(KEY.ct_label, label);
  ctx.actions.push({ type: 'ct', commit: action.isCommit, zone, text: options.join(',') });
  if (action.table !== null) recirculate(ctx, action.table, zone);
  ctx.natAction = null;
  ctx.report('detail', 'Sets the packet to an untracked state, and clears all the conntrack fields.');
  clearConntrack(ctx);
}

function recirculate(ctx: XlateContext, table: number, zone: number): void {
  ctx.isConntracked = true;
  const id = forkByRecirculation(ctx, table);
  if (!ctx.isTracing) return;
  ctx.noteFork({ id, zone, flow: ctx.flow.clone(), nat: ctx.natAction });
  const where = `The forked pipeline will be resumed at table ${table}.`;
  ctx.report('detail', `A clone of the packet is forked to recirculate. ${where}`);
}

export function ctClear(ctx: XlateContext): void {
  if (!ctx.isConntracked) return;
  clearConntrack(ctx);
  ctx.actions.push({ type: 'ct_clear' });
}
