/** One bridge with flow tables, in the reference and here, and traces of the same packets in both. */

import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../src/lib/bytes.ts';
import { flowMod, matchOf } from '../support/flow-mods.ts';
import { Twins } from './normal-support.ts';
import { Oracle } from './oracle.ts';

/** Copies for controllers name a frozen state: its number says nothing. */
const withoutStateIds = (text: string): string =>
  text.replaceAll(/continuation=([01]),recirc_id=[0-9]+/g, 'continuation=$1,recirc_id=N');

const TRIES = 3;
const FORGETTING_MS = 200;
const CALLS_MS_MAX = 60_000;

/** Calls of ovs-appctl's protocol (JSON-RPC, RFC 7047 §4), in order. */
function callAll(path: string, method: string, calls: readonly (readonly string[])[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    const answers: string[] = [];
    socket.setTimeout(CALLS_MS_MAX, () => socket.destroy(new Error(`no answer to ${method}`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${method}: the reference has hung up`)));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      // Answers stand one behind the other without anything between
      for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}', end + 1)) {
        const answer = parsed(text.slice(0, end + 1));
        if (!answer) continue;
        text = text.slice(end + 1);
        end = -1;
        answers.push(answer.result ?? `error: ${answer.error}`);
        if (answers.length === calls.length) {
          resolve(answers);
          socket.removeAllListeners('close').end();
        } else ask();
      }
    });
    const ask = (): void => {
      const id = answers.length;
      socket.write(JSON.stringify({ id, method, params: calls[id] }));
    };
    ask();
  });
}

function parsed(text: string): { readonly result: string | null; readonly error: string | null } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Table, priority and match in one text. */
function identity(flow: string): string {
  const { tableId, priority, match } = flowMod(flow);
  return `${tableId} ${priority} ${toHex(match.key.bytes)} ${toHex(match.mask.bytes)}`;
}

/** br0 with ports 1 to 4, a patch port 50 to br1; br1 with port 5; br2 with ports 2 and 3. br0 has no flows at the beginning. */
export class FlowTwins {
  readonly twins: Twins;

  private constructor(twins: Twins) {
    this.twins = twins;
  }

  static async start(): Promise<FlowTwins> {
    const oracle = await Oracle.start();
    oracle.vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
    const twins = new Twins(oracle);
    twins.addBridge('br0', '02:00:00:00:00:f0');
    twins.addBridge('br1', '02:00:00:00:00:f1');
    for (const port of [1, 2, 3, 4]) twins.addPort('br0', `p${port}`, port);
    twins.addPatch('br0', 'patch0', 'br1', 'patch1');
    twins.addPort('br1', 'q5', 5);
    twins.addBridge('br2', '02:00:00:00:00:f2');
    for (const port of [2, 3]) twins.addPort('br2', `r${port}`, port);
    const all = new FlowTwins(twins);
    all.setFlows([]);
    return all;
  }

  get oracle(): Oracle {
    return this.twins.oracle;
  }

  close(): void {
    this.oracle.close();
  }

  /** Replaces all flows of a bridge. @throws what ovs-ofctl says of a flow that it does not take */
  setFlows(flows: readonly string[], bridge = 'br0'): void {
    this.#replace(bridge, flows);
    const { ofproto } = this.twins.state.bridges.get(bridge)!;
    const { tables } = ofproto;
    const all = { command: 'delete' as const, tableId: 0xff, match: matchOf(''), priority: 0, actions: [] };
    const cleared = tables.execute(all, 0);
    if (!cleared.ok) throw new Error(cleared.error);
    const cookies = new Map(flows.map((flow) => [identity(flow), flowMod(flow).newCookie ?? 0n]));
    for (const flow of this.#dump(bridge)) {
      // The dump says what the reference has made of the actions, and does not say cookies
      const added = tables.execute({ ...flowMod(flow), newCookie: cookies.get(identity(flow)) ?? 0n }, 0);
      if (!added.ok) throw new Error(`${flow}: ${added.error}`);
    }
  }

  /** In OpenFlow 1.5; flows that only OpenFlow 1.0 can say (a header is set that the match does not ask for) in that. */
  #replace(bridge: string, flows: readonly string[]): void {
    const { dir } = this.oracle;
    let said = '';
    for (const version of ['OpenFlow15', 'OpenFlow10']) {
      const args = ['-O', version, 'replace-flows', `unix:${dir}/${bridge}.mgmt`, '-'];
      const run = spawnSync('ovs-ofctl', args, { input: `${flows.join('\n')}\n`, encoding: 'utf8' });
      if (run.status === 0) return;
      said += run.stderr;
    }
    throw new Error(`${said} for ${flows.join('\n')}`);
  }

  /** The flows as the reference has understood them. */
  #dump(bridge: string): string[] {
    const lines = this.oracle.appctl('bridge/dump-flows', bridge).trim().split('\n');
    return lines.flatMap((line) => {
      if (line.startsWith('table_id=254')) return [];
      const words = line.replace(/^table_id=/, 'table=').replaceAll(/(duration|n_packets|n_bytes)=[^,]*, /g, '');
      return [words];
    });
  }

  /** Sets those of the flows that ovs-ofctl takes. @returns them */
  setSomeFlows(flows: readonly string[]): string[] {
    const left = [...flows];
    for (;;) {
      try {
        this.setFlows(left);
        return left;
      } catch (error) {
        const line = /-:([0-9]+): /.exec(String(error));
        if (!line || left.length === 0) throw error;
        left.splice(Number(line[1]) - 1, 1);
      }
    }
  }

  trace(flow: string, bridge = 'br0'): string {
    return this.twins.trace(bridge, flow, false).text;
  }

  /**
   * Many packets, traced here and there over one connection. The reference's tables forget removed flows a little later than it
   * says: what differs is asked for again.
   * @returns pairs of texts
   */
  async traceAll(flows: readonly string[], bridge = 'br0'): Promise<(readonly [ours: string, theirs: string])[]> {
    const calls = flows.map((flow) => [bridge, flow]);
    const ours = flows.map((flow) => withoutStateIds(this.trace(flow, bridge)));
    for (let tries = 0; ; tries++) {
      const texts = await callAll(`${this.oracle.dir}/vswitchd.ctl`, 'ofproto/trace', calls);
      const theirs = texts.map(withoutStateIds);
      const areEqual = ours.every((text, i) => text === theirs[i]);
      if (areEqual || tries === TRIES) return ours.map((text, i) => [text, theirs[i]!] as const);
      await delay(FORGETTING_MS);
    }
  }
}
