/** Random bridges, built twice: in the reference switch and as pictures of our own, with the same port numbers. */
import { parseIpv4, parseIpv6, parseMac } from '../../src/lib/addresses.ts';
import { concatBytes, toHex } from '../../src/lib/bytes.ts';
import type { Micros } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import { Bridge, SwitchState } from '../../src/ofproto/index.ts';
import { noEffects } from '../../src/translate/effects.ts';
import type { Effects, TunnelConfig, VlanConfig, VlanMode } from '../../src/translate/types.ts';
import { traceSwitch } from '../../src/vswitchd/trace.ts';
import type { TraceReport } from '../../src/vswitchd/types.ts';
import type { Oracle } from './oracle.ts';

export const mac = (text: string): Uint8Array => parseMac(text)!;
export const ip = (text: string): Uint8Array => parseIpv4(text) ?? parseIpv6(text)!;
const NO_MAC = new Uint8Array(6);

/** The same network in the reference and here. */
export class Twins {
  readonly oracle: Oracle;
  readonly state = new SwitchState();
  now: Micros = 0;

  constructor(oracle: Oracle) {
    this.oracle = oracle;
  }

  /** Number of a port's datapath port in the reference, by name; tunnels share one. */
  #dpPort(name: string): number {
    const line = new RegExp(`^\\s+${name} \\d+/(\\d+):`, 'm').exec(this.oracle.appctl('dpif/show'));
    if (!line) throw new Error(`the reference has no datapath port for ${name}`);
    return Number(line[1]);
  }

  addBridge(name: string, hwaddr: string, settings: readonly string[] = []): void {
    this.oracle.addBridge(name, { failMode: 'standalone', settings: [`other-config:hwaddr="${hwaddr}"`, ...settings] });
    const forwardBpdu = settings.includes('other-config:forward-bpdu=true');
    const bridge = new Bridge({ name, mac: mac(hwaddr), forwardBpdu });
    bridge.addPort({ name, kind: 'local', dpPort: this.#dpPort(name), mac: mac(hwaddr) });
    this.state.addBridge(bridge);
  }

  addPort(bridge: string, name: string, ofport: number, vlan: Partial<VlanConfig> = {}, isProtected = false): void {
    this.oracle.addPort(bridge, name, ofport, [], portSettings(vlan, isProtected));
    const dpPort = this.#dpPort(name);
    this.#bridge(bridge).addPort({ name, kind: 'device', dpPort, mac: NO_MAC, ofport, vlan, protected: isProtected });
  }

  addPatch(bridgeA: string, portA: string, bridgeB: string, portB: string, vlan: Partial<VlanConfig> = {}): void {
    const add = (bridge: string, name: string, peer: string): string[] =>
      ['--', 'add-port', bridge, name, '--', 'set', 'interface', name, 'type=patch', `options:peer=${peer}`].concat(
        'ofport_request=50',
      );
    const settings = portSettings(vlan, false);
    // One after the other: ports that come together have no order
    this.oracle.vsctl(...add(bridgeA, portA, portB), ...setPort(portA, settings));
    this.oracle.vsctl(...add(bridgeB, portB, portA));
    const common = { kind: 'patch', dpPort: null, mac: NO_MAC, ofport: 50 } as const;
    this.#bridge(bridgeA).addPort({ ...common, name: portA, peer: { bridge: bridgeB, port: portB }, vlan });
    this.#bridge(bridgeB).addPort({ ...common, name: portB, peer: { bridge: bridgeA, port: portA } });
  }

  addTunnel(bridge: string, name: string, ofport: number, config: TunnelConfig, options: readonly string[]): void {
    const settings = [
      `type=${config.type}`,
      `ofport_request=${ofport}`,
      ...options.map((option) => `options:${option}`),
    ];
    this.oracle.vsctl('add-port', bridge, name, '--', 'set', 'interface', name, ...settings);
    const dpPort = this.#dpPort(name);
    this.#bridge(bridge).addPort({ name, kind: 'tunnel', dpPort, mac: NO_MAC, ofport, tunnel: config });
    const known = this.state.endpoints.some((endpoint) => endpoint.dpPort === dpPort);
    if (known) return;
    this.state.endpoints = [...this.state.endpoints, { type: config.type, dstPort: config.dstPort, dpPort }];
    this.state.touch();
  }

  addAddress(bridge: string, address: string, prefixLength: number): void {
    const family = address.includes(':') ? 'ip6addr' : 'ip4addr';
    this.oracle.appctl(`netdev-dummy/${family}`, bridge, `${address}/${prefixLength}`);
    this.oracle.appctl('ovs/route/add', `${address}/${prefixLength}`, bridge);
    const own = ip(address);
    this.state.routes.add({ prefix: own, prefixLength, device: bridge, gateway: null, source: own });
    const { mac: hwaddr } = this.#bridge(bridge).settings;
    this.state.localAddresses = [...this.state.localAddresses, { bridge, address: own, mac: hwaddr }];
    this.state.touch();
  }

  addNeighbor(bridge: string, address: string, hwaddr: string): void {
    this.oracle.appctl('tnl/neigh/set', bridge, address, hwaddr);
    this.state.neighbors.setStatic(bridge, ip(address), mac(hwaddr));
  }

  #bridge(name: string): Bridge {
    return this.state.bridges.get(name)!;
  }

  /** A trace here, with or without learning. */
  trace(bridge: string, flow: string, learns: boolean): TraceReport {
    const effects = learns ? this.#learning() : undefined;
    return traceSwitch(this.state.picture(), bridge, { flow }, this.now, effects);
  }

  #learning(): Effects {
    const { state, now } = this;
    return {
      ...noEffects,
      learnMac: (bridge, entry) => state.bridges.get(bridge)!.macs.learn(entry, now),
      learnNeighbor: (bridge, address, hwaddr) => state.neighbors.learn(bridge, address, hwaddr, now),
    };
  }

  /** A trace of a whole frame: the reference always learns from these. */
  traceFrame(bridge: string, inPort: string, frame: Uint8Array): TraceReport {
    return traceSwitch(this.state.picture(), bridge, { frame, inPort }, this.now, this.#learning());
  }

  traceFrameReference(bridge: string, ofport: number, frame: Uint8Array): string {
    return this.oracle.appctl('ofproto/trace', bridge, `in_port=${ofport}`, toHex(frame));
  }

  traceReference(bridge: string, flow: string, learns: boolean): string {
    return this.oracle.appctl('ofproto/trace', bridge, flow, ...(learns ? ['-generate'] : []));
  }

  /** Lines of fdb/show without ages, sorted. */
  macTableReference(bridge: string): string[] {
    const lines = this.oracle.appctl('fdb/show', bridge).trim().split('\n').slice(1);
    return lines.map((line) => line.trim().split(/\s+/).slice(0, 3).join(' ')).sort();
  }

  macTable(bridge: string): string[] {
    const { ports } = this.#bridge(bridge).picture();
    const byName = new Map([...ports.values()].map((port) => [port.name, port.ofport]));
    const entries = this.#bridge(bridge).macs.entries(this.now);
    const text = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':');
    const number = (name: string): string => (name === bridge ? 'LOCAL' : String(byName.get(name)));
    return entries.map(({ port, vlan, mac: address }) => `${number(port)} ${vlan} ${text(address)}`).sort();
  }
}

const setPort = (name: string, settings: readonly string[]): string[] =>
  settings.length > 0 ? ['--', 'set', 'port', name, ...settings] : [];

function portSettings(vlan: Partial<VlanConfig>, isProtected: boolean): string[] {
  const list = (set: ReadonlySet<number>): string => `[${[...set].join(',')}]`;
  return [
    ...(vlan.mode ? [`vlan_mode=${vlan.mode}`] : []),
    ...(vlan.tag === undefined ? [] : [`tag=${vlan.tag}`]),
    ...(vlan.trunks ? [`trunks=${list(vlan.trunks)}`] : []),
    ...(vlan.cvlans ? [`cvlans=${list(vlan.cvlans)}`] : []),
    ...(vlan.qinqEthertype === 0x8100 ? ['other_config:qinq-ethtype=802.1q'] : []),
    ...(vlan.priorityTags ? [`other_config:priority-tags=${vlan.priorityTags}`] : []),
    ...(isProtected ? ['protected=true'] : []),
  ];
}

const VLANS = [10, 20, 30];
const modes: readonly VlanMode[] = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'];

const someVlans = (random: Random): Set<number> =>
  new Set(VLANS.filter(() => random.chance(0.5)).concat(random.pick(VLANS)));

export function randomVlan(random: Random): Partial<VlanConfig> {
  const mode = random.pick(modes);
  const priorityTags = random.chance(0.2) ? random.pick(['if-nonzero', 'always'] as const) : null;
  return {
    mode,
    ...(mode === 'trunk' ? {} : { tag: random.pick(VLANS) }),
    ...(mode.startsWith('native') || mode === 'trunk' ? (random.chance(0.5) ? { trunks: someVlans(random) } : {}) : {}),
    ...(mode === 'dot1q-tunnel' && random.chance(0.5) ? { cvlans: someVlans(random) } : {}),
    ...(mode === 'dot1q-tunnel' && random.chance(0.5) ? { qinqEthertype: 0x8100 as const } : {}),
    ...(priorityTags ? { priorityTags } : {}),
  };
}

const stations = ['50:54:00:00:00:01', '50:54:00:00:00:02', '50:54:00:00:00:03', '50:54:00:00:00:04'];
const groups = [
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:00:00:01',
  '01:80:c2:00:00:02',
  '01:80:c2:00:00:20',
  '01:00:0c:cc:cc:cd',
];

/** Flow text of a random packet that comes in by one of these OpenFlow ports. */
export function randomFlow(random: Random, ports: readonly (number | 'LOCAL')[]): string {
  const dst = random.chance(0.75) ? random.pick(stations) : random.pick(groups);
  const src = random.chance(0.95) ? random.pick(stations) : '01:00:5e:00:00:09';
  const fields = [`in_port=${random.pick(ports)}`, `dl_src=${src}`, `dl_dst=${dst}`];
  if (random.chance(0.6)) fields.push(`dl_vlan=${random.pick([0, ...VLANS])}`, `dl_vlan_pcp=${random.below(8)}`);
  return [...fields, ...randomPayload(random, dst)].join(',');
}

function randomPayload(random: Random, dst: string): string[] {
  switch (random.below(6)) {
    case 0:
      return ['dl_type=0x1234'];
    case 1: {
      const target = dst === groups[0] && random.chance(0.5) ? '10.0.0.1' : '10.0.0.2';
      return ['arp', `arp_op=${random.below(4)}`, 'arp_spa=10.0.0.1', `arp_tpa=${target}`];
    }
    case 2:
      return [
        'tcp',
        'nw_src=10.0.0.1',
        'nw_dst=10.0.0.2',
        `tcp_dst=${random.below(65536)}`,
        `nw_tos=${random.below(64) * 4}`,
      ];
    case 3:
      return ['udp', 'nw_src=10.0.0.1', `nw_ecn=${random.below(4)}`, 'nw_ttl=5'];
    case 4:
      return ['ip', `nw_frag=${random.pick(['no', 'first', 'later'])}`, 'nw_proto=6'];
    default:
      return ['icmp6', 'ipv6_src=fe80::1', 'ipv6_dst=fe80::2', 'icmpv6_type=135'];
  }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value);

/** A frame with up to three tags and some payload behind them: what flow text cannot say. */
export function randomTaggedFrame(random: Random): Uint8Array {
  const tags = Array.from({ length: random.below(4) }, () => {
    const vid = random.pick([0, 0, ...VLANS]);
    const tci = (random.pick([0, 0, 3, 7]) << 13) | vid;
    return concatBytes(u16(random.pick([0x8100, 0x88a8])), u16(tci));
  });
  const payload = concatBytes(u16(random.pick([0x0800, 0x1234, 0x0806])), random.bytes(46));
  return concatBytes(mac(random.pick([...stations, groups[0]!])), mac(random.pick(stations)), ...tags, payload);
}

/** The lines of a trace that say what was decided. */
export const decision = (text: string): string =>
  text
    .split('\n')
    .filter((line) => /^(Final flow|Megaflow|Datapath actions):/.test(line))
    .join('\n');
