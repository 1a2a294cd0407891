/** What a packet goes on with when the datapath sends it back: traces of living recirculation ids against the reference. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseFlowKeyText } from '../../src/flow/text.ts';
import { must } from '../../src/lib/result.ts';
import { noEffects } from '../../src/translate/effects.ts';
import { translate } from '../../src/translate/index.ts';
import { GroupTwins, withoutIds } from './trace-group-support.ts';

interface Scenario {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly flows: readonly string[];
  /** What comes in, for the reference's dummy device and as a flow. */
  readonly frame: string;
  readonly packet: string;
  /** What comes back, without its recirculation id. */
  readonly back: readonly string[];
}

const ETH = 'eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)';
const MACS = 'dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02';
const IP = 'eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=8,dst=9)';
const TCP = `${MACS},tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=8,tp_dst=9`;
const tcp = { frame: `in_port(1),${ETH},${IP}`, packet: `in_port=1,${TCP}` };
const hashes = [1, 2, 3, 4, 9, 100].map((hash) => `in_port=1,dp_hash=${hash},${TCP}`);
const SELECT = [
  'group_id=1,type=select,bucket=output:2,bucket=set_field:1->reg0,resubmit(,2),bucket=weight:3,output:4',
];
const later = ['table=1,actions=4', 'table=2,reg0=1,actions=3', 'table=2,reg0=0,actions=2'];

const scenarios: readonly Scenario[] = [
  { name: 'select', groups: SELECT, flows: ['ip,actions=group:1', ...later], ...tcp, back: hashes },
  {
    name: 'select and more',
    groups: SELECT,
    flows: ['cookie=0xab,ip,actions=group:1,output:3,controller,note:01.02,resubmit(,1)', ...later],
    ...tcp,
    back: hashes,
  },
  { name: 'two selects', groups: SELECT, flows: ['ip,actions=group:1,group:1', ...later], ...tcp, back: hashes },
  {
    name: 'changes before',
    groups: SELECT,
    flows: [
      'ip,actions=dec_ttl,set_field:5->reg3,push:NXM_NX_REG3[],group:1,pop:NXM_NX_REG0[],resubmit(,2)',
      ...later,
      'table=2,reg0=5,actions=4,3',
    ],
    ...tcp,
    back: hashes,
  },
  {
    name: 'resubmits around',
    groups: SELECT,
    flows: [
      'cookie=1,ip,actions=resubmit(,5),output:4',
      'cookie=2,table=5,actions=resubmit(,6),controller',
      'cookie=3,table=6,ip,actions=group:1,dec_ttl,output:3',
      ...later,
    ],
    ...tcp,
    back: hashes,
  },
  {
    name: 'an action set',
    groups: SELECT,
    flows: [
      'ip,actions=write_actions(output:4,set_field:9->nw_ttl),goto_table:5',
      'table=5,actions=group:1,set_field:0x1234->metadata',
      ...later,
    ],
    ...tcp,
    back: hashes,
  },
  {
    name: 'a group in the action set',
    groups: SELECT,
    flows: ['ip,actions=write_actions(group:1)', ...later],
    ...tcp,
    back: hashes,
  },
  {
    name: 'a bucket of all',
    groups: [...SELECT, 'group_id=2,type=all,bucket=group:1,bucket=output:3'],
    flows: ['ip,actions=group:2,output:4', ...later],
    ...tcp,
    back: hashes,
  },
  {
    name: 'metadata',
    groups: SELECT,
    flows: ['ip,actions=write_metadata:0x77/0xff,goto_table:5', 'table=5,metadata=0x77,actions=group:1', ...later],
    ...tcp,
    back: hashes,
  },
  {
    name: 'MPLS',
    flows: [
      'mpls,actions=set_field:3->reg0,pop_mpls:0x0800,dec_ttl,resubmit(,7),output:2',
      'table=7,ip,reg0=3,actions=3',
    ],
    frame: `in_port(1),${ETH},eth_type(0x8847),mpls(label=3,tc=0,ttl=64,bos=1)`,
    packet: `in_port=1,${MACS},mpls,mpls_label=3,mpls_tc=0,mpls_ttl=64,mpls_bos=1`,
    back: [`in_port=1,${TCP}`, `in_port=1,${MACS},ip,nw_ttl=1`],
  },
];

let twins: GroupTwins;
before(async () => {
  twins = await GroupTwins.start();
});
after(() => twins.close());

/** The id that the reference's datapath recirculates by. */
function idOfReference(): number {
  const flows = twins.flows.oracle.appctl('dpctl/dump-flows');
  return Number(/recirc\((0x[0-9a-f]+)\)/.exec(flows)![1]);
}

for (const { name, groups = [], flows, frame, packet, back } of scenarios) {
  test(name, () => {
    const { oracle } = twins.flows;
    twins.set(flows, groups);
    oracle.appctl('revalidator/purge');
    oracle.inject('p1', frame);
    const theirs = idOfReference();
    const { state } = twins.flows.twins;
    const picture = state.picture();
    const { key } = must(parseFlowKeyText(packet));
    const ingress = { bridge: 'br0', ofport: 1 };
    const out = translate({ picture, key, ingress, frame: null, now: 0, effects: noEffects });
    const ours = out.recircIds.at(-1)!;
    for (const id of out.recircIds) picture.recircs.hold(id);
    for (const flow of back) {
      const expected = twins.traceReference(`recirc_id=${theirs},${flow}`);
      assert.equal(withoutIds(twins.trace(`recirc_id=${ours},${flow}`)), withoutIds(expected), flow);
    }
    for (const id of out.recircIds) picture.recircs.release(id);
  });
}
