/**
 * Why a frame ended without leaving by a port: each reason is a counter of the worker.
 * `code` is the number in drop actions and counters; it never changes meaning.
 */
export interface DropReasonSpec {
  readonly code: number;
  readonly name: string;
  readonly help: string;
}

const rows: readonly (readonly [name: string, help: string])[] = [
  ['none', 'not dropped'],
  ['rx_runt', 'shorter than an Ethernet header'],
  ['rx_oversize', 'longer than its chunk'],
  ['rx_no_port', 'came in by a port that is not there or is down'],
  ['upcall_overflow', 'missed every megaflow, and the upcall ring was full'],
  ['upcall_refused', 'missed, and the control side gave the frame back without actions'],
  ['no_frame', 'no free chunk for a copy'],
  ['explicit', 'the actions of its flow are empty or say drop'],
  ['output_no_port', 'output to a port that is not there'],
  ['output_down', 'output to a port that is down'],
  ['output_mtu', 'longer than the MTU of the output port'],
  ['output_ring_full', 'transmit ring of the output port full'],
  ['recirc_depth', 'recirculated too often'],
  ['action_depth', 'action lists nested too deeply'],
  ['action_invalid', 'an action that does not fit the frame'],
  ['action_unknown', 'an action that this datapath does not know'],
  ['headroom', 'no room in front of the frame for a header'],
  ['meter', 'dropped by a meter band'],
  ['tunnel_pop', 'the outer headers are not a tunnel that can be taken off'],
  ['tunnel_pop_length', 'a length of the outer headers lies'],
  ['tunnel_pop_checksum', 'a checksum of the outer headers is wrong'],
  ['tunnel_pop_options', 'critical or malformed tunnel options'],
  ['sample_end', 'the copy that a sample or clone worked on ended without output'],
  ['in_port_invalid', 'translation: no bridge port for this datapath port'],
  ['vlan_not_member', 'translation: the VLAN is not one of the port’s'],
  ['vlan_tagged_access', 'translation: a tag on an access port'],
  ['reserved_multicast', 'translation: reserved link-local address'],
  ['own_port_only', 'translation: the only output is where it came from'],
  ['no_output', 'translation: nobody to send it to'],
  ['split_horizon', 'translation: source of a flood came back'],
  ['recursion', 'translation: nested too deeply'],
  ['resubmits', 'translation: too many resubmits'],
  ['tunnel_no_route', 'translation: no route to the tunnel’s remote end'],
  ['tunnel_no_neighbor', 'translation: the tunnel’s next hop is not resolved yet'],
  ['tunnel_ecn', 'translation: the outer header met congestion, and the packet inside cannot be told (RFC 6040 §4.2)'],
  ['tunnel_no_config', 'translation: no tunnel port takes this packet'],
  ['table_miss', 'translation: no OpenFlow rule, and the table drops'],
  ['held_shutdown', 'held for an upcall when the datapath was closed'],
  ['link_loss', 'simulation: lost on a link'],
  ['link_down', 'simulation: the link is down'],
  ['link_queue', 'simulation: the link’s queue is full'],
  ['link_mtu', 'simulation: longer than the link’s MTU'],
  ['actions_too_long', 'translation: more actions than the datapath takes in one list'],
  ['hand_over_full', 'the worker that owns the output port does not take frames fast enough'],
  ['worker_lost', 'a worker had it when it died'],
];

export const dropReasons: readonly DropReasonSpec[] = rows.map(([name, help], code) => ({ code, name, help }));
