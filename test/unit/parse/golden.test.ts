/** The readable cases of test/golden/parse, through the extractor and through the datapath's parser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractKey } from '../../../src/flow/extract.ts';
import { printKey } from '../../../src/flow/print.ts';
import { ParserBench, readGolden } from '../../support/parse.ts';

const bench = new ParserBench();

const layersText = (l: { l25: number | null; l3: number | null; l4: number | null; l2Pad: number }): string =>
  `l2.5 ${l.l25 ?? '-'}, l3 ${l.l3 ?? '-'}, l4 ${l.l4 ?? '-'}, padding ${l.l2Pad}`;

for (const { title, frame, key, layers } of readGolden()) {
  test(title, () => {
    const extracted = extractKey(frame, { inPort: 1 });
    assert.equal(printKey(extracted.key), key);
    assert.equal(layersText({ ...extracted.offsets, l2Pad: extracted.l2Pad }), layers);
    const parsed = bench.parse(frame, { inPort: 1 });
    assert.equal(printKey(parsed.key), key);
    assert.equal(layersText(parsed), layers);
  });
}
