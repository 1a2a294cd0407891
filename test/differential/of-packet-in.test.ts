// Packet-ins in every format and version: a packet that a flow sends to controllers, as the reference tells it to a client of
// its management socket, and as a connection here does for the same packet and reason.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KEY, PIPELINE, PipelineKey } from '../../src/flow/key.ts';
import { fromHex, toHex } from '../../src/lib/bytes.ts';
import { must } from '../../src/lib/result.ts';
import { parseActions } from '../../src/openflow/action/index.ts';
import type { OfVersion } from '../../src/openflow/version.ts';
import type { PacketInView } from '../../src/translate/types.ts';
import { TestSwitch } from '../unit/connections/support.ts';
import { RawClient } from '../unit/transport/bed.ts';
import { Oracle } from './oracle.ts';

const FRAME = `0a00000000010a00000000020800${'4500002e000000004011f96a0a0000010a000002'}00350035001a0000${'00'.repeat(18)}`;
/** The sender of the continuation is a random number in the reference. */
const UUID = /80000014[0-9a-f]{32}/;
/** Its datapath port; there is none here. */
const ODP_PORT = /8008000800000001/;

interface Case {
  readonly flows: readonly string[];
  readonly view: Partial<PacketInView>;
  readonly fields?: (flow: PipelineKey) => void;
}

const state = {
  bridge: 'br0',
  tableId: 0,
  ruleCookie: 0n,
  inPort: 1,
  pipeline: new Uint8Array(0),
  tunnel: new Uint8Array(0),
  stack: [],
  isConntracked: false,
  actions: [],
  actionSet: [],
  userdata: new Uint8Array(0),
};

const cases: readonly Case[] = [
  // The whole packet, whatever the limit
  { flows: ['actions=controller(max_len=20)'], view: { reason: 1, maxLen: 20 } },
  { flows: ['table=0,cookie=0x1234,priority=0,actions=controller'], view: { reason: 6, cookie: 0x1234n } },
  {
    flows: [
      'actions=set_field:0x5->reg3,load:7->OXM_OF_METADATA[],load:9->NXM_NX_PKT_MARK[],controller(reason=no_match)',
    ],
    view: { reason: 0 },
    fields: (flow) => flow.set(PIPELINE.reg3, 5).setU64(PIPELINE.metadata, 7n).set(KEY.pkt_mark, 9),
  },
  {
    flows: [
      'cookie=5,actions=push:NXM_OF_IN_PORT[],resubmit(,3)',
      'table=3,cookie=9,actions=controller(userdata=01.02.03,pause),output:2',
    ],
    view: {
      reason: 1,
      cookie: 5n,
      userdata: Uint8Array.of(1, 2, 3),
      continuation: {
        ...state,
        ruleCookie: 5n,
        stack: [Uint8Array.of(0, 1)],
        actions: [{ type: 'unroll', tableId: 3, ruleCookie: 9n }, ...must(parseActions('output:2'))],
      },
    },
  },
  { flows: ['actions=write_actions(controller)'], view: { reason: 3 } },
  {
    flows: ['ip,actions=ct(table=4)', 'table=4,actions=controller'],
    view: { reason: 1, tableId: 4 },
    // Tracked, and invalid: its UDP checksum is wrong
    fields: (flow) => flow.set(KEY.ct_state, 0x30).set(KEY.eth_type, 0x0800),
  },
];

const formats = ['standard', 'nxt_packet_in', 'nxt_packet_in2'] as const;

let oracle: Oracle;
before(async () => {
  oracle = await Oracle.start();
  oracle.addBridge('br0');
  oracle.addPort('br0', 'p1', 1);
});
after(() => oracle?.close());

/** What a connection here sends. */
function told(version: OfVersion, format: number, { view, fields }: Case): string[] {
  const bed = new TestSwitch();
  const peer = bed.connect(version, { kind: 'service' });
  peer.connection.missSendLength = 128;
  peer.send({ kind: 'set_packet_in_format', value: format });
  const flow = new PipelineKey().set(KEY.in_port, 1) as PipelineKey;
  fields?.(flow);
  const all = {
    reason: 1,
    tableId: 0,
    cookie: 0n,
    controllerId: 0,
    maxLen: 0xffff,
    flow,
    frame: fromHex(FRAME)!,
    userdata: new Uint8Array(0),
    continuation: null,
  };
  bed.manager.packetIn({ ...all, ...view }, bed.clock.now());
  return peer.bytes().map(toHex);
}

const masked = (message: string): string =>
  message
    .replace(UUID, 'bridge')
    .replace(ODP_PORT, '')
    .replace(/^(.{4}).{4}/, '$1');
/** With the continuation's datapath port its length is eight more. */
const withoutLength = (message: string): string => message.replace(/0008[0-9a-f]{4}(?=00000000bridge)/, '0008');

for (const version of [1, 2, 3, 4, 5, 6] as const) {
  test(`packet-ins of version ${version}`, async () => {
    for (const [format, name] of formats.entries()) {
      const client = new RawClient(`${oracle.dir}/br0.mgmt`);
      client.send(`0${version}00000800000001`);
      client.send(`0${version}09000c0000000200000080`);
      client.send(`0${version}0400140000000300002320000000100000000${format}`);
      await client.next(1);
      for (const one of cases) {
        if (version === 1 && one.view.reason === 3) continue;
        oracle.ofctl('-OOpenFlow13', 'del-flows', `unix:${oracle.dir}/br0.mgmt`);
        for (const flow of one.flows) oracle.ofctl('-OOpenFlow13', 'add-flow', `unix:${oracle.dir}/br0.mgmt`, flow);
        // A miss between the two would be told too
        oracle.appctl('revalidator/purge');
        client.take();
        const got: string[] = [];
        for (let attempt = 0; attempt < 5 && got.length === 0; attempt++) {
          oracle.inject('p1', FRAME);
          for (let waited = 0; waited < 20 && got.length === 0; waited++) {
            await delay(5);
            got.push(...client.take());
          }
        }
        assert.deepEqual(
          told(version, format, one).map(masked).map(withoutLength),
          got.slice(0, 1).map(masked).map(withoutLength),
          `${name}: ${one.flows.join('; ')}`,
        );
      }
      client.close();
    }
  });
}
