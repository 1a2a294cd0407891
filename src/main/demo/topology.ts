/** The demo's network: two hypervisors, a VXLAN tunnel between them, two virtual machines on each. */
import type { HostOptions, NetworkDescription, SimPortOptions, SwitchDescription } from '../../sim/index.ts';

export const VNI = 100;
/** Outer Ethernet, IPv4, UDP and VXLAN headers: what the underlay must carry beyond 1500 bytes. */
const UNDERLAY_MTU = 1600;

export interface Vm {
  readonly name: string;
  readonly hypervisor: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** The tenant's VLAN; null when all are in one network. */
  readonly tag: number | null;
}

export const TENANTS: Readonly<Record<number, string>> = { 10: 'red', 20: 'blue' };

/** @param isSplit two tenants, one machine of each on each hypervisor */
export function machines(isSplit: boolean): readonly Vm[] {
  return [1, 2, 3, 4].map((number) => ({
    name: `vm${number}`,
    hypervisor: number <= 2 ? 'hv1' : 'hv2',
    ipv4: `10.0.0.${number}`,
    ipv6: `fd00::${number}`,
    tag: isSplit ? (number % 2 === 1 ? 10 : 20) : null,
  }));
}

export const UNDERLAY: Readonly<Record<string, string>> = { hv1: '172.16.0.1', hv2: '172.16.0.2' };

const hostOf = (vm: Vm): HostOptions => ({
  mac: `02:00:00:00:00:0${vm.name.slice(2)}`,
  ipv4: `${vm.ipv4}/24`,
  ipv6: `${vm.ipv6}/64`,
});

function hypervisor(name: string, vms: readonly Vm[]): SwitchDescription {
  const ports: Record<string, SimPortOptions> = { eth0: { bridge: 'br-phy', mtu: UNDERLAY_MTU } };
  for (const vm of vms) ports[vm.name] = { bridge: 'br-int', ...(vm.tag === null ? {} : { tag: vm.tag }) };
  const localIp = UNDERLAY[name]!;
  const remoteIp = UNDERLAY[name === 'hv1' ? 'hv2' : 'hv1']!;
  return {
    bridges: { 'br-int': {}, 'br-phy': { addresses: [`${localIp}/24`] } },
    ports,
    tunnels: { vxlan0: { bridge: 'br-int', type: 'vxlan', localIp, remoteIp, key: VNI } },
  };
}

export function describeDemo(vms: readonly Vm[]): NetworkDescription {
  const on = (name: string): readonly Vm[] => vms.filter((vm) => vm.hypervisor === name);
  return {
    hosts: Object.fromEntries(vms.map((vm) => [vm.name, hostOf(vm)])),
    switches: { hv1: hypervisor('hv1', on('hv1')), hv2: hypervisor('hv2', on('hv2')) },
    links: [
      ...vms.map((vm) => ({ a: vm.name, b: `${vm.hypervisor}:${vm.name}`, latency: 5 })),
      { a: 'hv1:eth0', b: 'hv2:eth0', latency: 50, mtu: UNDERLAY_MTU },
    ],
  };
}
