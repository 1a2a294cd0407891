/** set_field, load, move, and the stack. */
import { KEY, type PipelineKey } from '../../flow/key.ts';
import { bytesToBig, hexOf } from '../../flow/odp/number.ts';
import type { ActionOf, Subfield } from '../../openflow/action/types.ts';
import { fieldOf, readValue } from '../../openflow/field/index.ts';
import { formatSubfield } from '../../openflow/field/subfield.ts';
import { formatFieldValue } from '../../openflow/field/value.ts';
import type { XlateContext } from '../context.ts';
import { ETH_TYPE_ARP, isIp } from '../protocols.ts';
import { completeTag, copyBits, movePlanOf, type PatchPlan, patch, planOf, setPlanOf } from './field-plan.ts';
import { hasField } from './prerequisites.ts';

/** Adds the bits of the patches to the wildcards. */
function look({ bytes }: PipelineKey, patches: PatchPlan): void {
  for (const { at, mask } of patches) bytes[at]! |= mask;
}

/** A network header is one only with a protocol: to set these is to look at it. */
const dependsOnProtocol: ReadonlySet<string> = new Set([
  ...['ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst', 'ipv6_label', 'nw_tos', 'nw_ecn', 'nw_ttl'],
  ...['arp_op', 'arp_sha', 'arp_tha', 'arp_spa', 'arp_tpa'],
]);

function lookAtProtocol({ flow, wildcards }: XlateContext): void {
  if (isIp(flow) || flow.get(KEY.eth_type) === ETH_TYPE_ARP) wildcards.setAllOnes(KEY.nw_proto);
}

export function setField(ctx: XlateContext, action: ActionOf<'set_field'>): void {
  const { spec, patches, isTag } = setPlanOf(action);
  if (!hasField(ctx, spec)) {
    ctx.report('warning', `unmet prerequisites for ${spec.name}, set_field ignored`);
    return;
  }
  look(ctx.wildcards, patches);
  if (dependsOnProtocol.has(action.field)) lookAtProtocol(ctx);
  patch(ctx.flow, patches);
  if (isTag) completeTag(ctx.flow);
}

export function move(ctx: XlateContext, action: ActionOf<'move'>): void {
  const [source, target] = [planOf(action.source), planOf(action.target)];
  const { flow, wildcards } = ctx;
  if (hasField(ctx, target.spec) && hasField(ctx, source.spec)) {
    look(wildcards, target.mask);
    look(wildcards, source.mask);
    copyBits(flow.bytes, flow.bytes, movePlanOf(action));
    patch(flow, target.implied);
    if (target.isTag) completeTag(flow);
  }
  reportSubfield(ctx, action.target);
}

/** Tells what a subfield has become. */
export function reportSubfield(ctx: XlateContext, subfield: Subfield): void {
  if (!ctx.isTracing) return;
  const field = fieldOf(subfield.field);
  const isWhole = subfield.offset === 0 && subfield.width >= field.bits;
  const value = isWhole
    ? formatFieldValue(field, readValue(ctx.flow, field))
    : hexOf(bytesToBig(readSubfield(ctx.flow, subfield)));
  ctx.report('detail', `${formatSubfield(subfield)} is now ${value}`);
}

/** The bits of a subfield in network order, right-aligned in as few bytes as hold them. */
export function readSubfield(key: PipelineKey, subfield: Subfield): Uint8Array {
  const { size, read } = planOf(subfield);
  const value = new Uint8Array(size);
  copyBits(value, key.bytes, read);
  return value;
}

/** Looks at all bits of a subfield, and writes them. @param value right-aligned; what does not fit at its front is dropped */
export function writeSubfield(ctx: XlateContext, subfield: Subfield, value: Uint8Array): void {
  const { size, mask, write, implied, isTag } = planOf(subfield);
  look(ctx.wildcards, mask);
  let bytes = value;
  if (value.length > size) bytes = value.subarray(value.length - size);
  else if (value.length < size) {
    bytes = new Uint8Array(size);
    bytes.set(value, size - value.length);
  }
  copyBits(ctx.flow.bytes, bytes, write);
  patch(ctx.flow, implied);
  if (isTag) completeTag(ctx.flow);
}

/** The value of a subfield, all of whose bits are looked at. */
export function lookAtSubfield(ctx: XlateContext, subfield: Subfield): Uint8Array {
  look(ctx.wildcards, planOf(subfield).mask);
  return readSubfield(ctx.flow, subfield);
}

export function push(ctx: XlateContext, { subfield }: ActionOf<'push' | 'pop'>): void {
  ctx.stack.push(lookAtSubfield(ctx, subfield));
}

export function pop(ctx: XlateContext, { subfield }: ActionOf<'push' | 'pop'>): void {
  const value = ctx.stack.pop();
  if (!value) {
    ctx.report('error', 'stack underflow');
    return;
  }
  writeSubfield(ctx, subfield, value);
  reportSubfield(ctx, subfield);
}
