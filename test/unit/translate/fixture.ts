/** Small switches and packets for tests of translation: names and numbers, no devices. */
import { FlowKey, KEY } from '../../../src/flow/key.ts';
import { formatActions } from '../../../src/flow/odp/format.ts';
import { parseIpv4, parseIpv6, parseMac } from '../../../src/lib/addresses.ts';
import type { Micros } from '../../../src/lib/clock.ts';
import { Bridge, SwitchState } from '../../../src/ofproto/index.ts';
import { noEffects } from '../../../src/translate/effects.ts';
import { translate } from '../../../src/translate/index.ts';
import type { Effects, PatchPeer, TunnelConfig, VlanConfig, XlateOut } from '../../../src/translate/types.ts';

export const mac = (text: string): Uint8Array => parseMac(text)!;
/** 4 or 16 bytes. */
export const ip = (text: string): Uint8Array => parseIpv4(text) ?? parseIpv6(text)!;

export interface TestPort {
  readonly name: string;
  /** Datapath port; a patch port has none. */
  readonly dp?: number;
  readonly vlan?: Partial<VlanConfig>;
  readonly protected?: boolean;
  readonly peer?: PatchPeer;
  readonly tunnel?: TunnelConfig;
  readonly forwards?: boolean;
}

export interface TestBridge {
  readonly name: string;
  /** Datapath port of the local port. */
  readonly local: number;
  readonly mac?: string;
  readonly forwardBpdu?: boolean;
  readonly failMode?: 'standalone' | 'secure';
  readonly ports: readonly TestPort[];
}

export function buildState(...bridges: readonly TestBridge[]): SwitchState {
  const state = new SwitchState();
  for (const config of bridges) {
    const own = mac(config.mac ?? '02:00:00:00:00:01');
    const { name, forwardBpdu = false, failMode = 'standalone' } = config;
    const bridge = new Bridge({ name, mac: own, forwardBpdu, failMode });
    bridge.addPort({ name, kind: 'local', dpPort: config.local, mac: own });
    for (const port of config.ports) {
      bridge.addPort({
        name: port.name,
        kind: port.peer ? 'patch' : port.tunnel ? 'tunnel' : 'device',
        dpPort: port.dp ?? null,
        mac: new Uint8Array(6),
        ...(port.vlan ? { vlan: port.vlan } : {}),
        ...(port.protected ? { protected: true } : {}),
        ...(port.peer ? { peer: port.peer } : {}),
        ...(port.tunnel ? { tunnel: port.tunnel } : {}),
      });
      if (port.forwards === false) bridge.setForwards(port.name, false);
    }
    state.addBridge(bridge);
  }
  return state;
}

/** What a packet is made of; tags outermost first, as `[tpid, vid, pcp]` or just the VLAN. */
export interface TestPacket {
  readonly inPort: number;
  readonly src?: string;
  readonly dst?: string;
  readonly tags?: readonly (number | readonly [tpid: number, vid: number, pcp: number])[];
  readonly type?: number;
  readonly proto?: number;
  readonly ipSrc?: string;
  readonly ipDst?: string;
  readonly tos?: number;
  readonly ttl?: number;
  readonly tpSrc?: number;
  readonly tpDst?: number;
  readonly frag?: number;
  readonly arpSha?: string;
  readonly tunSrc?: string;
  readonly tunDst?: string;
  readonly tunId?: bigint;
  readonly tunTos?: number;
}

const tagFields = [
  [KEY.vlan_tpid, KEY.vlan_tci],
  [KEY.vlan2_tpid, KEY.vlan2_tci],
] as const;

export function packet(spec: TestPacket): FlowKey {
  const key = new FlowKey().set(KEY.in_port, spec.inPort).set(KEY.eth_type, spec.type ?? 0x0800);
  key
    .setBytes(KEY.eth_src, mac(spec.src ?? '50:54:00:00:00:05'))
    .setBytes(KEY.eth_dst, mac(spec.dst ?? '50:54:00:00:00:07'));
  (spec.tags ?? []).forEach((tag, i) => {
    const [tpid, vid, pcp] = typeof tag === 'number' ? [0x8100, tag, 0] : tag;
    const [tpidField, tciField] = tagFields[i]!;
    key.set(tpidField, tpid).set(tciField, 0x1000 | vid | (pcp << 13));
  });
  key
    .set(KEY.nw_proto, spec.proto ?? 0)
    .set(KEY.nw_tos, spec.tos ?? 0)
    .set(KEY.nw_ttl, spec.ttl ?? 0);
  key
    .set(KEY.nw_frag, spec.frag ?? 0)
    .set(KEY.tp_src, spec.tpSrc ?? 0)
    .set(KEY.tp_dst, spec.tpDst ?? 0);
  if (spec.ipSrc) setAddress(key, spec.ipSrc, [KEY.ipv4_src, KEY.ipv6_src]);
  if (spec.ipDst) setAddress(key, spec.ipDst, [KEY.ipv4_dst, KEY.ipv6_dst]);
  if (spec.tunSrc) setAddress(key, spec.tunSrc, [KEY.tun_src, KEY.tun_ipv6_src]);
  if (spec.tunDst) setAddress(key, spec.tunDst, [KEY.tun_dst, KEY.tun_ipv6_dst]);
  if (spec.arpSha) key.setBytes(KEY.arp_sha, mac(spec.arpSha));
  if (spec.tunId !== undefined) key.setU64(KEY.tun_id, spec.tunId);
  key.set(KEY.tun_tos, spec.tunTos ?? 0);
  return key;
}

function setAddress(
  key: FlowKey,
  text: string,
  [v4, v6]: readonly [Parameters<FlowKey['at']>[0], Parameters<FlowKey['at']>[0]],
) {
  const address = ip(text);
  key.setBytes(address.length === 4 ? v4 : v6, address);
}

export function xlate(state: SwitchState, key: FlowKey, now: Micros = 0, effects: Effects = noEffects): XlateOut {
  return translate({ picture: state.picture(), key, frame: null, now, effects });
}

/** The datapath actions of a packet as text. */
export function actionsOf(state: SwitchState, spec: TestPacket): string {
  const { actions } = xlate(state, packet(spec));
  return actions.length === 0 ? 'drop' : formatActions(actions);
}

export const vxlan = (remote: string, settings: Partial<TunnelConfig> = {}): TunnelConfig => ({
  type: 'vxlan',
  remoteIp: ip(remote),
  localIp: null,
  inKey: 123n,
  outKey: 123n,
  dstPort: 4789,
  tos: 0,
  ttl: 64,
  dontFragment: true,
  csum: false,
  ...settings,
});

/** Two bridges on one machine: `int` with a tunnel, and `phy`, which carries it. 1.1.2.88 is here, 1.1.2.92 is there. */
export function buildTunnels(
  tunnels: readonly TunnelConfig[],
  options: { readonly isResolved?: boolean } = {},
): SwitchState {
  const state = buildState(
    {
      name: 'int',
      local: 100,
      ports: [{ name: 'i1', dp: 1 }, ...tunnels.map((tunnel, i) => ({ name: `t${i}`, dp: 4789, tunnel }))],
    },
    { name: 'phy', local: 101, mac: 'aa:55:aa:55:00:00', ports: [{ name: 'w1', dp: 2 }] },
  );
  for (const [address, prefixLength] of [
    ['1.1.2.88', 24],
    ['2001:cafe::88', 64],
  ] as const) {
    state.routes.add({ prefix: ip(address), prefixLength, device: 'phy', gateway: null, source: ip(address) });
  }
  state.localAddresses = ['1.1.2.88', '2001:cafe::88'].map((address) => ({
    bridge: 'phy',
    address: ip(address),
    mac: mac('aa:55:aa:55:00:00'),
  }));
  state.endpoints = [{ type: 'vxlan', dstPort: 4789, dpPort: 4789 }];
  if (options.isResolved !== false) {
    state.neighbors.learn('phy', ip('1.1.2.92'), mac('f8:bc:12:44:34:b6'), 0);
    state.neighbors.learn('phy', ip('2001:cafe::92'), mac('f8:bc:12:44:34:b6'), 0);
  }
  return state;
}
