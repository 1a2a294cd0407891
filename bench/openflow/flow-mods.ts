/** Flow-mods a second in three manners, memory, dumps and deletes. */
import { setTimeout as delay } from 'node:timers/promises';
import { bundleStep, inBundle, OfClient } from './client.ts';
import type { SwitchUnderTest } from './daemons.ts';
import { addFlow, deleteAll } from './flows.ts';

/** Flow-mods of one bundle, and of one write to the socket. */
const BUNDLE = 100_000;
const WRITE = 64;

export interface FlowModFigures {
  readonly flows: number;
  /** Flow-mods a second. */
  readonly oneByOne: number;
  readonly streamed: number;
  readonly bundled: number;
  readonly bytesPerFlow: number;
  readonly dumpSeconds: number;
  readonly deleteSeconds: number;
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
};

async function sendAll(client: OfClient, from: number, to: number, make: (n: number) => Buffer): Promise<void> {
  for (let n = from; n < to; n += WRITE) {
    const many = Array.from({ length: Math.min(WRITE, to - n) }, (_, i) => make(n + i));
    const full = client.send(Buffer.concat(many));
    if (full) await full;
  }
}

export async function streamFlows(client: OfClient, from: number, to: number): Promise<void> {
  await sendAll(client, from, to, addFlow);
  await client.barrier();
}

async function bundleFlows(client: OfClient, count: number): Promise<void> {
  for (let from = 0, bundle = 1; from < count; from += BUNDLE, bundle++) {
    await client.bundleControl(bundle, bundleStep.open);
    await sendAll(client, from, Math.min(count, from + BUNDLE), (n) => inBundle(bundle, addFlow(n)));
    await client.bundleControl(bundle, bundleStep.close);
    await client.bundleControl(bundle, bundleStep.commit);
  }
}

async function flowsOneByOne(client: OfClient, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n++) await client.sendAndWait(addFlow(n));
}

function check(one: SwitchUnderTest, bridge: string, expected: number): void {
  const text = one.ofctl('dump-aggregate', bridge);
  const found = Number(/flow_count=(\d+)/.exec(text)?.[1]);
  if (found !== expected) throw new Error(`${one.name} has ${found} flows of ${expected}`);
}

/** @param count flows in the table; one by one a part of them is put in */
export async function measureFlowMods(one: SwitchUnderTest, count: number): Promise<FlowModFigures> {
  const bridge = 'bench';
  one.addBridge(bridge);
  const client = await OfClient.open(one.socket(bridge));
  const single = Math.min(count / 4, 20_000);
  const removeAll = (): Promise<void> => client.sendAndWait(deleteAll());

  // Memory is counted with the first flows that this size brings
  const before = one.residentBytes;
  const streamed = await seconds(() => streamFlows(client, 0, count));
  await delay(1000);
  const bytesPerFlow = (one.residentBytes - before) / count;
  check(one, bridge, count);
  const dumpSeconds = await seconds(() => client.dump());
  const oneByOne = await seconds(() => flowsOneByOne(client, count, single));
  const deleteSeconds = await seconds(removeAll);
  check(one, bridge, 0);
  const bundled = await seconds(() => bundleFlows(client, count));
  check(one, bridge, count);
  await removeAll();
  client.close();
  one.removeBridge(bridge);
  return {
    flows: count,
    oneByOne: single / oneByOne,
    streamed: count / streamed,
    bundled: count / bundled,
    bytesPerFlow,
    dumpSeconds,
    deleteSeconds,
  };
}
