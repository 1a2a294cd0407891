/** The commands dpif/show-dp-features and dpif/set-dp-features: what the datapath can do. */
import type { ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { inNameOrder } from '../database/reference-order.ts';
import { bridgeOf } from './fdb.ts';

interface Feature {
  readonly name: string;
  readonly title: string;
  readonly value: boolean | number;
}

/** In the order of `dpif/show-dp-features`. */
const features: readonly Feature[] = [
  { name: 'masked_set_action', title: 'Masked set action', value: true },
  { name: 'tnl_push_pop', title: 'Tunnel push pop', value: true },
  { name: 'ufid', title: 'Ufid', value: true },
  { name: 'trunc', title: 'Truncate action', value: true },
  { name: 'clone', title: 'Clone action', value: true },
  { name: 'sample_nesting', title: 'Sample nesting', value: 10 },
  { name: 'ct_eventmask', title: 'Conntrack eventmask', value: true },
  { name: 'ct_clear', title: 'Conntrack clear', value: true },
  { name: 'max_hash_alg', title: 'Max dp_hash algorithm', value: 1 },
  { name: 'check_pkt_len', title: 'Check pkt length action', value: true },
  { name: 'ct_timeout', title: 'Conntrack timeout policy', value: true },
  { name: 'explicit_drop_action', title: 'Explicit Drop action', value: true },
  { name: 'lb_output_action', title: 'Optimized Balance TCP mode', value: true },
  { name: 'ct_zero_snat', title: 'Conntrack all-zero IP SNAT', value: true },
  { name: 'add_mpls', title: 'MPLS Label add', value: true },
  { name: 'max_vlan_headers', title: 'Max VLAN headers', value: 1 },
  { name: 'max_mpls_depth', title: 'Max MPLS depth', value: 3 },
  { name: 'recirc', title: 'Recirc', value: true },
  { name: 'ct_state', title: 'CT state', value: true },
  { name: 'ct_zone', title: 'CT zone', value: true },
  { name: 'ct_mark', title: 'CT mark', value: true },
  { name: 'ct_label', title: 'CT label', value: true },
  { name: 'ct_state_nat', title: 'CT state NAT', value: true },
  { name: 'ct_orig_tuple', title: 'CT orig tuple', value: true },
  { name: 'ct_orig_tuple6', title: 'CT orig tuple for IPv6', value: true },
  { name: 'nd_ext', title: 'IPv6 ND Extension', value: true },
];

const show = (): string =>
  features.map(({ title, value }) => `${title}: ${value === true ? 'Yes' : value === false ? 'No' : value}\n`).join('');

function set(name: string | undefined, text: string | undefined): string {
  if (name === undefined || text === undefined) {
    return inNameOrder(features, (feature) => feature.name)
      .map(({ name: own, title, value }) => `${own} (${title}) : [run time]:${value}, [boot time]:${value}\n`)
      .join('');
  }
  const feature = features.find((one) => one.name === name);
  if (!feature) return 'Unexpected support field';
  if (typeof feature.value === 'boolean') {
    if (text !== 'true' && text !== 'false') return 'Boolean value expected';
    return String(feature.value) === text ? '' : 'Can not change the feature of this datapath';
  }
  if (!/^\d+$/.test(text)) return 'Integer number expected';
  return Number(text) > feature.value ? `Can not set value beyond ${feature.value}` : '';
}

export function registerFeatures(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('dpif/show-dp-features', 'bridge', 1, 1, ([bridge]) => {
    bridgeOf(daemon, bridge!);
    return show();
  });
  control.register('dpif/set-dp-features', 'bridge', 1, 3, ([bridge, name, value]) => {
    bridgeOf(daemon, bridge!);
    return set(name, value);
  });
}
