/** The reference switch, the datapath and the twin side by side: one frame, one action list, three answers. */
import assert from 'node:assert/strict';
import { FlowKey } from '../../src/flow/key.ts';
import type { DpAction } from '../../src/flow/odp/action.ts';
import { formatActions } from '../../src/flow/odp/format.ts';
import { parseActions } from '../../src/flow/odp/parse.ts';
import { toHex } from '../../src/lib/bytes.ts';
import { must } from '../../src/lib/result.ts';
import { type TestDatapath, testDatapath } from '../support/datapath.ts';
import { compare } from '../twin/compare.ts';
import { arrive, type Effect, execute, type TwinState, twinState } from '../twin/execute.ts';
import { withSourcePorts } from '../twin/tunnel.ts';
import { Oracle, OracleError } from './oracle.ts';

/** A datapath flow as text. */
type FlowText = readonly [match: string, actions: string];

const TRIES_MAX = 5;
/** Ports of all three, numbered alike. */
const PORTS = [1, 2, 3] as const;

export class ActionBed {
  readonly oracle: Oracle;
  readonly bed: TestDatapath;
  readonly state: TwinState = twinState();
  /** A second twin, so that counting state moves once for each frame. */
  readonly #expected: TwinState = twinState();

  private constructor(oracle: Oracle, bed: TestDatapath) {
    this.oracle = oracle;
    this.bed = bed;
  }

  static async start(): Promise<ActionBed> {
    const oracle = await Oracle.start();
    try {
      oracle.addBridge('br0');
      for (const port of PORTS) oracle.addPort('br0', `p${port}`, port);
      const numbers = oracle.datapathPorts();
      for (const port of PORTS) assert.equal(numbers.get(`p${port}`), port);
    } catch (error) {
      oracle.close();
      throw error;
    }
    const bed = testDatapath({ ports: PORTS.length });
    return new ActionBed(oracle, bed);
  }

  close(): void {
    this.oracle.close();
  }

  #install(flows: readonly FlowText[]): void {
    this.oracle.appctl('dpctl/del-flows');
    for (const [match, actions] of flows) {
      try {
        this.oracle.appctl('dpctl/add-flow', match, actions);
      } catch (error) {
        if (error instanceof OracleError) throw new Error(`refused: ${match} ${actions}: ${error.output}`);
        throw error;
      }
    }
  }

  /**
   * What the reference sends, by port, for frames that come in by port 1 while these are its only datapath flows.
   * Its revalidators delete flows that they did not make whenever they run: then it is tried again.
   */
  referenceOf(frames: readonly Uint8Array[], flows: readonly FlowText[]): Map<number, Uint8Array[]> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      this.#install(flows);
      this.oracle.inject('p1', ...frames);
      const seen = new Map(PORTS.map((port) => [port, this.oracle.framesOut(`p${port}`)]));
      const counted = [...this.oracle.appctl('dpctl/dump-flows').matchAll(/packets:(\d+)/g)];
      const isTaken = counted.length === flows.length && counted.every(([, count]) => Number(count) === frames.length);
      if (isTaken) return seen;
    }
    throw new Error(`not every frame took these flows: ${this.oracle.appctl('dpctl/dump-flows')}`);
  }

  /**
   * Sends frames through all three and fails unless they agree on every byte that leaves.
   * @param match datapath flow that the reference takes the frames by
   * @param actions as text or not
   */
  check(match: string, actions: string | readonly DpAction[], frames: readonly Uint8Array[]): void {
    const text = typeof actions === 'string' ? actions : formatActions(actions);
    const list = typeof actions === 'string' ? must(parseActions(actions)) : actions;
    this.agree(this.referenceOf(frames, [[match, text]]), frames, list, `${match} ${text}`);
  }

  /** Holds what the reference has sent against twin and datapath. */
  agree(
    seen: Map<number, Uint8Array[]>,
    frames: readonly Uint8Array[],
    actions: readonly DpAction[],
    note: string,
  ): void {
    const effects = frames.flatMap((frame) => execute(this.#expected, arrive(frame, 1), actions));
    for (const [port, sent] of seen) assertSent(effects, port, sent, `${note} port ${port}`);
    for (const frame of frames) {
      compare(this.bed, this.state, { frame, inPort: 1, packetType: 0, base: new FlowKey() }, actions);
    }
  }
}

function assertSent(effects: readonly Effect[], port: number, sent: readonly Uint8Array[], note: string): void {
  const outputs = effects.filter((effect) => effect.type === 'output' && effect.port === port);
  const expected = outputs.map((effect, i) => {
    if (effect.type !== 'output') return '';
    const { packet } = effect;
    return toHex(withSourcePorts(packet.frame, packet.tunnels, sent[i] ?? new Uint8Array(0)));
  });
  assert.deepEqual(sent.map(toHex), expected, note);
}
