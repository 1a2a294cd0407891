/**
 * Makes the switch what the database says.
 *
 * What. apply() compares what is there with what the rows ask for, removes what is no more, makes what is new and changes the
 * rest in place: traffic of what stays is not disturbed.
 *
 * Terms. *Live*: a bridge or interface as it is in the switch. *Number*: an OpenFlow port.
 *
 * Invariants. An interface that cannot be had is live with number null and an error, and is tried again with every change of the
 * database. An interface keeps its number as long as its row asks for no other one. Nothing here throws for what a row says.
 *
 * Not supported: bonds: of a port with several interfaces the first one is used, and the others say so in their `error`.
 */

import type { DpPort } from '../../flow/odp/action.ts';
import { parseMac } from '../../lib/addresses.ts';
import type { Micros } from '../../lib/clock.ts';
import type { Netdev } from '../../netdev/netdev.ts';
import type { Replica, ReplicaRow } from '../../ovsdb/index.ts';
import { DummyDevice } from '../dummy/device.ts';
import type { Switch } from '../switch.ts';
import type { PortConfig } from '../types.ts';
import { type BridgeSettingsRow, bridgeSettings, datapathIdOf } from './bridge-settings.ts';
import { classOf, type DeviceClass, type DeviceMaker, type DummyMode } from './devices.ts';
import { PortNumbers } from './port-numbers.ts';
import { portNumber, readBridges, vlanOf, type WantedBridge, type WantedInterface } from './read.ts';
import { readTunnel } from './tunnel-options.ts';

export interface LiveInterface {
  readonly bridge: string;
  readonly name: string;
  /** As the row says; `internal` for the bridge's own, `system` for an empty one. */
  readonly type: string;
  readonly kind: DeviceClass | null;
  row: ReplicaRow;
  /** Null for patch ports and tunnels, and for what could not be opened. */
  readonly device: Netdev | null;
  /** Null for what is not in the switch. */
  readonly number: number | null;
  readonly error: string | null;
  /** What it was made of: another text makes it anew. */
  readonly key: string;
  vlanKey: string;
}

export interface LiveBridge {
  readonly name: string;
  row: ReplicaRow;
  settings: BridgeSettingsRow;
  readonly mac: Uint8Array;
  readonly numbers: PortNumbers;
  readonly interfaces: Map<string, LiveInterface>;
}

export interface ConfiguratorOptions {
  readonly target: Switch;
  readonly devices: DeviceMaker;
  readonly dummies: DummyMode;
  /** So many random bytes. */
  readonly random: (size: number) => Uint8Array;
  readonly log: (level: 'INFO' | 'WARN' | 'ERR', text: string) => void;
  readonly watch: (device: Netdev) => void;
  readonly unwatch: (device: Netdev) => void;
  /** A bridge came, changed or goes: its connections are another one's business. */
  readonly bridgeChanged: (bridge: LiveBridge, change: 'added' | 'changed' | 'removed', now: Micros) => void;
}

/** Number of the local port. */
const OFPP_LOCAL = 0xfffe;

export class Configurator {
  readonly bridges = new Map<string, LiveBridge>();
  readonly #options: ConfiguratorOptions;

  constructor(options: ConfiguratorOptions) {
    this.#options = options;
  }

  /** An interface by its name; null when there is none. */
  interfaceOf(name: string): LiveInterface | null {
    for (const { interfaces } of this.bridges.values()) {
      const live = interfaces.get(name);
      if (live) return live;
    }
    return null;
  }

  /** Whether a bridge's own ports are dummies. */
  isDummyDatapath(datapathType: string): boolean {
    const { dummies } = this.#options;
    return dummies === 'override' || (dummies === 'system' && datapathType !== 'netdev') || datapathType === 'dummy';
  }

  apply(replica: Replica, now: Micros): void {
    const wanted = readBridges(replica, (text) => this.#options.log('WARN', text));
    for (const bridge of [...this.bridges.values()]) {
      const row = wanted.get(bridge.name)?.row;
      // A datapath of another type is another bridge
      if (row && row.string('datapath_type') === bridge.row.string('datapath_type')) continue;
      this.#removeBridge(bridge, now);
    }
    for (const bridge of wanted.values()) {
      const live = this.bridges.get(bridge.name);
      if (live) this.#removeInterfaces(live, bridge);
    }
    for (const bridge of wanted.values()) {
      const known = this.bridges.get(bridge.name);
      const live = known ?? this.#addBridge(bridge);
      if (!live) continue;
      this.#addInterfaces(live, bridge);
      this.#configure(live, bridge, known === undefined, now);
    }
    for (const bridge of this.bridges.values()) this.#joinPatches(bridge);
  }

  // ---- bridges ----

  #addBridge({ name, row, interfaces }: WantedBridge): LiveBridge | null {
    const { target, devices, log } = this.#options;
    const settings = bridgeSettings(row);
    const mac = settings.mac ?? this.#randomMac();
    const own = interfaces.find((one) => one.name === name);
    const kind = classOf('internal', this.#options.dummies, this.isDummyDatapath(row.string('datapath_type')))!;
    const opened = kind.kind === 'dummy' || kind.kind === 'device' ? devices.open(name, kind, mac) : null;
    if (!opened?.ok) {
      log('ERR', `failed to create bridge ${name}: ${opened?.error ?? 'Address family not supported by protocol'}`);
      return null;
    }
    const device = opened.value;
    if (device instanceof DummyDevice) device.mac = mac;
    const { failMode, forwardBpdu, macAging, macTableSize } = settings;
    const datapathId = datapathIdOf(settings, mac);
    const dpPort = this.#dpNumber(name);
    try {
      target.addBridge({
        name,
        mac,
        local: device,
        failMode,
        forwardBpdu,
        macAging,
        macTableSize,
        datapathId,
        ...(dpPort === null ? {} : { dpPort }),
      });
    } catch (error) {
      device.close();
      log('ERR', `failed to create bridge ${name}: ${(error as Error).message}`);
      return null;
    }
    this.#options.watch(device);
    const live: LiveBridge = { name, row, settings, mac, numbers: new PortNumbers(), interfaces: new Map() };
    this.bridges.set(name, live);
    const local: LiveInterface = {
      bridge: name,
      name,
      type: 'internal',
      kind,
      row: own?.row ?? row,
      device,
      number: OFPP_LOCAL,
      error: null,
      key: 'internal',
      vlanKey: '',
    };
    live.interfaces.set(name, local);
    return live;
  }

  #randomMac(): Uint8Array {
    const mac = this.#options.random(6);
    mac[0] = (mac[0]! & 0xfe) | 0x02;
    return mac;
  }

  /** The datapath number that a dummy's name asks for; null for none. */
  #dpNumber(name: string): DpPort | null {
    if (this.#options.dummies === 'none') return null;
    const digits = /\d+/.exec(name)?.[0];
    if (digits === undefined) return null;
    const number = Number(digits) + (name.startsWith('br') ? 100 : 0);
    return number > 0 && number <= 0xffff ? number : null;
  }

  #removeBridge(bridge: LiveBridge, now: Micros): void {
    const { target, unwatch } = this.#options;
    this.#options.bridgeChanged(bridge, 'removed', now);
    for (const live of [...bridge.interfaces.values()]) this.#removeInterface(bridge, live);
    const device = bridge.interfaces.get(bridge.name)?.device;
    if (device) unwatch(device);
    target.removeBridge(bridge.name);
    device?.close();
    this.bridges.delete(bridge.name);
  }

  #configure(live: LiveBridge, { row, interfaces }: WantedBridge, isNew: boolean, now: Micros): void {
    const { target, log } = this.#options;
    live.row = row;
    live.settings = bridgeSettings(row);
    const bridge = target.state.bridges.get(live.name)!;
    const { macAging, macTableSize, failMode, forwardBpdu } = live.settings;
    bridge.macs.configure(macAging, macTableSize);
    const datapathId = datapathIdOf(live.settings, live.mac);
    if (isNew || bridge.datapathId !== datapathId)
      log('INFO', `bridge ${live.name}: using datapath ID ${datapathId.toString(16).padStart(16, '0')}`);
    bridge.configure({ failMode, forwardBpdu, datapathId });
    for (const { name, row: own, port } of interfaces) {
      const one = live.interfaces.get(name);
      if (!one) continue;
      one.row = own;
      if (one.device instanceof DummyDevice) this.#configureDummy(one.device, own);
      const vlan = vlanOf(port.row);
      const vlanKey = JSON.stringify(vlan, (_key, value) => (value instanceof Set ? [...value] : value));
      if (one.number !== null && vlanKey !== one.vlanKey) target.setPortVlan(live.name, name, vlan);
      one.vlanKey = vlanKey;
    }
    this.#options.bridgeChanged(live, isNew ? 'added' : 'changed', now);
  }

  #configureDummy(device: DummyDevice, row: ReplicaRow): void {
    device.configure(row.map('options'));
    device.mtu = row.integer('mtu_request') ?? 1500;
  }

  // ---- interfaces ----

  #keyOf({ type, row }: WantedInterface): string {
    const options = type === 'patch' ? [...row.map('options')].filter(([name]) => name === 'peer') : [];
    const isDummy = classOf(type, this.#options.dummies, true)?.kind === 'dummy';
    return `${type} ${JSON.stringify(isDummy ? [] : type === 'patch' ? options : [...row.map('options')])}`;
  }

  #removeInterfaces(live: LiveBridge, { interfaces }: WantedBridge): void {
    const wanted = new Map(interfaces.map((one) => [one.name, one]));
    for (const one of [...live.interfaces.values()]) {
      if (one.name === live.name) continue;
      const want = wanted.get(one.name);
      const asked = want ? portNumber(want.row, 'ofport_request') : null;
      // A number that another one has is not waited for
      const mustMove = (to: number | null, from: number | null): boolean =>
        to !== null && to !== from && live.numbers.isFree(to);
      const stays = want && one.error === null && one.key === this.#keyOf(want) && !mustMove(asked, one.number);
      if (!stays) this.#removeInterface(live, one);
    }
  }

  #removeInterface(live: LiveBridge, one: LiveInterface): void {
    if (one.name === live.name) return;
    live.interfaces.delete(one.name);
    if (one.number === null) return;
    const { target, log, unwatch } = this.#options;
    log('INFO', `bridge ${live.name}: deleted interface ${one.name} on port ${one.number}`);
    if (one.device) unwatch(one.device);
    target.removePort(live.name, one.name);
    one.device?.close();
    live.numbers.give(one.number);
  }

  #addInterfaces(live: LiveBridge, { interfaces }: WantedBridge): void {
    const { log } = this.#options;
    for (const want of interfaces) {
      const { name } = want;
      if (name === live.name) {
        const own = live.interfaces.get(name)!;
        if (own.key !== 'logged') {
          log('INFO', `bridge ${name}: added interface ${name} on port ${OFPP_LOCAL}`);
          live.interfaces.set(name, { ...own, row: want.row, key: 'logged' });
        }
        continue;
      }
      if (!live.interfaces.has(name)) live.interfaces.set(name, this.#addInterface(live, want));
    }
  }

  #addInterface(live: LiveBridge, want: WantedInterface): LiveInterface {
    const { name, type, row, port } = want;
    const isDummyDatapath = this.isDummyDatapath(live.row.string('datapath_type'));
    const kind = classOf(type, this.#options.dummies, isDummyDatapath);
    const vlan = vlanOf(port.row);
    const common = { bridge: live.name, name, type, kind, row, key: this.#keyOf(want), vlanKey: '' };
    const failed = (error: string): LiveInterface => {
      this.#options.log('WARN', error);
      return { ...common, device: null, number: null, error };
    };
    if (port.interfaces.length > 1 && port.interfaces[0] !== row)
      return failed(`${name}: port ${port.name} has several interfaces, and bonds are not supported`);
    if (!kind) return failed(`could not open network device ${name} (Address family not supported by protocol)`);
    const target = this.#target(name, kind, row);
    if (typeof target === 'string') return failed(target);
    const number = live.numbers.take(portNumber(row, 'ofport_request') ?? portNumber(row, 'ofport'));
    if (number === null) return failed(`could not add network device ${name} to ofproto (No space left on device)`);
    const dpPort = this.#dpNumber(name);
    const device = 'netdev' in target ? target.netdev : null;
    try {
      const isProtected = port.row.boolean('protected') ?? false;
      const rest = { name, vlan, protected: isProtected, ofport: number, ...(dpPort === null ? {} : { dpPort }) };
      this.#options.target.addPort(live.name, { ...target, ...rest });
    } catch (error) {
      live.numbers.give(number);
      device?.close();
      return failed(`could not add network device ${name} to ofproto (${(error as Error).message})`);
    }
    if (device) this.#options.watch(device);
    this.#options.log('INFO', `bridge ${live.name}: added interface ${name} on port ${number}`);
    return { ...common, device, number, error: null };
  }

  /** What the port is made of, or why it is not. */
  #target(name: string, kind: DeviceClass, row: ReplicaRow): Target | string {
    const options = row.map('options');
    switch (kind.kind) {
      case 'patch': {
        const peer = options.get('peer');
        if (!peer) return `${name}: patch type requires valid 'peer' argument`;
        if (peer === name) return `${name}: patch peer must not be self`;
        return { patch: { bridge: this.#bridgeOf(peer) ?? '', port: peer } };
      }
      case 'tunnel': {
        const tunnel = readTunnel(name, kind.type, options);
        return tunnel.ok ? { tunnel: tunnel.value } : tunnel.error;
      }
      default: {
        const opened = this.#options.devices.open(name, kind, parseMac(row.string('mac')));
        return opened.ok ? { netdev: opened.value } : opened.error;
      }
    }
  }

  #bridgeOf(name: string): string | null {
    const live = this.interfaceOf(name);
    return live?.kind?.kind === 'patch' ? live.bridge : null;
  }

  /** Patch ports find their peers when these come, and lose them when they go. */
  #joinPatches({ name: bridge, interfaces }: LiveBridge): void {
    const state = this.#options.target.state.bridges.get(bridge)!;
    for (const { name, kind, number, row } of interfaces.values()) {
      if (kind?.kind !== 'patch' || number === null) continue;
      const peer = row.map('options').get('peer') ?? '';
      state.setPeer(name, { bridge: this.#bridgeOf(peer) ?? '', port: peer });
    }
  }

  close(now: Micros): void {
    for (const bridge of [...this.bridges.values()]) this.#removeBridge(bridge, now);
  }
}

type Target = PortConfig extends infer Each
  ? Each extends PortConfig
    ? Omit<Each, 'name' | 'ofport' | 'vlan' | 'protected' | 'dpPort'>
    : never
  : never;
