/** Examples in help texts, pasted into a shell. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { must } from '../../../src/lib/result.ts';
import { fileSink, PcapngWriter, PcapWriter } from '../../../src/packet/pcap.ts';
import { udpFrame } from '../../support/udp-frame.ts';
import { scratch, weft } from './weft.ts';

const program = fileURLToPath(new URL('../../../bin/weft.mjs', import.meta.url));

/** Lines that begin with the command, each with the lines that belong to it: those that are further in. */
function examplesIn(help: string): string[] {
  return [...help.matchAll(/^ {2}(weft .*(?:\n {6,}.*)*)/gm)].map((match) => match[1]!);
}

/** The captures that the examples read. */
function writeCaptures(path: (name: string) => string): void {
  const plain = new PcapWriter(must(fileSink(path('in.pcap'))), { resolution: 'nano' });
  const named = new PcapngWriter(must(fileSink(path('in.pcapng'))), { interfaces: ['eth0', 'eth1'] });
  for (let i = 0; i < 4; i++) {
    plain.writeAt(i, udpFrame({ src: i }));
    named.writeAt(i, udpFrame({ src: i }), udpFrame().length, i % 2);
  }
  plain.close();
  named.close();
}

for (const [command, count] of [
  ['demo', 0],
  ['trace', 2],
  ['replay', 3],
] as const) {
  test(`${command}: examples of its help work`, async (t) => {
    const { stdout: help, status } = await weft(command, '--help');
    assert.equal(status, 0);
    const examples = examplesIn(help);
    assert.equal(examples.length, count);
    const path = scratch(t);
    writeCaptures(path);
    mkdirSync(path('bin'));
    writeFileSync(path('bin/weft'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
    chmodSync(path('bin/weft'), 0o755);
    const env = { ...process.env, NO_COLOR: '1', PATH: `${path('bin')}${delimiter}${process.env.PATH}` };
    for (const example of examples) {
      const run = spawnSync('sh', ['-c', example], { cwd: path('.'), env, encoding: 'utf8' });
      assert.equal(run.status, 0, `${example}\n${run.stdout}${run.stderr}`);
      assert.equal(run.stderr, '', example);
    }
  });
}
