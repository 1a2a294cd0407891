/** The ways of doing, or not doing, what translation does besides its answer. */
import type { Effects, SwitchPicture } from './types.ts';

/** Does nothing: trace, and re-translation when only the answer counts. */
export const noEffects: Effects = {
  isDry: true,
  learnMac: () => false,
  learnNeighbor: () => undefined,
  refreshNeighbor: () => undefined,
  requestNeighbor: () => undefined,
  creditPort: () => undefined,
  creditRule: () => undefined,
  creditTable: () => undefined,
  creditGroup: () => undefined,
  learnFlow: () => true,
  reduceTimeouts: () => undefined,
  packetIn: () => undefined,
};

/** Does nothing, but says what would be learned: whether there is room for a flow decides what comes behind it. */
export const askingEffects = (picture: SwitchPicture): Effects => ({
  ...noEffects,
  isDry: false,
  learnFlow: (bridge, flow) => picture.bridges.get(bridge)?.pipeline.mayLearn(flow) ?? true,
});

/** Something a translation did, that every later packet of its megaflow does again. */
export type RecordedEffect = (effects: Effects) => unknown;

/**
 * Passes everything on, and keeps what the revalidator has to repeat when the datapath has handled more packets by itself.
 * Bytes are copied: keys are views of memory that changes.
 */
export function recordEffects(inner: Effects, record: RecordedEffect[]): Effects {
  const both = (effect: RecordedEffect): void => {
    record.push(effect);
    effect(inner);
  };
  return {
    learnMac(bridge, entry) {
      const kept = { ...entry, mac: entry.mac.slice() };
      record.push((effects) => effects.learnMac(bridge, kept));
      return inner.learnMac(bridge, kept);
    },
    learnNeighbor(bridge, address, mac) {
      const [keptAddress, keptMac] = [address.slice(), mac.slice()];
      both((effects) => effects.learnNeighbor(bridge, keptAddress, keptMac));
    },
    refreshNeighbor(bridge, address) {
      const kept = address.slice();
      both((effects) => effects.refreshNeighbor(bridge, kept));
    },
    requestNeighbor: (bridge, address, source) => inner.requestNeighbor(bridge, address, source),
    creditPort: (bridge, ofport, direction) => both((effects) => effects.creditPort(bridge, ofport, direction)),
    creditRule: (bridge, rule) => both((effects) => effects.creditRule(bridge, rule)),
    creditTable: (bridge, tableId, isMatch) => both((effects) => effects.creditTable(bridge, tableId, isMatch)),
    creditGroup: (bridge, group, bucket) => both((effects) => effects.creditGroup(bridge, group, bucket)),
    learnFlow(bridge, flow) {
      record.push((effects) => effects.learnFlow(bridge, flow));
      return inner.learnFlow(bridge, flow);
    },
    reduceTimeouts: (bridge, rule, idle, hard) => both((effects) => effects.reduceTimeouts(bridge, rule, idle, hard)),
    // Each packet that a controller is to see comes up by itself
    packetIn: (bridge, packet) => inner.packetIn(bridge, packet),
  };
}
