/** Real devices by one word, for the scripts that run in namespaces. */
import { XdpNetdev } from '../../backends/afxdp/index.ts';
import { PacketNetdev } from '../../backends/packet/index.ts';
import { TapNetdev } from '../../backends/tap/index.ts';
import { must } from '../../src/lib/result.ts';
import type { Netdev } from '../../src/netdev/netdev.ts';

export interface IoPort {
  readonly backend: 'packet' | 'tap' | 'afxdp' | 'afxdp-trust' | 'afxdp-generic';
  readonly name: string;
  /** 1500 when left out. */
  readonly mtu?: number;
}

export type RealNetdev = Netdev & { readonly fd: number | null };

/** Interfaces have their MTU already; a TAP device gets it here. @throws when the device cannot be had */
export const openers: Record<IoPort['backend'], (name: string, mtu?: number) => RealNetdev> = {
  afxdp: (name) => must(XdpNetdev.open(name, { mode: 'native' })),
  'afxdp-trust': (name) => must(XdpNetdev.open(name, { mode: 'native', checksums: 'trust' })),
  'afxdp-generic': (name) => must(XdpNetdev.open(name, { mode: 'generic' })),
  packet: (name) => must(PacketNetdev.open(name)),
  tap: (name, mtu = 1500) => must(TapNetdev.open(name, { mtu })),
};
