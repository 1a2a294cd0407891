/** The commands netdev-dummy/*. */
import { composeFrame } from '../../flow/compose.ts';
import { parseKey } from '../../flow/odp/parse.ts';
import { parseIpv4, parseIpv6 } from '../../lib/addresses.ts';
import { fromHex } from '../../lib/bytes.ts';
import { CommandError, type ControlSocket } from '../../ovsdb/index.ts';
import type { SwitchDaemon } from '../database/daemon.ts';
import { DummyDevice } from '../dummy/device.ts';

const FRAME_MIN = 14;
const FRAME_MAX = 65_535;

export function dummyDevices(daemon: SwitchDaemon): DummyDevice[] {
  return [...daemon.config.bridges.values()].flatMap(({ interfaces }) =>
    [...interfaces.values()].map(({ device }) => device).filter((device) => device instanceof DummyDevice),
  );
}

const dummyOf = (daemon: SwitchDaemon, name: string): DummyDevice | null =>
  dummyDevices(daemon).find((device) => device.name === name) ?? null;

/** A frame of hexadecimal digits, or one made of flow text. @param size bytes that it has, zeros behind its headers; 0 for the usual */
function frameOf(daemon: SwitchDaemon, text: string, size: number): Uint8Array {
  const bytes = /^[0-9a-fA-F\s]+$/.test(text) ? fromHex(text) : null;
  if (bytes && bytes.length >= FRAME_MIN) return bytes;
  const portByName = (name: string): number | null => {
    const live = daemon.config.interfaceOf(name);
    return live ? (daemon.target.port(live.bridge, name)?.dpPort ?? null) : null;
  };
  const key = parseKey(text, { portByName });
  if (!key.ok) throw new CommandError(`syntax error at ${text}`);
  if (size <= 0) return composeFrame(key.value);
  const bare = composeFrame(key.value, 0).length;
  if (size < bare) throw new CommandError('too small packet len');
  const frame = new Uint8Array(Math.min(size, FRAME_MAX));
  frame.set(composeFrame(key.value, new Uint8Array(frame.length - bare)));
  return frame;
}

function receive(daemon: SwitchDaemon, [name, ...rest]: readonly string[]): string {
  const device = dummyOf(daemon, name!);
  if (!device) throw new CommandError('no such dummy netdev');
  let words = rest;
  if (words[0] === '--qid' && words.length > 1) {
    const queue = Number.parseInt(words[1]!, 10);
    if (!(queue >= 0) || queue >= 1) throw new CommandError('bad rx queue id.');
    words = words.slice(2);
  }
  const frames: Uint8Array[] = [];
  for (let i = 0; i < words.length; i++) {
    const hasSize = words[i + 1] === '--len' && words[i + 2] !== undefined;
    const size = hasSize ? Number.parseInt(words[i + 2]!, 10) : 0;
    frames.push(frameOf(daemon, words[i]!, Number.isNaN(size) ? 0 : size));
    if (hasSize) i += 2;
  }
  for (const frame of frames) {
    device.receive(frame);
    daemon.turn();
  }
  return '';
}

function setAdminState(daemon: SwitchDaemon, args: readonly string[]): string {
  const word = args.at(-1)!.toLowerCase();
  if (word !== 'up' && word !== 'down') throw new CommandError('Invalid Admin State');
  const devices = args.length > 1 ? [dummyOf(daemon, args[0]!)] : dummyDevices(daemon);
  for (const device of devices) {
    if (!device) throw new CommandError('Unknown Dummy Interface');
    device.isAdminUp = word === 'up';
  }
  daemon.turn();
  daemon.refreshStatus();
  return 'OK';
}

function setAddress(daemon: SwitchDaemon, [name, text]: readonly string[], family: 4 | 6): string {
  const device = dummyOf(daemon, name!);
  if (!device) throw new CommandError('Unknown Dummy Interface');
  const [address = '', length] = text!.split('/');
  const bytes = family === 4 ? parseIpv4(address) : parseIpv6(address);
  const bits = family === 4 ? 32 : 128;
  const prefixLength = length === undefined ? bits : Number(length);
  if (!bytes || !Number.isInteger(prefixLength) || prefixLength > bits)
    throw new CommandError(family === 4 ? `${address}: invalid IP address` : `${address}: bad IPv6 address`);
  if (daemon.target.state.bridges.has(name!)) daemon.target.addAddress(name!, { address: bytes, prefixLength });
  return 'OK';
}

export function registerDummy(control: ControlSocket, daemon: SwitchDaemon): void {
  control.register('netdev-dummy/receive', 'name [--qid queue_id] packet|flow [--len packet_len]', 2, 1000, (args) =>
    receive(daemon, args),
  );
  control.register('netdev-dummy/set-admin-state', '[netdev] up|down', 1, 2, (args) => setAdminState(daemon, args));
  control.register('netdev-dummy/conn-state', '[netdev]', 0, 1, ([name]) => {
    if (name !== undefined) return `${name}: ${dummyOf(daemon, name)?.connectionState ?? 'unknown'}`;
    return dummyDevices(daemon)
      .filter(({ connectionState }) => connectionState !== 'unknown')
      .map((device) => `${device.name}: ${device.connectionState}\n`)
      .join('');
  });
  control.register('netdev-dummy/ip4addr', '[netdev] ipaddr/mask-prefix-len', 2, 2, (args) =>
    setAddress(daemon, args, 4),
  );
  control.register('netdev-dummy/ip6addr', '[netdev] ip6addr', 2, 2, (args) => setAddress(daemon, args, 6));
}
