/** Actions and matches of OpenFlow: what is written is read back, broken bytes and broken text are values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineKey } from '../../../src/flow/key.ts';
import { toHex } from '../../../src/lib/bytes.ts';
import { Random } from '../../../src/lib/random.ts';
import { must } from '../../../src/lib/result.ts';
import {
  actionCounts,
  decodeActions,
  encodeActions,
  formatActions,
  parseActions,
} from '../../../src/openflow/action/index.ts';
import { findField, headerOf, readValue, valueBits, writeValue } from '../../../src/openflow/field/index.ts';
import { formatFieldValue, parseFieldValue } from '../../../src/openflow/field/value.ts';
import { decodeInstructions, encodeInstructions, isSetAction } from '../../../src/openflow/instruction/index.ts';
import { decodeMatch, decodeNxm, encodeMatch, encodeNxm } from '../../../src/openflow/match.ts';
import { formatMatch, parseMatch } from '../../../src/openflow/match-text.ts';
import type { OfVersion } from '../../../src/openflow/version.ts';
import { ofFields } from '../../../src/spec/of-fields.ts';
import { actionTexts } from './action-texts.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const rounds = process.env.WEFT_NIGHTLY ? 2_000_000 : 20_000;
const versions: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];

test('there are 183 fields with 209 headers, and 58 kinds of action', () => {
  assert.equal(ofFields.length, 183);
  assert.equal(ofFields.flatMap(({ headers }) => headers).length, 209);
  assert.equal(new Set(ofFields.map(({ name }) => name)).size, 183);
  assert.equal(actionCounts.kinds, 58);
});

test('a field is found by each of its names, and its value is written where it is read', () => {
  const random = new Random(seed);
  for (const field of ofFields) {
    for (const name of [field.name, ...field.aliases, ...field.headers.map((h) => h.name)]) {
      assert.equal(findField(name), field, name);
    }
    if (!field.place) continue;
    const key = new PipelineKey();
    const value = (BigInt(random.u32()) * 0x100000001n) & valueBits(field);
    writeValue(key, field, value);
    assert.equal(readValue(key, field), value, field.name);
    writeValue(key, field, 0n);
    assert.ok(
      key.bytes.every((byte) => byte === 0),
      field.name,
    );
  }
  assert.equal(findField('no_such_field'), null);
  assert.equal(headerOf(findField('tun_ttl')!, 6), null);
});

test('values of fields: text to value to text', () => {
  const texts: readonly (readonly [field: string, text: string])[] = [
    ['reg0', '0x5/0xf'],
    ['eth_src', '00:00:00:00:00:01/01:00:00:00:00:00'],
    ['ip_src', '10.0.0.0/8'],
    ['ip_src', '1.0.0.4/255.0.0.255'],
    ['ipv6_src', 'fe80::/10'],
    ['tcp_dst', '80'],
    ['ct_state', '+new-trk'],
    ['tcp_flags', 'syn|ack'],
    ['ip_frag', 'later'],
    ['in_port', 'LOCAL'],
    ['in_port_oxm', 'LOCAL'],
    ['packet_type', '(1,0x800)'],
    ['tun_flags', 'oam'],
  ];
  for (const [name, text] of texts) {
    const field = findField(name)!;
    const read = parseFieldValue(field, text);
    assert.ok(read, text);
    assert.equal(formatFieldValue(field, read.value, read.mask), text);
    assert.equal(parseFieldValue(field, `${text}?`), null);
  }
});

test('actions of every kind are the same after one way through the bytes of each version', () => {
  for (const { actions } of actionTexts) {
    const parsed = must(parseActions(actions));
    assert.equal(formatActions(must(parseActions(formatActions(parsed)))), formatActions(parsed), actions);
    for (const version of versions) {
      const bytes = encodeActions(version, parsed);
      const read = decodeActions(version, bytes);
      if (!read.ok) {
        // Actions on packet types are unknown before OpenFlow 1.3.
        assert.match(
          `${version} ${read.error.name}`,
          /^[123] OFPBAC_BAD_VENDOR_TYPE$|OFPBAC_BAD_SET_ARGUMENT$/,
          actions,
        );
        continue;
      }
      assert.equal(toHex(encodeActions(version, read.value)), toHex(bytes), `${actions} in version ${version}`);
    }
  }
});

test('instructions: one list, in their order, each once', () => {
  const text = 'meter:5,output:1,clear_actions,write_actions(output:2),write_metadata:0x5/0xf,goto_table:7';
  const list = must(parseActions(text));
  for (const version of [4, 5, 6] as const) {
    const read = must(decodeInstructions(version, encodeInstructions(version, list)));
    assert.equal(formatActions(read), text);
  }
  const goto = encodeInstructions(4, must(parseActions('goto_table:1')));
  const twice = Buffer.concat([goto, goto]);
  const failures: readonly (readonly [Uint8Array, string])[] = [
    [twice, 'OFPBIC_DUP_INST'],
    [Buffer.from('0001000400000000', 'hex'), 'OFPBIC_BAD_LEN'],
    [Buffer.from('0009000800000000', 'hex'), 'OFPBIC_UNKNOWN_INST'],
    [Buffer.from('ffff000800000000', 'hex'), 'OFPBIC_BAD_EXPERIMENTER'],
  ];
  for (const [bytes, name] of failures) {
    const read = decodeInstructions(4, bytes);
    assert.deepEqual(read, { ok: false, error: { name } });
  }
  assert.equal(isSetAction(must(parseActions('learn()'))[0]!), false);
});

test('broken action text names what is wrong', () => {
  const texts: readonly (readonly [string, RegExp])[] = [
    ['output', /unknown/],
    ['no_such_action', /unknown action/],
    ['drop,1', /must not be accompanied/],
    ['load:5->reg0[1..40]', /only 32 bits wide/],
    ['load:256->reg0[0..7]', /does not fit/],
    ['set_field:5->eth_type', /read-only/],
    ['move:reg0[0..3]->reg1[]', /bits wide/],
    ['clone(1', /brackets/],
    ['resubmit(,)', /at least one/],
    ['conjunction(1,3/2)', /clause index/],
    ['sample()', /probability/],
    ['ct(force)', /requires "commit"/],
    ['ct(exec(output:1))', /ct_mark or ct_label/],
    ['push_vlan:0x1234', /not a valid VLAN/],
    ['mod_nw_tos:3', /not a valid TOS/],
    ['multipath(eth_src,0,hrw,70000,0,reg0[])', /not in valid range/],
    ['bundle(eth_src,0,hrw,nothing,members:1)', /member_type/],
    ['learn(reg0=reg1[0..3])', /differ/],
    ['controller(reason=none)', /unknown reason/],
    ['encap(vxlan)', /not supported/],
    [`${'clone('.repeat(50)}1${')'.repeat(50)}`, /too deeply/],
  ];
  for (const [text, message] of texts) {
    const read = parseActions(text);
    assert.ok(!read.ok, text);
    assert.match(read.error, message, text);
  }
});

test('names of ports and tables are asked for', () => {
  const names = {
    port: (name: string) => (name === 'eth0' ? 7 : null),
    table: (name: string) => (name === 'acl' ? 3 : null),
  };
  assert.equal(
    formatActions(must(parseActions('eth0,resubmit(eth0,acl),goto_table:acl', names))),
    'output:7,resubmit(7,3),goto_table:3',
  );
  assert.equal(parseActions('eth1', names).ok, false);
});

test('mutated bytes of actions and matches are values, whatever they are', () => {
  const random = new Random(seed);
  const lists = versions.map((version) =>
    actionTexts.map(({ actions }) => encodeActions(version, must(parseActions(actions)))).filter((b) => b.length > 0),
  );
  for (let i = 0; i < rounds; i++) {
    const version = random.pick(versions);
    const bytes = random.pick(lists[version - 1]!).slice();
    for (let n = random.below(4); n >= 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    const cut = random.chance(0.2) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
    const read = decodeActions(version, cut);
    if (read.ok) {
      assert.equal(typeof formatActions(read.value), 'string');
      decodeActions(version, encodeActions(version, read.value));
    }
    decodeInstructions(version, cut);
    decodeMatch(version, cut);
    decodeNxm(cut);
  }
});

test('matches are the same after one way through the bytes of each form', () => {
  const texts = [
    'tcp,in_port=1,tp_dst=80',
    'reg0=0x5/0xff,reg3=0x1,metadata=0x7,in_port=LOCAL',
    'ipv6,ipv6_src=fe80::/10,ipv6_label=0x12345',
    'tun_id=0x5,tun_metadata3=0x1234',
    'arp,arp_spa=10.0.0.0/8',
  ];
  for (const text of texts) {
    const match = must(parseMatch(text));
    assert.equal(formatMatch(match), text);
    assert.equal(formatMatch(must(decodeNxm(encodeNxm(match))).match), text);
    for (const version of [3, 4, 5, 6] as const) {
      assert.equal(formatMatch(must(decodeMatch(version, encodeMatch(version, match))).match), text);
    }
  }
  const cookie = { value: 5n, mask: 0xffn };
  assert.deepEqual(must(decodeNxm(encodeNxm(must(parseMatch('')), cookie))).cookie, cookie);
  assert.equal(parseMatch('nonsense=1').ok, false);
});
