/**
 * Which device stands behind an interface of the database: a dummy, one of the machine's interfaces, a TAP device, a patch port or
 * a tunnel.
 */
import { fail, ok, type Result } from '../../lib/result.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import { openDevice } from '../devices.ts';
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

/** What devices need of the daemon. */
export interface DeviceHooks {
  readonly now: () => number;
  /** A frame has come in by a stream. */
  readonly wake: () => void;
}

/** Makes dummies, each with an address of its own, and opens the machine's devices. */
export class DeviceMaker {
  readonly #hooks: DeviceHooks;
  #dummies: number;

  constructor(hooks: DeviceHooks) {
    this.#hooks = hooks;
    this.#dummies = FIRST_DUMMY;
  }

  /** Fails with why a device cannot be opened, in the words of the `error` column. */
  open(
    name: string,
    kind: DeviceClass & { readonly kind: 'dummy' | 'device' },
    mac: Uint8Array | null,
  ): Result<Netdev> {
    if (kind.kind === 'dummy') {
      const number = this.#dummies++;
      const own = Uint8Array.of(0xaa, 0x55, 0xaa, 0x55, number >>> 8, number);
      return ok(new DummyDevice({ ...this.#hooks, name, type: kind.type, mac: mac ?? own }));
    }
    const options = kind.type === 'packet' || kind.type === 'afxdp' || !mac ? {} : { mac };
    const opened = openDevice({ type: kind.type, name, options });
    if (opened.ok) return opened;
    return fail(`could not open network device ${name} (${reasonOf(opened.error)})`);
  }
}

/** What the reference has used up for itself before the first bridge comes. */
const FIRST_DUMMY = 0x0e;

/** The words of the operating system, without what stands around them. */
function reasonOf(error: string): string {
  if (/no such (device|interface)|ENODEV|not found/i.test(error)) return 'No such device';
  if (/permission|EPERM|EACCES/i.test(error)) return 'Operation not permitted';
  if (/busy|EBUSY/i.test(error)) return 'Device or resource busy';
  return error;
}
