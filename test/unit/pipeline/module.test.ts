import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { datapathPath } from './host.ts';

/** Section ids of the WebAssembly core specification, §5.5.2. */
const SECTION = { import: 2, global: 6, start: 8, data: 11, dataCount: 12 } as const;

interface Section {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** An unsigned LEB128 number and where the next byte is. */
function readNumber(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function readSections(wasm: Uint8Array): Section[] {
  assert.deepEqual([...wasm.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const sections: Section[] = [];
  for (let at = 8; at < wasm.length; ) {
    const id = wasm[at]!;
    const [size, start] = readNumber(wasm, at + 1);
    sections.push({ id, bytes: wasm.subarray(start, start + size) });
    at = start + size;
  }
  return sections;
}

for (const name of ['weft.wasm', 'weft.shared.wasm']) {
  test(`${name}: no data, no globals, no start function, nothing imported but the memory`, () => {
    const wasm = readFileSync(datapathPath(name));
    const ids = readSections(wasm).map(({ id }) => id);
    for (const section of ['global', 'start', 'data', 'dataCount'] as const)
      assert.ok(!ids.includes(SECTION[section]), `a ${section} section`);
    assert.ok(ids.includes(SECTION.import));
    const module = new WebAssembly.Module(wasm);
    assert.deepEqual(WebAssembly.Module.imports(module), [{ module: 'env', name: 'memory', kind: 'memory' }]);
    for (const entry of WebAssembly.Module.exports(module)) assert.equal(entry.kind, 'function', entry.name);
  });
}

test('the module of the other kind of memory is refused', () => {
  const module = new WebAssembly.Module(readFileSync(datapathPath('weft.shared.wasm')));
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  assert.throws(() => new WebAssembly.Instance(module, { env: { memory } }), /shared/);
});
