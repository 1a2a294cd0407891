/** Descriptors that outlive a process: the note about them, and what comes of a wrong one. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { handOver, heldDevices } from '../../../src/main/daemon/handover.ts';

let folder = '';
const note = (): string => join(folder, 'ovs-vswitchd.held');
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-handover-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a descriptor is held by another process, found once, and given up', async () => {
  const path = join(folder, 'file');
  const fd = openSync(path, 'w');
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
  handOver(folder, [{ name: 'p1', fd, mac }]);
  closeSync(fd);
  const { pid } = JSON.parse(readFileSync(note(), 'utf8')) as { pid: number };
  const held = heldDevices(folder);
  assert.ok(!existsSync(note()));
  const device = held.devices.get('p1')!;
  assert.deepEqual(device, { pid, fd: 3, mac });
  assert.equal(readlinkSync(`/proc/${pid}/fd/3`), path);
  assert.equal(heldDevices(folder).devices.size, 0);
  held.release();
  assert.equal(held.devices.size, 0);
  for (let i = 0; i < 100 && existsSync(`/proc/${pid}/fd/3`); i++) await delay(10);
  assert.ok(!existsSync(`/proc/${pid}/fd/3`));
});

it('nothing is held when there is nothing to hold', () => {
  handOver(folder, []);
  assert.ok(!existsSync(note()));
});

it('a note that is none, or whose process is gone or another one, is passed over', () => {
  for (const text of [
    '',
    '{',
    '{"pid":1,"devices":[]}',
    `{"pid":${process.pid},"devices":[{"name":"a","fd":3}]}`,
    '[]',
  ]) {
    writeFileSync(note(), text);
    const { devices, release } = heldDevices(folder);
    assert.equal(devices.size, 0, text);
    release();
    assert.ok(!existsSync(note()), text);
  }
});
