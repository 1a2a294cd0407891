/** What a switch should be: the content of a file for `weft run`, checked and with all defaults filled in. */
import type { OfPort, PatchPeer, TunnelConfig, VlanConfig } from '../../translate/types.ts';
import type { DeviceOptions, DeviceType } from '../devices.ts';
import type { InterfaceAddress, SwitchOptions } from '../types.ts';

export interface DeviceTarget {
  readonly kind: 'device';
  readonly backend: DeviceType;
  /** Name of the kernel's interface. */
  readonly interface: string;
  readonly options: DeviceOptions;
}

export interface PatchTarget {
  readonly kind: 'patch';
  readonly peer: PatchPeer;
}

export interface TunnelTarget {
  readonly kind: 'tunnel';
  readonly tunnel: TunnelConfig;
}

export interface DesiredPort {
  readonly bridge: string;
  readonly name: string;
  /** Null for the next free one. */
  readonly ofport: OfPort | null;
  readonly vlan: Partial<VlanConfig>;
  readonly protected: boolean;
  readonly target: DeviceTarget | PatchTarget | TunnelTarget;
}

export interface DesiredBridge {
  readonly name: string;
  readonly mac: Uint8Array;
  /** Who stands behind the local port: nobody, the switch's own host, or the kernel by a TAP device. */
  readonly local: 'none' | 'embedded' | 'internal';
  readonly addresses: readonly InterfaceAddress[];
  /** Of the kernel's interface; null for the default. */
  readonly mtu: number | null;
  readonly failMode: 'standalone' | 'secure';
  readonly forwardBpdu: boolean;
  /** Microseconds. */
  readonly macAging: number;
  readonly macTableSize: number;
  /** As `ovs-vsctl set-controller` takes them; null leaves controllers to others. */
  readonly controllers: readonly string[] | null;
}

export interface DesiredRoute {
  readonly prefix: Uint8Array;
  readonly prefixLength: number;
  readonly bridge: string;
  readonly gateway: Uint8Array | null;
}

export interface DesiredNeighbor {
  readonly bridge: string;
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

/** What is fixed when the process starts. */
export interface DesiredSettings {
  readonly options: Pick<
    SwitchOptions,
    'ringSize' | 'frameCount' | 'chunkSize' | 'flowLimit' | 'maxIdle' | 'memorySize'
  >;
  /** Microseconds of turning on after the last frame; null for the default. */
  readonly spinMax: number | null;
  /** Processors that the switch may run on; empty for all. */
  readonly cpus: readonly number[];
  /** Null for the default: as many as the database's pmd-cpu-mask has processors, or one. */
  readonly workers: number | null;
}

export interface DesiredState {
  readonly settings: DesiredSettings;
  /** By name. */
  readonly bridges: ReadonlyMap<string, DesiredBridge>;
  /** By name: names are unique in a switch. */
  readonly ports: ReadonlyMap<string, DesiredPort>;
  readonly routes: readonly DesiredRoute[];
  readonly neighbors: readonly DesiredNeighbor[];
  /** OpenFlow flows as ovs-ofctl takes them, by bridge; bridges of which the file says nothing are not in it. */
  readonly flows: ReadonlyMap<string, readonly string[]>;
}
