/** Actions: text to bytes as ovs-ofctl sends them, bytes to text as it prints them, broken bytes to its errors, in every version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/lib/bytes.ts';
import { Random } from '../../src/lib/random.ts';
import { must } from '../../src/lib/result.ts';
import {
  decodeActions,
  encodeActions,
  formatActions,
  type OfAction,
  parseActions,
} from '../../src/openflow/action/index.ts';
import { decodeInstructions, encodeInstructions } from '../../src/openflow/instruction/index.ts';
import type { OfVersion } from '../../src/openflow/version.ts';
import { actionTexts } from '../unit/openflow/action-texts.ts';
import { type FlowFormat, flowBytes, readActions } from './ofctl-flow-support.ts';

const seed = Number(process.env.WEFT_SEED ?? 1);
const mutations = process.env.WEFT_NIGHTLY ? 100_000 : 2_000;
const versions: readonly OfVersion[] = [1, 2, 3, 4, 5, 6];

const optionsFor = (match: string): { protocol: 'tcp' | 'udp' | 'sctp'; hasTag: boolean } => ({
  protocol: match === 'udp' ? 'udp' : match === 'sctp' ? 'sctp' : 'tcp',
  hasTag: match.startsWith('dl_vlan'),
});

for (const version of versions) {
  const format: FlowFormat = version === 1 ? 'nxm' : version;
  test(`actions of version ${version} are the bytes that ovs-ofctl sends`, () => {
    const rows = actionTexts.filter(({ sentBy }) => sentBy.includes(version));
    assert.ok(rows.length > 20);
    const sent = flowBytes(format, rows);
    rows.forEach(({ match, actions }, i) => {
      const ours = encodeActions(version, must(parseActions(actions)), optionsFor(match));
      assert.equal(toHex(ours), toHex(sent[i]!.actions), actions);
    });
  });

  test(`actions of version ${version} are printed as ovs-ofctl prints them, and written as they were read`, () => {
    const lists = actionTexts.map(({ match, actions }) =>
      encodeActions(version, must(parseActions(actions)), optionsFor(match)),
    );
    const readings = readActions(
      version,
      lists.filter((bytes) => bytes.length > 0),
    );
    lists
      .filter((bytes) => bytes.length > 0)
      .forEach((bytes, i) => {
        const read = decodeActions(version, bytes);
        const { text, error, writesOther } = readings[i]!;
        assert.equal(read.ok ? formatActions(read.value) : read.error.name, text ?? error, toHex(bytes));
        if (read.ok) assert.equal(toHex(encodeActions(version, read.value)) === toHex(bytes), !writesOther, text ?? '');
      });
  });
}

const instructionTexts = [
  'output:1',
  'clear_actions',
  'write_metadata:0x5/0xf',
  'goto_table:5',
  'write_actions(output:1,group:5)',
  'output:1,clear_actions,write_actions(set_field:5->reg0,output:2),write_metadata:5,goto_table:200',
];

test('instructions are printed as ovs-ofctl prints them', () => {
  for (const version of [2, 3, 4, 5, 6] as const) {
    const lists = instructionTexts.map((text) => encodeInstructions(version, must(parseActions(text))));
    if (version >= 4) lists.push(encodeInstructions(version, must(parseActions('meter:5,output:1'))));
    const readings = readActions(version, lists, 'parse-instructions');
    lists.forEach((bytes, i) => {
      const read = decodeInstructions(version, bytes);
      assert.equal(read.ok ? formatActions(read.value) : read.error.name, readings[i]!.text ?? readings[i]!.error);
    });
  }
});

/** One byte of a list changed, or its end cut off. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const count = 1 + random.below(2);
  for (let i = 0; i < count; i++)
    out[random.below(out.length)] = random.pick([0, 1, 2, 4, 8, 16, 255, random.below(256)]);
  return random.chance(0.1) ? out.slice(0, random.below(out.length / 8) * 8 + 8) : out;
}

const answerOf = (read: ReturnType<typeof decodeActions>): string =>
  read.ok ? formatActions(read.value as OfAction[]) : read.error.name;

test('mutated actions get the answers of ovs-ofctl', () => {
  const random = new Random(seed);
  const bad = new Map<string, number>();
  let same = 0;
  for (const version of versions) {
    const whole = actionTexts
      .map(({ actions }) => encodeActions(version, must(parseActions(actions))))
      .filter((b) => b.length > 0);
    const lists = Array.from({ length: mutations }, () => mutate(random, random.pick(whole)));
    const readings = readActions(version, lists);
    lists.forEach((bytes, i) => {
      const ours = answerOf(decodeActions(version, bytes));
      const theirs = readings[i]!.text ?? readings[i]!.error!;
      if (ours === theirs) same++;
      else bad.set(`${version} ${toHex(bytes)} ours ${ours} theirs ${theirs}`, 1);
    });
  }
  const share = same / (same + bad.size);
  if (process.env.WEFT_SHOW) for (const text of bad.keys()) console.log(text);
  assert.ok(
    share >= 0.97,
    `seed ${seed}: ${(share * 100).toFixed(1)} % the same; ${[...bad.keys()].slice(0, 5).join('\n')}`,
  );
});
