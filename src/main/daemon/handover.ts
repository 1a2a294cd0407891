/**
 * A restart without lost frames: the devices' descriptors outlive the daemon.
 *
 * What. A daemon that is told to exit starts a process that does nothing but hold its packet sockets and TAP devices, and writes
 * down where they are. The next daemon takes them over: frames that came in between have waited in the kernel, and the
 * machine's own interfaces have kept their addresses and routes.
 *
 * Invariants. The holder ends by itself after HOLD_SECONDS. What cannot be taken over is opened anew.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Held {
  readonly pid: number;
  readonly fd: number;
  /** Six bytes. */
  readonly mac: Uint8Array;
}

/** A device of this process, by the name of its interface. */
interface Holdable {
  readonly name: string;
  readonly fd: number;
  readonly mac: Uint8Array;
}

interface Note {
  readonly pid: number;
  readonly devices: readonly { readonly name: string; readonly fd: number; readonly mac: readonly number[] }[];
}

const HOLD_SECONDS = 10;
const HOLDER = 'sleep';
/** First descriptor behind the standard ones. */
const FIRST_FD = 3;
/** Descriptors that one holder gets. */
const DEVICES_MAX = 1024;

const noteOf = (folder: string): string => join(folder, 'ovs-vswitchd.held');

/** Gives the devices to a holder. Nothing happens when there are none, or when none can be started. */
export function handOver(folder: string, devices: readonly Holdable[]): void {
  const held = devices.slice(0, DEVICES_MAX);
  if (held.length === 0) return;
  try {
    const stdio = ['ignore', 'ignore', 'ignore', ...held.map(({ fd }) => fd)] as const;
    const holder = spawn(HOLDER, [`${HOLD_SECONDS}`], { detached: true, cwd: '/', stdio: [...stdio] });
    holder.on('error', () => undefined);
    if (holder.pid === undefined) return;
    holder.unref();
    const list = held.map(({ name, mac }, i) => ({ name, fd: FIRST_FD + i, mac: [...mac] }));
    writeFileSync(noteOf(folder), JSON.stringify({ pid: holder.pid, devices: list } satisfies Note), { mode: 0o600 });
  } catch {
    // The next daemon opens its devices anew
  }
}

function isHolder(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === HOLDER;
  } catch {
    return false;
  }
}

/** What the daemon before this one has left, by interface; `release` ends the holder. */
export function heldDevices(folder: string): { readonly devices: Map<string, Held>; readonly release: () => void } {
  const devices = new Map<string, Held>();
  let pid = 0;
  try {
    const text = readFileSync(noteOf(folder), 'utf8');
    rmSync(noteOf(folder), { force: true });
    const note = JSON.parse(text) as Note;
    if (Number.isInteger(note.pid) && note.pid > 1 && isHolder(note.pid)) {
      ({ pid } = note);
      for (const { name, fd, mac } of note.devices) devices.set(name, { pid, fd, mac: Uint8Array.from(mac) });
    }
  } catch {
    // nobody was here before
  }
  const release = (): void => {
    if (pid > 0 && isHolder(pid)) process.kill(pid, 'SIGKILL');
    devices.clear();
    pid = 0;
  };
  return { devices, release };
}
