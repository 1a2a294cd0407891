/**
 * Flow set-ups: frames of connections that no megaflow takes yet, and the same frames again. What the first time costs more than
 * the second is the set-up: upcall, translation, installation.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SwitchUnderTest } from './daemons.ts';
import { frameOf, type Pipeline } from './pipelines.ts';
import { Streams } from './streams.ts';

/** The reference takes one frame of each stream in a turn of its loop. */
const PORTS = 16;
const WINDOW = 32;

export interface SetUpFigures {
  readonly flows: number;
  readonly packets: number;
  readonly megaflows: number;
  /** Megaflows a second of time, frames with their ways in and out included. */
  readonly perSecond: number;
  /** Microseconds of CPU time a megaflow, less what its frames cost without. */
  readonly micros: number;
}

export async function measureSetUps(one: SwitchUnderTest, pipeline: Pipeline, number: number): Promise<SetUpFigures> {
  const bridge = `setup${number}`;
  one.addBridge(bridge);
  const names = Array.from({ length: PORTS }, (_, i) => `s${number}p${i + 1}`);
  const paths = names.map((name) => join(one.dir, `${name}.stream`));
  const streams = new Streams(paths);
  for (const [i, name] of names.entries()) one.addPort(bridge, name, i + 1, paths[i]!);
  await streams.connected();
  const file = join(one.dir, `${bridge}.flows`);
  writeFileSync(file, `${pipeline.flows.join('\n')}\n`);
  one.ofctl('add-flows', bridge, file);
  const frames = pipeline.headers.map(frameOf);
  const cpuBefore = one.cpuSeconds;
  const seconds = await streams.exchange(frames, WINDOW);
  const cpuFirst = one.cpuSeconds - cpuBefore;
  const { megaflows } = one;
  const cpuBetween = one.cpuSeconds;
  await streams.exchange(frames, WINDOW);
  const cpuSecond = one.cpuSeconds - cpuBetween;
  streams.close();
  one.removeBridge(bridge);
  return {
    flows: pipeline.flows.length,
    packets: frames.length,
    megaflows,
    perSecond: megaflows / seconds,
    micros: ((cpuFirst - cpuSecond) / megaflows) * 1e6,
  };
}
