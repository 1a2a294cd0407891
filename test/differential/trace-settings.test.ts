/** Settings of ports, tables and fragments, and what traces say of them, against the reference. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FragHandling, PipelineView, PortConfigView, TableMiss } from '../../src/translate/types.ts';
import { traceSwitch } from '../../src/vswitchd/trace.ts';
import { FlowTwins } from './trace-support.ts';

let twins: FlowTwins;
before(async () => {
  twins = await FlowTwins.start();
});
after(() => twins.close());

const NO_CONFIG: PortConfigView = {
  isDown: false,
  noReceive: false,
  noForward: false,
  noFlood: false,
  noPacketIn: false,
  isLive: true,
};
const PACKET =
  'dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_dst=80';

interface Settings {
  readonly ports?: Readonly<Record<number, Partial<PortConfigView>>>;
  readonly misses?: Readonly<Record<number, TableMiss>>;
  readonly fragments?: FragHandling;
}

/** The trace of a packet in br2 with settings that its picture does not have. */
function trace(flow: string, { ports = {}, misses = {}, fragments = 'normal' }: Settings): string {
  const picture = twins.twins.state.picture();
  const bridge = picture.bridges.get('br2')!;
  const portConfig = new Map(
    Object.entries(ports).map(([ofport, config]) => [Number(ofport), { ...NO_CONFIG, ...config }]),
  );
  const pipeline: PipelineView = Object.create(bridge.pipeline, {
    tableMiss: { value: (table: number) => misses[table] ?? 'default' },
    fragments: { value: fragments },
  });
  const bridges = new Map(picture.bridges).set('br2', { ...bridge, portConfig, pipeline });
  return withoutIds(traceSwitch({ ...picture, bridges }, 'br2', { flow }, 0).text);
}

const withoutIds = (text: string): string => text.replaceAll(/recirc_id=[0-9]+,rule/g, 'recirc_id=N,rule');
const traceReference = (flow: string): string => withoutIds(twins.oracle.appctl('ofproto/trace', 'br2', flow));
const ofctl = (...args: string[]): string =>
  twins.oracle.ofctl('-O', 'OpenFlow13', args[0]!, `unix:${twins.oracle.dir}/br2.mgmt`, ...args.slice(1));

const portSettings: readonly (readonly [word: string, undo: string, config: Partial<PortConfigView>])[] = [
  ['no-forward', 'forward', { noForward: true }],
  ['no-flood', 'flood', { noFlood: true }],
  ['no-receive', 'receive', { noReceive: true }],
];
const actionLists = ['output:2,output:3', 'flood', 'all', 'normal', 'in_port'];

function compareLists(config: Partial<PortConfigView>): void {
  for (const actions of actionLists) {
    twins.setFlows([`actions=${actions}`], 'br2');
    for (const port of [2, 3, 'LOCAL']) {
      const flow = `in_port=${port},${PACKET}`;
      assert.equal(trace(flow, { ports: { 2: config } }), traceReference(flow), `${actions} ${flow}`);
    }
  }
}

for (const [word, undo, config] of portSettings) {
  test(`a port with ${word}`, () => {
    // OpenFlow 1.0 alone knows no-flood
    twins.oracle.ofctl('mod-port', `unix:${twins.oracle.dir}/br2.mgmt`, '2', word);
    try {
      compareLists(config);
    } finally {
      twins.oracle.ofctl('mod-port', `unix:${twins.oracle.dir}/br2.mgmt`, '2', undo);
    }
  });
}

/** What was set stays: no message takes it back. */
const misses: Record<number, TableMiss> = {};

for (const miss of ['controller', 'continue', 'drop'] as const) {
  test(`tables that miss: ${miss}`, () => {
    twins.setFlows(['table=1,udp,actions=2', 'table=3,tcp,actions=3'], 'br2');
    const flow = `in_port=2,${PACKET}`;
    for (const table of [0, 1, 2]) {
      const args = ['mod-table', `unix:${twins.oracle.dir}/br2.mgmt`, String(table), miss];
      twins.oracle.ofctl('-O', 'OpenFlow11', ...args);
      misses[table] = miss;
      assert.equal(trace(flow, { misses }), traceReference(flow), `tables up to ${table}`);
    }
  });
}

for (const fragments of ['drop', 'nx-match', 'normal'] as const) {
  test(`fragments: ${fragments}`, () => {
    twins.setFlows(['tcp,tp_dst=80,actions=2', 'ip,nw_frag=later,actions=3', 'priority=1,actions=resubmit(,0)'], 'br2');
    ofctl('set-frags', fragments);
    const later = PACKET.replace(',tp_dst=80', ',nw_frag=later');
    for (const packet of [PACKET, `${PACKET},nw_frag=first`, later]) {
      const flow = `in_port=3,${packet}`;
      assert.equal(trace(flow, { fragments, misses }), traceReference(flow), flow);
    }
  });
}
