/** The few datapath actions that workloads use, as bytes in linear memory and as Open vSwitch's text. */
import {
  ACT_OUTPUT,
  ACT_OUTPUT_SIZEOF,
  ACT_POP_VLAN,
  ACT_POP_VLAN_SIZEOF,
  ACT_PUSH_VLAN,
  ACT_PUSH_VLAN_SIZEOF,
  ACT_SET_ETH,
  ACT_SET_ETH_DST,
  ACT_SET_ETH_DST_MASK,
  ACT_SET_ETH_SIZEOF,
  ACT_SET_ETH_SRC,
  ACT_SET_IPV4,
  ACT_SET_IPV4_SIZEOF,
  ACT_SET_IPV4_TTL,
  ACT_SET_IPV4_TTL_MASK,
  ACT_SET_IPV6,
  ACT_SET_IPV6_HLIMIT,
  ACT_SET_IPV6_HLIMIT_MASK,
  ACT_SET_IPV6_SIZEOF,
  ACT_TNL_POP,
  ACT_TNL_POP_SIZEOF,
} from '../src/gen/actions.ts';
import { formatMac } from '../src/lib/addresses.ts';
import { concatBytes, putU16 } from '../src/lib/bytes.ts';
import { putMac } from './frames.ts';
import type { WorkloadActions } from './workload-file.ts';

function record(code: number, size: number): Uint8Array {
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, size, true);
  return out;
}

function portAction(code: number, size: number, port: number): Uint8Array {
  const out = record(code, size);
  new DataView(out.buffer).setUint32(4, port, true);
  return out;
}

export const output = (port: number): WorkloadActions => ({
  encoded: portAction(ACT_OUTPUT, ACT_OUTPUT_SIZEOF, port),
  text: `${port}`,
});

export const tunnelPop = (port: number): WorkloadActions => ({
  encoded: portAction(ACT_TNL_POP, ACT_TNL_POP_SIZEOF, port),
  text: `tnl_pop(${port})`,
});

/** @param dst the number in the MAC address: putMac */
export function setEth(dst: number, src: number): WorkloadActions {
  const encoded = record(ACT_SET_ETH, ACT_SET_ETH_SIZEOF);
  putMac(encoded, ACT_SET_ETH_DST, dst);
  putMac(encoded, ACT_SET_ETH_SRC, src);
  encoded.fill(0xff, ACT_SET_ETH_DST_MASK, ACT_SET_ETH_DST_MASK + 12);
  const mac = (at: number): string => formatMac(encoded.subarray(at, at + 6));
  return { encoded, text: `set(eth(src=${mac(ACT_SET_ETH_SRC)},dst=${mac(ACT_SET_ETH_DST)}))` };
}

export function setIpv4Ttl(ttl: number): WorkloadActions {
  const encoded = record(ACT_SET_IPV4, ACT_SET_IPV4_SIZEOF);
  encoded[ACT_SET_IPV4_TTL] = ttl;
  encoded[ACT_SET_IPV4_TTL_MASK] = 0xff;
  return { encoded, text: `set(ipv4(ttl=${ttl}))` };
}

export function setIpv6HopLimit(limit: number): WorkloadActions {
  const encoded = record(ACT_SET_IPV6, ACT_SET_IPV6_SIZEOF);
  encoded[ACT_SET_IPV6_HLIMIT] = limit;
  encoded[ACT_SET_IPV6_HLIMIT_MASK] = 0xff;
  return { encoded, text: `set(ipv6(hlimit=${limit}))` };
}

export function pushVlan(vid: number): WorkloadActions {
  const encoded = record(ACT_PUSH_VLAN, ACT_PUSH_VLAN_SIZEOF);
  putU16(encoded, 4, 0x8100);
  putU16(encoded, 6, 0x1000 | vid);
  return { encoded, text: `push_vlan(vid=${vid},pcp=0)` };
}

export const popVlan = (): WorkloadActions => ({
  encoded: record(ACT_POP_VLAN, ACT_POP_VLAN_SIZEOF),
  text: 'pop_vlan',
});

export const inOrder = (...actions: readonly WorkloadActions[]): WorkloadActions => ({
  encoded: concatBytes(...actions.map((a) => a.encoded)),
  text: actions.map((a) => a.text).join(','),
});
