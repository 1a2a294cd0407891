/** Results as markdown. */

import type { FlowModFigures } from './flow-mods.ts';
import type { LossFigures, RoundTripFigures } from './forwarding.ts';
import type { SetUpFigures } from './set-ups.ts';

export interface Both<T> {
  readonly weft: T;
  readonly ovs: T;
}

export interface Results {
  readonly processor: string;
  readonly flowMods: readonly Both<FlowModFigures>[];
  readonly setUps: readonly (Both<SetUpFigures> & { readonly name: string })[];
  readonly roundTrips: Both<RoundTripFigures>;
  readonly loss: Both<LossFigures>;
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const ratio = (a: number, b: number): string => (b > 0 ? (a / b).toFixed(2) : '—');
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function flowModRows({ weft, ovs }: Both<FlowModFigures>): string[][] {
  const rate = (name: string, a: number, b: number): string[] => [
    `${name}, ${whole(weft.flows)} flows`,
    whole(a),
    whole(b),
    ratio(a, b),
  ];
  const fixed = (name: string, a: number, b: number): string[] => [
    `${name}, ${whole(weft.flows)} flows`,
    a.toFixed(2),
    b.toFixed(2),
    ratio(a, b),
  ];
  return [
    rate('flow-mods a second, one by one with a barrier each', weft.oneByOne, ovs.oneByOne),
    rate('flow-mods a second, streamed', weft.streamed, ovs.streamed),
    rate('flow-mods a second, in bundles', weft.bundled, ovs.bundled),
    rate('bytes a flow', weft.bytesPerFlow, ovs.bytesPerFlow),
    fixed('seconds of dump-flows', weft.dumpSeconds, ovs.dumpSeconds),
    fixed('seconds of delete all', weft.deleteSeconds, ovs.deleteSeconds),
  ];
}

export function markdown({ processor, flowMods, setUps, roundTrips, loss }: Results): string {
  const { weft: w, ovs: o } = roundTrips;
  const numbers = [
    ...flowMods.flatMap(flowModRows),
    ['packet-out and packet-in a second, one under way', whole(w.single), whole(o.single), ratio(w.single, o.single)],
    ['packet-out and packet-in a second, 64 under way', whole(w.many), whole(o.many), ratio(w.many, o.many)],
  ];
  const lost = ({ weft, ovs }: Both<LossFigures>): string =>
    `While ${whole(weft.flows)} flow-mods streamed in, ${whole(weft.sent)} frames passed Weft in ${weft.seconds.toFixed(1)} s and ` +
    `${whole(weft.lost)} were lost; ${whole(ovs.sent)} passed Open vSwitch in ${ovs.seconds.toFixed(1)} s and ${whole(ovs.lost)} were lost.`;
  const setUpRows = setUps.map(({ name, weft, ovs }) => [
    name,
    whole(weft.flows),
    whole(weft.megaflows),
    whole(ovs.megaflows),
    ratio(weft.megaflows, ovs.megaflows),
    whole(weft.perSecond),
    whole(ovs.perSecond),
    ratio(weft.perSecond, ovs.perSecond),
    weft.micros.toFixed(1),
    ovs.micros.toFixed(1),
  ]);
  const setUpHeads = ['pipeline', 'flows', 'megaflows, Weft', 'OVS', 'Weft ÷ OVS'];
  const rates = ['set-ups a second, Weft', 'OVS', 'Weft ÷ OVS', 'µs of CPU a set-up, Weft', 'OVS'];
  return [
    `Made by \`node bench/openflow/run.ts --update\` on ${processor}, Node ${process.version}.`,
    table(['', 'Weft', 'Open vSwitch', 'Weft ÷ OVS'], numbers),
    lost(loss),
    table([...setUpHeads, ...rates], setUpRows),
  ].join('\n\n');
}
