/**
 * Devices by one word: which backend stands behind a port is a name in a configuration.
 *
 * What. `openDevice({type, name, options})` checks the options against the table of the type and opens the device. An
 * interface that is down is switched on, and off again when the device is closed, unless `up: false` says to leave it.
 *
 * Terms. *internal*: a kernel interface that the switch makes, goes with it, and is the host's own way into a bridge: a TAP
 * device. *memory*: a device whose other end is this process. *queues*: a device of several queues is opened whole, or queue
 * by queue, each where its worker is (queueRequests).
 */
import { XdpNetdev } from '../../backends/afxdp/index.ts';
import { MemoryNetdev } from '../../backends/memory/index.ts';
import { type HeldDescriptor, loadNative } from '../../backends/native/index.ts';
import { PacketNetdev } from '../../backends/packet/index.ts';
import { TapNetdev } from '../../backends/tap/index.ts';
import { QUEUES_MAX } from '../gen/limits.ts';
import { parseMac } from '../lib/addresses.ts';
import { fail, ok, type Result } from '../lib/result.ts';
import type { Netdev } from '../netdev/netdev.ts';

export const deviceTypes = ['afxdp', 'packet', 'tap', 'internal', 'memory'] as const;
export type DeviceType = (typeof deviceTypes)[number];

export type DeviceOptions = Readonly<Record<string, unknown>>;

export interface DeviceRequest {
  readonly type: string;
  /** Of the interface. */
  readonly name: string;
  readonly options?: DeviceOptions;
  /** Only this one of the queues that the options ask for. */
  readonly only?: number;
  /** Packet sockets and TAP devices: another process's descriptor to take over. */
  readonly from?: HeldDescriptor;
}

/** What an option may be: null when the value will do, else what it should be. */
type Check = (value: unknown) => string | null;

const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? null : `${min} to ${max}`;
const boolean: Check = (value) => (typeof value === 'boolean' ? null : 'true or false');
const mac: Check = (value) =>
  (typeof value === 'string' && parseMac(value)) || (value instanceof Uint8Array && value.length === 6)
    ? null
    : 'a MAC address';
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string) ? null : words.join(' or ');

const mtu = integer(68, 65_535);
const id = integer(0, 0xffff_fffe);
const queues = integer(1, QUEUES_MAX);

const optionTables: Readonly<Record<DeviceType, Readonly<Record<string, Check>>>> = {
  afxdp: {
    queue: integer(0, 255),
    queues,
    mode: oneOf('auto', 'zerocopy', 'native', 'generic'),
    checksums: oneOf('complete', 'trust'),
    busyPoll: integer(0, 1_000_000),
    busyPollBudget: integer(1, 65_535),
    txBudget: integer(32, 65_536),
    up: boolean,
  },
  packet: { queues, up: boolean },
  tap: { queues, mtu, mac, up: boolean, persistent: boolean, owner: id, group: id, adopt: boolean },
  internal: { mtu, mac, up: boolean },
  memory: { queues, mtu, mac },
};

/** Names of network interfaces, as the kernel takes them. */
const INTERFACE_NAME = /^[^\s/]{1,15}$/;

export const isDeviceType = (word: string): word is DeviceType => deviceTypes.includes(word as DeviceType);

/** A wrong option of a device: which, and what is wrong with it. */
export interface OptionError {
  readonly option: string;
  readonly message: string;
}

/** The first wrong option; null when all will do. */
export function checkDeviceOptions(type: DeviceType, options: DeviceOptions): OptionError | null {
  const table = optionTables[type];
  for (const [option, value] of Object.entries(options)) {
    const check = Object.hasOwn(table, option) ? table[option] : undefined;
    if (!check) {
      const known = Object.keys(table).join(', ');
      return { option, message: `${type} has no such option (there are: ${known})` };
    }
    const expected = check(value);
    if (expected !== null) return { option, message: `should be ${expected}, not ${JSON.stringify(value)}` };
  }
  return null;
}

/**
 * Options as a database has them, text all, in the form that openDevice takes: those that the type has; others are for somebody
 * else. What makes no sense stays text, and openDevice says so.
 */
export function readDeviceOptions(type: DeviceType, texts: Iterable<readonly [string, string]>): DeviceOptions {
  const table = optionTables[type];
  const options: Record<string, unknown> = {};
  for (const [option, value] of texts) {
    const check = Object.hasOwn(table, option) ? table[option] : undefined;
    if (!check) continue;
    const forms = [value === 'true' ? true : value === 'false' ? false : value, Number(value)];
    options[option] = forms.find((form) => check(form) === null) ?? value;
  }
  return options;
}

export function checkInterfaceName(name: string): string | null {
  return INTERFACE_NAME.test(name) && name !== '.' && name !== '..' ? null : `"${name}" is no interface name`;
}

const macOf = (value: unknown): Uint8Array => (typeof value === 'string' ? parseMac(value)! : (value as Uint8Array));

const openers: Readonly<Record<DeviceType, (name: string, options: DeviceOptions) => Result<Netdev>>> = {
  afxdp: (name, options) => keepState(name, options, XdpNetdev.open(name, options)),
  packet: (name, options) => keepState(name, options, PacketNetdev.open(name, options)),
  tap: (name, options) => TapNetdev.open(name, options),
  internal(name, options) {
    const device = TapNetdev.open(name, { ...options, persistent: false });
    return device.ok ? ok(Object.defineProperty(device.value, 'type', { value: 'internal' })) : device;
  },
  memory: (name, options) => ok(new MemoryNetdev(name, options)),
};

/** Opens a device. Fails with one line that says what is wrong: the type, an option, the interface, the rights. */
export function openDevice({ type, name, options = {}, only, from }: DeviceRequest): Result<Netdev> {
  if (!isDeviceType(type)) return fail(`"${type}" is no type of device (there are: ${deviceTypes.join(', ')})`);
  const badName = checkInterfaceName(name);
  if (badName !== null) return fail(badName);
  const wrong = checkDeviceOptions(type, options);
  if (wrong) return fail(`${name}: ${wrong.option}: ${wrong.message}`);
  const { mac } = options;
  return openers[type](name, {
    ...options,
    ...(mac === undefined ? {} : { mac: macOf(mac) }),
    ...(only === undefined ? {} : { only }),
    ...(from === undefined ? {} : { from }),
  });
}

/** A request for each queue of a device: for Datapath.openQueues, which opens them in different threads. */
export function queueRequests(request: DeviceRequest): DeviceRequest[] {
  const { queues: count = 1 } = (request.options ?? {}) as { queues?: number };
  return Array.from({ length: count }, (_, only) => ({ ...request, only }));
}

/** Switches the interface on, when that is wanted and it is off; it is off again after close(). */
function keepState<T extends Netdev>(name: string, { up = true }: DeviceOptions, opened: Result<T>): Result<T> {
  const addon = loadNative();
  if (!opened.ok || !addon.ok || up !== true) return opened;
  const device = opened.value;
  const link = addon.value.linkInfo(name);
  if (!link || link.isUp) return opened;
  const close = device.close.bind(device);
  try {
    addon.value.setLink(name, { isUp: true });
  } catch (error) {
    close();
    return fail((error as Error).message);
  }
  device.close = () => {
    close();
    try {
      if (addon.value.linkInfo(name)?.index === link.index) addon.value.setLink(name, { isUp: false });
    } catch {
      // gone in the meantime
    }
  };
  return opened;
}
