/** NORMAL: forward as a learning switch with VLANs does (IEEE 802.1Q, ovs-actions(7)). */
import { type FlowKey, KEY } from '../../flow/key.ts';
import { formatMac } from '../../lib/addresses.ts';
import { u32At } from '../../lib/bytes.ts';
import type { XlateContext } from '../context.ts';
import { composeOutput } from '../output.ts';
import { ETH_TYPE_ARP } from '../protocols.ts';
import { restoreTags, saveTags, VLAN_CFI, VLAN_TAGS } from '../tags.ts';
import { type BundlePicture, type MacObservation, OFPP_CONTROLLER, OFPP_NONE, type PortPicture } from '../types.ts';
import {
  extractVlans,
  includesVlan,
  inputVlans,
  isVlanType,
  outputVlans,
  type PacketVlans,
  PCP,
  putVlans,
  refusal,
  withPriority,
} from '../vlan.ts';

const VID = 0x0fff;

/** Where packets come from that the control side made: every VLAN may come in, nothing is learned. */
const NOWHERE: BundlePicture = {
  name: '',
  bridge: '',
  vlan: { mode: 'trunk', tag: 0, trunks: null, cvlans: null, qinqEthertype: 0x88a8, priorityTags: 'never' },
  protected: false,
  ports: [],
};

/** By vendor: the rest of addresses whose protocols end at the next bridge. */
const reservedVendorAddresses: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [0x00e02b, new Set([0x000000, 0x000004, 0x000006])],
  [0x01000c, new Set([0x000000, 0xcccccc, 0xcccccd, 0xcdcdcd, ...Array.from({ length: 8 }, (_, i) => 0xccccc0 + i)])],
]);

/** Those, and 01:80:c2:00:00:00 to 0f (IEEE 802.1D §7.12.6). */
function isReserved({ bytes }: FlowKey): boolean {
  const at = KEY.eth_dst.offset;
  const vendor = u32At(bytes, at) >>> 8;
  const rest = u32At(bytes, at + 2) & 0xffffff;
  if (vendor === 0x0180c2) return rest <= 0x0f;
  return reservedVendorAddresses.get(vendor)?.has(rest) ?? false;
}

export function normal(ctx: XlateContext): void {
  const { flow } = ctx;
  ctx.unwildcard(KEY.eth_src, KEY.eth_dst);
  ctx.unwildcardBits(KEY.vlan_tci, VID | VLAN_CFI);
  const port = ctx.inPort;
  const bundle = port?.bundle ?? sourceless(ctx);
  if (!bundle) {
    drop(ctx, 'in_port_invalid', 'no input bundle, dropping');
    return;
  }
  if (isVlanType(flow.get(KEY.eth_type)) && (flow.get(KEY.vlan_tci) & VLAN_CFI) === 0) {
    if (ctx.frame) ctx.report('error', `dropping packet with partial VLAN tag received on port ${bundle.name}`);
    drop(ctx, 'vlan_not_member', 'partial VLAN tag, dropping');
    return;
  }
  const tags = extractVlans(flow);
  const refused = bundle === NOWHERE ? null : refusal(bundle, tags[0].vid);
  if (refused) {
    ctx.report('error', refused.text);
    drop(ctx, refused.reason, 'disallowed VLAN VID for this input port, dropping');
    return;
  }
  if (port && !ctx.bridge.forwardBpdu && isReserved(flow)) {
    ctx.report('detail', 'packet has reserved destination MAC, dropping');
    ctx.noteDrop('reserved_multicast');
    return;
  }
  const vlans = inputVlans(bundle.vlan, tags);
  if (port) learn(ctx, port, vlans[0].vid);
  forward(ctx, bundle, { tags, vlans });
}

function drop(ctx: XlateContext, reason: Parameters<XlateContext['noteDrop']>[0], text: string): void {
  ctx.report('warning', text);
  ctx.noteDrop(reason);
}

function sourceless(ctx: XlateContext): BundlePicture | null {
  const inPort = ctx.flow.get(KEY.in_port);
  if (inPort === OFPP_NONE || inPort === OFPP_CONTROLLER) return NOWHERE;
  ctx.report('error', `received packet on unknown port ${inPort}`);
  return null;
}

/** An ARP by which a station tells everybody where it is (RFC 5227 §3). Looks at no more than it has to. */
function isGratuitousArp(ctx: XlateContext): boolean {
  const { flow } = ctx;
  if (flow.get(KEY.eth_type) !== ETH_TYPE_ARP || !flow.isAllOnes(KEY.eth_dst)) return false;
  ctx.unwildcard(KEY.nw_proto);
  const operation = flow.get(KEY.nw_proto);
  if (operation === 2) return true;
  if (operation !== 1) return false;
  ctx.unwildcard(KEY.ipv4_src, KEY.ipv4_dst);
  return flow.get(KEY.ipv4_src) === flow.get(KEY.ipv4_dst);
}

function learn(ctx: XlateContext, port: PortPicture, vlan: number): void {
  const isGratuitous = isGratuitousArp(ctx);
  const { flow } = ctx;
  if (flow.get(KEY.packet_type) !== 0) return;
  const mac = flow.at(KEY.eth_src);
  const seen: MacObservation = { mac, vlan, port: port.bundle.name, isGratuitousArp: isGratuitous };
  if (!ctx.effects.learnMac(ctx.bridge.name, seen) || !ctx.isTracing) return;
  ctx.report('detail', `learned that ${formatMac(mac)} is on port ${seen.port} in VLAN ${vlan}`);
}

/** Tags of a packet as it came into the bridge, and its VLANs inside. */
interface Tagging {
  readonly tags: PacketVlans;
  readonly vlans: PacketVlans;
}

function forward(ctx: XlateContext, from: BundlePicture, tagging: Tagging): void {
  const { bridge } = ctx;
  const learned = bridge.macs.lookup(ctx.flow.at(KEY.eth_dst), tagging.vlans[0].vid, ctx.now);
  if (learned === null) {
    ctx.report('detail', 'no learned MAC for destination, flooding');
    flood(ctx, from, tagging);
    return;
  }
  const to = bridge.bundlesByName.get(learned);
  if (!to) {
    drop(ctx, 'no_output', 'learned port is unknown, dropping');
    return;
  }
  if (to === from) {
    ctx.report('detail', 'learned port is input port, dropping');
    ctx.noteDrop('own_port_only');
    return;
  }
  ctx.report('detail', 'forwarding to learned port');
  outputNormal(ctx, to, tagging);
}

function flood(ctx: XlateContext, from: BundlePicture, tagging: Tagging): void {
  for (const bundle of ctx.bridge.bundles) {
    if (bundle === from || !isFloodable(ctx, bundle)) continue;
    claimInnerTag(ctx, from, bundle, tagging.vlans);
    if (includesVlan(bundle, tagging.vlans)) outputNormal(ctx, bundle, tagging);
  }
}

/** OFPPC_NO_FLOOD on any port of a bundle keeps floods out of it. */
const isFloodable = ({ bridge }: XlateContext, { ports }: BundlePicture): boolean =>
  bridge.portConfig.size === 0 || !ports.some(({ ofport }) => bridge.portConfig.get(ofport)?.noFlood);

/** Whether a port takes the packet can hang on its inner tag: then the datapath must match that. */
function claimInnerTag(ctx: XlateContext, from: BundlePicture, bundle: BundlePicture, vlans: PacketVlans): void {
  const { mode, tag, cvlans } = bundle.vlan;
  const looks = (mode === 'access' || (mode === 'dot1q-tunnel' && cvlans !== null)) && vlans[0].vid === tag;
  if (!looks || vlans[1].tpid === 0) return;
  const { tci } = VLAN_TAGS[from.vlan.mode === 'dot1q-tunnel' ? 0 : 1]!;
  ctx.claims.set(tci, ctx.claims.get(tci) | VID | VLAN_CFI);
}

function outputNormal(ctx: XlateContext, bundle: BundlePicture, { tags, vlans }: Tagging): void {
  const { flow } = ctx;
  const { vlan } = bundle;
  if (vlan.mode === 'dot1q-tunnel' && vlan.cvlans) ctx.unwildcard(KEY.vlan2_tci);
  let out = outputVlans(vlan, vlans);
  if (vlan.priorityTags !== 'never') {
    out = withPriority(out, flow.get(KEY.vlan_tci) & PCP);
    // The priority is copied, on to what may be the second tag: a megaflow must not mix priorities of either
    for (const { tci } of VLAN_TAGS) {
      if ((flow.get(tci) & VLAN_CFI) !== 0) ctx.claims.set(tci, ctx.claims.get(tci) | PCP);
    }
  }
  const port = bundle.ports[0];
  if (!port) return;
  const wereMoved = ctx.areTagsMoved;
  ctx.areTagsMoved ||= out !== tags;
  const saved = saveTags(flow);
  putVlans(flow, out, vlan.priorityTags);
  composeOutput(ctx, port.ofport);
  ctx.areTagsMoved = wereMoved;
  restoreTags(flow, saved);
}
