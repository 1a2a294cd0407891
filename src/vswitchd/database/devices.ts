/**
 * Which device stands behind an interface of the database: a dummy, one of the machine's interfaces, a TAP device, a patch port or
 * a tunnel.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import { type DeviceRequest, openDevice, readDeviceOptions } from '../devices.ts';
import { DummyDevice } from '../dummy/device.ts';
import { type TunnelType, tunnelTypes } from './tunnel-options.ts';

/** Which types are dummies: none; `dummy` only; system too; all but patch ports. */
export type DummyMode = 'none' | 'dummy' | 'system' | 'override';

/** What an interface is to the switch. */
export type DeviceClass =
  | { readonly kind: 'dummy'; readonly type: 'dummy' | 'dummy-internal' | 'dummy-pmd' }
  | { readonly kind: 'tunnel'; readonly type: TunnelType }
  | { readonly kind: 'patch' }
  | { readonly kind: 'device'; readonly type: 'packet' | 'afxdp' | 'tap' | 'internal' };

/** Types that the switch can make something of. */
export function interfaceTypes(mode: DummyMode): string[] {
  const dummies = mode === 'none' ? [] : ['dummy', 'dummy-internal', 'dummy-pmd'];
  return ['afxdp', ...dummies, ...tunnelTypes, 'internal', 'patch', 'system', 'tap'].sort();
}

const dummyTypes = ['dummy', 'dummy-internal', 'dummy-pmd'] as const;
const overridden: ReadonlySet<string> = new Set([
  'afxdp',
  'internal',
  'system',
  'tap',
  ...tunnelTypes,
  'bareudp',
  'erspan',
  'gtpu',
  'ip6erspan',
  'ip6gre',
  'lisp',
  'stt',
]);

/** The class of a type; null for a type that is not known. @param isDummyDatapath bridges of a dummy datapath have dummy local ports */
export function classOf(type: string, mode: DummyMode, isDummyDatapath: boolean): DeviceClass | null {
  if (type === 'patch') return { kind: 'patch' };
  const dummy = dummyTypes.find((name) => name === type);
  if (dummy) return mode === 'none' ? null : { kind: 'dummy', type: dummy };
  if (type === 'internal' && isDummyDatapath) return { kind: 'dummy', type: 'dummy-internal' };
  if (mode === 'override' && overridden.has(type)) return { kind: 'dummy', type: 'dummy' };
  if (mode === 'system' && type === 'system') return { kind: 'dummy', type: 'dummy' };
  const tunnel = tunnelTypes.find((name) => name === type);
  if (tunnel) return { kind: 'tunnel', type: tunnel };
  if (type === 'system') return { kind: 'device', type: 'packet' };
  if (type === 'internal' || type === 'tap' || type === 'afxdp') return { kind: 'device', type };
  return null;
}

/** A descriptor of another process, and the address that its device has. */
export interface HeldDevice {
  readonly pid: number;
  readonly fd: number;
  readonly mac: Uint8Array;
}

/** What devices need of the daemon. */
export interface DeviceHooks {
  readonly now: () => number;
  /** A frame has come in by a stream. */
  readonly wake: () => void;
  /** Devices of a daemon that has just ended, by interface: each is taken over once. */
  readonly held?: Map<string, HeldDevice>;
  /** How the machine's devices are opened: openDevice when left out. `options` are those of the interface's row. */
  readonly open?: (request: DeviceRequest, options: ReadonlyMap<string, string>) => Result<Netdev>;
}

/** Makes dummies, each with an address of its own, and opens the machine's devices. */
export class DeviceMaker {
  readonly #hooks: DeviceHooks;
  #dummies: number;

  constructor(hooks: DeviceHooks) {
    this.#hooks = hooks;
    this.#dummies = FIRST_DUMMY;
  }

  /** The address that a device has, of a daemon that has just ended. */
  heldMac(name: string): Uint8Array | null {
    return this.#hooks.held?.get(name)?.mac ?? null;
  }

  /** Fails with why a device cannot be opened, in the words of the `error` column. */
  open(
    name: string,
    kind: DeviceClass & { readonly kind: 'dummy' | 'device' },
    mac: Uint8Array | null,
    settings: ReadonlyMap<string, string> = new Map(),
  ): Result<Netdev> {
    if (kind.kind === 'dummy') {
      const number = this.#dummies++;
      const own = Uint8Array.of(0xaa, 0x55, 0xaa, 0x55, number >>> 8, number);
      return ok(new DummyDevice({ ...this.#hooks, name, type: kind.type, mac: mac ?? own }));
    }
    const { type } = kind;
    const mode = xdpModes[settings.get('xdp-mode') ?? ''];
    const own = type === 'packet' || type === 'afxdp' || !mac ? {} : { mac };
    const queues = settings.get('n_rxq');
    const texts = queues === undefined ? settings : new Map([...settings, ['queues', queues]]);
    const options = { ...readDeviceOptions(type, texts), ...(mode && type === 'afxdp' ? { mode } : {}), ...own };
    const open = this.#hooks.open ?? openDevice;
    const request = { type, name: settings.get('weft-interface') ?? name, options };
    const from = this.#hooks.held?.get(name);
    this.#hooks.held?.delete(name);
    const taken = from ? open({ ...request, from: { pid: from.pid, fd: from.fd } }, settings) : null;
    if (taken?.ok) return taken;
    const opened = open(request, settings);
    if (opened.ok) return opened;
    return fail(`could not open network device ${name} (${reasonOf(opened.error)})`);
  }
}

/** options:xdp-mode of AF_XDP interfaces, in the backend's words. */
const xdpModes: Readonly<Record<string, string>> = {
  'best-effort': 'auto',
  'native-with-zerocopy': 'zerocopy',
  native: 'native',
  generic: 'generic',
};

/** What the reference has used up for itself before the first bridge comes. */
const FIRST_DUMMY = 0x0e;

/** The words of the operating system, without what stands around them. */
function reasonOf(error: string): string {
  if (/no such (device|interface)|there is no interface|ENODEV|not found/i.test(error)) return 'No such device';
  if (/permission|EPERM|EACCES/i.test(error)) return 'Operation not permitted';
  if (/busy|EBUSY/i.test(error)) return 'Device or resource busy';
  return error;
}
