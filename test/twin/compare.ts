/** Runs one frame through the datapath and through the twin and holds the two against each other. */
import assert from 'node:assert/strict';
import { FlowKey, KEY } from '../../src/flow/key.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import type { DropReasonName } from '../../src/gen/tables.ts';
import { toHex } from '../../src/lib/bytes.ts';
import type { TestDatapath } from '../support/datapath.ts';
import { arrive, type Effect, execute, keyOf, type TwinState } from './execute.ts';
import type { TwinPacket } from './packet.ts';
import { withSourcePorts } from './tunnel.ts';

export interface Arrival {
  readonly frame: Uint8Array;
  readonly inPort: number;
  readonly packetType: number;
  /** Metadata blocks count. */
  readonly base: FlowKey;
}

export interface SeenUpcall {
  readonly reason: string;
  readonly frame: Uint8Array;
  readonly key: FlowKey;
  readonly userdata: Uint8Array;
}

/** What came of a frame, from the outside. */
export interface Seen {
  /** By port. */
  readonly outputs: Map<number, Uint8Array[]>;
  readonly upcalls: SeenUpcall[];
  readonly drops: Map<DropReasonName, number>;
}

const PORTS = [1, 2, 3];

/** Runs the frame through the datapath by an EXECUTE record; upcalls are taken and given back. */
export function runDatapath(bed: TestDatapath, arrival: Arrival, actions: readonly DpAction[]): Seen {
  const { dp } = bed;
  const before = dp.drops();
  const key = arrival.base.clone().set(KEY.in_port, arrival.inPort).set(KEY.packet_type, arrival.packetType);
  const result = dp.execute({ frame: arrival.frame, key }, actions);
  assert.ok(result.ok, `refused: ${JSON.stringify(result)}`);
  bed.run();
  const upcalls: SeenUpcall[] = [];
  dp.takeUpcalls((upcall) => {
    const { reason, frame, key: seenKey, userdata } = upcall;
    upcalls.push({ reason, frame: frame.slice(), key: seenKey.clone(), userdata: userdata.slice() });
    dp.release(upcall, 'consumed');
  });
  const drops = new Map<DropReasonName, number>();
  for (const [reason, count] of Object.entries(dp.drops()) as [DropReasonName, number][]) {
    if (count !== before[reason]) drops.set(reason, count - before[reason]);
  }
  return { outputs: new Map(PORTS.map((port) => [port, bed.port(port).takeSent()])), upcalls, drops };
}

/** A recirculated packet that matches nothing is a miss; one that cannot be parsed is a drop. */
export function afterRecirculation(effect: Effect): Effect {
  if (effect.type !== 'recirculate') return effect;
  const { packet } = effect;
  if (packet.frame.length < 14) return { type: 'drop', reason: 'rx_runt' };
  return { type: 'upcall', reason: 'miss', packet, userdata: new Uint8Array(0) };
}

const expectedBytes = (packet: TwinPacket, seen: Uint8Array | undefined): Uint8Array =>
  seen ? withSourcePorts(packet.frame, packet.tunnels, seen) : packet.frame;

function assertUpcall(expected: Extract<Effect, { type: 'upcall' }>, seen: SeenUpcall): void {
  const { packet } = expected;
  assert.equal(seen.reason, expected.reason);
  assert.equal(toHex(seen.frame), toHex(expectedBytes(packet, seen.frame)), 'frame of an upcall');
  assert.equal(toHex(seen.userdata), toHex(expected.userdata));
  const frame = expectedBytes(packet, seen.frame);
  const key = keyOf({ ...packet, frame });
  if (key.get(KEY.dp_hash) !== 0) {
    assert.notEqual(seen.key.get(KEY.dp_hash), 0);
    key.set(KEY.dp_hash, seen.key.get(KEY.dp_hash));
  }
  if (packet.isSourcePortChosen) key.set(KEY.tun_tp_src, seen.key.get(KEY.tun_tp_src));
  assert.equal(toHex(seen.key.bytes), toHex(key.bytes), 'key of an upcall');
}

/** @throws unless the datapath did what the twin says */
export function assertSame(effects: readonly Effect[], seen: Seen): void {
  const ends = effects.map(afterRecirculation);
  const drops = new Map<DropReasonName, number>();
  for (const end of ends) if (end.type === 'drop') drops.set(end.reason, (drops.get(end.reason) ?? 0) + 1);
  assert.deepEqual([...seen.drops].sort(), [...drops].sort());
  for (const [port, frames] of seen.outputs) {
    const expected = ends.filter((end) => end.type === 'output' && end.port === port);
    const hex = expected.map((end, i) => (end.type === 'output' ? toHex(expectedBytes(end.packet, frames[i])) : ''));
    assert.deepEqual(frames.map(toHex), hex, `port ${port}`);
  }
  const upcalls = ends.filter((end) => end.type === 'upcall');
  assert.equal(seen.upcalls.length, upcalls.length, 'number of upcalls');
  upcalls.forEach((upcall, i) => {
    assertUpcall(upcall, seen.upcalls[i]!);
  });
}

/** The frame through both. */
export function compare(bed: TestDatapath, state: TwinState, arrival: Arrival, actions: readonly DpAction[]): Seen {
  const { frame, inPort, packetType, base } = arrival;
  const isRunt = frame.length < 14;
  const effects: Effect[] = isRunt
    ? [{ type: 'drop', reason: 'rx_runt' }]
    : execute(state, arrive(frame, inPort, packetType, base), actions);
  const seen = runDatapath(bed, arrival, actions);
  assertSame(effects, seen);
  return seen;
}

/** A frame that came in by port 1 with no past. */
export const arrival = (frame: Uint8Array, packetType = 0): Arrival => ({
  frame,
  inPort: 1,
  packetType,
  base: new FlowKey(),
});
