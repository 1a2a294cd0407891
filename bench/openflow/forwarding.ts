/** Frames that pass a bridge while flow-mods stream into it, and round trips of packets to the controller and back. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OfClient } from './client.ts';
import type { SwitchUnderTest } from './daemons.ts';
import { streamFlows } from './flow-mods.ts';
import { Streams } from './streams.ts';

const PORTS = 4;
const TICK_MS = 2;
/** Frames of one port in a tick. */
const BURST = 4;
const ROUND_TRIPS = 5_000;
const DEPTH = 64;

export interface LossFigures {
  readonly flows: number;
  readonly seconds: number;
  readonly sent: number;
  readonly lost: number;
}

/** Of a type that no flow of the stream takes, behind its length. */
function plainFrame(): Buffer {
  const bytes = Buffer.alloc(62);
  bytes.writeUInt16BE(60, 0);
  bytes.writeUIntBE(0x060000000001, 2, 6);
  bytes.writeUIntBE(0x060000000002, 8, 6);
  bytes.writeUInt16BE(0x88b5, 14);
  return bytes;
}

export async function measureLoss(one: SwitchUnderTest, count: number): Promise<LossFigures> {
  const bridge = 'loss';
  one.addBridge(bridge);
  const names = Array.from({ length: PORTS }, (_, i) => `loss${i + 1}`);
  const paths = names.map((name) => join(one.dir, `${name}.stream`));
  const streams = new Streams(paths);
  for (const [i, name] of names.entries()) one.addPort(bridge, name, i + 1, paths[i]!);
  await streams.connected();
  one.ofctl('add-flow', bridge, 'priority=1,actions=in_port');
  const client = await OfClient.open(one.socket(bridge));
  const frame = plainFrame();
  let sent = 0;
  const clock = setInterval(() => {
    for (let i = 0; i < BURST; i++) streams.offer(frame);
    sent += BURST * streams.portCount;
  }, TICK_MS);
  const begin = performance.now();
  await streamFlows(client, 0, count);
  const seconds = (performance.now() - begin) / 1000;
  clearInterval(clock);
  for (let i = 0; i < 100 && streams.received < sent; i++) await delay(20);
  const lost = sent - streams.received;
  client.close();
  streams.close();
  one.removeBridge(bridge);
  return { flows: count, seconds, sent, lost };
}

export interface RoundTripFigures {
  /** Round trips a second, one after the other. */
  readonly single: number;
  /** With 64 under way. */
  readonly many: number;
}

export async function measureRoundTrips(one: SwitchUnderTest): Promise<RoundTripFigures> {
  const bridge = 'trips';
  one.addBridge(bridge);
  const client = await OfClient.open(one.socket(bridge));
  client.wantPacketIns();
  await client.barrier();
  const frame = plainFrame().subarray(2);
  const rate = async (depth: number): Promise<number> => {
    const begin = performance.now();
    await client.roundTrips(ROUND_TRIPS, depth, frame);
    return (ROUND_TRIPS * 1000) / (performance.now() - begin);
  };
  await rate(DEPTH);
  const single = await rate(1);
  const many = await rate(DEPTH);
  client.close();
  one.removeBridge(bridge);
  return { single, many };
}
