/** What the options of a TAP device do, and what must fail; in a namespace of its own. Sends the list of what was wrong. */
import { execFileSync } from 'node:child_process';
import { loadNative } from '../../backends/native/index.ts';
import { TapNetdev, type TapOptions } from '../../backends/tap/index.ts';
import { formatMac } from '../../src/lib/addresses.ts';
import { must } from '../../src/lib/result.ts';

const wrong: string[] = [];
const addon = must(loadNative());
const NAME = 'weft0';
const mac = Uint8Array.of(2, 1, 2, 3, 4, 5);

function expect(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) wrong.push(`${what}: ${actual} instead of ${expected}`);
}

function expectFailure(name: string, options: TapOptions, words: RegExp): void {
  const opened = TapNetdev.open(name, options);
  if (opened.ok) opened.value.close();
  if (opened.ok || !words.test(opened.error)) wrong.push(`${opened.ok ? 'success' : opened.error} instead of ${words}`);
}

expectFailure(NAME, { adopt: true }, /no interface/);
expectFailure('a/b', {}, /no interface name/);
expectFailure('a-name-of-many-letters', {}, /no interface name/);
expectFailure(NAME, { mtu: 1 }, /MTU/);
expectFailure(NAME, { mac: Uint8Array.of(1) }, /MAC of 1 bytes/);
expect('after failures', addon.linkInfo(NAME), null);

const passing = must(TapNetdev.open(NAME));
expect('up', passing.isUp, true);
expect('mtu', passing.mtu, 1500);
expectFailure(NAME, {}, /busy/i);
passing.close();
expect('after close', addon.linkInfo(NAME), null);

must(TapNetdev.open(NAME, { persistent: true, owner: 54321, group: 54322, mtu: 9000, mac, up: false })).close();
const left = addon.linkInfo(NAME);
expect('mtu of the persistent device', left?.mtu, 9000);
expect('mac of the persistent device', left && formatMac(left.mac), formatMac(mac));
expect('state of the persistent device', left?.isUp, false);
const details = execFileSync('ip', ['-d', 'link', 'show', 'dev', NAME], { encoding: 'utf8' });
expect('owner', /user 54321 /.test(details) && /group 54322 /.test(details) && /persist on/.test(details), true);

const adopted = must(TapNetdev.open(NAME, { adopt: true }));
expect('adopted mtu', adopted.mtu, 9000);
adopted.close();
expect('adopted and closed', addon.linkInfo(NAME)?.mtu, 9000);
must(TapNetdev.open(NAME, { persistent: false })).close();
expect('given up', addon.linkInfo(NAME), null);

execFileSync('ip', ['tuntap', 'add', 'dev', NAME, 'mode', 'tap', 'multi_queue']);
must(TapNetdev.open(NAME)).close();

const ready = must(TapNetdev.open('weft1'));
const start = performance.now();
expect('waiting on nothing', addon.waitReadable(Int32Array.of(-1), 20), 0);
if (performance.now() - start < 15) wrong.push('did not wait');
ready.close();

process.send!(wrong);
process.disconnect();
