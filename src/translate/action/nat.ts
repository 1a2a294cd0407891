/** nat: what the ct action around it does to addresses and ports (ovs-actions(7)). */
import { formatIpv4, formatIpv6 } from '../../lib/addresses.ts';
import type { ActionOf, OfNat } from '../../openflow/action/types.ts';
import type { XlateContext } from '../context.ts';

export function nat(ctx: XlateContext, action: ActionOf<'nat'>): void {
  ctx.natAction = action;
}

const formatAddress = (address: Uint8Array, isBracketed: boolean): string => {
  if (address.length === 4) return formatIpv4(address);
  return isBracketed ? `[${formatIpv6(address)}]` : formatIpv6(address);
};

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i]);

function formatRange({ addressMin, addressMax, portMin, portMax }: OfNat): string {
  const hasPort = portMin !== 0;
  const isBracketed = hasPort && addressMin?.length === 16;
  const first = addressMin ? formatAddress(addressMin, isBracketed) : '';
  const hasLast = addressMin && addressMax && !isSame(addressMin, addressMax) && addressMax.some((byte) => byte !== 0);
  const last = hasLast ? `-${formatAddress(addressMax, isBracketed)}` : '';
  const ports = hasPort ? `:${portMin}${portMax > portMin ? `-${portMax}` : ''}` : '';
  return first + last + ports;
}

/** As the datapath's ct action has it. */
export function natOption(action: OfNat): string {
  const { direction, isPersistent, portChoice } = action;
  if (direction === null) return 'nat';
  const range = formatRange(action);
  const flags = [...(isPersistent ? ['persistent'] : []), ...(portChoice ? [portChoice] : [])];
  const what = `${direction}${range === '' ? '' : `=${range}`}`;
  return `nat(${[what, ...flags].join(',')})`;
}
