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

import { loadNative } from '../../../backends/native/index.ts';
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
import { configureTables } from './flow-tables.ts';
import { isGone, lookAgain } from './links.ts';
import { type LocalHostSettings, localHostKey, localHostOf } from './local-host.ts';
import { PortNumbers } from './port-numbers.ts';
import { portNumber, readBridges, vlanOf, type WantedBridge, type WantedInterface } from './read.ts';
import { readTunnel, tunnelPortName } from './tunnel-options.ts';

export interface LiveInterface {
  readonly bridge: string;
  readonly name: string;
  /** As the row says; `internal` for the bridge's own, `system` for an empty one. */
  readonly type: string;
  readonly kind: DeviceClass | null;
  row: ReplicaRow;
  /** Null for patch ports and tunnels, and for what could not be opened. */
  readonly device: Netdev | null;
  /** Of a bridge's own interface, which may be without a device. */
  readonly mac?: Uint8Array;
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
  /** Numbers of interfaces that are gone, and get them again when they come back. */
  readonly kept: Map<string, number>;
  /** Ports that a port-mod has switched off. */
  readonly portsDown: Set<string>;
  /** Settings of flow tables, as they were made: by table. */
  readonly tables: Map<number, string>;
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
const OFPPC_PORT_DOWN = 1;

export class Configurator {
  readonly bridges = new Map<string, LiveBridge>();
  readonly #options: ConfiguratorOptions;
  /** What was said of interfaces that cannot be had, by name: it is said once. */
  readonly #said = new Map<string, string>();
  /** Bridges that could not be made, and why. */
  readonly lacking = new Map<string, string>();

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
      // A datapath of another type is another bridge, and so is one with another host behind it
      const isSame = row?.string('datapath_type') === bridge.row.string('datapath_type');
      if (row && isSame && localHostKey(row) === localHostKey(bridge.row)) continue;
      this.#removeBridge(bridge, now);
    }
    for (const bridge of wanted.values()) {
      const live = this.bridges.get(bridge.name);
      if (live) this.#removeInterfaces(live, bridge);
    }
    const before = new Map(this.lacking);
    this.lacking.clear();
    for (const bridge of wanted.values()) {
      const known = this.bridges.get(bridge.name);
      const live = known ?? this.#addBridge(bridge, before.get(bridge.name));
      if (!live) continue;
      this.#addInterfaces(live, bridge);
      const { tables } = this.#options.target.state.bridges.get(live.name)!.ofproto;
      configureTables(tables, bridge.row, replica, (text) => this.#options.log('WARN', text), live.tables);
      this.#configure(live, bridge, known === undefined, now);
    }
    for (const bridge of this.bridges.values()) this.#joinPatches(bridge);
  }

  // ---- bridges ----

  /** @param said why it could not be made before: it is said once */
  #addBridge({ name, row, interfaces }: WantedBridge, said: string | undefined): LiveBridge | null {
    const { target, devices, log } = this.#options;
    const failed = (reason: string): null => {
      if (reason !== said) log('ERR', `failed to create bridge ${name}: ${reason}`);
      this.lacking.set(name, reason);
      return null;
    };
    const settings = bridgeSettings(row);
    const mac = settings.mac ?? devices.heldMac(name) ?? this.#randomMac();
    const own = interfaces.find((one) => one.name === name);
    const kind = classOf('internal', this.#options.dummies, this.isDummyDatapath(row.string('datapath_type')))!;
    const host = localHostOf(row);
    for (const problem of host.problems) log('WARN', `bridge ${name}: other_config:${problem}`);
    const isOpened = (kind.kind === 'dummy' || kind.kind === 'device') && host.local === 'internal';
    const opened = isOpened ? devices.open(name, kind, mac, own ? settingsOf(own.row) : undefined) : null;
    if (opened?.ok === false) return failed(opened.error);
    if (!opened && host.local === 'internal') return failed('Address family not supported by protocol');
    const device = opened?.ok ? opened.value : null;
    if (device instanceof DummyDevice) device.mac = mac;
    const { failMode, forwardBpdu, macAging, macTableSize } = settings;
    const datapathId = datapathIdOf(settings, mac);
    const dpPort = this.#dpNumber(name);
    try {
      target.addBridge({
        name,
        mac,
        local: device ?? (host.local === 'embedded' ? 'embedded' : 'none'),
        addresses: host.addresses,
        failMode,
        forwardBpdu,
        macAging,
        macTableSize,
        datapathId,
        ...(dpPort === null ? {} : { dpPort }),
      });
    } catch (error) {
      device?.close();
      return failed((error as Error).message);
    }
    this.#setUpHost(name, host, device);
    if (device) this.#options.watch(device);
    const live: LiveBridge = {
      name,
      row,
      settings,
      mac,
      numbers: new PortNumbers(),
      interfaces: new Map(),
      kept: new Map(),
      portsDown: new Set(),
      tables: new Map(),
    };
    this.bridges.set(name, live);
    const local: LiveInterface = {
      bridge: name,
      name,
      type: 'internal',
      kind,
      row: own?.row ?? row,
      device,
      mac,
      number: OFPP_LOCAL,
      error: null,
      key: 'internal',
      vlanKey: '',
    };
    live.interfaces.set(name, local);
    return live;
  }

  /** Routes and neighbours of the local port; addresses of the kernel's end, where there is one. */
  #setUpHost(bridge: string, { addresses, routes, neighbors }: LocalHostSettings, device: Netdev | null): void {
    const { target, log } = this.#options;
    const attempt = (what: string, work: () => void): void => {
      try {
        work();
      } catch (error) {
        log('WARN', `bridge ${bridge}: ${what}: ${(error as Error).message}`);
      }
    };
    if (device) {
      const addon = loadNative();
      for (const { address, prefixLength } of addresses)
        attempt('address', () => addon.ok && addon.value.setAddress(bridge, address, prefixLength, true));
    }
    for (const { to, via } of routes) attempt('route', () => target.addRoute(to.address, to.prefixLength, bridge, via));
    for (const { address, mac } of neighbors) attempt('neighbour', () => target.setNeighbor(bridge, address, mac));
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
    bridge.macs.floodVlans = new Set(row.integers('flood_vlans'));
    const datapathId = datapathIdOf(live.settings, live.mac);
    if (isNew || bridge.datapathId !== datapathId)
      log('INFO', `bridge ${live.name}: using datapath ID ${datapathId.toString(16).padStart(16, '0')}`);
    bridge.configure({ failMode, forwardBpdu, datapathId });
    const other = row.map('other_config');
    const [serial, datapath] = [other.get('dp-sn') ?? 'None', other.get('dp-desc') ?? 'None'];
    bridge.ofproto.description = { ...bridge.ofproto.description, serial, datapath };
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
    const mtu = type === 'tap' || type === 'internal' ? (row.integer('mtu_request') ?? '') : '';
    return `${type} ${mtu} ${JSON.stringify(isDummy ? [] : type === 'patch' ? options : [...row.map('options')])}`;
  }

  #removeInterfaces(live: LiveBridge, { interfaces }: WantedBridge): void {
    const wanted = new Map(interfaces.map((one) => [one.name, one]));
    const askedBy = new Map<number, string>();
    for (const { name, row } of interfaces) {
      const asked = portNumber(row, 'ofport_request');
      if (asked !== null && live.interfaces.get(name)?.number === asked) askedBy.set(asked, name);
    }
    // A number that another one has is had, unless that one asks for it too
    const mustMove = (to: number | null, from: number | null): boolean =>
      to !== null && to !== from && !askedBy.has(to);
    const victims = new Set<number>();
    for (const { name, row } of interfaces) {
      const asked = portNumber(row, 'ofport_request');
      if (asked !== null && mustMove(asked, live.interfaces.get(name)?.number ?? null)) victims.add(asked);
    }
    for (const one of [...live.interfaces.values()]) {
      if (one.name === live.name) continue;
      const want = wanted.get(one.name);
      const asked = want ? portNumber(want.row, 'ofport_request') : null;
      const stays =
        want &&
        one.error === null &&
        one.key === this.#keyOf(want) &&
        !mustMove(asked, one.number) &&
        !victims.has(one.number ?? 0);
      if (!stays) this.#removeInterface(live, one);
      if (!want) live.kept.delete(one.name);
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
      if (this.#said.get(name) !== error) this.#options.log('WARN', error);
      this.#said.set(name, error);
      return { ...common, device: null, number: null, error };
    };
    if (port.interfaces.length > 1 && port.interfaces[0] !== row)
      return failed(`${name}: port ${port.name} has several interfaces, and bonds are not supported`);
    if (!kind) return failed(`could not open network device ${name} (Address family not supported by protocol)`);
    const target = this.#target(name, kind, row);
    if (typeof target === 'string') return failed(target);
    const asked = portNumber(row, 'ofport_request') ?? live.kept.get(name) ?? portNumber(row, 'ofport');
    const number = live.numbers.take(asked);
    if (number === null) return failed(`could not add network device ${name} to ofproto (No space left on device)`);
    // The datapath knows tunnels by names of their own
    const dpPort = this.#dpNumber('tunnel' in target ? tunnelPortName(target.tunnel) : name);
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
    this.#said.delete(name);
    live.kept.set(name, number);
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
        const opened = this.#options.devices.open(name, kind, parseMac(row.string('mac')), settingsOf(row));
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

  /**
   * Dummies are switched off and on as port-mods say (OFPPC_PORT_DOWN).
   * @returns whether one of them was
   */
  followPortMods(): boolean {
    let count = 0;
    for (const { name, interfaces, portsDown } of this.bridges.values()) {
      for (const { name: port, config } of this.#options.target.state.bridges.get(name)?.ofports ?? []) {
        const isDown = (config & OFPPC_PORT_DOWN) !== 0;
        const device = interfaces.get(port)?.device;
        if (!(device instanceof DummyDevice) || isDown === portsDown.has(port)) continue;
        if (isDown) portsDown.add(port);
        else portsDown.delete(port);
        device.isAdminUp = !isDown;
        count++;
      }
    }
    return count > 0;
  }

  // ---- interfaces of the kernel that come and go ----

  /** Whether there is something that could not be had. */
  get hasFailures(): boolean {
    if (this.lacking.size > 0) return true;
    for (const { interfaces } of this.bridges.values())
      for (const { error } of interfaces.values()) if (error !== null) return true;
    return false;
  }

  /** Interfaces of the kernel have changed: devices look again when they are polled next. */
  linksChanged(): void {
    for (const { interfaces } of this.bridges.values())
      for (const { device } of interfaces.values()) if (device) lookAgain(device);
  }

  /**
   * Takes off what is gone; a bridge goes with its own device.
   * @param isLost tells of further interfaces that are
   * @returns whether there was something
   */
  dropLost(now: Micros, isLost: (live: LiveInterface) => boolean = () => false): boolean {
    let count = 0;
    for (const bridge of [...this.bridges.values()]) {
      for (const live of [...bridge.interfaces.values()]) {
        if (!live.device || !(isGone(live.device) || isLost(live))) continue;
        count++;
        if (live.name === bridge.name) {
          this.#removeBridge(bridge, now);
          break;
        }
        this.#removeInterface(bridge, live);
        const error = `could not open network device ${live.name} (No such device)`;
        bridge.interfaces.set(live.name, { ...live, device: null, number: null, error });
      }
    }
    return count > 0;
  }

  close(now: Micros): void {
    for (const bridge of [...this.bridges.values()]) this.#removeBridge(bridge, now);
  }
}

/** What opening an interface's device is told: its options, and columns that count for it. */
function settingsOf(row: ReplicaRow): ReadonlyMap<string, string> {
  const settings = new Map(row.map('options'));
  const mtu = row.integer('mtu_request');
  const affinity = row.map('other_config').get('pmd-rxq-affinity');
  if (mtu !== null) settings.set('mtu', `${mtu}`);
  if (affinity !== undefined) settings.set('pmd-rxq-affinity', affinity);
  return settings;
}

type Target = PortConfig extends infer Each
  ? Each extends PortConfig
    ? Omit<Each, 'name' | 'ofport' | 'vlan' | 'protected' | 'dpPort'>
    : never
  : never;
